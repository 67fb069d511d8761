"""The commands serve, sandbox, stdio and check, which read the settings, check them and run.

Each command imports what it needs when it runs: `stdio` starts without a web server, `serve` without the sandbox.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, NoReturn

from ..observability import logging_setup
from ..process.file_descriptors import open_standard_descriptors, raise_descriptor_limit
from ..process.memory import collect_less_often
from ..settings import Settings
from ..settings.errors import BadSettings
from ..settings.parsers import MIN_SECRET_LENGTH
from ..settings.parsers import parse_url as parse_url
from .command_line import parse_arguments
from .sandbox_command import serve_sandbox
from .startup import bind_socket, flag_or_variable, listen_error, require_redis_library, setting_flags


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command in *arguments*, by default those of the process. Exit with status 2 for invalid settings."""
    collect_less_often()
    open_standard_descriptors()
    raise_descriptor_limit()
    try:
        command_functions = {"serve": serve, "sandbox": serve_sandbox, "stdio": run_stdio, "check": run_check}
        options = parse_arguments(sys.argv[1:] if arguments is None else arguments, command_functions)
        settings = _read_settings(options)
        # For other commands, standard output carries the protocol (stdio) or the startup message (sandbox).
        is_server = options.run is serve
        # The findings of the checks say what its warnings would.
        level = "error" if options.run is run_check else settings.log_level
        logging_setup.configure(
            level,
            audit=sys.stdout if is_server else None,
            separate_audit=is_server,
            log_format=settings.log_format,
        )
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
    return Settings.from_environment(flags=setting_flags(options))


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


async def serve(settings: Settings, options: argparse.Namespace) -> None:
    """Run the HTTP server until a stop signal. Raise BadSettings."""
    _check_secrets(settings)
    require_redis_library(settings)
    worker = getattr(options, "worker", False)
    if settings.workers > 1 and not worker:
        await _supervise_workers(settings, options)
        return
    from ..process.signals import on_stop_signal
    from ..process.workers import report_serving, stop_when_orphaned
    from ..transports.http.main_app import make_main_app
    from ..transports.http.runner import freeze_heap, serve_app

    stop_event = asyncio.Event()
    # Set before the first request can arrive, so that none is interrupted.
    on_stop_signal(stop_event.set)
    if worker:
        stop_when_orphaned(stop_event)
    with bind_socket(settings, shared=worker) as listener:
        async with serve_app(make_main_app(settings), listener):
            freeze_heap()
            if worker:
                report_serving()
            await stop_event.wait()


async def _supervise_workers(settings: Settings, options: argparse.Namespace) -> None:
    from ..process.workers import WorkerSupervisor, reserve_port, worker_command

    if not settings.redis_url:
        raise BadSettings(
            [
                f"{flag_or_variable(options, 'workers')}: several workers require DOIT_MCP_REDIS_URL, because they share"
                " sessions through Redis."
            ]
        )
    try:
        reservation = reserve_port(settings.host, settings.port)
    except OSError as failure:
        raise listen_error(settings.host, settings.port, failure) from failure
    with reservation:
        environment = settings.child_environment(setting_flags(options))
        workers = WorkerSupervisor(
            worker_command(reservation.getsockname()[1]), environment, settings.workers, settings.drain_s
        )
        if not await workers.run():
            sys.exit(1)


async def run_stdio(settings: Settings, options: argparse.Namespace) -> None:
    """Run the server on standard input and output. Raise BadSettings."""
    if not settings.api_key:
        raise BadSettings(["DOIT_API_KEY is not set. It must contain a DoiT API token."])
    from ..transports.stdio import serve as serve_stdio

    await serve_stdio(settings)


async def run_check(settings: Settings, options: argparse.Namespace) -> None:
    """Check an installation and print the findings. Raise BadSettings, and SystemExit 1 if a check fails."""
    from ..check.findings import as_json, format_findings, overall_status
    from ..check.http_probe import open_probe
    from ..check.installation import Installation, check_installation

    require_redis_library(settings)
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
