"""The settings of the server: one frozen record, read from environment variables and flags."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal
from urllib.parse import urlsplit

from .settings_environment import read_values
from .settings_events import EventSettings
from .settings_parsing import (
    DERIVED,
    Choice,
    Integer,
    Variable,
    authority,
    boolean,
    collector_url,
    host_spellings,
    hosts,
    loopback_spellings,
    networks,
    origin_of,
    origins,
    redis_url,
    secrets,
    setting,
    setting_error,
    text,
    url,
    visible_token,
)

WEB_CLIENT_ORIGINS = ("https://chatgpt.com", "https://claude.ai", "https://claude.com", "https://vscode.dev")


@dataclass(frozen=True, slots=True)
class Settings(EventSettings):
    """The settings that an operator can change, each with its variable. Times are in seconds, sizes in bytes."""

    host: str = setting("127.0.0.1", "DOIT_MCP_HOST", text, "Address to listen on")
    port: int = setting(8080, "DOIT_MCP_PORT", Integer(0, 65535), "Port to listen on; 0 picks a free one")
    workers: int = setting(
        1, "DOIT_MCP_WORKERS", Integer(1, 64), "Worker processes; more than one requires DOIT_MCP_REDIS_URL"
    )
    resource_url: str = setting(
        "https://mcp.doit.com",
        "MCP_RESOURCE_URL",
        url,
        "Public base URL of this server, and its OAuth resource identifier",
    )
    auth_server_url: str = setting(
        "https://console.doit.com",
        "AUTH_SERVER_URL",
        url,
        "Identity provider: issuer of access tokens, and base URL of its keys and token endpoint",
    )
    doit_api_base: str = setting("https://api.doit.com", "DOIT_API_BASE", url, "Base URL of the DoiT API")
    doit_console_base: str = setting(
        "",
        "DOIT_CONSOLE_BASE",
        url,
        "Base URL of the DoiT console, for links and customer search; defaults to AUTH_SERVER_URL",
    )
    exchange_secret: str = setting(
        "",
        "MCP_TOKEN_EXCHANGE_SECRET",
        text,
        "Client secret for the token exchange, required by serve; at least 32 characters unless "
        "DOIT_MCP_STATE_SECRETS replaces it for shared state",
        is_secret=True,
    )
    state_secrets: tuple[str, ...] = setting(
        (),
        "DOIT_MCP_STATE_SECRETS",
        secrets,
        'Secrets that protect shared state, session IDs and confirmation requests, current one first; "derived" means '
        "MCP_TOKEN_EXCHANGE_SECRET, which is the default",
        is_secret=True,
    )
    api_key: str = setting("", "DOIT_API_KEY", text, "stdio, check: DoiT API token", is_secret=True)
    customer_context: str = setting("", "CUSTOMER_CONTEXT", text, "stdio: customer context for legacy API keys")
    tenant_id: str = setting("", "TENANT_ID", text, "stdio: tenant for tokens that can act for several customers")
    allowed_origins: tuple[str, ...] = setting(
        WEB_CLIENT_ORIGINS,
        "DOIT_MCP_ALLOWED_ORIGINS",
        origins,
        "Browser origins that may call this server, in addition to its own",
    )
    allowed_hosts: tuple[str, ...] = setting(
        (), "DOIT_MCP_ALLOWED_HOSTS", hosts, "Accepted Host headers, in addition to the host of MCP_RESOURCE_URL"
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        "DOIT_MCP_TRUSTED_PROXIES",
        networks,
        "Networks of proxies whose X-Forwarded-For header is trusted, to limit unauthenticated clients by address",
    )
    advertise_offline_access: bool = setting(
        True,
        "DOIT_MCP_ADVERTISE_OFFLINE_ACCESS",
        boolean,
        "Advertise the scope offline_access, in metadata and challenges, so that clients request refresh tokens",
    )
    privacy_url: str = setting(
        "", "DOIT_MCP_PRIVACY_URL", url, "Privacy policy that the landing page and server card link"
    )
    terms_url: str = setting(
        "", "DOIT_MCP_TERMS_URL", url, "Terms of service that the landing page and server card link"
    )
    support_url: str = setting(
        "", "DOIT_MCP_SUPPORT_URL", url, "Support page that the landing page and server card link"
    )
    openai_challenge: str = setting(
        "",
        "DOIT_MCP_OPENAI_CHALLENGE",
        visible_token,
        "Domain verification token of OpenAI, served publicly at /.well-known/openai-apps-challenge",
    )
    view_domain: str = setting(
        "", "DOIT_MCP_VIEW_DOMAIN", visible_token, "Dedicated origin of charts in MCP Apps hosts, as the host requires"
    )
    session_idle_s: int = setting(
        1800,
        "DOIT_MCP_SESSION_IDLE_S",
        Integer(1, 604_800),
        "Idle time after which the state of a session is dropped, in seconds; with Redis, the session expires",
    )
    sessions_per_principal: int = setting(
        100, "DOIT_MCP_SESSIONS_PER_PRINCIPAL", Integer(1, 100_000), "Maximum number of sessions per user"
    )
    sessions_total: int = setting(
        50_000, "DOIT_MCP_SESSIONS_TOTAL", Integer(1, 1_000_000), "Maximum number of sessions in total"
    )
    streams_per_principal: int = setting(
        20, "DOIT_MCP_STREAMS_PER_PRINCIPAL", Integer(1, 100_000), "Maximum number of open event streams per user"
    )
    calls_per_principal: int = setting(
        32, "DOIT_MCP_CALLS_PER_PRINCIPAL", Integer(1, 100_000), "Maximum number of concurrent requests per user"
    )
    calls_total: int = setting(
        1000, "DOIT_MCP_CALLS_TOTAL", Integer(1, 1_000_000), "Maximum number of concurrent requests in total"
    )
    calls_per_minute: int = setting(
        0,
        "DOIT_MCP_CALLS_PER_MINUTE",
        Integer(0, 1_000_000),
        "Maximum number of tool calls per user per minute; 0 means no limit",
    )
    max_body: int = setting(
        4 << 20, "DOIT_MCP_MAX_BODY", Integer(1024, 64 << 20), "Maximum size of a request body, in bytes"
    )
    body_timeout_s: int = setting(
        30, "DOIT_MCP_BODY_TIMEOUT_S", Integer(1, 600), "Time limit for receiving a request body, in seconds"
    )
    keep_alive_s: int = setting(
        15, "DOIT_MCP_KEEP_ALIVE_S", Integer(1, 55), "Keepalive interval for idle streams, in seconds"
    )
    keep_alive_timeout_s: int = setting(
        75,
        "DOIT_MCP_KEEP_ALIVE_TIMEOUT_S",
        Integer(1, 3600),
        "Idle time after which a connection is closed, in seconds; should exceed the proxy's idle timeout",
    )
    drain_s: int = setting(
        25, "DOIT_MCP_DRAIN_S", Integer(0, 300), "Time for calls in progress to finish at shutdown, in seconds"
    )
    redis_url: str = setting(
        "",
        "DOIT_MCP_REDIS_URL",
        redis_url,
        "Redis URL for the state that replicas share; without it, state is kept in memory",
        is_secret=True,
    )
    otlp_endpoint: str = setting(
        "", "OTEL_EXPORTER_OTLP_ENDPOINT", collector_url, "OpenTelemetry collector, such as http://collector:4318"
    )
    metrics_exporter: str = setting(
        "otlp", "OTEL_METRICS_EXPORTER", Choice("otlp", "none"), "Metrics that the collector gets: otlp (all) or none"
    )
    confirm_changes: Literal["always", "when-destructive", "never"] = setting(
        "when-destructive",
        "DOIT_MCP_CONFIRM_CHANGES",
        Choice("always", "when-destructive", "never"),
        "Changes that need the user's confirmation: always (every change), when-destructive (deletions, and changes to access, "
        "users or purchases) or never",
    )
    audit_required: bool = setting(
        False, "DOIT_MCP_AUDIT_REQUIRED", boolean, "Refuse changes while the audit log cannot be written"
    )
    offer_secrets: bool = setting(
        False,
        "DOIT_MCP_OFFER_SECRETS",
        boolean,
        "Offer tools whose results contain secrets, such as new API tokens, which models then read",
    )
    openapi: str = setting(
        "", "DOIT_MCP_OPENAPI", text, "Path of a newer API document (OpenAPI as JSON) with operations to offer untested"
    )
    log_level: str = setting(
        "info",
        "DOIT_MCP_LOG_LEVEL",
        Choice("debug", "info", "warning", "error"),
        "Log level: debug, info, warning or error",
    )
    log_format: str = setting(
        "auto",
        "DOIT_MCP_LOG_FORMAT",
        Choice("auto", "json", "text"),
        "Format of log lines: json, text, or auto for text on a terminal and JSON elsewhere",
    )

    @classmethod
    def variables(cls) -> dict[str, Variable]:
        """Return the environment variable of each field, in declaration order.

        Raise TypeError for a field that is not declared with ``setting``.
        """
        for item in fields(cls):
            if "variable" not in item.metadata:
                raise setting_error(item.name, "setting(default, variable, parser, description) as its value")
        in_order = sorted(fields(cls), key=lambda item: item.name in EventSettings.__annotations__)
        return {item.name: item.metadata["variable"] for item in in_order}

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
        return {host: base for base, parts in split for host in host_spellings(authority(parts), parts.scheme)}

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
