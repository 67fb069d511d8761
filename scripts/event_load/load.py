"""Subscribes users and reports events, as clients and back ends do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
from yarl import URL

from doit_mcp.events.signatures import make_signature_headers
from doit_mcp.sandbox.accounts import User
from doit_mcp.sandbox.server import SandboxServer

from .receivers import FLAKY, HEALTHY, UnreliableReceiver
from .replicas import REPORT_SECRET

PER_OWNER = 20
CONCURRENCY = 16
MAX_SUBSCRIBE_ATTEMPTS = 60
QUIET_SECONDS = 120.0


class LoadFailed(Exception):
    """The load could not run."""


class Load:
    """The load on the replicas at *bases*. *ports* are those of roles that do not use the receiver's own."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        bases: list[str],
        receiver: UnreliableReceiver,
        ports: dict[str, int],
        roles: Sequence[str],
    ) -> None:
        self.http, self.bases, self.receiver, self.ports, self.roles = http, bases, receiver, ports, roles
        self.accepted_at: dict[str, float] = {}
        self.expected: set[str] = set()
        self._slots = asyncio.Semaphore(CONCURRENCY)

    async def subscribe(self, token: str, role: str, group: int, number: int) -> dict[str, Any]:
        """Subscribe one user to the events of one *group*. Return the answer."""
        base = URL(self.receiver.url)
        hook = str(base.with_port(self.ports.get(role, base.port)).with_path(f"/{role}/{group}"))
        delivery = {"mode": "webhook", "url": hook, "secret": self.receiver.secret}
        params = {"name": "anomaly.detected", "arguments": {"attribution": f"g{group}"}, "delivery": delivery}
        message = {"jsonrpc": "2.0", "id": 1, "method": "events/subscribe", "params": {**params, "cursor": None}}
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
        url = f"{self.bases[number % len(self.bases)]}/mcp"
        async with self._slots, self.http.post(url, json=message, headers=headers) as response:
            text = await response.text()
        # A response that takes a while is a stream, and its last event is the answer.
        data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith(("{", "data: {"))]
        answer: dict[str, Any] = json.loads(data[-1])
        return answer

    async def subscribe_patiently(self, token: str, role: str, group: int, number: int) -> dict[str, Any]:
        """Subscribe, again while the API of the sandbox is too slow, which makes the data of a customer at first use, and
        while too many receivers of the one host that all of them have are being verified."""
        for _ in range(MAX_SUBSCRIBE_ATTEMPTS - 1):
            answer = await self.subscribe(token, role, group, number)
            if answer.get("error", {}).get("data") not in ({"limit": "upstream"}, {"limit": "verifications"}):
                return answer
            await asyncio.sleep(2)
        return await self.subscribe(token, role, group, number)

    async def report(self, customer: str, number: int) -> None:
        """Report one event, again at another replica if one does not answer."""
        group = number % PER_OWNER
        data = {"id": f"{customer} {number}", "attribution": f"g{group}", "severity": "critical"}
        event = {"customer": customer, "name": "anomaly.detected", "data": data}
        body = json.dumps(event).encode()
        async with self._slots:
            for attempt in range(20):
                base = self.bases[(number + attempt) % len(self.bases)]
                headers = make_signature_headers([REPORT_SECRET], f"msg_{number}", int(time.time()), body)
                try:
                    async with self.http.post(f"{base}/events/ingest", data=body, headers=headers) as response:
                        if response.status == 200:
                            self.accepted_at[data["id"]] = time.monotonic()
                            if self.roles[group] in (HEALTHY, FLAKY):
                                self.expected.add(data["id"])
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
        raise LoadFailed("an event was not accepted")

    async def report_all(self, reports: Sequence[tuple[str, int]], per_second: float) -> None:
        """Report events at a steady rate."""
        started, tasks = time.monotonic(), []
        for count, each in enumerate(reports):
            await asyncio.sleep(max(0.0, started + count / per_second - time.monotonic()))
            tasks.append(asyncio.create_task(self.report(*each)))
        await asyncio.gather(*tasks)

    async def wait_for_the_rest(self) -> None:
        """Wait until everything has arrived, or nothing has for longer than the longest usual pause."""
        while self.expected - self.receiver.ids.keys():
            if time.monotonic() - self.receiver.last_change > QUIET_SECONDS:
                return
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)


async def subscribe_users(load: Load, world: SandboxServer, users: Sequence[User]) -> None:
    """Make all subscriptions. Raise LoadFailed if one fails, or one with a wrong echo does not."""
    tokens = [world.identity.mint(user, resource=f"{load.bases[0]}/mcp") for user in users]
    refused = await load.subscribe(tokens[0], "echo", 0, 0)
    if refused.get("error", {}).get("data") != {"reason": "challenge_failed"}:
        raise LoadFailed(f"a receiver with a wrong echo was not refused: {refused}")
    # All users at the same time, but each one subscription after the other: those to one mailbox conflict.
    for group, role in enumerate(load.roles):
        answers = await asyncio.gather(
            *(load.subscribe_patiently(token, role, group, group + number) for number, token in enumerate(tokens))
        )
        if failed := [answer for answer in answers if "result" not in answer]:
            raise LoadFailed(f"a subscription failed: {failed[0]}")
