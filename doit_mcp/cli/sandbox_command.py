"""The command sandbox: the server with its own identity provider and DoiT API, on loopback."""

from __future__ import annotations

import argparse
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..settings import Settings
from ..settings.errors import BadSettings
from ..settings.host_names import LOOPBACK_HOSTS
from .startup import bind_socket, flag_or_variable, listen_error, require_redis_library

if TYPE_CHECKING:
    from ..sandbox.accounts import AccountDirectory
    from ..sandbox.api import Api
    from ..sandbox.api.fault_parsing import Disturbances
    from ..sandbox.server import SandboxServer
    from ..transports.http.sandbox_info import SandboxInfo

SANDBOX_PACKAGE = "doit_mcp.sandbox"
SANDBOX_POLL_SECONDS = 5
# The web page of MCP Inspector, which is often used with the sandbox.
INSPECTOR_ORIGINS = ("http://localhost:6274", "http://127.0.0.1:6274")


async def serve_sandbox(settings: Settings, options: argparse.Namespace) -> None:
    """Run the server with the sandbox's identity provider and DoiT API, on loopback. Raise BadSettings."""
    _check_installation(settings)
    from ..sandbox import startup_message
    from ..sandbox.event_receiver import EventReceiver
    from ..sandbox.server import run_sandbox
    from ..transports.http.app_keys import CATALOG_SELECTOR
    from ..transports.http.event_wiring import EventNetwork
    from ..transports.http.main_app import make_main_app
    from ..transports.http.runner import freeze_heap, serve_app, socket_url, wait_for_stop_signal

    _check_server_settings(settings, options)
    accounts = _make_accounts(options)
    clock = _sandbox_clock(options)
    with bind_socket(settings) as listener:
        base, secret = socket_url(listener), _sandbox_secret(options)
        own_settings, receiver = replace(settings, resource_url=base), EventReceiver()
        sandbox_context = run_sandbox(
            resource_url=base,
            resource_aliases=own_settings.base_urls[1:],
            secret=secret,
            host=settings.host,
            port=options.sandbox_port,
            access_ttl=options.access_ttl,
            auto_approve=options.auto_approve,
            directory=accounts,
            api=_make_api(_parse_disturbances(options), clock, accounts),
            event_receiver=receiver,
        )
        async with receiver.running(), _start_sandbox_server(sandbox_context, options.sandbox_port) as sandbox:
            sandbox_settings = _connect_settings(own_settings, sandbox.url)
            app = make_main_app(
                replace(sandbox_settings, exchange_secret=secret),
                clock,
                _describe_sandbox(sandbox.url, clock()),
                EventNetwork(tls=receiver.trust),
            )
            sandbox.identity.check_resources_with(app[CATALOG_SELECTOR].find_problem)
            async with serve_app(app, listener):
                line = startup_message.format_json(base, sandbox.url)
                text = startup_message.format_text(base, sandbox.url, options.customers, options.today)
                freeze_heap()
                print(line if options.announce == "json" else text, flush=True)
                await wait_for_stop_signal()


def _check_installation(settings: Settings) -> None:
    require_redis_library(settings)
    # Its accounts have public passwords, so the production image does not contain it.
    if find_spec(SANDBOX_PACKAGE) is None:
        raise BadSettings(["The sandbox is not part of this installation. Run scripts/sandbox in a checkout."])


def _make_api(given: Disturbances, clock: Callable[[], float], accounts: AccountDirectory) -> Api:
    from ..sandbox.api import Api
    from ..sandbox.api.report_timing import ReportTiming

    return Api(
        clock=clock,
        latency=given.latency,
        faults=given.faults,
        directory=accounts,
        report_timing=ReportTiming(given.report_seconds),
    )


def _connect_settings(settings: Settings, sandbox_url: str) -> Settings:
    """Return the settings of a server that uses the sandbox at *sandbox_url*."""
    return replace(
        settings,
        auth_server_url=sandbox_url,
        doit_api_base=sandbox_url,
        doit_console_base=sandbox_url,
        allowed_origins=(*settings.allowed_origins, *INSPECTOR_ORIGINS),
        # Events arrive soon after a button of the dashboard made them.
        events_private_receivers=(*settings.events_private_receivers, "localhost"),
        events_poll_s=min(settings.events_poll_s, SANDBOX_POLL_SECONDS),
        events_hold_s=0,
    )


