"""Context: everything that answering one request may use."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..api import Doit
from ..catalog.prompts.prompt import Prompt
from ..catalog.resources.resource import Resource, ResourceTemplate
from ..catalog.resources.skill import Skill
from ..catalog.stores.result_store import MemoryResultStore, ResultStore
from ..catalog.stores.write_receipts import MemoryReceiptStore, ReceiptStore
from ..catalog.tools.tool import Tool
from ..protocol.jsonrpc import JsonObject
from ..protocol.parameter_headers import find_parameter_headers
from ..protocol.request_metadata import Caller, Headers
from .consents import Consents, MemoryConsents
from .credential_expiry import StreamLease
from .notification_hub import NotificationHub
from .sessions import Session
from .signed_state import StateSigner
from .tasks import Tasks

ProgressCallback = Callable[[str], Awaitable[None]]
# What is called ("" where it is no tool), who calls, where progress goes, seconds it may take -> the API for this call.
ApiFactory = Callable[[str, Caller, ProgressCallback, float], Doit]

# Id of a customer -> how to reach the API for that one.
CustomerApiFactory = Callable[[str], ApiFactory]

# How a request reaches the API: as one customer; for employees, as any customer; and the id of that one customer.
ApiAccess = tuple[ApiFactory, CustomerApiFactory | None, str]

# The challenge that tells a client where to sign in, as text (RFC 6750).
AuthChallengeFactory = Callable[[], str]


_catalog_ids = itertools.count()


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """What this server offers on a path: the same for every caller who comes that way. Equal only to itself."""

    tools: tuple[Tool, ...]
    server_info: JsonObject
    instructions: str = ""
    # Callable by name although no list shows them.
    unlisted_tools: tuple[Tool, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    resources: tuple[Resource, ...] = ()
    resource_templates: tuple[ResourceTemplate, ...] = ()
    skills: tuple[Skill, ...] = ()
    # Whether the lists can change while the server runs, and with them what is declared.
    can_change: bool = False
    page_size: int = 200
    # How long a client may reuse lists, and for whom: behind authorization never for others (2026-07-28, Caching).
    cache_milliseconds: int = 300_000
    tools_by_name: Mapping[str, Tool] = field(init=False)
    tools_by_former_name: Mapping[str, Tool] = field(init=False)
    prompts_by_name: Mapping[str, Prompt] = field(init=False)
    resources_by_uri: Mapping[str, Resource] = field(init=False)
    # Tools with arguments that a header repeats.
    tools_with_header_params: frozenset[str] = field(init=False)
    # What every answer of the envelope era repeats: name and version, not the whole introduction.
    server_identity: JsonObject = field(init=False)
    fingerprint: str = field(init=False)
    # Stands for the offer in keys of caches, which would otherwise keep it: no other offer of the process has it.
    catalog_id: int = field(init=False, default_factory=lambda: next(_catalog_ids))

    def __post_init__(self) -> None:
        named = {tool.name: tool for tool in (*self.tools, *self.unlisted_tools)}
        if len(named) != len(self.tools) + len(self.unlisted_tools):
            raise ValueError("two tools of one offer have the same name")
        names = " ".join((*(tool.name for tool in self.tools), *(prompt.name for prompt in self.prompts)))
        object.__setattr__(self, "tools_by_name", named)
        former = {alias: tool for tool in named.values() if (alias := tool.facts.get("alias"))}
        object.__setattr__(self, "tools_by_former_name", former)
        identity = {name: self.server_info[name] for name in ("name", "version")}
        object.__setattr__(self, "server_identity", identity)
        mirrored = frozenset(tool.name for tool in named.values() if find_parameter_headers(tool.input_schema))
        object.__setattr__(self, "tools_with_header_params", mirrored)
        object.__setattr__(self, "prompts_by_name", {prompt.name: prompt for prompt in self.prompts})
        object.__setattr__(self, "resources_by_uri", {resource.uri: resource for resource in self.resources})
        object.__setattr__(self, "fingerprint", hashlib.sha256(names.encode()).hexdigest()[:8])

    def find_tool(self, name: str) -> Tool | None:
        """The tool with this name, or with this former name."""
        return self.tools_by_name.get(name) or self.tools_by_former_name.get(name)


class Channel(Protocol):
    """The way to the client, ahead of a request's answer; *may_stream* says whether anything can go there at all."""

    @property
    def may_stream(self) -> bool: ...

    async def send(self, data: bytes) -> None:
        """Send one message. A client that cannot take it, or left, is spared it; that is no error."""

    async def release(self) -> None:
        """Let the connection go where the client can fetch the rest later; otherwise nothing happens."""


class Actor(Protocol):
    """Who calls. *email*, *domain* and *token_label*, which tells the API tokens of one user apart, may be empty."""

    @property
    def subject(self) -> str: ...

    @property
    def email(self) -> str: ...

    @property
    def domain(self) -> str: ...

    @property
    def token_label(self) -> str: ...


class NullChannel:
    """The channel of requests that say nothing ahead of their answer, and of tasks."""

    may_stream = False

    async def send(self, data: bytes) -> None:
        """Nothing is ever sent."""

    async def release(self) -> None:
        """There is no stream to end."""


NULL_CHANNEL = NullChannel()


@dataclass(frozen=True, slots=True)
class Services:
    """What all requests of a process share. *console_url* is where people open DoiT's console."""

    notification_hub: NotificationHub
    state_signer: StateSigner
    tasks: Tasks
    console_url: str = "https://console.doit.com"
    results: ResultStore = field(default_factory=MemoryResultStore)
    clock: Callable[[], float] = time.time
    # Hears of every tool call: its name, whether it failed, how many seconds it took.
    on_tool_called: Callable[[str, bool, float], None] = lambda name, failed, seconds: None
    receipts: ReceiptStore = field(default_factory=MemoryReceiptStore)
    # Whether changes are refused while the audit log cannot be written.
    audit_required: bool = False
    consents: Consents = field(default_factory=MemoryConsents)


class RequestContext(NamedTuple):
    """One request's surroundings: what is offered, who asks, how to reach DoiT for them and how to speak first.

    *owner* is the caller's principal as a key, *actor* the caller as the audit log names them; *headers* are those of
    the request on HTTP. *customer_api_factory* is there for employees of DoiT alone: how to reach DoiT for another customer.
    *make_auth_challenge* makes the challenge that a result carries when the sign-in is no longer accepted, where the transport has
    one; *lease* is how long a stream may go on. *tenant* is the customer whose data *api_factory* reaches: a key for what
    is kept, never sent to the API.
    """

    catalog: Catalog
    caller: Caller
    owner: str
    api_factory: ApiFactory
    channel: Channel
    services: Services
    session: Session | None = None
    headers: Headers | None = None
    customer_api_factory: CustomerApiFactory | None = None
    actor: Actor | None = None
    make_auth_challenge: AuthChallengeFactory | None = None
    lease: StreamLease | None = None
    tenant: str = ""

    @property
    def customer(self) -> str | None:
        """The customer whose data an employee of DoiT sees; None for all other callers, who have only one."""
        return None if self.customer_api_factory is None else self.tenant
