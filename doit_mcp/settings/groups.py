"""The fields of the settings, in a class for each group of --help and the docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .declaration import setting
from .parsers import (
    Choice,
    Integer,
    parse_boolean,
    parse_collector_url,
    parse_hosts,
    parse_networks,
    parse_origins,
    parse_redis_url,
    parse_secrets,
    parse_text,
    parse_url,
    parse_visible_token,
)

WEB_CLIENT_ORIGINS = ("https://chatgpt.com", "https://claude.ai", "https://claude.com", "https://vscode.dev")


@dataclass(frozen=True)
class RequiredSettings:
    """Settings that a server for clients in the network needs."""

    GROUP: ClassVar[str] = "Required"

    resource_url: str = setting(
        "https://mcp.doit.com",
        "MCP_RESOURCE_URL",
        parse_url,
        "Public base URL of this server, and its OAuth resource identifier",
    )
    exchange_secret: str = setting(
        "",
        "MCP_TOKEN_EXCHANGE_SECRET",
        parse_text,
        "Client secret for the token exchange, required by serve; at least 32 characters unless "
        "DOIT_MCP_STATE_SECRETS replaces it for shared state",
        is_secret=True,
    )


@dataclass(frozen=True)
class NetworkSettings:
    """Settings of ports, processes, connections and proxies."""

    GROUP: ClassVar[str] = "Network"

    host: str = setting("127.0.0.1", "DOIT_MCP_HOST", parse_text, "Address to listen on")
    port: int = setting(8080, "DOIT_MCP_PORT", Integer(0, 65535), "Port to listen on; 0 picks a free one")
    workers: int = setting(
        1, "DOIT_MCP_WORKERS", Integer(1, 64), "Number of worker processes; more than one requires DOIT_MCP_REDIS_URL"
    )
    allowed_origins: tuple[str, ...] = setting(
        WEB_CLIENT_ORIGINS,
        "DOIT_MCP_ALLOWED_ORIGINS",
        parse_origins,
        "Browser origins that may call this server, in addition to its own",
    )
    allowed_hosts: tuple[str, ...] = setting(
        (), "DOIT_MCP_ALLOWED_HOSTS", parse_hosts, "Accepted Host headers, in addition to the host of MCP_RESOURCE_URL"
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        "DOIT_MCP_TRUSTED_PROXIES",
        parse_networks,
        "Networks of proxies whose X-Forwarded-For header is trusted, to limit unauthenticated clients by address",
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
    body_timeout_s: int = setting(
        30, "DOIT_MCP_BODY_TIMEOUT_S", Integer(1, 600), "Time limit for receiving a request body, in seconds"
    )
    drain_s: int = setting(
        25, "DOIT_MCP_DRAIN_S", Integer(0, 300), "Time for calls in progress to finish at shutdown, in seconds"
    )


@dataclass(frozen=True)
class SignInSettings:
    """Settings of the identity provider and of secrets."""

    GROUP: ClassVar[str] = "Sign-in and secrets"

    auth_server_url: str = setting(
        "https://console.doit.com",
        "AUTH_SERVER_URL",
        parse_url,
        "Identity provider: issuer of access tokens, and base URL of its keys and token endpoint",
    )
    advertise_offline_access: bool = setting(
        True,
        "DOIT_MCP_ADVERTISE_OFFLINE_ACCESS",
        parse_boolean,
        "Advertise the scope offline_access, in metadata and challenges, so that clients request refresh tokens",
    )
    state_secrets: tuple[str, ...] = setting(
        (),
        "DOIT_MCP_STATE_SECRETS",
        parse_secrets,
        'Secrets that protect shared state, session IDs and confirmation requests, current one first; "derived" means '
        "MCP_TOKEN_EXCHANGE_SECRET, which is the default",
        is_secret=True,
    )


@dataclass(frozen=True)
class ToolSettings:
    """Settings of the DoiT API and of the tools that call it."""

    GROUP: ClassVar[str] = "DoiT API and tools"

    doit_api_base: str = setting("https://api.doit.com", "DOIT_API_BASE", parse_url, "Base URL of the DoiT API")
    doit_console_base: str = setting(
        "",
        "DOIT_CONSOLE_BASE",
        parse_url,
        "Base URL of the DoiT console, for links and customer search; defaults to AUTH_SERVER_URL",
    )
    openapi: str = setting(
        "",
        "DOIT_MCP_OPENAPI",
        parse_text,
        "Path of a newer API document (OpenAPI as JSON) with operations to offer untested",
    )
    confirm_changes: Literal["always", "when-destructive", "never"] = setting(
        "when-destructive",
        "DOIT_MCP_CONFIRM_CHANGES",
        Choice("always", "when-destructive", "never"),
        "Changes that need the user's confirmation: always (every change), when-destructive (deletions, and changes to access, "
        "users or purchases) or never",
    )
    offer_secrets: bool = setting(
        False,
        "DOIT_MCP_OFFER_SECRETS",
        parse_boolean,
        "Offer tools whose results contain secrets, such as new API tokens, which models then read",
    )


@dataclass(frozen=True)
class LimitSettings:
    """Settings of limits on users, requests and sessions."""

    GROUP: ClassVar[str] = "Limits"

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
    streams_per_principal: int = setting(
        20, "DOIT_MCP_STREAMS_PER_PRINCIPAL", Integer(1, 100_000), "Maximum number of open event streams per user"
    )
    sessions_per_principal: int = setting(
        100, "DOIT_MCP_SESSIONS_PER_PRINCIPAL", Integer(1, 100_000), "Maximum number of sessions per user"
    )
    sessions_total: int = setting(
        50_000, "DOIT_MCP_SESSIONS_TOTAL", Integer(1, 1_000_000), "Maximum number of sessions in total"
    )
    session_idle_s: int = setting(
        1800,
        "DOIT_MCP_SESSION_IDLE_S",
        Integer(1, 604_800),
        "Idle time after which the state of a session is dropped, in seconds; with Redis, the session expires",
    )
    max_body: int = setting(
        4 << 20, "DOIT_MCP_MAX_BODY", Integer(1024, 64 << 20), "Maximum size of a request body, in bytes"
    )


@dataclass(frozen=True)
class RedisSettings:
    """Settings of the state that replicas share."""

    GROUP: ClassVar[str] = "Redis"

    redis_url: str = setting(
        "",
        "DOIT_MCP_REDIS_URL",
        parse_redis_url,
        "Redis URL for the state that replicas share; without it, state is kept in memory",
        is_secret=True,
    )


@dataclass(frozen=True)
class LogSettings:
    """Settings of logs, the audit log and the OpenTelemetry collector."""

    GROUP: ClassVar[str] = "Logs and metrics"

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
    audit_required: bool = setting(
        False, "DOIT_MCP_AUDIT_REQUIRED", parse_boolean, "Refuse changes while the audit log cannot be written"
    )
    otlp_endpoint: str = setting(
        "", "OTEL_EXPORTER_OTLP_ENDPOINT", parse_collector_url, "OpenTelemetry collector, such as http://collector:4318"
    )
    metrics_exporter: str = setting(
        "otlp", "OTEL_METRICS_EXPORTER", Choice("otlp", "none"), "Metrics that the collector gets: otlp (all) or none"
    )
    metric_export_interval_ms: int = setting(
        60_000,
        "OTEL_METRIC_EXPORT_INTERVAL",
        Integer(1_000, 86_400_000),
        "Time between two exports of metrics to the collector, in milliseconds",
    )


@dataclass(frozen=True)
class PublicationSettings:
    """Settings of the landing page and of directories such as that of ChatGPT."""

    GROUP: ClassVar[str] = "Public pages and app directories"

    privacy_url: str = setting(
        "", "DOIT_MCP_PRIVACY_URL", parse_url, "Privacy policy that the landing page and server card link"
    )
    terms_url: str = setting(
        "", "DOIT_MCP_TERMS_URL", parse_url, "Terms of service that the landing page and server card link"
    )
    support_url: str = setting(
        "", "DOIT_MCP_SUPPORT_URL", parse_url, "Support page that the landing page and server card link"
    )
    openai_challenge: str = setting(
        "",
        "DOIT_MCP_OPENAI_CHALLENGE",
        parse_visible_token,
        "Domain verification token of OpenAI, served publicly at /.well-known/openai-apps-challenge",
    )
    view_domain: str = setting(
        "",
        "DOIT_MCP_VIEW_DOMAIN",
        parse_visible_token,
        "Dedicated origin of charts in MCP Apps hosts, as the host requires",
    )


@dataclass(frozen=True)
class LocalSettings:
    """Settings of the commands stdio and check, which act for one user."""

    GROUP: ClassVar[str] = "stdio and check"

    api_key: str = setting("", "DOIT_API_KEY", parse_text, "stdio, check: DoiT API token", is_secret=True)
    customer_context: str = setting("", "CUSTOMER_CONTEXT", parse_text, "stdio: customer context for legacy API keys")
    tenant_id: str = setting("", "TENANT_ID", parse_text, "stdio: tenant for tokens that can act for several customers")
