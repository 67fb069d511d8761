"""The catalog, the services and the context that handlers of a request use."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..api import Doit
from ..catalog.prompts.prompt import Prompt
from ..catalog.resources.resource import Resource, ResourceTemplate
from ..catalog.skills.skill import Skill
from ..catalog.stores.approvals import Approval
from ..catalog.stores.customer_facts import CustomerFacts
from ..catalog.stores.result_store import MemoryResultStore, ResultStore
from ..catalog.stores.run_followers import RunFollowers
from ..catalog.stores.write_receipts import MemoryReceiptStore, ReceiptStore
from ..catalog.tools.tool import Tool
from ..events.service import EventService
from ..events.subscriptions import Account
from ..protocol.jsonrpc import JsonObject
from ..protocol.parameter_headers import find_parameter_headers
from ..protocol.request_metadata import Caller, Headers
from .approvals import Approvals
from .call_metrics import NULL_METRICS, CallMetrics
from .consents import Consents, MemoryConsents
from .credential_expiry import StreamLease
from .notification_hub import NotificationHub
from .sessions import Session
from .signed_state import StateSigner
from .tasks import Tasks

ProgressCallback = Callable[[str], Awaitable[None]]
# Tool name ("" if not a tool), caller, progress callback, deadline in seconds -> API client for the call.
ApiFactory = Callable[[str, Caller, ProgressCallback, float], Doit]

# Customer id -> API factory for that customer.
CustomerApiFactory = Callable[[str], ApiFactory]

# API factory for one customer; for employees, the factory for any customer; and the id of that one customer.
ApiAccess = tuple[ApiFactory, CustomerApiFactory | None, str]

# Returns the challenge that sends the client to the sign-in, as text (RFC 6750).
AuthChallengeFactory = Callable[[], str]


_catalog_ids = itertools.count()


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """The tools, prompts and resources of a URL path, the same for all its callers. Equal only to itself."""

    tools: tuple[Tool, ...]
    server_info: JsonObject
    instructions: str = ""
    # Names of tools that write, which a read-only catalog leaves out.
    excluded_writes: frozenset[str] = frozenset()
    # Callable by name, but not listed.
    unlisted_tools: tuple[Tool, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    resources: tuple[Resource, ...] = ()
    resource_templates: tuple[ResourceTemplate, ...] = ()
    skills: tuple[Skill, ...] = ()
    # Whether the lists can change while the server runs. If so, listChanged is declared.
    can_change: bool = False
    # A page holds all tools, because many clients read only the first page of a list.
    page_size: int = 500
    # How long a client may cache lists, never for other users (2026-07-28, Caching).
    cache_milliseconds: int = 300_000
    tools_by_name: Mapping[str, Tool] = field(init=False)
    tools_by_former_name: Mapping[str, Tool] = field(init=False)
    prompts_by_name: Mapping[str, Prompt] = field(init=False)
    resources_by_uri: Mapping[str, Resource] = field(init=False)
    # Tools with arguments that HTTP headers repeat.
    tools_with_header_params: frozenset[str] = field(init=False)
    # The server name and version, which results of stateless requests repeat.
    server_identity: JsonObject = field(init=False)
    fingerprint: str = field(init=False)
    # Unique in the process. Cache keys contain it instead of the catalog, which they would keep in memory.
    catalog_id: int = field(init=False, default_factory=lambda: next(_catalog_ids))

    def __post_init__(self) -> None:
        tools_by_name = {tool.name: tool for tool in (*self.tools, *self.unlisted_tools)}
        if len(tools_by_name) != len(self.tools) + len(self.unlisted_tools):
            raise ValueError("two tools of a catalog have the same name")
        names = " ".join((*(tool.name for tool in self.tools), *(prompt.name for prompt in self.prompts)))
        object.__setattr__(self, "tools_by_name", tools_by_name)
        former = {alias: tool for tool in tools_by_name.values() if (alias := tool.facts.get("alias"))}
        object.__setattr__(self, "tools_by_former_name", former)
        identity = {name: self.server_info[name] for name in ("name", "version")}
        object.__setattr__(self, "server_identity", identity)
        with_header_params = frozenset(
            tool.name for tool in tools_by_name.values() if find_parameter_headers(tool.input_schema)
        )
        object.__setattr__(self, "tools_with_header_params", with_header_params)
        object.__setattr__(self, "prompts_by_name", {prompt.name: prompt for prompt in self.prompts})
        object.__setattr__(self, "resources_by_uri", {resource.uri: resource for resource in self.resources})
        object.__setattr__(self, "fingerprint", hashlib.sha256(names.encode()).hexdigest()[:8])

    def find_tool(self, name: str) -> Tool | None:
        """Return the tool with this name or former name, or None."""
        return self.tools_by_name.get(name) or self.tools_by_former_name.get(name)


class Channel(Protocol):
    """Sends messages to the client before the response. *may_stream* is whether the channel can send any."""

    @property
    def may_stream(self) -> bool: ...

    async def send(self, data: bytes) -> None:
        """Send one message. It is dropped without an error if the client cannot receive it or has disconnected."""

    async def release(self) -> None:
        """Release the connection if the client can fetch the rest later. Otherwise do nothing."""

    def withhold_response(self) -> bool:
        """Send the response on this connection only, and do not record it. Return False if that is not possible."""


class Actor(Protocol):
    """The user behind a request. *token_label* distinguishes the user's API tokens. All but *subject* may be empty."""

    @property
    def subject(self) -> str: ...

    @property
    def email(self) -> str: ...

    @property
    def domain(self) -> str: ...

    @property
    def token_label(self) -> str: ...


