"""The commands serve, sandbox, stdio and check, which read the settings, check them and run.

Each command imports what it needs when it runs: `stdio` starts without a web server, `serve` without the sandbox.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn

from .command_line import parse_arguments
from .observability import logging_setup
from .process.file_descriptors import open_standard_descriptors, raise_descriptor_limit
from .settings import BadSettings, Settings
from .settings_parsing import LOOPBACK_HOSTS, MIN_SECRET_LENGTH, flag_name
from .settings_parsing import url as parse_url

if TYPE_CHECKING:
    from .sandbox.api import Fault
    from .sandbox.server import SandboxServer

_SETTING_VARIABLES = frozenset(declared.name for declared in Settings.variables().values())
# The web page of MCP Inspector, which is often used with the sandbox.
INSPECTOR_ORIGINS = ("http://localhost:6274", "http://127.0.0.1:6274")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command in *arguments*, by default those of the process. Exit with status 2 for invalid settings."""
    open_standard_descriptors()
    raise_descriptor_limit()
    try:
        command_functions = {"serve": serve, "sandbox": run_sandbox, "stdio": run_stdio, "check": run_check}
        options = parse_arguments(sys.argv[1:] if arguments is None else arguments, command_functions)
        settings = _read_settings(options)
        # For other commands, standard output carries the protocol (stdio) or the startup message (sandbox).
        is_server = options.run is serve
        # The findings of the checks say what its warnings would.
        level = "error" if options.run is run_check else settings.log_level
        logging_setup.configure(level, audit=sys.stdout if is_server else None, separate_audit=is_server)
        run_until_complete(options.run(settings, options))
    except BadSettings as error:
        _exit_with_errors(error.problems)


def _exit_with_errors(problems: list[str]) -> NoReturn:
    for problem in problems:
        print(f"doit-mcp: {problem}", file=sys.stderr)
    sys.exit(2)


