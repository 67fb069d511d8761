"""Configuration: one frozen record, read from the environment and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from urllib.parse import urlsplit

WEB_CLIENTS = ("https://chatgpt.com", "https://claude.ai", "https://claude.com", "https://vscode.dev")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class BadSettings(Exception):
    """The configuration cannot be used; *problems* holds one sentence for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can set. Times are seconds, sizes bytes. The field's metadata names its variable."""

    host: str = field(default="127.0.0.1", metadata={"env": "DOIT_MCP_HOST"})
    port: int = field(default=8080, metadata={"env": "DOIT_MCP_PORT", "least": 0, "most": 65535})
    resource_url: str = field(default="https://mcp.doit.com", metadata={"env": "MCP_RESOURCE_URL", "url": True})
    auth_server_url: str = field(default="https://console.doit.com", metadata={"env": "AUTH_SERVER_URL", "url": True})
    doit_api_base: str = field(default="https://api.doit.com", metadata={"env": "DOIT_API_BASE", "url": True})
    doit_console_base: str = field(default="", metadata={"env": "DOIT_CONSOLE_BASE", "url": True})
    exchange_secret: str = field(default="", repr=False, metadata={"env": "MCP_TOKEN_EXCHANGE_SECRET"})
    api_key: str = field(default="", repr=False, metadata={"env": "DOIT_API_KEY"})
    customer_context: str = field(default="", metadata={"env": "CUSTOMER_CONTEXT"})
    tenant_id: str = field(default="", metadata={"env": "TENANT_ID"})
    allowed_origins: tuple[str, ...] = field(default=WEB_CLIENTS, metadata={"env": "DOIT_MCP_ALLOWED_ORIGINS"})
    allowed_hosts: tuple[str, ...] = field(default=(), metadata={"env": "DOIT_MCP_ALLOWED_HOSTS"})
    advertise_offline_access: bool = field(default=True, metadata={"env": "DOIT_MCP_ADVERTISE_OFFLINE_ACCESS"})
    session_idle_s: int = field(default=1800, metadata={"env": "DOIT_MCP_SESSION_IDLE_S", "least": 1, "most": 604_800})
    sessions_per_principal: int = field(
        default=100, metadata={"env": "DOIT_MCP_SESSIONS_PER_PRINCIPAL", "least": 1, "most": 100_000}
    )
    sessions_total: int = field(
        default=50_000, metadata={"env": "DOIT_MCP_SESSIONS_TOTAL", "least": 1, "most": 1_000_000}
    )
    streams_per_principal: int = field(
        default=20, metadata={"env": "DOIT_MCP_STREAMS_PER_PRINCIPAL", "least": 1, "most": 100_000}
    )
    calls_per_principal: int = field(
        default=32, metadata={"env": "DOIT_MCP_CALLS_PER_PRINCIPAL", "least": 1, "most": 100_000}
    )
    calls_total: int = field(default=1000, metadata={"env": "DOIT_MCP_CALLS_TOTAL", "least": 1, "most": 1_000_000})
    max_body: int = field(default=4 << 20, metadata={"env": "DOIT_MCP_MAX_BODY", "least": 1024, "most": 64 << 20})
    body_timeout_s: int = field(default=30, metadata={"env": "DOIT_MCP_BODY_TIMEOUT_S", "least": 1, "most": 600})
    keep_alive_s: int = field(default=15, metadata={"env": "DOIT_MCP_KEEP_ALIVE_S", "least": 1, "most": 55})
    drain_s: int = field(default=25, metadata={"env": "DOIT_MCP_DRAIN_S", "least": 0, "most": 300})
    log_level: str = field(
        default="info", metadata={"env": "DOIT_MCP_LOG_LEVEL", "of": ("debug", "info", "warning", "error")}
    )

    @property
    def console_base(self) -> str:
        """Where people open DoiT's console."""
        return self.doit_console_base or self.auth_server_url

    @property
    def own_origin(self) -> str:
        """The origin of this server's own pages."""
        parts = urlsplit(self.resource_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def hosts(self) -> frozenset[str]:
        """Every ``Host`` this server answers to, as sent: name, and name with port where it has one."""
        return frozenset((urlsplit(self.resource_url).netloc.lower(), *(host.lower() for host in self.allowed_hosts)))

    @property
    def origins(self) -> frozenset[str]:
        """Every browser origin that may call."""
        return frozenset((self.own_origin, *self.allowed_origins))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read every field from *environment*; raises :class:`BadSettings` with all problems at once."""
        values: dict[str, object] = {}
        problems: list[str] = []
        for item in fields(cls):
            name = item.metadata["env"]
            text = environment.get(name, "").strip()
            if not text:
                continue
            try:
                values[item.name] = _parsed(text, item.metadata, item.default)
            except ValueError as wrong:
                problems.append(f"{name} {wrong}.")
        if problems:
            raise BadSettings(problems)
        return cls(**values)  # type: ignore[arg-type]  # the loop above follows the fields' own types


def _parsed(text: str, rules: Mapping[str, object], default: object) -> object:
    if rules.get("url"):
        return _url(text)
    if isinstance(default, bool):
        return _switch(text)
    if isinstance(default, int):
        return _number(text, rules)
    if isinstance(default, tuple):
        return tuple(part for part in text.replace(",", " ").split() if part)
    allowed = rules.get("of")
    if isinstance(allowed, tuple) and text.lower() not in allowed:
        raise ValueError(f"must be one of {', '.join(allowed)}")
    return text.lower() if allowed else text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("must be a URL such as https://host or https://host/path, without query or credentials")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must be an https URL (plain http is for loopback addresses only)")
    return text.rstrip("/")


def _switch(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("must be true or false")


def _number(text: str, rules: Mapping[str, object]) -> int:
    least, most = rules["least"], rules["most"]
    assert isinstance(least, int) and isinstance(most, int)
    if not text.isdecimal() or len(text) > 12 or not least <= int(text) <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return int(text)
