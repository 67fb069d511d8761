"""Sends many events to many subscriptions through two replicas that share a Redis, and reports what arrived.

The receiver fails in every way: errors, redirects, hangs and broken connections. One replica is killed half way. Fails
if an event was lost, or delivered under a second id. Needs redis-server. Takes some minutes, because retries wait as
long as in production.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from doit_mcp.events.signatures import signed_headers
from doit_mcp.sandbox.accounts import AccountDirectory, User
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.event_receiver import EventReceiver
from doit_mcp.sandbox.server import SandboxServer, run_sandbox

PER_OWNER = 20
FAILURES = (503, 500, 404, 302, "hang", "break")
FAILING_SHARE, MAX_FAILURES = 0.25, 2
CONCURRENCY = 16
QUIET_SECONDS = 120.0
EXCHANGE_SECRET = secrets.token_urlsafe(32)
REPORT_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class LoadFailed(Exception):
    """The load could not run."""


class UnreliableReceiver(EventReceiver):
    """Confirms subscriptions, fails some attempts, and counts what it accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.ids: dict[str, set[str]] = {}
        self.repeats = 0
        self.last_change = time.monotonic()

    async def receive(self, request: web.BaseRequest) -> web.StreamResponse:
        """Confirm subscriptions; accept an event or fail."""
        body = await request.read()
        if not self.holds(request.headers, body):
            return web.Response(status=401)
        fields = json.loads(body)
        if "challenge" in fields:
            return web.json_response({"challenge": fields["challenge"]})
        self.last_change = time.monotonic()
        name = f"{request.headers['X-MCP-Subscription-Id']} {fields['data']['id']}"
        self.attempts[name] += 1
        if self.attempts[name] <= MAX_FAILURES and random.random() < FAILING_SHARE:
            return await self._fail(request)
        self.repeats += name in self.ids
        self.ids.setdefault(name, set()).add(fields["eventId"])
        return web.Response(status=204)

    async def _fail(self, request: web.BaseRequest) -> web.StreamResponse:
        failure = random.choice(FAILURES)
        self.failures[str(failure)] += 1
        if isinstance(failure, int):
            return web.Response(status=failure, headers={"Location": "http://169.254.169.254/"})
        if failure == "hang":
            await asyncio.sleep(6)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


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
    """The load on the replicas at *bases*."""

    def __init__(self, http: aiohttp.ClientSession, bases: list[str], receiver: UnreliableReceiver) -> None:
        self.http, self.bases, self.receiver = http, bases, receiver
        self.expected: Counter[str] = Counter()
        self._slots = asyncio.Semaphore(CONCURRENCY)

    async def subscribe(self, token: str, group: int, number: int) -> None:
        """Subscribe one user to the events of one *group*."""
        delivery = {"mode": "webhook", "url": self.receiver.url, "secret": self.receiver.secret}
        params = {"name": "anomaly.detected", "arguments": {"attribution": f"g{group}"}, "delivery": delivery}
        message = {"jsonrpc": "2.0", "id": 1, "method": "events/subscribe", "params": {**params, "cursor": None}}
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
        url = f"{self.bases[number % len(self.bases)]}/mcp"
        async with self._slots, self.http.post(url, json=message, headers=headers) as response:
            answer = await response.json()
        if "result" not in answer:
            raise LoadFailed(f"a subscription failed: {answer}")

    async def report(self, customer: str, number: int) -> None:
        """Report one event, again at another replica if one does not answer."""
        data = {"id": f"{customer} {number}", "attribution": f"g{number % PER_OWNER}", "severity": "critical"}
        event = {"customer": customer, "name": "anomaly.detected", "id": str(number), "data": data}
        body = json.dumps(event).encode()
        async with self._slots:
            for attempt in range(20):
                base = self.bases[(number + attempt) % len(self.bases)]
                headers = signed_headers([REPORT_SECRET], f"msg_{number}", int(time.time()), body)
                try:
                    async with self.http.post(f"{base}/events/ingest", data=body, headers=headers) as response:
                        if response.status == 200:
                            self.expected[data["id"]] += 1
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
        raise LoadFailed("an event was not accepted")

    async def wait_for_the_rest(self) -> None:
        """Wait until everything has arrived, or nothing has for longer than the longest usual pause."""
        while len(self.receiver.ids) < len(self.expected):
            if time.monotonic() - self.receiver.last_change > QUIET_SECONDS:
                return
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)


async def run(subscriptions: int, events: int) -> int:
    """Run the load and print its figures. Return the exit status."""
    receiver, directory = UnreliableReceiver(), AccountDirectory(subscriptions // PER_OWNER)
    customers = directory.customers(len(directory) - subscriptions // PER_OWNER, len(directory))
    ports, redis_port = [free_port(), free_port()], free_port()
    bases = [f"http://127.0.0.1:{port}" for port in ports]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        await stack.enter_async_context(receiver.running())
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
        load = Load(http, bases, receiver)
        users = [(customer.id, directory.users_of(customer)[0]) for customer in customers]
        return await measure(load, world, users, events, processes)


async def measure(
    load: Load,
    world: SandboxServer,
    users: list[tuple[str, User]],
    events: int,
    processes: list[asyncio.subprocess.Process],
) -> int:
    """Subscribe, report, kill one replica half way, wait, and print the figures."""
    resource, started = f"{load.bases[0]}/mcp", time.monotonic()
    for number, (_, user) in enumerate(users):
        token = world.identity.mint(user, resource=resource)
        await asyncio.gather(*(load.subscribe(token, group, number + group) for group in range(PER_OWNER)))
    print(f"{len(users) * PER_OWNER} subscriptions in {time.monotonic() - started:.1f} s", flush=True)
    memory = [resident_megabytes(processes[0])]
    started, half = time.monotonic(), events // 2
    reports = [(users[number % len(users)][0], number // len(users)) for number in range(events)]
    await asyncio.gather(*(load.report(*each) for each in reports[:half]))
    processes[1].kill()
    await processes[1].wait()
    del load.bases[1:]
    memory.append(resident_megabytes(processes[0]))
    await asyncio.gather(*(load.report(*each) for each in reports[half:]))
    accepted = time.monotonic() - started
    print(f"{events} events accepted in {accepted:.1f} s; one replica was killed after {half}", flush=True)
    await load.wait_for_the_rest()
    memory.append(resident_megabytes(processes[0]))
    ids, receiver = load.receiver.ids, load.receiver
    lost = len(load.expected) - len({name.split(" ", 1)[1] for name in ids})
    doubled = sum(len(each) > 1 for each in ids.values())
    print(f"{len(ids)} arrived after {time.monotonic() - started:.1f} s, {lost} lost, {doubled} under a second id")
    print(f"{sum(receiver.attempts.values())} attempts, {receiver.repeats} repeated with the same id after acceptance")
    print(f"failures: {dict(receiver.failures)}")
    print("memory of the remaining replica: " + ", ".join(f"{each:.0f} MB" for each in memory))
    return 1 if lost or doubled else 0


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m scripts.event_load", description=__doc__)
    parser.add_argument("--subscriptions", type=int, default=1000, help="number of subscriptions, a multiple of 20")
    parser.add_argument("--events", type=int, default=10_000, help="number of events")
    options = parser.parse_args()
    # The replicas must not outlive this process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return asyncio.run(run(options.subscriptions, options.events))
    except LoadFailed as failure:
        print(failure, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
