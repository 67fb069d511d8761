"""AI spend: models, providers and tokens."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.costs.ai_spend import AiLine, make_ai_spend, parse_line
from tests.api.recorder import Recorder

from ..caller import call

COLUMNS = ("cloud_provider", "service_description", "sku_description", "pricing_unit", "year", "cost", "usage")
SERVICE_ROWS = [
    ["amazon-web-services", "Amazon Bedrock", "Claude3.5Sonnet-input-tokens", "1K tokens", "2026", 30.0, 10_000.0],
    ["amazon-web-services", "Amazon Bedrock", "Claude 3.5 Sonnet output tokens", "1K tokens", "2026", 60.0, 4_000.0],
    ["amazon-web-services", "Amazon Bedrock", "Guardrails", "Units", "2026", 5.0, 7.0],
]
RELATED_ROWS = [["Amazon SageMaker", "2026", "09", 40.0], ["Amazon Lex", "2026", "09", 0.001]]
PROVIDER_ROWS = [["openai", "Completions API", "gpt-4o, input", "tokens", "2026", 5.0, 2_000_000.0]]


def return_ai_rows(request: Request) -> Any:
    """Return the rows of AI services, and those of AI providers."""
    config = (request.body or {})["config"]
    if [group["id"] for group in config["group"]] == ["service_description"]:
        names = ("service_description", "year", "month", "cost")
        return {"result": {"schema": [{"name": name, "type": "string"} for name in names], "rows": RELATED_ROWS}}
    filters = {item["id"]: item for item in config["filters"]}
    is_by_provider = "cloud_provider" in filters
    assert bool(filters["service_description"].get("inverse")) == is_by_provider
    rows = PROVIDER_ROWS if is_by_provider else SERVICE_ROWS
    return {"result": {"schema": [{"name": name, "type": "string"} for name in COLUMNS], "rows": rows}}


async def ai_spend(api: Any = return_ai_rows, **arguments: Any) -> Any:
    """Return the AI spend of the small bill."""
    return (await call("ai_spend", Recorder(api), **arguments))["structuredContent"]


async def test_models_with_their_tokens() -> None:
    found = await ai_spend()
    assert found["total"] == 100.0 and found["other"] == 0.0
    assert found["models"] == [
        {
            **{"model": "Claude3.5Sonnet", "provider": "amazon-web-services", "cost": 90.0, "sharePercent": 90.0},
            **{"tokens": 14e6, "inputTokens": 10e6, "outputTokens": 4e6, "costPerMillionTokens": 6.42857},
        },
        {
            **{"model": "gpt-4o", "provider": "openai", "cost": 5.0, "sharePercent": 5.0},
            **{"tokens": 2e6, "inputTokens": 2e6, "costPerMillionTokens": 2.5},
        },
        {
            **{"model": None, "provider": "amazon-web-services", "cost": 5.0, "sharePercent": 5.0},
            "tokens": None,
        },
    ]
    assert (found["period"]["from"], found["period"]["complete"]) == ("2026-09-01", False)


async def test_providers() -> None:
    found = await ai_spend(groupBy="provider", topN=1)
    (provider,) = found["providers"]
    assert (provider["provider"], provider["cost"], found["other"]) == ("amazon-web-services", 95.0, 5.0)
    assert "model" not in provider and provider["tokens"] == 14e6
    # Providers sell models at very different prices.
    assert "costPerMillionTokens" not in provider


async def test_related_services_are_named_but_not_counted() -> None:
    found = await ai_spend()
    assert found["notCounted"] == [{"service": "Amazon SageMaker", "cost": 40.0}] and found["total"] == 100.0


async def test_no_ai_cost_is_explained() -> None:
    def without_ai(request: Request) -> Any:
        config = (request.body or {})["config"]
        names = [*(group["id"] for group in config.get("group", ())), "year", "month", "day", "cost"]
        rows = [] if config.get("filters") else [["2026", "01", "05", 1.0]]
        return {"result": {"schema": [{"name": name} for name in names], "rows": rows}}

    found = await ai_spend(without_ai)
    assert found["total"] == 0.0 and found["models"] == [] and "No service that sells AI models" in found["note"]
    assert "notCounted" not in found
    before = await ai_spend(without_ai, period="2025-01")
    assert before["total"] is None and "begins on 2026-01-05" in before["note"]


async def test_failures_and_odd_answers_are_errors() -> None:
    with pytest.raises(ApiError, match="no column service_description"):
        await ai_spend({"result": {"schema": [{"name": "cloud_provider"}], "rows": [["x"]]}})
    with pytest.raises(ApiError):
        await ai_spend(ApiError("", kind="timeout"))


LINES = st.builds(
    AiLine,
    st.sampled_from(["openai", "anthropic"]),
    st.sampled_from([None, "GPT-4o", "gpt-4o", "claude-3"]),
    st.decimals(0, 1000, places=6),
    st.none() | st.decimals(0, 10**9, places=0),
    st.sampled_from([None, "input", "cached", "output"]),
)


@given(st.lists(LINES), st.sampled_from(["model", "provider"]), st.integers(1, 4))
def test_parts_add_up_to_the_cent(lines: list[AiLine], group_by: str, top: int) -> None:
    found = make_ai_spend(lines, group_by, top, "USD")
    rows = found[f"{group_by}s"]
    shown = sum((Decimal(str(row["cost"])) for row in rows), Decimal(0))
    assert shown + Decimal(str(found["other"])) == Decimal(str(found["total"]))
    assert abs(Decimal(str(found["total"])) - sum((line.cost for line in lines), Decimal(0))) <= Decimal("0.005")
    assert len(rows) <= top and all(row["tokens"] is None or row["tokens"] > 0 for row in rows)


def test_rows_without_texts_are_read() -> None:
    assert parse_line(None, None, None, None, None, None) == AiLine("", None, Decimal(0))


async def test_counts_beyond_exact_integers_fit_into_json() -> None:
    # The sum of 6e17 tokens in each of 40 SKUs needs more than 64 bits.
    rows = [["openai", "s", f"gpt-4o, input {n}", "1K tokens", "2026", 1.0, 6e14] for n in range(40)]

    def answer(request: Request) -> Any:
        is_by_provider = any(
            item["id"] == "cloud_provider" for item in (request.body or {})["config"].get("filters", ())
        )
        schema = [{"name": name, "type": "string"} for name in COLUMNS]
        is_by_sku = any(item["id"] == "sku_description" for item in (request.body or {})["config"].get("group", ()))
        return {"result": {"schema": schema, "rows": rows if is_by_provider and is_by_sku else []}}

    (model,) = (await ai_spend(answer))["models"]
    assert model["tokens"] == model["inputTokens"] == 2.4e19 and model["cost"] == 40.0
