"""The command line: commands, flags and help texts. Errors never repeat an unknown argument."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import __version__
from .settings import BadSettings, Settings

DEFAULT_SANDBOX_PORT = 8081


def _flag(field: str) -> str:
    return "--" + field.replace("_", "-")


# Other users of the machine can see the arguments of a process, so secrets come from the environment or a file.
SECRET_FLAGS = {_flag(name): declared for name, declared in Settings.variables().items() if declared.is_secret}
FLAGS = {_flag(name): declared for name, declared in Settings.variables().items() if not declared.is_secret}
COMMANDS = {
    "serve": "Serve HTTP clients in production (the default).",
    "sandbox": "Run the server on loopback with a built-in identity provider and DoiT API. Requires no account.",
    "stdio": "Serve one local client over standard input and output.",
}


def parse_arguments(
    arguments: Sequence[str], command_functions: Mapping[str, Callable[..., Any]]
) -> argparse.Namespace:
    """Parse *arguments* into options, with the function of the command as ``run``. Raise BadSettings.

    Errors repeat no value, because it may be a secret that was passed as a flag or after a misspelled flag.
    """
    flags = {argument.partition("=")[0] for argument in arguments}
    if secrets := [flag for flag in SECRET_FLAGS if flag in flags]:
        raise BadSettings(
            [
                f"{flag} is not a flag, because other users could see the secret: set {SECRET_FLAGS[flag].name} or"
                f" {SECRET_FLAGS[flag].file_variable}."
                for flag in secrets
            ]
        )
    try:
        options, unknown = _make_parser(command_functions).parse_known_args(arguments)
    except argparse.ArgumentError as error:
        # argparse repeats an unknown command, but no value of these flags, which accept any text.
        if error.argument_name not in FLAGS:
            raise BadSettings([f"Unknown command. Available: {', '.join(COMMANDS)}."]) from None
        raise BadSettings([f"{error.argument_name}: {error.message}."]) from None
    if unknown:
        names = sorted({argument.partition("=")[0] for argument in unknown if argument.startswith("--")})
        problem = f"Unknown flag {', '.join(names)}" if names else "Unexpected argument"
        raise BadSettings([f"{problem}; doit-mcp --help lists all flags."])
    return options


def _make_parser(command_functions: Mapping[str, Callable[..., Any]]) -> argparse.ArgumentParser:
    # No abbreviations, because the error about an ambiguous one repeats its value.
    parser = argparse.ArgumentParser(
        prog="doit-mcp",
        usage="%(prog)s [serve | sandbox | stdio] [--setting VALUE ...]",
        description="Remote MCP server for DoiT Cloud Intelligence.",
        allow_abbrev=False,
        exit_on_error=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(run=command_functions["serve"])
    _add_setting_flags(parser)
    commands = parser.add_subparsers(title="commands", metavar="serve | sandbox | stdio")
    for name, text in COMMANDS.items():
        command = commands.add_parser(
            name,
            usage=f"doit-mcp {name} [--setting VALUE ...]",
            help=text,
            description=text,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
        )
        command.set_defaults(run=command_functions[name])
        _add_setting_flags(command)
        if name == "sandbox":
            _add_sandbox_flags(command)
        if name == "serve":
            command.add_argument("--worker", action="store_true", default=False, help=argparse.SUPPRESS)
    return parser


def _add_setting_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "settings",
        "Flags override the environment variables in brackets. Secrets can be set only as variables: "
        + ", ".join(declared.name for declared in SECRET_FLAGS.values()),
    )
    for flag, declared in FLAGS.items():
        default = f"; default {declared.default_text}" if declared.default_text else ""
        group.add_argument(
            flag,
            metavar="VALUE",
            default=argparse.SUPPRESS,
            dest=declared.name,
            help=f"{declared.description}{default} [{declared.name}]".replace("%", "%%"),
        )


def _add_sandbox_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("sandbox")
    group.add_argument(
        "--world-port",
        type=int,
        default=DEFAULT_SANDBOX_PORT,
        metavar="PORT",
        help="Port of the identity provider and the DoiT API; default %(default)s",
    )
    group.add_argument(
        "--auto-approve",
        default=None,
        metavar="EMAIL",
        help="Sign in this user and allow access without showing a page",
    )
    group.add_argument(
        "--access-ttl",
        type=float,
        default=3600.0,
        metavar="SECONDS",
        help="Lifetime of access tokens, in seconds; default %(default)g",
    )
    group.add_argument(
        "--state-dir",
        type=Path,
        default=None,
        metavar="DIRECTORY",
        help="Keep the secret of sessions here, so that clients continue their sessions after a restart",
    )
    group.add_argument(
        "--announce",
        choices=("text", "json"),
        default="text",
        help="Format of the startup message; default %(default)s",
    )
    group.add_argument(
        "--today",
        default=None,
        metavar="DATE",
        help="Run as if today were this date, such as 2028-02-29; by default, the real date",
    )
    group.add_argument(
        "--customers",
        type=int,
        default=0,
        metavar="N",
        help="Number of additional customers for load tests; /sandbox/customers lists them",
    )
    group.add_argument(
        "--latency", type=float, default=0.0, metavar="SECONDS", help="Delay of every API response, in seconds"
    )
    group.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND,OPTION=VALUE,…",
        help="Make API calls fail; can be repeated. KIND is a status code, slow, hang, reset, truncated, garbage"
        " or huge. Options: on= an operation or a path prefix, rate= from 0 to 1, times=, delay=, retry-after=."
        " Example: '429,on=GET /analytics/v1/budgets,rate=0.1,retry-after=2'",
    )
