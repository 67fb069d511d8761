"""The command line: commands, flags and help texts. Errors never repeat an unknown argument."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..settings import Settings
from ..settings.declaration import Variable, flag_name
from ..settings.errors import BadSettings

DEFAULT_SANDBOX_PORT = 8081
DEFAULT_COMMAND = "serve"
OVERRIDING = "Flags override the environment variables in brackets."
MESSAGE_FORMATS = ("text", "json")
MAX_SECONDS = 86_400
# Calls may take 45 seconds, and proxies that limit whole responses often do so at 30.
DEFAULT_STREAM_SECONDS = 50.0

# Other users of the machine can see the arguments of a process, so secrets come from the environment or a file.
SECRET_FLAGS = {flag_name(name): declared for name, declared in Settings.variables().items() if declared.is_secret}
FLAGS = {flag_name(name): declared for name, declared in Settings.variables().items() if not declared.is_secret}
COMMANDS = {
    "serve": "Serve HTTP clients in production (the default).",
    "sandbox": "Run the server on loopback with a built-in identity provider and DoiT API. Requires no account.",
    "stdio": "Serve one local client over standard input and output.",
    "check": "Check an installation: URL, metadata, identity provider, streams, DoiT API and Redis. Exit with status 1 if"
    " a check fails.",
}
STDIO_FLAGS = frozenset(
    "--doit-api-base --doit-console-base --auth-server-url --customer-context --tenant-id --calls-total --max-body"
    " --audit-required --log-level".split()
)
CHECK_FLAGS = frozenset({"--resource-url", "--auth-server-url", "--doit-api-base", "--keep-alive-s"})
ONLY_STDIO = "only stdio uses it; other commands take the customer from the token of each request"
# Flags that have no effect on a command, with the reason. As variables they may be set for other commands.
UNUSABLE_FLAGS: dict[str, dict[str, str]] = {
    "serve": {"--customer-context": ONLY_STDIO, "--tenant-id": ONLY_STDIO},
    "sandbox": {
        "--resource-url": "the sandbox's URL is http://127.0.0.1 with the port of --port",
        "--auth-server-url": "the sandbox has its own identity provider, on the port of --sandbox-port",
        "--doit-api-base": "the sandbox has its own DoiT API, on the port of --sandbox-port",
        "--doit-console-base": "the sandbox has its own console, on the port of --sandbox-port",
        "--workers": "the sandbox runs in a single process",
        "--customer-context": ONLY_STDIO,
        "--tenant-id": ONLY_STDIO,
    },
    "stdio": dict.fromkeys(
        (flag for flag in FLAGS if flag not in STDIO_FLAGS),
        "it is for HTTP, and stdio serves one client over standard input and output",
    ),
    "check": dict.fromkeys((flag for flag in FLAGS if flag not in CHECK_FLAGS), "no check depends on it"),
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
        # argparse repeats an unknown command, but no value of a flag: the parsers of values do not repeat them either.
        if not (error.argument_name or "").startswith("-"):
            raise BadSettings([f"Unknown command. Available: {', '.join(COMMANDS)}."]) from None
        raise BadSettings([f"{error.argument_name}: {error.message}."]) from None
    if unknown:
        names = sorted({argument.partition("=")[0] for argument in unknown if argument.startswith("--")})
        problem = f"Unknown flag {', '.join(names)}" if names else "Unexpected argument"
        raise BadSettings([f"{problem}; doit-mcp --help lists all flags."])
    _check_usable(options)
    return options


def _check_usable(options: argparse.Namespace) -> None:
    """Raise BadSettings for flags that have no effect on the command."""
    unusable = UNUSABLE_FLAGS[options.command]
    if problems := [
        f"{flag} cannot be used with {options.command}: {reason}."
        for flag, reason in unusable.items()
        if FLAGS[flag].name in vars(options)
    ]:
        raise BadSettings(problems)


def _make_parser(command_functions: Mapping[str, Callable[..., Any]]) -> argparse.ArgumentParser:
    # No abbreviations, because the error about an ambiguous one repeats its value.
    parser = argparse.ArgumentParser(
        prog="doit-mcp",
        usage=f"%(prog)s [{' | '.join(COMMANDS)}] [--setting VALUE ...]",
        description="Remote MCP server for DoiT Cloud Intelligence.",
        epilog=OVERRIDING,
        allow_abbrev=False,
        exit_on_error=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(run=command_functions[DEFAULT_COMMAND], command=DEFAULT_COMMAND)
    commands = parser.add_subparsers(title="commands", metavar=" | ".join(COMMANDS))
    for name, text in COMMANDS.items():
        command = commands.add_parser(
            name,
            usage=f"doit-mcp {name}{' [URL]' if name == 'check' else ''} [--setting VALUE ...]",
            help=text,
            description=text,
            epilog=OVERRIDING,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            exit_on_error=False,
        )
        command.set_defaults(run=command_functions[name], command=name)
        _add_setting_flags(command, UNUSABLE_FLAGS[name])
        if name == "sandbox":
            _add_sandbox_flags(command)
        if name == "check":
            _add_check_arguments(command)
        if name == "serve":
            command.add_argument("--worker", action="store_true", default=False, help=argparse.SUPPRESS)
    # After the commands, so that the help lists them first.
    _add_setting_flags(parser)
    return parser


def _add_setting_flags(parser: argparse.ArgumentParser, hidden: Container[str] = ()) -> None:
    """Add a flag for each setting, by group. Those in *hidden* are parsed, but not in the help."""
    for title in dict.fromkeys(declared.group for declared in Settings.variables().values()):
        flags = {flag: declared for flag, declared in FLAGS.items() if declared.group == title}
        secrets = [declared.name for declared in SECRET_FLAGS.values() if declared.group == title]
        is_shown = not flags or any(flag not in hidden for flag in flags)
        group = parser.add_argument_group(
            title,
            f"Only as variables, because they are secrets: {', '.join(secrets)}" if secrets and is_shown else None,
        )
        for flag, declared in flags.items():
            group.add_argument(
                flag,
                metavar="VALUE",
                default=argparse.SUPPRESS,
                dest=declared.name,
                help=argparse.SUPPRESS if flag in hidden else _help_text(declared),
            )


def _help_text(declared: Variable) -> str:
    default = f"; default {declared.default_text}" if declared.default_text else ""
    return f"{declared.description}{default} [{declared.name}]".replace("%", "%%")


def _parse_whole_number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise argparse.ArgumentTypeError("must be a whole number")
    return int(text)


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 0 to {MAX_SECONDS}")
    return seconds


def _parse_message_format(text: str) -> str:
    if text not in MESSAGE_FORMATS:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(MESSAGE_FORMATS)}")
    return text


def _add_check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", nargs="?", default="", metavar="URL", help="URL of the server; default MCP_RESOURCE_URL")
    group = parser.add_argument_group("check")
    group.add_argument("--json", action="store_true", default=False, help="Print the findings as JSON")
    group.add_argument(
        "--stream-seconds",
        type=_parse_seconds,
        default=DEFAULT_STREAM_SECONDS,
        metavar="SECONDS",
        help="How long to watch an idle event stream; default %(default)g. Streams are checked if DOIT_API_KEY is set",
    )


def _add_sandbox_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("sandbox")
    group.add_argument(
        "--sandbox-port",
        type=_parse_whole_number,
        default=DEFAULT_SANDBOX_PORT,
        metavar="PORT",
        help="Port of the identity provider and the DoiT API; default %(default)s",
    )
    _add_sign_in_flags(group)
    group.add_argument(
        "--announce",
        type=_parse_message_format,
        default="text",
        metavar="FORMAT",
        help="Format of the startup message, text or json; default %(default)s",
    )
    _add_data_flags(group)


def _add_sign_in_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--auto-approve",
        default=None,
        metavar="EMAIL",
        help="Sign in this user and allow access without showing a page",
    )
    group.add_argument(
        "--access-ttl",
        type=_parse_seconds,
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


def _add_data_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--today",
        default=None,
        metavar="DATE",
        help="Run as if today were this date, such as 2028-02-29; by default, the real date",
    )
    group.add_argument(
        "--customers",
        type=_parse_whole_number,
        default=0,
        metavar="N",
        help="Number of additional customers for load tests; /sandbox/customers lists them",
    )
    group.add_argument(
        "--latency", type=_parse_seconds, default=0.0, metavar="SECONDS", help="Delay of every API response, in seconds"
    )
    group.add_argument(
        "--report-seconds",
        type=_parse_seconds,
        default=0.0,
        metavar="SECONDS",
        help="Time that each report and query takes, in seconds; synchronous ones fail after 120 seconds",
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
