"""Prompts: the previous server's names and arguments, and their text."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.operation import Request
from doit_mcp.catalog.prompts.playbooks import PROMPTS
from doit_mcp.catalog.registry import all_tools
from tests.api.recorder import Recorder

from ..caller import Caller

NAMED = {prompt.name: prompt for prompt in PROMPTS}
OLD: dict[str, list[str]] = {
    "cloud_overview": [],
    "expert_inquiries": ["status", "platform", "product", "limit"],
    "search_expert_inquiries": ["keyword", "platform", "product"],
    "filter_fields_reference": [],
    "generate_report_document": [],
    "generate_anomalies_document": [],
    "generate_invoice_details_document": [],
    "query_best_practice": [],
    "dimension_usage_guidance": [],
    "allocations_usage_guidance": [],
    "document_output_reminder": [],
    "allow_artifacts": [],
    "generate_report_command": [],
    "trigger_cloudflow_flow": ["flowID", "requestBodyJson"],
}


def test_every_legacy_prompt_exists_with_its_arguments() -> None:
    assert len(OLD) == 14 and len(NAMED) == len(PROMPTS)
    for name, arguments in OLD.items():
        assert [argument.name for argument in NAMED[name].arguments] == arguments
    required = {
        (prompt.name, prompt_argument.name)
        for prompt in PROMPTS
        for prompt_argument in prompt.arguments
        if prompt_argument.required
    }
    assert required == {("search_expert_inquiries", "keyword"), ("set_up_budget", "scope")}


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.name)
async def test_prompt_is_one_message_with_its_arguments(prompt: Any) -> None:
    arguments = {argument.name: f"value of {argument.name}" for argument in prompt.arguments}
    (plain,) = await prompt.render(Caller(Recorder()), dict.fromkeys(arguments, ""))
    (full,) = await prompt.render(Caller(Recorder()), arguments)
    assert plain["role"] == full["role"] == "user" and len(plain["content"]["text"]) > 40
    added = "".join(f"\n{name}: {value}" for name, value in arguments.items())
    assert full["content"]["text"] == plain["content"]["text"] + (f"\n{added}" if added else "")
    assert prompt.title and prompt.description.endswith(".") and "  " not in plain["content"]["text"]


def test_tool_names_in_prompts_exist() -> None:
    tools = {tool.name for tool in all_tools()}
    for name in ("explain_cost_change", "forecast_spend", "get_savings_summary", "get_cloud_overview", "list_tickets"):
        assert name in tools


async def complete(name: str, argument: str, typed: str, answer: Any, **settled: str) -> list[str]:
    completer = next(
        prompt_argument.completer for prompt_argument in NAMED[name].arguments if prompt_argument.name == argument
    )
    assert completer is not None
    return await completer(Caller(Recorder(answer)), typed, settled)


def products(request: Request) -> Any:
    rows = [{"id": "bigquery", "displayName": "BigQuery"}, {"id": "gke"}, {"id": None}]
    return {"products": rows[:1] if request.query.get("platform") == "google_cloud_platform" else rows}


async def test_prompt_arguments_are_completed() -> None:
    assert await complete("expert_inquiries", "status", "S", {}) == ["solved", "closed"]
    assert await complete("expert_inquiries", "product", "", products) == ["bigquery", "gke"]
    assert await complete("expert_inquiries", "product", "", products, platform="google_cloud_platform") == ["bigquery"]
    platforms = {"platforms": [{"id": "amazon_web_services"}, {"id": "doit"}]}
    assert await complete("expert_inquiries", "platform", "do", platforms) == ["doit"]
    flows = {"items": [{"id": "f1", "name": "Weekly digest"}, {"id": "f2", "name": "Other"}]}
    assert await complete("trigger_cloudflow_flow", "flowID", "digest", flows) == ["f1"]
    assert await complete("trigger_cloudflow_flow", "flowID", "f", flows) == ["f1", "f2"]
    months = await complete("month_end_review", "month", "2026", {})
    assert months[:2] == ["2026-09", "2026-08"] and len(await complete("month_end_review", "month", "", {})) == 13
    assert await complete("triage_anomalies", "severity", "cri", {}) == ["critical"]
    assert await complete("set_up_budget", "like", "da", {"budgets": [{"budgetName": "Data"}]}) == ["Data"]