class NullChannel:
    """The channel of tasks, and of requests that send nothing before their response."""

    may_stream = False

    async def send(self, data: bytes) -> None:
        """Drop the message."""

    async def release(self) -> None:
        """Do nothing, because there is no connection to release."""

    def withhold_response(self) -> bool:
        """Return False: the result of a task is stored."""
        return False


NULL_CHANNEL = NullChannel()


class Events(NamedTuple):
    """MCP Events: the service, and the function that lends it the credential of a caller."""

    service: EventService
    open_account: Callable[[Actor], Awaitable[Account]]


@dataclass(frozen=True, slots=True)
class Services:
    """Services shared by all requests of a process. *console_url* is where users open the DoiT console."""

    notification_hub: NotificationHub
    state_signer: StateSigner
    tasks: Tasks
    console_url: str = "https://console.doit.com"
    results: ResultStore = field(default_factory=MemoryResultStore)
    clock: Callable[[], float] = time.time
    call_metrics: CallMetrics = NULL_METRICS
    receipts: ReceiptStore = field(default_factory=MemoryReceiptStore)
    # Whether changes are refused while the audit log cannot be written.
    audit_required: bool = False
    consents: Consents = field(default_factory=MemoryConsents)
    # Of changes that clients prepare. By default, those of this process.
    approvals: Approvals = field(default_factory=lambda: Approvals.in_memory(MemoryConsents()))
    facts: CustomerFacts = field(default_factory=CustomerFacts)
    run_followers: RunFollowers = field(default_factory=RunFollowers)
    events: Events | None = None


class RequestContext(NamedTuple):
    """The context of one request: catalog, caller, API access, channel and services.

    *owner* is the key of the caller's principal, *actor* the caller as the audit log names it. *headers* are those of
    the HTTP request. *customer_api_factory* makes API factories for other customers, only for DoiT employees.
    *make_auth_challenge* returns the challenge for results when the sign-in is no longer accepted, if the transport has
    sign-in. *lease* limits how long a stream stays open. *tenant* is the customer whose data *api_factory* accesses: a
    key for stored data, never sent to the API. *notice* is a sentence that the result of a call must contain. *approval*
    is the user's approval of the change that the call makes.
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
    notice: str = ""
    approval: Approval | None = None

    @property
    def customer(self) -> str | None:
        """The customer that a DoiT employee acts for; None for all other callers, who have only one customer."""
        return None if self.customer_api_factory is None else self.tenant

    def call_running(self) -> AbstractContextManager[None]:
        """Count a tool call of the owner as in progress while the block runs, so that events wait for its end."""
        events = self.services.events
        return nullcontext() if events is None else events.service.call_running(self.owner)
