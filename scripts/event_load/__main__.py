"""Sends many events to many subscriptions through two replicas that share a Redis, and reports what arrived.

Half of the receivers are healthy. The others fail in every way: some attempts, or all of them, with 410, 413, 503, a
redirect to a link-local address, no answer in time, no server, or no TLS. One replica is killed halfway through. Fails
if an event was lost, or delivered under a second id, or if a receiver with a wrong echo could be subscribed. Needs
redis-server. Takes some minutes, because retries wait as long as in production.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from yarl import URL

from doit_mcp.sandbox.accounts import AccountDirectory
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.server import SandboxServer, run_sandbox

from .load import PER_OWNER, Load, LoadFailed, subscribe_users
from .receivers import HEALTHY, ROLES, Relay, UnreliableReceiver
from .replicas import (
    EXCHANGE_SECRET,
    cpu_seconds,
    free_port,
    replica_environment,
    resident_megabytes,
    running,
    wait_until_ready,
)
from .report import Measurements, is_complete, print_report

Process = asyncio.subprocess.Process


async def run(subscriptions: int, events: int, per_second: float, roles: Sequence[str]) -> int:
    """Run the load and print its figures. Return the exit status."""
    directory = AccountDirectory(subscriptions // PER_OWNER)
    customers = directory.customers(len(directory) - subscriptions // PER_OWNER, len(directory))
    receiver = UnreliableReceiver()
    async with AsyncExitStack() as stack, AsyncExitStack() as failing:
        await stack.enter_async_context(receiver.running())
        relays = {role: Relay(URL(receiver.url).port or 0) for role in ("refused", "tls")}
        await stack.enter_async_context(relays["tls"].running())
        await failing.enter_async_context(relays["refused"].running())
        world, bases, processes = await stack.enter_async_context(two_replicas(directory, receiver.certificate))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        for base in bases:
            await wait_until_ready(http, base)
        load = Load(http, bases, receiver, {role: relay.port for role, relay in relays.items()}, roles)
        started = time.monotonic()
        await subscribe_users(load, world, [directory.users_of(customer)[0] for customer in customers])
        print(f"{subscriptions:,} subscriptions in {time.monotonic() - started:.1f} s", flush=True)
        # From here on, nothing listens at one port, and the other one has no TLS.
        await failing.aclose()
        relays["tls"].is_broken = True
        measured = await measure(load, [customer.id for customer in customers], events, per_second, processes)
        print_report(load, measured)
    return 0 if is_complete(load) else 1


@asynccontextmanager
async def two_replicas(
    directory: AccountDirectory, certificate: str
) -> AsyncIterator[tuple[SandboxServer, list[str], list[Process]]]:
    """Run the sandbox, a Redis and two replicas that trust *certificate*. Yield the sandbox, base URLs and processes."""
    ports, redis_port = [free_port(), free_port()], free_port()
    bases = [f"http://127.0.0.1:{port}" for port in ports]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        trusted = folder / "certificate.pem"
        trusted.write_text(certificate)
        redis = ("redis-server", "--port", str(redis_port), "--save", "", "--dir", str(folder))
        await stack.enter_async_context(running(*redis))
        sandbox = run_sandbox(
            resource_url=bases[0], secret=EXCHANGE_SECRET, api=Api(directory=directory), directory=directory
        )
        world = await stack.enter_async_context(sandbox)
        serve = (sys.executable, "-m", "doit_mcp", "serve")
        environments = [replica_environment(bases[0], port, redis_port, world.url, trusted) for port in ports]
        processes = [await stack.enter_async_context(running(*serve, env=given)) for given in environments]
        yield world, bases, processes


async def measure(
    load: Load, customers: Sequence[str], events: int, per_second: float, processes: Sequence[Process]
) -> Measurements:
    """Report events, kill one replica halfway through, and wait for what is still to arrive."""
    remaining, killed = processes
    measured = Measurements(len(customers) * PER_OWNER, events, time.monotonic())
    measured.memory.append(resident_megabytes(remaining))
    before, half = cpu_seconds(remaining), events // 2
    reports = [(customers[number % len(customers)], number // len(customers)) for number in range(events)]
    await load.report_all(reports[:half], per_second)
    # The replica that is killed has some deliveries in progress.
    killed.kill()
    await killed.wait()
    measured.killed = time.monotonic()
    del load.bases[1:]
    measured.memory.append(resident_megabytes(remaining))
    await load.report_all(reports[half:], per_second)
    print(f"{events:,} events accepted in {time.monotonic() - measured.started:.1f} s", flush=True)
    await load.wait_for_the_rest()
    measured.ended = max((load.receiver.arrived_at[name] for name in load.receiver.ids), default=measured.started)
    measured.memory.append(resident_megabytes(remaining))
    measured.cpu_seconds = cpu_seconds(remaining) - before
    return measured


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
