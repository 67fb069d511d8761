"""Checks that commands make before they start. Errors say what to do."""

from __future__ import annotations

import argparse
import errno
import socket
from importlib.util import find_spec

from ..settings import Settings
from ..settings.declaration import flag_name
from ..settings.errors import BadSettings

_SETTING_VARIABLES = frozenset(declared.name for declared in Settings.variables().values())


def setting_flags(options: argparse.Namespace) -> dict[str, str]:
    """Return the settings that the command line has, by their variables."""
    return {name: value for name, value in vars(options).items() if name in _SETTING_VARIABLES}


def flag_or_variable(options: argparse.Namespace, field_name: str) -> str:
    """Return the flag of a setting if the command line has it, else its variable."""
    variable = Settings.variables()[field_name].name
    return flag_name(field_name) if variable in vars(options) else variable


def bind_socket(settings: Settings, *, shared: bool = False) -> socket.socket:
    """Return the listening socket of the settings, which workers share if *shared*. Raise BadSettings."""
    from ..transports.http.runner import bind

    try:
        return bind(settings.host, settings.port, reuse_port=shared)
    except OSError as failure:
        raise listen_error(settings.host, settings.port, failure) from failure


def listen_error(host: str, port: int, failure: OSError, flag: str = "--port") -> BadSettings:
    """Return the error for an address that cannot be listened on. *flag* chooses its port."""
    problem = f"Cannot listen on {host} port {port}: {failure.strerror or 'the address is not available'}."
    if failure.errno == errno.EADDRINUSE:
        problem = f"Cannot listen on {host} port {port}: the port is in use."
        problem += f" Stop the program that uses the port, or choose another one: {flag} 0 picks a free port."
    return BadSettings([problem])


def require_redis_library(settings: Settings) -> None:
    """Raise BadSettings if Redis is configured but its client library is not installed."""
    if settings.redis_url and find_spec("redis") is None:
        raise BadSettings(["DOIT_MCP_REDIS_URL requires the extra redis: pip install 'doit-mcp[redis]'"])
