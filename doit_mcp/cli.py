"""The commands: arguments and environment become settings, and one of the shells runs.

Each command imports what it needs when it runs: `stdio` starts without a web server, `serve` without a sandbox.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn

from .command_line import parse
from .observability import logging_setup
from .process.file_descriptors import hold_standard_descriptors, raise_descriptor_limit
from .settings import BadSettings, Settings
from .settings_parsing import LOOPBACK, MIN_SECRET

if TYPE_CHECKING:
    from .sandbox.api import Fault
    from .sandbox.server import World

_NAMES = frozenset(declared.name for declared in Settings.variables().values())
# MCP Inspector's web page, which people run beside the sandbox.
INSPECTOR = ("http://localhost:6274", "http://127.0.0.1:6274")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that *arguments* (the process's) name; exit status 2 for what cannot be used."""
    hold_standard_descriptors()
    raise_descriptor_limit()
    try:
        runs = {"serve": serve, "sandbox": sandbox, "stdio": stdio}
        options = parse(sys.argv[1:] if arguments is None else arguments, runs)
        settings = _settings(options)
        # Standard output is the protocol's (stdio) or for people (sandbox) elsewhere.
        serves = options.run is serve
        logging_setup.configure(settings.log_level, audit=sys.stdout if serves else None, separate_audit=serves)
        run(options.run(settings, options))
    except BadSettings as bad:
        _refuse(bad.problems)


def _refuse(problems: list[str]) -> NoReturn:
    for problem in problems:
        print(f"doit-mcp: {problem}", file=sys.stderr)
    sys.exit(2)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run *work* to its end, on uvloop where that is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        new_event_loop = None  # type: ignore[assignment]  # asyncio's own loop, where uvloop does not install
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work)


def _settings(options: argparse.Namespace) -> Settings:
    """Flags over environment over defaults; raises BadSettings."""
    return Settings.from_environment(flags=_flags(options))


def _flags(options: argparse.Namespace) -> dict[str, str]:
    return {name: value for name, value in vars(options).items() if name in _NAMES}


def _bound(settings: Settings, *, shared: bool = False) -> socket.socket:
    from .transports.http.runner import bind

    try:
        return bind(settings.host, settings.port, shared=shared)
    except OSError as failure:
        raise _cannot_listen(settings, failure) from failure


def _cannot_listen(settings: Settings, failure: OSError) -> BadSettings:
    reason = failure.strerror or "the address cannot be had"
    return BadSettings([f"Cannot listen on {settings.host} port {settings.port}: {reason}."])


def _check_secrets(settings: Settings) -> None:
    if not settings.exchange_secret:
        raise BadSettings(
            [
                "MCP_TOKEN_EXCHANGE_SECRET is not set: without it no caller can be exchanged for a DoiT credential."
                " To try the server without any account, run: python -m doit_mcp sandbox"
            ]
        )
    # Clients receive data that these secrets protect, and can try secrets on it without limit.
    if any(len(secret) < MIN_SECRET for secret in settings.state_keys):
        raise BadSettings(
            [
                f"MCP_TOKEN_EXCHANGE_SECRET must have at least {MIN_SECRET} characters, because it also protects shared"
                " state and requests for confirmation. Use a longer secret (openssl rand -hex 32 makes one), or set"
                f" DOIT_MCP_STATE_SECRETS to a different one of at least {MIN_SECRET} characters."
            ]
        )


def _check_redis(settings: Settings) -> None:
    if settings.redis_url and find_spec("redis") is None:
        raise BadSettings(["DOIT_MCP_REDIS_URL needs the extra redis: pip install 'doit-mcp[redis]'"])


async def serve(settings: Settings, options: argparse.Namespace) -> None:
    """The server, until it is told to stop."""
    _check_secrets(settings)
    _check_redis(settings)
    worker = getattr(options, "worker", False)
    if settings.workers > 1 and not worker:
        await _watch_over_workers(settings, options)
        return
    from .process.signals import on_stop_signal
    from .process.workers import report_serving, until_orphaned
    from .transports.http.main_app import site
    from .transports.http.runner import running, settle_heap

    told = asyncio.Event()
    # Before the first request can come, so that none is cut off.
    on_stop_signal(told.set)
    if worker:
        until_orphaned(told)
    with _bound(settings, shared=worker) as bound:
        async with running(site(settings), bound):
            settle_heap()
            if worker:
                report_serving()
            await told.wait()


