"""Sends many events to many subscriptions through two replicas that share a Redis, and reports what arrived.

Half of the receivers are healthy. The others fail in every way: some attempts, or all of them, with 410, 413, 503, a
redirect to a link-local address, no answer in time, no server, or no TLS. One replica is killed half way. Fails if an
event was lost, or delivered under a second id, or if a receiver with a wrong echo could be subscribed. Needs
redis-server. Takes some minutes, because retries wait as long as in production.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from doit_mcp.events.signatures import signed_headers
from doit_mcp.sandbox.accounts import AccountDirectory, User
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.event_receiver import EventReceiver
from doit_mcp.sandbox.server import SandboxServer, run_sandbox

PER_OWNER = 20
HEALTHY, FLAKY = "healthy", "flaky"
ROLES = (*(HEALTHY,) * 10, *(FLAKY,) * 3, "410", "413", "503", "redirect", "slow", "refused", "tls")
"""What the receiver of each group of subscriptions does."""
STATUSES = {"410": 410, "413": 413, "503": 503, "redirect": 302}
FLAKY_FAILURES = ("503", "redirect", "slow", "break")
FLAKY_SHARE, MAX_FLAKY_FAILURES = 0.5, 2
SLOW_SECONDS = 6.0
CONCURRENCY = 16
MAX_SUBSCRIBE_ATTEMPTS = 20
QUIET_SECONDS = 120.0
TAKEOVER_SECONDS = 20.0
"""Within this time, another replica works on the subscriptions of one that was killed."""
EXCHANGE_SECRET = secrets.token_urlsafe(32)
REPORT_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class LoadFailed(Exception):
    """The load could not run."""


class UnreliableReceiver(EventReceiver):
    """Confirms subscriptions, fails attempts by the role in the path, and counts what it accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.ids: dict[str, set[str]] = {}
        self.arrived_at: dict[str, float] = {}
        self.repeats = 0
        self.last_change = time.monotonic()

    async def receive(self, request: web.BaseRequest) -> web.StreamResponse:
        """Confirm subscriptions; accept an event or fail."""
        body, role = await request.read(), request.path.split("/")[1]
        if not self.holds(request.headers, body):
            return web.Response(status=401)
        fields = json.loads(body)
        if "challenge" in fields:
            return web.json_response({"challenge": "another" if role == "echo" else fields["challenge"]})
        if "data" not in fields:
            return web.Response(status=204)
        name = fields["data"]["id"]
        self.attempts[name] += 1
        if role == FLAKY:
            self.last_change = time.monotonic()
            if self.attempts[name] <= MAX_FLAKY_FAILURES and random.random() < FLAKY_SHARE:
                return await self._fail(request, random.choice(FLAKY_FAILURES))
        elif role != HEALTHY:
            return await self._fail(request, role)
        self.last_change = time.monotonic()
        self.repeats += name in self.ids
        self.ids.setdefault(name, set()).add(fields["eventId"])
        self.arrived_at.setdefault(name, time.monotonic())
        return web.Response(status=204)

    async def _fail(self, request: web.BaseRequest, failure: str) -> web.StreamResponse:
        self.failures[failure] += 1
        if failure in STATUSES:
            return web.Response(status=STATUSES[failure], headers={"Location": "http://169.254.169.254/"})
        if failure == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


class Relay:
    """A port of loopback that leads to the receiver at *port*, until it breaks: with *is_broken*, it has no TLS."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = 0
        self.is_broken = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Relay while the block runs. Afterwards, connections are refused."""
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_broken:
            writer.write(b"not TLS")
            writer.close()
            return
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until one side ends."""
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


@asynccontextmanager
async def running(*command: str, env: dict[str, str] | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process, and kill it at the end."""
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=null, stderr=null)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def replica_environment(resource: str, port: int, redis_port: int, sandbox: str, certificate: Path) -> dict[str, str]:
    """Return the settings of a replica."""
    return os.environ | {
        "DOIT_MCP_PORT": str(port),
        "MCP_RESOURCE_URL": resource,
        "DOIT_MCP_ALLOWED_HOSTS": f"127.0.0.1:{port}",
        "AUTH_SERVER_URL": sandbox,
        "DOIT_API_BASE": sandbox,
        "MCP_TOKEN_EXCHANGE_SECRET": EXCHANGE_SECRET,
        "DOIT_MCP_REDIS_URL": f"redis://127.0.0.1:{redis_port}",
        "DOIT_MCP_EVENTS_HOLD_S": "0",
        "DOIT_MCP_EVENTS_POLL_S": "3600",
        "DOIT_MCP_EVENTS_PRIVATE_RECEIVERS": "localhost",
        "DOIT_MCP_EVENTS_INGEST_SECRET": REPORT_SECRET,
        "DOIT_MCP_LOG_LEVEL": "error",
        "SSL_CERT_FILE": str(certificate),
    }


async def wait_until_ready(http: aiohttp.ClientSession, base: str) -> None:
    """Wait until a replica is ready."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with http.get(f"{base}/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


def resident_megabytes(process: asyncio.subprocess.Process) -> float:
    """Return the resident memory of a process."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


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
        """Subscribe, again while the API of the sandbox is too slow: it makes the data of a customer at first use."""
        for _ in range(MAX_SUBSCRIBE_ATTEMPTS - 1):
            answer = await self.subscribe(token, role, group, number)
            if answer.get("error", {}).get("data") != {"limit": "upstream"}:
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
                headers = signed_headers([REPORT_SECRET], f"msg_{number}", int(time.time()), body)
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

    def healthy_delays(self, since: float, until: float) -> list[float]:
        """Return the times from acceptance to delivery, sorted, of events for healthy receivers accepted in a time."""
        arrived = self.receiver.arrived_at
        return sorted(
            max(0.0, arrived[name] - at)
            for name, at in self.accepted_at.items()
            if since <= at < until and self.roles[int(name.split()[1]) % PER_OWNER] == HEALTHY and name in arrived
        )

    async def wait_for_the_rest(self) -> None:
        """Wait until everything has arrived, or nothing has for longer than the longest usual pause."""
        while self.expected - self.receiver.ids.keys():
            if time.monotonic() - self.receiver.last_change > QUIET_SECONDS:
                return
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)


