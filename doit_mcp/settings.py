"""Configuration: one frozen record, read from the environment and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from urllib.parse import urlsplit

from .setting_values import DERIVED, HOST, NETWORK, ORIGIN, authority, parsed

# More than any secret has.
MAX_FILE_BYTES = 64 << 10
WEB_CLIENTS = ("https://chatgpt.com", "https://claude.ai", "https://claude.com", "https://vscode.dev")


class BadSettings(Exception):
    """The configuration cannot be used; *problems* holds one sentence for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can set. Times are seconds, sizes bytes.

    A field's metadata names its variable (``env``) and says what it is for (``help``, for README.rst and --help).
    """

    host: str = field(default="127.0.0.1", metadata={"env": "DOIT_MCP_HOST", "help": "Address to listen on"})
    port: int = field(
        default=8080,
        metadata={"env": "DOIT_MCP_PORT", "least": 0, "most": 65535, "help": "Port to listen on; 0 takes a free one"},
    )
    workers: int = field(
        default=1,
        metadata={"env": "DOIT_MCP_WORKERS", "least": 1, "most": 64,
                  "help": "Processes that serve the port; more than one requires DOIT_MCP_REDIS_URL"},
    )
    resource_url: str = field(
        default="https://mcp.doit.com",
        metadata={"env": "MCP_RESOURCE_URL", "url": True,
                  "help": "Public base URL of this server, and its OAuth resource identifier"},
    )
    auth_server_url: str = field(
        default="https://console.doit.com",
        metadata={"env": "AUTH_SERVER_URL", "url": True,
                  "help": "Issuer of access tokens; also the base of its keys and its token endpoint"},
    )
    doit_api_base: str = field(
        default="https://api.doit.com",
        metadata={"env": "DOIT_API_BASE", "url": True, "help": "The DoiT API; a path in it is kept"},
    )
    doit_console_base: str = field(
        default="",
        metadata={"env": "DOIT_CONSOLE_BASE", "url": True,
                  "help": "DoiT's console: links for people, customer search; AUTH_SERVER_URL unless set"},
    )
    exchange_secret: str = field(
        default="",
        repr=False,
        metadata={"env": "MCP_TOKEN_EXCHANGE_SECRET", "file": True,
                  "help": "Secret of the token exchange, required by serve; at least 32 characters unless "
                  "DOIT_MCP_STATE_SECRETS is set without the word derived"},
    )
    state_secrets: tuple[str, ...] = field(
        default=(),
        repr=False,
        metadata={"env": "DOIT_MCP_STATE_SECRETS", "file": True, "secrets": True,
                  "help": "Secrets that protect shared state and requests for confirmation, the one in use first; "
                  "derived stands for MCP_TOKEN_EXCHANGE_SECRET, which is used unless this is set"},
    )
    api_key: str = field(
        default="",
        repr=False,
        metadata={"env": "DOIT_API_KEY", "file": True, "help": "stdio: the credential, a token of the DoiT API"},
    )
    customer_context: str = field(
        default="", metadata={"env": "CUSTOMER_CONTEXT", "help": "stdio: customer context, for legacy API keys"}
    )
    tenant_id: str = field(
        default="",
        metadata={"env": "TENANT_ID", "help": "stdio: tenant, for tokens that may act for several customers"},
    )
    allowed_origins: tuple[str, ...] = field(
        default=WEB_CLIENTS,
        metadata={"env": "DOIT_MCP_ALLOWED_ORIGINS", "each": ORIGIN, "such": "origins such as https://host",
                  "help": "Browser origins that may call, besides our own"},
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata={"env": "DOIT_MCP_ALLOWED_HOSTS", "each": HOST, "such": "names such as host or host:8080",
                  "help": "Host names answered to, besides that of MCP_RESOURCE_URL"},
    )
    trusted_proxies: tuple[str, ...] = field(
        default=(),
        metadata={"env": "DOIT_MCP_TRUSTED_PROXIES", "each": NETWORK, "such": "networks such as 10.0.0.0/8 or fd00::/8",
                  "help": "Networks of proxies whose X-Forwarded-For is trusted, to limit unauthenticated clients by "
                  "address"},
    )
    advertise_offline_access: bool = field(
        default=True,
        metadata={"env": "DOIT_MCP_ADVERTISE_OFFLINE_ACCESS",
                  "help": "Whether clients are told that they may ask for refresh tokens"},
    )
    session_idle_s: int = field(
        default=1800,
        metadata={"env": "DOIT_MCP_SESSION_IDLE_S", "least": 1, "most": 604_800,
                  "help": "Seconds after which an idle session is gone"},
    )
    sessions_per_principal: int = field(
        default=100,
        metadata={"env": "DOIT_MCP_SESSIONS_PER_PRINCIPAL", "least": 1, "most": 100_000,
                  "help": "Sessions one user may hold"},
    )
    sessions_total: int = field(
        default=50_000,
        metadata={"env": "DOIT_MCP_SESSIONS_TOTAL", "least": 1, "most": 1_000_000,
                  "help": "Sessions of all users together"},
    )
    streams_per_principal: int = field(
        default=20,
        metadata={"env": "DOIT_MCP_STREAMS_PER_PRINCIPAL", "least": 1, "most": 100_000,
                  "help": "Event streams one user may hold open"},
    )
    calls_per_principal: int = field(
        default=32,
        metadata={"env": "DOIT_MCP_CALLS_PER_PRINCIPAL", "least": 1, "most": 100_000,
                  "help": "Requests of one user that run at the same time"},
    )
    calls_total: int = field(
        default=1000,
        metadata={"env": "DOIT_MCP_CALLS_TOTAL", "least": 1, "most": 1_000_000,
                  "help": "Requests of all users that run at the same time"},
    )
    calls_per_minute: int = field(
        default=0,
        metadata={"env": "DOIT_MCP_CALLS_PER_MINUTE", "least": 0, "most": 1_000_000,
                  "help": "Tools that one user may call in a minute; 0 sets no limit"},
    )
    max_body: int = field(
        default=4 << 20,
        metadata={"env": "DOIT_MCP_MAX_BODY", "least": 1024, "most": 64 << 20,
                  "help": "Largest request body, in bytes"},
    )
    body_timeout_s: int = field(
        default=30,
        metadata={"env": "DOIT_MCP_BODY_TIMEOUT_S", "least": 1, "most": 600,
                  "help": "Seconds a client has to send its request body"},
    )
    keep_alive_s: int = field(
        default=15,
        metadata={"env": "DOIT_MCP_KEEP_ALIVE_S", "least": 1, "most": 55,
                  "help": "Seconds between signs of life on a quiet stream"},
    )
    keep_alive_timeout_s: int = field(
        default=75,
        metadata={"env": "DOIT_MCP_KEEP_ALIVE_TIMEOUT_S", "least": 1, "most": 3600,
                  "help": "Seconds after which an idle connection is closed; longer than the proxy's idle timeout"},
    )
    drain_s: int = field(
        default=25,
        metadata={"env": "DOIT_MCP_DRAIN_S", "least": 0, "most": 300,
                  "help": "Seconds that running calls get to finish at shutdown"},
    )
    redis_url: str = field(
        default="",
        repr=False,
        metadata={"env": "DOIT_MCP_REDIS_URL", "file": True, "redis": True,
                  "help": "Redis through which several replicas share state; everything is in memory unless set"},
    )
    otlp_endpoint: str = field(
        default="",
        metadata={"env": "OTEL_EXPORTER_OTLP_ENDPOINT", "collector": True,
                  "help": "Collector that gets OpenTelemetry spans (OTLP over HTTP), such as http://collector:4318"},
    )
    audit_required: bool = field(
        default=False,
        metadata={"env": "DOIT_MCP_AUDIT_REQUIRED",
                  "help": "Refuse changes while the audit log cannot be written"},
    )
    log_level: str = field(
        default="info",
        metadata={"env": "DOIT_MCP_LOG_LEVEL", "of": ("debug", "info", "warning", "error"),
                  "help": "Least severe messages that are logged"},
    )

    @property
    def state_keys(self) -> tuple[str, ...]:
        """The secrets of everything that other replicas or later requests must understand; the first is in use."""
        return tuple(self.exchange_secret if one == DERIVED else one for one in self.state_secrets or (DERIVED,))

    @property
    def console_base(self) -> str:
        """Where people open DoiT's console."""
        return self.doit_console_base or self.auth_server_url

    @property
    def console_for_tokens(self) -> str:
        """The console, if tokens of the DoiT API may go there; else "" (security X7 knows the API's own origin only).

        They may where the operator named it, and without being told where it is DoiT's as the API is, or the same host.
        """
        hosts = {urlsplit(address).hostname or "" for address in (self.console_base, self.doit_api_base)}
        one_owner = len(hosts) == 1 or all(f".{host}".endswith(".doit.com") for host in hosts)
        return self.console_base if self.doit_console_base or one_owner else ""

    @property
    def own_origin(self) -> str:
        """The origin of this server's own pages."""
        parts = urlsplit(self.resource_url)
        return f"{parts.scheme}://{authority(parts)}"

    @property
    def hosts(self) -> frozenset[str]:
        """Every ``Host`` this server answers to, as sent but in lower case: with its port unless that is the usual."""
        return frozenset((authority(urlsplit(self.resource_url)), *self.allowed_hosts))

    @property
    def origins(self) -> frozenset[str]:
        """Every browser origin that may call."""
        return frozenset((self.own_origin, *self.allowed_origins))

    def environment(self, flags: Mapping[str, str]) -> dict[str, str]:
        """The environment of another process with these settings: this process's own, and *flags* before it.

        Secrets from files are passed by value, because the files may change before that process starts.
        """
        found = {**os.environ, **flags}
        for item in fields(self):
            name = item.metadata["env"]
            if item.metadata.get("file") and found.pop(f"{name}_FILE", ""):
                value = getattr(self, item.name)
                found[name] = value if isinstance(value, str) else ",".join(value)
        return found

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None
    ) -> Settings:
        """Read every field from *environment* (the process's by default); *flags*, by the same names, go before it.

        A secret can also be read from the file that its name with ``_FILE`` behind it names. Raises
        :class:`BadSettings` with all problems at once; no problem repeats a value, which may be a secret.
        """
        environment = {**(os.environ if environment is None else environment), **(flags or {})}
        values: dict[str, object] = {}
        problems: list[str] = []
        for item in fields(cls):
            name = item.metadata["env"]
            try:
                text = _text_of(environment, name, may_be_file=item.metadata.get("file"))
                if not text:
                    continue
                values[item.name] = parsed(text, item.metadata, item.default)
            except ValueError as wrong:
                problems.append(f"{name} {wrong}.")
            except BadSettings as bad:
                problems += bad.problems
        if problems:
            raise BadSettings(problems)
        return cls(**values)  # type: ignore[arg-type]  # the loop above follows the fields' own types


def _text_of(environment: Mapping[str, str], name: str, *, may_be_file: object) -> str:
    """What is set under *name*, or stands in the file that ``name_FILE`` names. Raises BadSettings."""
    text, path = environment.get(name, "").strip(), environment.get(f"{name}_FILE", "").strip()
    if not path or not may_be_file:
        return text
    if text:
        raise BadSettings([f"{name} and {name}_FILE are both set: keep one of them."])
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        found = data.decode().strip()
    except OSError as failure:
        raise BadSettings([f"{name}_FILE names a file that cannot be read: {failure.strerror}."]) from None
    except ValueError:
        raise BadSettings([f"{name}_FILE must name a file of UTF-8 text."]) from None
    if "\0" in found:
        raise BadSettings([f"{name}_FILE must name a file of text without null characters."])
    if not found or len(data) > MAX_FILE_BYTES:
        raise BadSettings([f"{name}_FILE must name a file that holds the secret, of 1 to {MAX_FILE_BYTES} bytes."])
    return found