async def _watch_over_workers(settings: Settings, options: argparse.Namespace) -> None:
    from .process.workers import Workers, command, reserve

    if not settings.redis_url:
        raise BadSettings(
            ["DOIT_MCP_WORKERS: several processes need DOIT_MCP_REDIS_URL: no session would be known to all of them."]
        )
    try:
        held = reserve(settings.host, settings.port)
    except OSError as failure:
        raise _cannot_listen(settings, failure) from failure
    with held:
        environment = settings.environment(_flags(options))
        workers = Workers(command(held.getsockname()[1]), environment, settings.workers, settings.drain_s)
        if not await workers.run():
            sys.exit(1)


async def stdio(settings: Settings, options: argparse.Namespace) -> None:
    """The server on standard input and output."""
    if not settings.api_key:
        raise BadSettings(["DOIT_API_KEY is not set: it is the credential for the DoiT API."])
    from .transports.stdio import serve as serve_stdio

    await serve_stdio(settings)


async def sandbox(settings: Settings, options: argparse.Namespace) -> None:
    """The server and a stand-in world, on loopback."""
    from .sandbox import startup_message
    from .sandbox.accounts import MOST_FURTHER, USERS, People
    from .sandbox.api import Api
    from .sandbox.server import world
    from .transports.http.main_app import site
    from .transports.http.runner import address, running, settle_heap, stopped

    _check_redis(settings)
    if settings.workers > 1:
        raise BadSettings(["DOIT_MCP_WORKERS: the sandbox is one process."])
    if settings.host not in LOOPBACK:
        raise BadSettings([f"DOIT_MCP_HOST: the sandbox listens on {LOOPBACK[0]} only: its passwords are published."])
    if not 0 <= options.customers <= MOST_FURTHER:
        raise BadSettings([f"--customers: a whole number from 0 to {MOST_FURTHER}."])
    people = People(options.customers)
    if options.auto_approve is not None and people.user(options.auto_approve) is None:
        there = ", ".join(user.email for user in USERS)
        raise BadSettings([f"--auto-approve: nobody is called {options.auto_approve}; there are {there}."])
    latency, faults = _faults(options)
    with _bound(settings) as bound:
        base, secret = address(bound), secrets.token_urlsafe(32)
        made = world(
            resource_url=base,
            secret=secret,
            host=settings.host,
            port=options.world_port,
            access_ttl=options.access_ttl,
            auto_approve=options.auto_approve,
            people=people,
            api=Api(latency=latency, faults=faults, people=people),
        )
        async with _world_port_is_free(made, options.world_port) as stand_in:
            own = replace(
                settings,
                resource_url=base,
                auth_server_url=stand_in.url,
                doit_api_base=stand_in.url,
                doit_console_base=stand_in.url,
                exchange_secret=secret,
                allowed_hosts=(*settings.allowed_hosts, f"localhost:{bound.getsockname()[1]}"),
                allowed_origins=(*settings.allowed_origins, *INSPECTOR),
            )
            async with running(site(own), bound):
                line = startup_message.json_line(base, stand_in.url)
                text = startup_message.text(base, stand_in.url, options.customers)
                settle_heap()
                print(line if options.announce == "json" else text, flush=True)
                await stopped()


def _faults(options: argparse.Namespace) -> tuple[float, list[Fault]]:
    from .sandbox.api import OPERATIONS
    from .sandbox.api.fault_parsing import spoken, wished

    try:
        return wished({"latency": options.latency, "faults": list(map(spoken, options.fault))}, OPERATIONS)
    except ValueError as wrong:
        raise BadSettings([f"--latency, --fault: {wrong}."]) from wrong


@asynccontextmanager
async def _world_port_is_free(made: AbstractAsyncContextManager[World], port: int) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        try:
            stand_in = await stack.enter_async_context(made)
        except OSError as failure:
            reason = failure.strerror or "the address cannot be had"
            raise BadSettings([f"--world-port: cannot listen on port {port}: {reason}."]) from failure
        yield stand_in
