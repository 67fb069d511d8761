"""The settings of the server: one frozen record, read from environment variables and flags."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from urllib.parse import urlsplit

from .declaration import Variable, setting_error
from .environment import read_values
from .events_group import EventSettings
from .groups import (
    LimitSettings,
    LocalSettings,
    LogSettings,
    NetworkSettings,
    PublicationSettings,
    RedisSettings,
    RequiredSettings,
    SignInSettings,
    ToolSettings,
)
from .host_names import format_authority, host_spellings, loopback_spellings, origin_of
from .parsers import DERIVED


@dataclass(frozen=True)
class Settings(
    RequiredSettings,
    NetworkSettings,
    SignInSettings,
    ToolSettings,
    LimitSettings,
    RedisSettings,
    LogSettings,
    EventSettings,
    PublicationSettings,
    LocalSettings,
):
    """The settings that an operator can change, each with its variable. Times are in seconds, sizes in bytes."""

    @classmethod
    def variables(cls) -> dict[str, Variable]:
        """Return the environment variable of each field, by group, in declaration order.

        Raise TypeError for a field that is not declared with ``setting``, or in no class with a GROUP.
        """
        declared: dict[str, Variable] = {}
        for item in fields(cls):
            if "variable" not in item.metadata:
                raise setting_error(item.name, "setting(default, variable, parser, description) as its value")
            declared[item.name] = item.metadata["variable"]
        groups = [base for base in cls.__mro__ if "GROUP" in vars(base)]
        in_order = {
            name: replace(declared.pop(name), group=vars(base)["GROUP"])
            for base in groups
            for name in base.__annotations__
            if name in declared
        }
        for name in declared:
            raise setting_error(name, "a group: declare it in one of the classes there")
        return in_order

    @property
    def effective_state_secrets(self) -> tuple[str, ...]:
        """The secrets that protect shared state and confirmation requests. The first encrypts; all decrypt."""
        return tuple(
            self.exchange_secret if secret == DERIVED else secret for secret in self.state_secrets or (DERIVED,)
        )

    @property
    def console_base(self) -> str:
        """The base URL of DoiT's console, for links."""
        return self.doit_console_base or self.auth_server_url

    @property
    def trusted_console_base(self) -> str:
        """The base URL of the console if DoiT API tokens may be sent there, else "".

        They may if the operator set DOIT_CONSOLE_BASE, if console and API have the same host, or if both are DoiT's.
        """
        hosts = {urlsplit(address).hostname or "" for address in (self.console_base, self.doit_api_base)}
        one_owner = len(hosts) == 1 or all(f".{host}".endswith(".doit.com") for host in hosts)
        return self.console_base if self.doit_console_base or one_owner else ""

    @property
    def base_urls(self) -> tuple[str, ...]:
        """The base URLs of this server: MCP_RESOURCE_URL, and on loopback also its other spellings, such as localhost."""
        return loopback_spellings(self.resource_url)

    @property
    def base_url_by_host(self) -> Mapping[str, str]:
        """The base URL for each accepted ``Host`` header that is a spelling of MCP_RESOURCE_URL."""
        split = ((base, urlsplit(base)) for base in self.base_urls)
        return {host: base for base, parts in split for host in host_spellings(format_authority(parts), parts.scheme)}

    @property
    def own_origin(self) -> str:
        """The origin of this server's own pages."""
        return origin_of(self.resource_url)

    @property
    def accepted_hosts(self) -> frozenset[str]:
        """The accepted ``Host`` headers in lower case, in every spelling: with a default port or a final dot."""
        scheme = urlsplit(self.resource_url).scheme
        allowed = (spelling for host in self.allowed_hosts for spelling in host_spellings(host, scheme))
        return frozenset((*self.base_url_by_host, *allowed))

    @property
    def accepted_origins(self) -> frozenset[str]:
        """The browser origins that may call this server, its own included."""
        return frozenset((*map(origin_of, self.base_urls), *self.allowed_origins))

    def child_environment(self, flags: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for a child process with these settings: that of this process, overridden by *flags*.

        Secrets from files are passed by value, because the files may change before that process starts.
        """
        environment = {**os.environ, **flags}
        for field_name, declared in self.variables().items():
            if declared.is_secret and environment.pop(declared.file_variable, ""):
                value = getattr(self, field_name)
                environment[declared.name] = value if isinstance(value, str) else ",".join(value)
        return environment

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None
    ) -> Settings:
        """Read every field from *environment* (by default, that of the process); *flags* override it by variable name.

        A secret can also be read from a file, whose path is in the variable with the suffix ``_FILE``. Raise
        :class:`BadSettings` with all problems at once.
        """
        values = read_values(cls.variables(), os.environ if environment is None else environment, flags or {})
        return cls(**values)  # type: ignore[arg-type]  # the parsers return the fields' own types
