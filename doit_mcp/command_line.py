"""The command line: its commands and flags. Errors never repeat an argument that is not understood."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from . import __version__
from .settings import BadSettings, Settings

WORLD_PORT = 8081
# Other users of the machine can see the arguments of a process, so these come from the environment or a file.
SECRETS = {
    "--" + item.name.replace("_", "-"): item.metadata["env"] for item in fields(Settings) if item.metadata.get("file")
}
COMMANDS = {
    "serve": "the server for production (the default)",
    "sandbox": "the server with an identity provider and a DoiT API of its own, all on loopback",
    "stdio": "the server on standard input and output, for one local client",
}


def parse(arguments: Sequence[str], runs: Mapping[str, Callable[..., Any]]) -> argparse.Namespace:
    """The options, with what to run for the command as ``run``; raises BadSettings.

    A secret that was given as a flag, or behind a flag with a typing error, must not get into logs.
    """
    given = {argument.partition("=")[0] for argument in arguments}
    if secrets := [flag for flag in SECRETS if flag in given]:
        raise BadSettings(
            [f"{flag} is not a flag, because other users could see the secret: set {SECRETS[flag]} or"
             f" {SECRETS[flag]}_FILE." for flag in secrets]
        )
    try:
        options, unknown = _parser(runs).parse_known_args(arguments)
    except argparse.ArgumentError as wrong:
        # The text about a command repeats what was given; that about a flag, all of which take any text, does not.
        if wrong.argument_name not in _flags_of_settings():
            raise BadSettings([f"Unknown command. Available: {', '.join(COMMANDS)}."]) from None
        raise BadSettings([f"{wrong.argument_name}: {wrong.message}."]) from None
    if unknown:
        names = sorted({argument.partition("=")[0] for argument in unknown if argument.startswith("--")})
        what = f"Unknown flag {', '.join(names)}" if names else "Unexpected argument"
        raise BadSettings([f"{what}; doit-mcp --help lists all flags."])
    return options


def _parser(runs: Mapping[str, Callable[..., Any]]) -> argparse.ArgumentParser:
    # Without abbreviations: an error about an ambiguous one repeats its value.
    parser = argparse.ArgumentParser(
        prog="doit-mcp", description="MCP server for DoiT Cloud Intelligence", allow_abbrev=False, exit_on_error=False
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(run=runs["serve"])
    _add_settings(parser)
    commands = parser.add_subparsers(title="commands", metavar="serve | sandbox | stdio")
    for name, text in COMMANDS.items():
        command = commands.add_parser(
            name, help=text, description=text, argument_default=argparse.SUPPRESS, allow_abbrev=False
        )
        command.set_defaults(run=runs[name])
        _add_settings(command)
        if name == "sandbox":
            _add_sandbox(command)
        if name == "serve":
            command.add_argument("--worker", action="store_true", default=False, help=argparse.SUPPRESS)
    return parser


def _flags_of_settings() -> dict[str, str]:
    """Each flag, and the variable of its setting."""
    return {
        "--" + item.name.replace("_", "-"): item.metadata["env"]
        for item in fields(Settings)
        if not item.metadata.get("file")
    }


def _add_settings(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("settings", "each is an environment variable, too; secrets are that only")
    for flag, name in _flags_of_settings().items():
        group.add_argument(flag, metavar="VALUE", default=argparse.SUPPRESS, dest=name, help=name)


def _add_sandbox(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("sandbox")
    group.add_argument("--world-port", type=int, default=WORLD_PORT, metavar="PORT", help="of the stand-in world")
    group.add_argument("--auto-approve", default=None, metavar="EMAIL", help="allow this user's sign-ins unseen")
    group.add_argument("--access-ttl", type=float, default=3600.0, metavar="SECONDS", help="life of access tokens")
    group.add_argument("--announce", choices=("text", "json"), default="text", help="how to say where everything is")
    group.add_argument(
        "--customers", type=int, default=0, metavar="N", help="further customers, for load tests: /sandbox/customers"
    )
    group.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="before every answer of the API")
    group.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND,OPTION=VALUE,…",
        help="what the API does wrong, any number of times: a status or slow, hang, reset, truncated, garbage, huge;"
        " on=an operation or the beginning of a path, rate=0 to 1, times=, delay=, retry-after=, such as"
        " '429,on=GET /analytics/v1/budgets,rate=0.1,retry-after=2'",
    )