def run_until_complete(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run *coroutine* to completion, on uvloop if it is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        new_event_loop = None  # type: ignore[assignment]  # asyncio's own loop, if uvloop is not installed
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(coroutine)


def _read_settings(options: argparse.Namespace) -> Settings:
    """Return the settings: flags override the environment, which overrides defaults. Raise BadSettings."""
    return Settings.from_environment(flags=_setting_flags(options))


def _setting_flags(options: argparse.Namespace) -> dict[str, str]:
    return {name: value for name, value in vars(options).items() if name in _SETTING_VARIABLES}


def _name_as_used(options: argparse.Namespace, field_name: str) -> str:
    """Return the flag of a setting if the command line has it, else its variable."""
    variable = Settings.variables()[field_name].name
    return flag_name(field_name) if variable in vars(options) else variable


def _bind_socket(settings: Settings, *, shared: bool = False) -> socket.socket:
    from .transports.http.runner import bind

    try:
        return bind(settings.host, settings.port, reuse_port=shared)
    except OSError as failure:
        raise _listen_error(settings, failure) from failure


def _listen_error(settings: Settings, failure: OSError) -> BadSettings:
    reason = failure.strerror or "the address is not available"
    return BadSettings([f"Cannot listen on {settings.host} port {settings.port}: {reason}."])


def _check_secrets(settings: Settings) -> None:
    if not settings.exchange_secret:
        raise BadSettings(
            [
                "MCP_TOKEN_EXCHANGE_SECRET is not set. It is required to exchange access tokens for DoiT credentials."
                " To try the server without an account, run: python -m doit_mcp sandbox"
            ]
        )
    # Clients receive data that these secrets protect, so they could try out secrets offline.
    if any(len(secret) < MIN_SECRET_LENGTH for secret in settings.effective_state_secrets):
        raise BadSettings(
            [
                f"MCP_TOKEN_EXCHANGE_SECRET must have at least {MIN_SECRET_LENGTH} characters, because it also protects shared"
                " state and confirmation requests. Use a longer secret (openssl rand -hex 32 generates one), or set"
                f" DOIT_MCP_STATE_SECRETS to a different one of at least {MIN_SECRET_LENGTH} characters."
            ]
        )


def _check_redis(settings: Settings) -> None:
    if settings.redis_url and find_spec("redis") is None:
        raise BadSettings(["DOIT_MCP_REDIS_URL requires the extra redis: pip install 'doit-mcp[redis]'"])


async def serve(settings: Settings, options: argparse.Namespace) -> None:
    """Run the HTTP server until a stop signal. Raise BadSettings."""
    _check_secrets(settings)
    _check_redis(settings)
    worker = getattr(options, "worker", False)
    if settings.workers > 1 and not worker:
        await _supervise_workers(settings, options)
        return
    from .process.signals import on_stop_signal
    from .process.workers import report_serving, stop_when_orphaned
    from .transports.http.main_app import make_main_app
    from .transports.http.runner import freeze_heap, serve_app

    stop_event = asyncio.Event()
    # Set before the first request can arrive, so that none is interrupted.
    on_stop_signal(stop_event.set)
    if worker:
        stop_when_orphaned(stop_event)
    with _bind_socket(settings, shared=worker) as listener:
        async with serve_app(make_main_app(settings), listener):
            freeze_heap()
            if worker:
                report_serving()
            await stop_event.wait()


async def _supervise_workers(settings: Settings, options: argparse.Namespace) -> None:
    from .process.workers import WorkerSupervisor, reserve_port, worker_command

    if not settings.redis_url:
        raise BadSettings(
            [
                f"{_name_as_used(options, 'workers')}: several workers require DOIT_MCP_REDIS_URL, because they share"
                " sessions through Redis."
            ]
        )
    try:
        reservation = reserve_port(settings.host, settings.port)
    except OSError as failure:
        raise _listen_error(settings, failure) from failure
    with reservation:
        environment = settings.child_environment(_setting_flags(options))
        workers = WorkerSupervisor(
            worker_command(reservation.getsockname()[1]), environment, settings.workers, settings.drain_s
        )
        if not await workers.run():
            sys.exit(1)


async def run_stdio(settings: Settings, options: argparse.Namespace) -> None:
    """Run the server on standard input and output. Raise BadSettings."""
    if not settings.api_key:
        raise BadSettings(["DOIT_API_KEY is not set. It must contain a DoiT API token."])
    from .transports.stdio import serve as serve_stdio

    await serve_stdio(settings)


async def run_check(settings: Settings, options: argparse.Namespace) -> None:
    """Check an installation and print the findings. Raise BadSettings, and SystemExit 1 if a check fails."""
    from .check.findings import as_json, format_findings, overall_status
    from .check.http_probe import open_probe
    from .check.installation import Installation, check_installation

    _check_redis(settings)
    try:
        base = parse_url(options.url).removesuffix("/mcp") if options.url else settings.resource_url
    except ValueError as error:
        raise BadSettings([f"URL {error}."]) from None
    if settings.api_key and not options.json:
        print(f"Checking {base}. Watching a stream takes {options.stream_seconds:g} seconds.", file=sys.stderr)
    installation = Installation(base, settings, base == settings.resource_url, settings.api_key, options.stream_seconds)
    async with open_probe() as probe:
        findings = await check_installation(installation, probe)
    print(as_json(base, findings) if options.json else format_findings(findings), flush=True)
    if overall_status(findings) == "fail":
        sys.exit(1)


async def run_sandbox(settings: Settings, options: argparse.Namespace) -> None:
    """Run the server with the sandbox's identity provider and DoiT API, on loopback. Raise BadSettings."""
    _check_redis(settings)
    # Its accounts have public passwords, so the production image does not contain it.
    if find_spec(f"{__package__}.sandbox") is None:
        raise BadSettings(["The sandbox is not part of this installation. Run scripts/sandbox in a checkout."])
    from .sandbox import startup_message
    from .sandbox.accounts import MAX_EXTRA_CUSTOMERS, USERS, AccountDirectory
    from .sandbox.api import Api
    from .sandbox.server import run_sandbox
    from .transports.http.main_app import make_main_app
    from .transports.http.runner import freeze_heap, serve_app, socket_url, wait_for_stop_signal

    if settings.workers > 1:
        raise BadSettings(["DOIT_MCP_WORKERS: the sandbox runs in a single process."])
    if settings.host not in LOOPBACK_HOSTS:
        raise BadSettings(
            [
                f"{_name_as_used(options, 'host')}: the sandbox listens on {LOOPBACK_HOSTS[0]} only, because its"
                " passwords are public."
            ]
        )
    if not 0 <= options.customers <= MAX_EXTRA_CUSTOMERS:
        raise BadSettings([f"--customers must be a whole number from 0 to {MAX_EXTRA_CUSTOMERS}."])
    accounts = AccountDirectory(options.customers)
    if options.auto_approve is not None and accounts.user_by_email(options.auto_approve) is None:
        emails = ", ".join(user.email for user in USERS)
        raise BadSettings([f"--auto-approve: unknown user {options.auto_approve}. Available: {emails}."])
    latency, faults = _parse_faults(options)
    clock = _sandbox_clock(options)
    with _bind_socket(settings) as listener:
        base, secret = socket_url(listener), _sandbox_secret(options)
        sandbox_context = run_sandbox(
            resource_url=base,
            secret=secret,
            host=settings.host,
            port=options.world_port,
            access_ttl=options.access_ttl,
            auto_approve=options.auto_approve,
            directory=accounts,
            api=Api(clock=clock, latency=latency, faults=faults, directory=accounts),
        )
        async with _start_sandbox_server(sandbox_context, options.world_port) as sandbox:
            sandbox_settings = replace(
                settings,
                resource_url=base,
                auth_server_url=sandbox.url,
                doit_api_base=sandbox.url,
                doit_console_base=sandbox.url,
                exchange_secret=secret,
                allowed_hosts=(*settings.allowed_hosts, f"localhost:{listener.getsockname()[1]}"),
                allowed_origins=(*settings.allowed_origins, *INSPECTOR_ORIGINS),
            )
            async with serve_app(make_main_app(sandbox_settings, clock), listener):
                line = startup_message.format_json(base, sandbox.url)
                text = startup_message.format_text(base, sandbox.url, options.customers, options.today)
                freeze_heap()
                print(line if options.announce == "json" else text, flush=True)
                await wait_for_stop_signal()


def _sandbox_secret(options: argparse.Namespace) -> str:
    from .sandbox.state_directory import keep_secret

    if options.state_dir is None:
        return secrets.token_urlsafe(32)
    try:
        return keep_secret(options.state_dir)
    except OSError as failure:
        raise BadSettings([f"--state-dir: cannot keep a secret in this directory: {failure.strerror}."]) from failure
    except ValueError:
        raise BadSettings(["--state-dir: the file secret is damaged; delete it to create a new one."]) from None


def _sandbox_clock(options: argparse.Namespace) -> Callable[[], float]:
    from .sandbox.clock import EARLIEST_DAY, LATEST_DAY, clock_from, parse_today

    if options.today is None:
        return time.time
    try:
        return clock_from(parse_today(options.today))
    except ValueError:
        raise BadSettings([f"--today must be a date from {EARLIEST_DAY} to {LATEST_DAY}."]) from None


def _parse_faults(options: argparse.Namespace) -> tuple[float, list[Fault]]:
    from .sandbox.api import OPERATIONS
    from .sandbox.api.fault_parsing import parse_fault, parse_settings

    try:
        return parse_settings({"latency": options.latency, "faults": list(map(parse_fault, options.fault))}, OPERATIONS)
    except ValueError as error:
        raise BadSettings([f"--latency, --fault: {error}."]) from error


@asynccontextmanager
async def _start_sandbox_server(
    server_context: AbstractAsyncContextManager[SandboxServer], port: int
) -> AsyncIterator[SandboxServer]:
    async with AsyncExitStack() as stack:
        try:
            sandbox = await stack.enter_async_context(server_context)
        except OSError as failure:
            reason = failure.strerror or "the address is not available"
            raise BadSettings([f"--world-port: cannot listen on port {port}: {reason}."]) from failure
        yield sandbox
