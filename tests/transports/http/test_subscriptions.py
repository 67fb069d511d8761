"""``subscriptions/listen``: first the acknowledgment, then only the requested notifications, and a graceful end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from doit_mcp.sandbox.accounts import User
from doit_mcp.server.notification_hub import PROMPTS_CHANGED, RESOURCE_UPDATED, TOOLS_CHANGED, ChangeEvent
from tests.transports.http.serving import (
    ADMIN,
    META,
    OTHER_USER,
    STATELESS_REVISION,
    Json,
    Site,
    check,
    next_event,
    serving,
)

SUBSCRIPTION = f"{META}subscriptionId"
TASKS = {"clientCapabilities": {"extensions": {f"{META}tasks": {}}}}


class Listener:
    """An open stream."""

    def __init__(self, response: aiohttp.ClientResponse, id: Any) -> None:
        self.response, self.id = response, id

    async def next(self) -> Json:
        message: Json = json.loads((await asyncio.wait_for(next_event(self.response), 20))[1])
        check(STATELESS_REVISION, message, "subscriptions/listen")
        meta = message["params" if "method" in message else "result"]["_meta"]
        assert meta[SUBSCRIPTION] == self.id and type(meta[SUBSCRIPTION]) is type(self.id)
        return message


@asynccontextmanager
async def listening(
    site: Site, filters: Any, *, id: Any = "listen", user: User = ADMIN, **meta: Any
) -> AsyncIterator[Listener]:
    message = site.stateless_request("subscriptions/listen", {"notifications": filters}, id=id, **meta)
    headers = site.headers(user) | site.stateless_headers(message)
    async with site.http.post(f"{site.base}/mcp", json=message, headers=headers) as response:
        assert response.status == 200 and response.headers["Content-Type"] == "text/event-stream"
        yield Listener(response, id)


@pytest.mark.requirement("M92", "M93")
async def test_acknowledges_and_filters(site: Site) -> None:
    """The acknowledgment lists only what is supported, only requested notifications are sent, and the id keeps its
    type."""
    filters = {
        "promptsListChanged": True,
        "toolsListChanged": False,
        "resourceSubscriptions": ["doc://one", "doc://no"],
    }
    async with listening(site, filters, id=7) as listener:
        acknowledged = await listener.next()
        assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
        accepted = {"promptsListChanged": True, "resourceSubscriptions": ["doc://one"]}
        assert acknowledged["params"]["notifications"] == accepted
        site.hub.publish(ChangeEvent(TOOLS_CHANGED))
        site.hub.publish(ChangeEvent(RESOURCE_UPDATED, "doc://number/1", params={"uri": "doc://number/1"}))
        site.hub.publish(ChangeEvent(RESOURCE_UPDATED, "doc://one", params={"uri": "doc://one"}))
        assert (await listener.next())["params"]["uri"] == "doc://one"
        site.hub.publish(ChangeEvent(PROMPTS_CHANGED))
        assert (await listener.next())["method"] == PROMPTS_CHANGED


@pytest.mark.requirement("M93")
async def test_listeners_are_isolated(site: Site) -> None:
    """Two streams of one user and one of another: disconnecting one leaves the others alone, and changes for one
    owner reach only that owner."""
    filters = {"toolsListChanged": True}
    async with listening(site, filters, id=1) as first, listening(site, filters, id="1", user=OTHER_USER) as second:
        for listener in (first, second):
            await listener.next()
        async with listening(site, filters, id=2) as third:
            await third.next()
            third.response.close()
        site.hub.publish(ChangeEvent(TOOLS_CHANGED))
        for listener in (first, second):
            assert (await listener.next())["method"] == TOOLS_CHANGED


@pytest.mark.requirement("M94")
async def test_ends_with_a_result_when_the_server_stops() -> None:
    async with serving() as site:
        stack = listening(site, {"toolsListChanged": True})
        listener = await stack.__aenter__()
        await listener.next()
        last = asyncio.create_task(listener.next())
    assert (await last)["result"]["resultType"] == "complete"


@pytest.mark.requirement("M112")
async def test_tasks_can_be_subscribed_to(site: Site) -> None:
    """Status notifications of the client's own tasks, if it declared the extension."""
    task = (await site.call("long", **TASKS)).result["taskId"]
    refused = await site.send_stateless("subscriptions/listen", {"notifications": {"taskIds": [task]}})
    assert refused.code == (400, -32021)
    async with listening(site, {"taskIds": [task, "other"]}, user=OTHER_USER, **TASKS) as other_listener:
        assert (await other_listener.next())["params"]["notifications"] == {"taskIds": []}
    async with listening(site, {"taskIds": [task, "other"]}, **TASKS) as listener:
        assert (await listener.next())["params"]["notifications"] == {"taskIds": [task]}
        site.bench.proceed.set()
        message = await listener.next()
        assert message["method"] == "notifications/tasks" and message["params"]["status"] == "completed"


@pytest.mark.parametrize("filters", [None, ["x"], {"resourceSubscriptions": "doc://one"}, {"taskIds": [1]}])
async def test_invalid_filters(site: Site, filters: Any) -> None:
    answer = await site.send_stateless("subscriptions/listen", {"notifications": filters}, **TASKS)
    assert answer.code == (400, -32602)


async def test_requires_a_stream(site: Site) -> None:
    params = {"notifications": {}}
    answer = await site.send_stateless("subscriptions/listen", params, headers={"Accept": "application/json"})
    assert answer.status == 406


async def test_counts_as_a_stream() -> None:
    async with serving(streams_per_principal=1) as site:
        async with listening(site, {}) as listener:
            await listener.next()
            answer = await site.send_stateless("subscriptions/listen", {"notifications": {}})
            assert answer.status == 429
            # A stream does not count as a call in flight.
            assert (await site.call("echo")).status == 200