async def run(subscriptions: int, events: int, per_second: float, roles: Sequence[str]) -> int:
    """Run the load and print its figures. Return the exit status."""
    directory = AccountDirectory(subscriptions // PER_OWNER)
    customers = directory.customers(len(directory) - subscriptions // PER_OWNER, len(directory))
    receiver = UnreliableReceiver()
    ports, redis_port = [free_port(), free_port()], free_port()
    bases = [f"http://127.0.0.1:{port}" for port in ports]
    async with AsyncExitStack() as stack, AsyncExitStack() as failing:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        await stack.enter_async_context(receiver.running())
        relays = {role: Relay(URL(receiver.url).port or 0) for role in ("refused", "tls")}
        await stack.enter_async_context(relays["tls"].running())
        await failing.enter_async_context(relays["refused"].running())
        certificate = folder / "certificate.pem"
        certificate.write_text(receiver.certificate)
        redis = ("redis-server", "--port", str(redis_port), "--save", "", "--dir", str(folder))
        await stack.enter_async_context(running(*redis))
        world = await stack.enter_async_context(
            run_sandbox(
                resource_url=bases[0], secret=EXCHANGE_SECRET, api=Api(directory=directory), directory=directory
            )
        )
        serve = (sys.executable, "-m", "doit_mcp", "serve")
        environments = [replica_environment(bases[0], port, redis_port, world.url, certificate) for port in ports]
        processes = [await stack.enter_async_context(running(*serve, env=given)) for given in environments]
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        for base in bases:
            await wait_until_ready(http, base)
        load = Load(http, bases, receiver, {role: relay.port for role, relay in relays.items()}, roles)
        users = [(customer.id, directory.users_of(customer)[0]) for customer in customers]
        await subscribe_users(load, world, [user for _, user in users])
        # From here on, nothing listens at one port, and the other one has no TLS.
        await failing.aclose()
        relays["tls"].is_broken = True
        return await measure(load, [customer for customer, _ in users], events, per_second, processes)


async def subscribe_users(load: Load, world: SandboxServer, users: Sequence[User]) -> None:
    """Make all subscriptions. Raise LoadFailed if one fails, or one with a wrong echo does not."""
    started = time.monotonic()
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
    print(f"{len(users) * PER_OWNER} subscriptions in {time.monotonic() - started:.1f} s", flush=True)


async def measure(
    load: Load, customers: Sequence[str], events: int, per_second: float, processes: list[asyncio.subprocess.Process]
) -> int:
    """Report events, kill one replica half way, wait, and print the figures. Return the exit status."""
    memory = [resident_megabytes(processes[0])]
    started, half = time.monotonic(), events // 2
    reports = [(customers[number % len(customers)], number // len(customers)) for number in range(events)]
    await load.report_all(reports[:half], per_second)
    # The replica that is killed has some deliveries in progress.
    processes[1].kill()
    await processes[1].wait()
    killed = time.monotonic()
    del load.bases[1:]
    memory.append(resident_megabytes(processes[0]))
    await load.report_all(reports[half:], per_second)
    accepted = time.monotonic() - started
    print(f"{events} events accepted in {accepted:.1f} s; one replica was killed after {half}", flush=True)
    await load.wait_for_the_rest()
    memory.append(resident_megabytes(processes[0]))
    receiver = load.receiver
    lost, doubled = load.expected - receiver.ids.keys(), sum(len(each) > 1 for each in receiver.ids.values())
    print(
        f"{len(receiver.ids)} arrived of {len(load.expected)} for healthy and flaky receivers after "
        f"{time.monotonic() - started:.1f} s, {len(lost)} lost, {doubled} under a second id"
    )
    for title, delays in (
        ("before the kill", load.healthy_delays(0, killed - TAKEOVER_SECONDS)),
        ("around the kill", load.healthy_delays(killed - TAKEOVER_SECONDS, killed + TAKEOVER_SECONDS)),
        ("after the kill", load.healthy_delays(killed + TAKEOVER_SECONDS, math.inf)),
    ):
        if delays:
            p50, p99 = delays[len(delays) // 2], delays[len(delays) * 99 // 100]
            print(f"healthy receivers, {title}: {len(delays)} events, p50 {p50:.2f} s, p99 {p99:.2f} s")
    print(f"{sum(receiver.attempts.values())} attempts, {receiver.repeats} repeated with the same id after acceptance")
    print(f"failures: {dict(receiver.failures)}")
    print("memory of the remaining replica: " + ", ".join(f"{each:.0f} MB" for each in memory))
    return 1 if lost or doubled else 0


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m scripts.event_load", description=__doc__)
    parser.add_argument("--subscriptions", type=int, default=1000, help="number of subscriptions, a multiple of 20")
    parser.add_argument("--events", type=int, default=10_000, help="number of events")
    parser.add_argument("--rate", type=float, default=40, help="events that are reported per second")
    parser.add_argument("--healthy", action="store_true", help="only healthy receivers, to compare their delays")
    options = parser.parse_args()
    # The replicas must not outlive this process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    roles = (HEALTHY,) * PER_OWNER if options.healthy else ROLES
    try:
        return asyncio.run(run(options.subscriptions, options.events, options.rate, roles))
    except LoadFailed as failure:
        print(failure, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
