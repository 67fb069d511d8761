"""Example arguments of tools: each names a tool, and for reads a call with them returns data of the sandbox."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from doit_mcp.catalog.toolsets import Selection
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.tool_examples import tool_examples
from doit_mcp.server.catalog import catalog_factory
from tests.sandbox.steps import resolve_example
from tests.transports.http.serving import ADMIN, Session, Site, serving

TOOLS = {tool.name: tool for tool in catalog_factory()(Selection(frozenset({"all"})), False).tools}
EXAMPLES = tool_examples(time.time())
READS = [name for name, tool in TOOLS.items() if not tool.writes]
# Their arguments come from outside the sandbox's data, or only exist after a write.
WITHOUT_DATA = {
    "get_aws_account": "no account has a role before create_account_role",
    "get_datahub_dataset": "there are no datasets before create_datahub_dataset",
    "get_contract_template": "there are no templates before create_contract_template",
    "export_datahub_dataset_records": "there are no datasets before create_datahub_dataset",
    "get_report_run_results": "a run has no results when it starts",
    "get_folder": "there are no folders before create_folder",
    "get_theme": "there are no themes before create_custom_theme",
    "get_signup_request": "there are no requests before create_signup_request",
}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(make=catalog_factory(), api=Api()) as server:
        yield server


async def resolved(session: Session, value: Any) -> Any:
    """Return *value* with values of other tools' results filled in."""

    async def call(tool: str, arguments: Any) -> Any:
        result = (await session.call(tool, arguments)).result
        assert not result.get("isError"), (tool, result["content"])
        return result["structuredContent"]

    return await resolve_example(value, call)


def test_examples_are_for_tools_that_exist() -> None:
    assert EXAMPLES.keys() - TOOLS.keys() == set()
    assert WITHOUT_DATA.keys() - set(READS) == set() and not WITHOUT_DATA.keys() & EXAMPLES.keys()


async def test_every_read_succeeds_with_its_example(site: Site) -> None:
    session = await site.initialize(user=ADMIN)
    failed: dict[str, Any] = {}
    for name in READS:
        if name not in WITHOUT_DATA:
            result = (await session.call(name, await resolved(session, EXAMPLES.get(name, {})))).result
            failed |= {name: result["content"]} if result.get("isError") else {}
    assert not failed, f"add examples with data of the sandbox to doit_mcp/sandbox/tool_examples.py: {failed}"


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in READS])
async def test_examples_of_writes_are_valid_arguments(name: str) -> None:
    _, problems = TOOLS[name].parse_arguments(without_references(EXAMPLES[name]))
    assert not problems, f"doit_mcp/sandbox/tool_examples.py: {name}: {problems}"


def without_references(value: Any) -> Any:
    """Return *value* with a text in place of each value that the page reads from another result."""
    if isinstance(value, dict):
        return "x" if "$from" in value else {name: without_references(item) for name, item in value.items()}
    return list(map(without_references, value)) if isinstance(value, list) else value