def _check_server_settings(settings: Settings, options: argparse.Namespace) -> None:
    if settings.workers > 1:
        raise BadSettings(["DOIT_MCP_WORKERS: the sandbox runs in a single process."])
    if settings.host not in LOOPBACK_HOSTS:
        host = flag_or_variable(options, "host")
        raise BadSettings(
            [f"{host}: the sandbox listens on {LOOPBACK_HOSTS[0]} only, because its passwords are public."]
        )


def _make_accounts(options: argparse.Namespace) -> AccountDirectory:
    from ..sandbox.accounts import MAX_EXTRA_CUSTOMERS, USERS, AccountDirectory

    if not 0 <= options.customers <= MAX_EXTRA_CUSTOMERS:
        raise BadSettings([f"--customers must be a whole number from 0 to {MAX_EXTRA_CUSTOMERS}."])
    accounts = AccountDirectory(options.customers)
    if options.auto_approve is not None and accounts.user_by_email(options.auto_approve) is None:
        emails = ", ".join(user.email for user in USERS)
        raise BadSettings([f"--auto-approve: unknown user {options.auto_approve}. Available: {emails}."])
    return accounts


def _sandbox_secret(options: argparse.Namespace) -> str:
    from ..sandbox.state_directory import keep_secret

    if options.state_dir is None:
        return secrets.token_urlsafe(32)
    try:
        return keep_secret(options.state_dir)
    except OSError as failure:
        raise BadSettings([f"--state-dir: cannot keep a secret in this directory: {failure.strerror}."]) from failure
    except ValueError:
        raise BadSettings(["--state-dir: the file secret is damaged; delete it to create a new one."]) from None


def _describe_sandbox(url: str, now: float) -> SandboxInfo:
    from ..sandbox.accounts import USERS, permission_summary
    from ..sandbox.tool_examples import tool_examples
    from ..transports.http.sandbox_info import SampleAccount, SandboxInfo

    accounts = [SampleAccount(user.email, user.password, user.api_token, permission_summary(user)) for user in USERS]
    return SandboxInfo(accounts, f"{url}/", tool_examples(now))


def _sandbox_clock(options: argparse.Namespace) -> Callable[[], float]:
    from ..sandbox.clock import EARLIEST_DAY, LATEST_DAY, clock_from, parse_today

    if options.today is None:
        return time.time
    try:
        return clock_from(parse_today(options.today))
    except ValueError:
        raise BadSettings([f"--today must be a date from {EARLIEST_DAY} to {LATEST_DAY}."]) from None


def _parse_disturbances(options: argparse.Namespace) -> Disturbances:
    from ..sandbox.api import OPERATIONS
    from ..sandbox.api.fault_parsing import Disturbances, parse_fault, parse_settings

    def parse(flag: str, member: str, value: Any) -> Disturbances:
        try:
            return parse_settings({member: [parse_fault(value)] if member == "faults" else value}, OPERATIONS)
        except ValueError as error:
            reason = str(error).removeprefix(f"{member}: ").removeprefix("faults.0.")
            raise BadSettings([f"{flag}: {reason}."]) from error

    return Disturbances(
        parse("--latency", "latency", options.latency).latency,
        parse("--report-seconds", "report_seconds", options.report_seconds).report_seconds,
        [fault for text in options.fault for fault in parse("--fault", "faults", text).faults],
    )


@asynccontextmanager
async def _start_sandbox_server(
    server_context: AbstractAsyncContextManager[SandboxServer], port: int
) -> AsyncIterator[SandboxServer]:
    async with AsyncExitStack() as stack:
        try:
            sandbox = await stack.enter_async_context(server_context)
        except OSError as failure:
            raise listen_error(LOOPBACK_HOSTS[0], port, failure, "--sandbox-port") from failure
        yield sandbox
