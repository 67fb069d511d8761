"""Customers with many AWS organizations: how many requests an answer needs, and what it says about the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from doit_mcp.api.operation import Operation, Request
from doit_mcp.catalog.commitments import aws
from tests.api.recorder import Recorder

from ..caller import call
from ..commitments_api import FIRST, ORGANIZATIONS, make_api


class SlowRecorder(Recorder):
    """Counts the requests about single organizations that run at the same time."""

    running = most = 0

    async def send(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        is_counted = "managementAccountId" in arguments
        self.running += is_counted
        self.most = max(self.most, self.running)
        for _ in range(5):
            await asyncio.sleep(0)
        self.running -= is_counted
        return await super().send(operation, arguments)


def many(count: int) -> SlowRecorder:
    """Return an API with *count* organizations like the first one."""
    names = [f"{number:012}" for number in range(count)]
    listed = {"items": [{"managementAccountId": name, "displayName": f"No. {name}"} for name in names]}
    plain = make_api()

    def answer(request: Request) -> Any:
        _, found, rest = request.path.partition("/organizations")
        if not found:
            return plain(request)
        _, slash, part = rest.strip("/").partition("/")
        return listed if not rest.strip("/") else ORGANIZATIONS[FIRST + slash + part]

    return SlowRecorder(answer)


async def ask(tool: str, api: Recorder, **arguments: Any) -> Any:
    return (await call(tool, api, **arguments))["structuredContent"]


def requests_about_organizations(api: Recorder) -> int:
    return sum("/organizations/" in request.path for request in api.requests)


@pytest.mark.parametrize(("tool", "each"), [("commitment_summary", 5), ("get_savings_summary", 3)])
async def test_few_requests_run_at_the_same_time(tool: str, each: int) -> None:
    api = many(30)
    found = await ask(tool, api)
    assert requests_about_organizations(api) == 30 * each and "failed" not in found
    assert api.most == aws.MAX_CONCURRENT_REQUESTS


async def test_figures_of_too_many_organizations_are_unknown() -> None:
    api = many(300)
    found = await ask("commitment_summary", api, cloud="aws")
    assert requests_about_organizations(api) == 0
    why = "there are 300 AWS organizations; combined figures are read for up to 50"
    assert found["failed"] == [{"part": "aws", "why": why}]
    (cloud,) = found["clouds"]
    assert cloud["coveragePercent"] is cloud["expiring"] is None and cloud["unknown"][0]["why"] == why


async def test_savings_of_the_first_organizations_are_shown_and_the_rest_is_named() -> None:
    api = many(300)
    found = await ask("get_savings_summary", api, top=10)
    assert requests_about_organizations(api) == 3 * aws.MAX_ORGANIZATIONS
    assert found["failed"] == [
        {
            "part": "waste and purchases of 250 AWS organizations",
            "why": f"only the first {aws.MAX_ORGANIZATIONS} organizations are read",
        }
    ]
    # The rows of the other organizations are unknown.
    assert (found["counts"]["save"], found["counts"]["waste"]) == (None, None)
    # One recommendation and nine of the purchases are shown, so no more overlap.
    assert [len(overlap["ids"]) for overlap in found["overlaps"]] == [2] * 9
    shown = {row["id"] for row in found["save"]}
    assert all(shown.issuperset(overlap["ids"]) for overlap in found["overlaps"])


async def test_requests_that_take_too_long_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from doit_mcp.catalog.savings import opportunities

    monkeypatch.setattr(opportunities, "READ_SECONDS", 0.0)
    found = await ask("get_savings_summary", many(2))
    assert len(found["failed"]) == 6 and {part["why"] for part in found["failed"]} == {"the request took too long"}
    assert found["save"] and found["waste"] == []
