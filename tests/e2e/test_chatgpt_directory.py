"""The test cases for the ChatGPT directory are true: each call of the page returns what the page says."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from tests.e2e import chatgpt
from tests.e2e.launch import Sandbox, running_sandbox
from tests.test_docs import DOCS, rows_between

PAGE = DOCS / "clients" / "chatgpt-directory.rst"
ADMIN = "admin@acme.example"
LITERAL = re.compile(r"``(.+?)``")


@dataclass(frozen=True)
class Case:
    """A row of the page: who asks, the call, and parts of its result."""

    user: str
    tool: str
    arguments: dict[str, Any]
    facts: tuple[str, ...]


def cases(kind: str) -> list[Case]:
    found = []
    for prompt, call, expected in rows_between(PAGE, f"{kind} cases"):
        tool, _, arguments = call.strip("`").partition(" ")
        (user,) = LITERAL.findall(prompt) or [ADMIN]
        found.append(Case(user, tool, json.loads(arguments), tuple(LITERAL.findall(expected))))
    return found


POSITIVE, NEGATIVE = cases("positive"), cases("negative")


@pytest.fixture(scope="module")
def dated_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox that the page starts."""
    (day,) = re.findall(r"scripts/sandbox --today (\S+)", PAGE.read_text("utf-8"))
    with running_sandbox(tmp_path_factory.mktemp("directory"), "--today", day) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def run(http: aiohttp.ClientSession, sandbox: Sandbox, case: Case) -> tuple[str, bool]:
    """Return the text of the result, and whether it is an error."""
    params = {"name": case.tool, "arguments": case.arguments}
    token = sandbox.api_tokens[case.user]
    result = (await chatgpt.send_stateless(http, sandbox.mcp, token, "tools/call", params)).result
    return result["content"][0]["text"], result.get("isError", False)


def test_directory_gets_enough_cases() -> None:
    assert len(POSITIVE) >= 5 and len(NEGATIVE) >= 3
    assert all(case.facts for case in (*POSITIVE, *NEGATIVE))


@pytest.mark.parametrize("case", POSITIVE, ids=lambda case: case.tool)
async def test_positive_case(http: aiohttp.ClientSession, dated_sandbox: Sandbox, case: Case) -> None:
    text, is_error = await run(http, dated_sandbox, case)
    assert not is_error and [fact for fact in case.facts if fact not in text] == []


@pytest.mark.parametrize("case", NEGATIVE, ids=lambda case: case.tool)
async def test_negative_case(http: aiohttp.ClientSession, dated_sandbox: Sandbox, case: Case) -> None:
    text, is_error = await run(http, dated_sandbox, case)
    assert [fact for fact in case.facts if fact not in text] == []
    assert is_error or json.loads(text)["operations"] == []


async def test_tools_of_the_positive_cases_are_listed(http: aiohttp.ClientSession, dated_sandbox: Sandbox) -> None:
    token = dated_sandbox.api_tokens[ADMIN]
    listed = await chatgpt.send_stateless(http, dated_sandbox.mcp, token, "tools/list", {})
    hints = {tool["name"]: tool["annotations"] for tool in listed.result["tools"]}
    assert {case.tool for case in POSITIVE} <= set(hints)
    for tool_hints in hints.values():
        assert {"readOnlyHint", "destructiveHint", "openWorldHint"} <= set(tool_hints)
