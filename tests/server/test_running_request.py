"""Deadlines of running requests: extended only for clients that wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.client import DEADLINE_SECONDS as API_DEADLINE
from doit_mcp.protocol.jsonrpc import Request
from doit_mcp.protocol.request_metadata import Caller
from doit_mcp.protocol.revisions import REVISIONS
from doit_mcp.server.client_requests import NullAsker
from doit_mcp.server.notification_hub import NotificationHub
from doit_mcp.server.request_context import NULL_CHANNEL, Catalog, Channel, RequestContext, Services
from doit_mcp.server.running_request import TASK_DEADLINE_SECONDS, RunningRequest
from doit_mcp.server.signed_state import StateSigner
from doit_mcp.server.task_progress import TaskProgress
from doit_mcp.server.tasks import MemoryTasks
from tests.api.recorder import Recorder


class OpenChannel:
    """A channel that can send messages."""

    may_stream = True

    async def send(self, data: bytes) -> None:
        """Drop the message."""

    async def release(self) -> None:
        """Do nothing."""


def running(token: object, channel: Channel, *, is_task: bool = False) -> tuple[RunningRequest, list[float]]:
    """A running request, and the seconds of the API clients that it made."""
    seconds: list[float] = []

    def make_api(name: str, caller: Caller, report: Any, deadline: float) -> Doit:
        seconds.append(deadline)
        return Doit.for_sender(Recorder())

    hub = NotificationHub()
    services = Services(hub, StateSigner(b"k" * 32), MemoryTasks(hub))
    context = RequestContext(
        Catalog((), {"name": "n", "version": "1"}), Caller(REVISIONS[-1]), "owner", make_api, channel, services
    )
    params: dict[str, Any] = {"_meta": {"progressToken": token}} if token is not None else {}
    progress = TaskProgress() if is_task else None
    call = RunningRequest(context, Request(1, "tools/call", params), "t", NullAsker(), task_progress=progress)
    return call, seconds


@pytest.mark.parametrize(
    ("token", "channel", "is_task", "waits"),
    [
        ("p", OpenChannel(), False, True),
        (0, OpenChannel(), False, True),
        (None, OpenChannel(), False, False),
        (True, OpenChannel(), False, False),
        ("p", NULL_CHANNEL, False, False),
        (None, NULL_CHANNEL, True, True),
    ],
)
async def test_tasks_and_clients_with_progress_wait(
    token: object, channel: Channel, is_task: bool, waits: bool
) -> None:
    call, seconds = running(token, channel, is_task=is_task)
    assert call.can_wait is waits

    async def work() -> float:
        assert call.doit is call.doit
        call.extend_deadline()
        call.extend_deadline()
        assert call.doit is call.doit
        assert call._deadline is not None and (when := call._deadline.when()) is not None
        return when - asyncio.get_running_loop().time()

    left = await call.with_deadline(45.0, work())
    assert call.extended_seconds == (TASK_DEADLINE_SECONDS if waits else None)
    if waits:
        assert 45 < left <= TASK_DEADLINE_SECONDS
        assert seconds == [TASK_DEADLINE_SECONDS] if is_task else [API_DEADLINE, TASK_DEADLINE_SECONDS]
    else:
        assert left <= 45 and seconds == [API_DEADLINE]
    call.make_api(7.0)
    assert seconds[-1] == 7.0
