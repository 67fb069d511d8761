"""Runs the real application on loopback with a catalog made for the tests, and a client that checks every message
against its schema."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp import web

from doit_mcp.catalog.call import Call, Question
from doit_mcp.catalog.prompts.prompt import Prompt, PromptArgument, user_message
from doit_mcp.catalog.resources.resource import Resource, ResourceNotFound, ResourceTemplate
from doit_mcp.catalog.stores.run_followers import RunFollowers
from doit_mcp.catalog.tools.tool import ContentResult, Tool, ToolError
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.protocol.revisions import REVISIONS_BY_NAME
from doit_mcp.sandbox.accounts import USERS, Grant, User
from doit_mcp.sandbox.server import HostedApi, SandboxServer, run_sandbox
from doit_mcp.server.notification_hub import NotificationHub
from doit_mcp.server.request_context import Catalog
from doit_mcp.settings import Settings
from doit_mcp.transports.http.app import build_app
from doit_mcp.transports.http.catalog_selection import MakeCatalog
from doit_mcp.transports.http.event_wiring import EventNetwork
from doit_mcp.transports.http.runner import bind, serve_app, socket_url
from tests.wire_schema import check

SECRET = "a-secret-of-the-exchange-with-enough-bytes"
STATELESS_REVISION = "2026-07-28"
LATEST_STATEFUL = "2025-11-25"
REVISIONS = tuple(REVISIONS_BY_NAME)
META = "io.modelcontextprotocol/"
ACCEPT = "application/json, text/event-stream"
ADMIN, VIEWER, OTHER_USER, EMPLOYEE, *_ = USERS
Json = dict[str, Any]


class NoApi:
    """An environment without a DoiT API."""

    def register(self, app: web.Application, lookup: Callable[[str], Grant | None]) -> None:
        """Register no routes."""


@dataclass
class Bench:
    """What the tools of the tests wait for, and what they record."""

    started: asyncio.Event = field(default_factory=asyncio.Event)
    proceed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: bool = False
    ran: list[str] = field(default_factory=list)


def schema(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False}


TEXT: Json = {"type": "string"}
NAME = {
    "message": "Who are you?",
    "requestedSchema": {"type": "object", "properties": {"name": TEXT}, "required": ["name"]},
}


def tools(bench: Bench) -> tuple[Tool, ...]:
    """One tool for each way a tool can behave."""

    async def echo(call: Call, arguments: Json) -> Json:
        bench.ran.append("echo")
        return {"said": arguments.get("text", "")}

    async def wait(call: Call, arguments: Json) -> Json:
        bench.started.set()
        try:
            await bench.proceed.wait()
        except asyncio.CancelledError:
            bench.cancelled = True
            raise
        finally:
            bench.ended.set()
        return {"said": "waited"}

    async def steps(call: Call, arguments: Json) -> Json:
        await call.report_progress(1, 2, "half")
        await call.send_log("warning", "on the way")
        bench.started.set()
        if arguments.get("pause"):
            await bench.proceed.wait()
        await call.report_progress(2, 2)
        return {"said": "stepped"}

    async def ask(call: Call, arguments: Json) -> Json:
        answer = await call.ask("who", "elicitation/create", NAME)
        return {"said": str(answer.get("content", {}).get("name", answer["action"]))}

    async def ask_all(call: Call, arguments: Json) -> Json:
        answers = await call.ask_all({"who": Question("elicitation/create", NAME), "where": Question("roots/list")})
        return {"said": f"{answers['who']['action']} {len(answers['where']['roots'])}"}

    async def fail(call: Call, arguments: Json) -> Json:
        raise ToolError("It cannot be done; do something else.")

    async def bug(call: Call, arguments: Json) -> Json:
        raise RuntimeError("a secret that nobody may see")

    async def blocks(call: Call, arguments: Json) -> ContentResult:
        return ContentResult(
            [
                {"type": "text", "text": "all kinds"},
                {"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav"},
                {"type": "resource_link", "uri": "doc://one", "name": "one", "title": "One"},
            ],
            structured={"said": "blocks"},
        )

    async def long(call: Call, arguments: Json) -> Json:
        await call.run_in_background()
        bench.started.set()
        await bench.proceed.wait()
        return {"said": "done at last"}

    output_schema = {"type": "object", "properties": {"said": TEXT}, "required": ["said"]}
    runs = (echo, wait, steps, ask, ask_all, fail, bug, blocks, long)
    schemas = {
        "echo": schema(text=TEXT, region={**TEXT, "x-mcp-header": "Region"}, size={"type": "integer"}),
        "steps": schema(pause={"type": "boolean"}),
        "ask": schema(text=TEXT),
    }
    return tuple(
        Tool(
            name=run.__name__,
            title=run.__name__.title(),
            description=f"Does {run.__name__}.",
            input_schema=schemas.get(run.__name__, schema()),
            run=run,
            output_schema=output_schema,
            annotations={"readOnlyHint": True},
            area="bench",
            writes=run.__name__ == "wait",
        )
        for run in runs
    )


async def greeting(call: Call, arguments: Mapping[str, str]) -> list[Json]:
    return [user_message(f"Greet {arguments['who']}.")]


async def names(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    return [name for name in ("Ann", "Anton", "Bea") if name.startswith(typed)]


async def one(call: Call) -> Json:
    return {"text": "the first"}


async def numbered(call: Call, variables: Mapping[str, str]) -> Json:
    if variables["number"] == "13":
        raise ResourceNotFound
    return {"text": f"number {variables['number']}"}


def offer(bench: Bench, **changes: Any) -> Catalog:
    """The catalog of the tests' server."""
    catalog = Catalog(
        tools=tools(bench),
        server_info={"name": "bench", "title": "Bench", "version": "1.0", "description": "For tests"},
        instructions="Only for tests.",
        prompts=(Prompt("greet", "Greet", "Greets somebody", greeting, (PromptArgument("who", "Whom", True, names),)),),
        resources=(Resource("doc://one", "one", "One", "The first", "text/plain", one),),
        resource_templates=(
            ResourceTemplate("doc://number/{number}", "number", "Number", "Any", "text/plain", numbered, {}),
        ),
        can_change=True,
    )
    return replace(catalog, **changes)


@dataclass(frozen=True)
class Answer:
    """An HTTP response whose body was read. *messages* are those of the stream, or the one in the body."""

    status: int
    headers: Mapping[str, str]
    text: str
    messages: tuple[Any, ...]
    ids: tuple[str, ...] = ()

    @property
    def body(self) -> Any:
        return self.messages[-1] if self.messages else None

    @property
    def error(self) -> Json:
        error: Json = self.body["error"]
        return error

    @property
    def result(self) -> Json:
        result: Json = self.body["result"]
        return result

    @property
    def code(self) -> tuple[int, int]:
        """HTTP status and JSON-RPC error code."""
        return self.status, self.error["code"]


def events(text: str) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """The messages and the ids in the text of an event stream."""
    messages, ids = [], []
    for block in text.split("\n\n"):
        fields = [line.partition(":")[::2] for line in block.split("\n") if line and not line.startswith(":")]
        ids += [value.strip() for name, value in fields if name == "id"]
        messages += [json.loads(value) for name, value in fields if name == "data" and value.strip()]
    return tuple(messages), tuple(ids)


async def read(response: aiohttp.ClientResponse) -> Answer:
    """Read the whole response."""
    text = await response.text()
    ids: tuple[str, ...] = ()
    messages: tuple[Any, ...] = ()
    if response.content_type == "text/event-stream":
        messages, ids = events(text)
    elif text and response.content_type == "application/json":
        messages = (json.loads(text),)
    return Answer(response.status, response.headers.copy(), text, messages, ids)


def check_all(answer: Answer, headers: Mapping[str, str], data: Any) -> None:
    """Check every JSON-RPC message of a response against the revisions that the request named, or against all if it
    named none.

    The revision is only known for requests whose body can be parsed.
    """
    messages = [message for message in answer.messages if isinstance(message, list) or "jsonrpc" in message]
    parsed = _read_back(data)
    meta = parsed.get("params", {}).get("_meta", {}) if isinstance(parsed.get("params", {}), dict) else {}
    named = [value for name, value in headers.items() if name.lower() == "mcp-protocol-version"]
    # initialize negotiates the version, whatever the header says.
    named = [] if parsed.get("method") == "initialize" else named
    # A request with request metadata gets a stateless response, whatever version it names.
    named += [STATELESS_REVISION] if isinstance(meta, dict) and f"{META}protocolVersion" in meta else []
    method = parsed.get("method") if isinstance(parsed.get("method"), str) else None
    revisions = [revision for revision in REVISIONS if revision in named]
    for message in messages:
        check_one_of(revisions or REVISIONS, message, method)


def _read_back(data: Any) -> Json:
    try:
        body = json.loads(data) if isinstance(data, (bytes, str)) else {}
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def check_one_of(revisions: Sequence[str], message: Any, method: str | None) -> None:
    """Check that the message is valid in one of these revisions."""
    failures = []
    for revision in revisions:
        try:
            return check(revision, message, method)
        except AssertionError as failure:
            failures.append(failure)
    raise failures[-1]


class Site:
    """A running server, and ways to send requests to it."""

    def __init__(
        self, base: str, sandbox: SandboxServer, http: aiohttp.ClientSession, bench: Bench, hub: NotificationHub
    ) -> None:
        self.base, self.world, self.http, self.bench, self.hub = base, sandbox, http, bench, hub
        self.ids = 0

    def token(self, user: User = ADMIN, **claims: Any) -> str:
        return self.world.identity.mint(user, resource=f"{self.base}/mcp", **claims)

    def headers(self, user: User | None = ADMIN, **more: str) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {self.token(user)}"} if user is not None else {}
        return bearer | {"Accept": ACCEPT} | {name.replace("_", "-"): value for name, value in more.items()}

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], data: Any = None, **options: Any
    ) -> Answer:
        """Send any HTTP request."""
        async with self.http.request(
            method, self.base + path, headers=headers, data=data, allow_redirects=False, **options
        ) as response:
            answer = await read(response)
        check_all(answer, headers, data)
        return answer

    async def post(
        self, message: Any, *, user: User | None = ADMIN, path: str = "/mcp", revision: str = "", **headers: str
    ) -> Answer:
        """POST one JSON value. With *revision*, every message of the response is checked against its schema."""
        request_headers = self.headers(user, **headers) | {"Content-Type": "application/json"}
        answer = await self.send("POST", path, request_headers, json.dumps(message).encode())
        if revision:
            method = message.get("method") if isinstance(message, dict) else None
            for one_message in answer.messages:
                check(revision, one_message, method)
        return answer

    def request(self, method: str, params: Json | None = None, id: Any = None) -> Json:
        self.ids += 1
        message: Json = {"jsonrpc": "2.0", "id": self.ids if id is None else id, "method": method}
        return message if params is None else message | {"params": params}

    def stateless_request(self, method: str, params: Json | None = None, *, id: Any = None, **meta: Any) -> Json:
        """A request of the newest revision. *meta* adds members to its _meta, or removes those that are None."""
        full = {f"{META}protocolVersion": STATELESS_REVISION, f"{META}clientCapabilities": {}}
        full |= {(key if key == "progressToken" else META + key): value for key, value in meta.items()}
        present = {key: value for key, value in full.items() if value is not None}
        return self.request(method, {**(params or {}), "_meta": present}, id)

    async def send_stateless(
        self,
        method: str,
        params: Json | None = None,
        *,
        user: User = ADMIN,
        id: Any = None,
        path: str = "/mcp",
        headers: Mapping[str, str] | None = None,
        **meta: Any,
    ) -> Answer:
        """Send a request of the newest revision, complete by default."""
        message = self.stateless_request(method, params, id=id, **meta)
        request_headers = self.stateless_headers(message) | dict(headers or {})
        present = {name.replace("-", "_"): value for name, value in request_headers.items() if value}
        return await self.post(message, user=user, path=path, revision=STATELESS_REVISION, **present)

    def stateless_headers(self, message: Json) -> dict[str, str]:
        params = message.get("params", {})
        named = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}.get(message["method"])
        named = named or ("taskId" if message["method"].startswith("tasks/") else None)
        name = {"Mcp-Name": params[named]} if named and isinstance(params.get(named), str) else {}
        return {"MCP-Protocol-Version": STATELESS_REVISION, "Mcp-Method": message["method"]} | name

    async def call(self, name: str, arguments: Json | None = None, **options: Any) -> Answer:
        """Send tools/call on the newest revision."""
        return await self.send_stateless("tools/call", {"name": name, "arguments": arguments or {}}, **options)

    async def apply(self, name: str, arguments: Json | None = None, **options: Any) -> Answer:
        """Call a tool as a client without elicitation, whose user approves the change that it prepares, if any."""
        answer = await self.call(name, arguments, **options)
        prepared = answer.result.get("structuredContent", {})
        if prepared.get("status") != "approval_required":
            return answer
        customer = {name: value for name, value in (arguments or {}).items() if name == "customerContext"}
        approved = {"approvalToken": prepared["approvalToken"], **customer}
        return await self.call("confirm_action", approved, **options)

    async def initialize(self, revision: str = LATEST_STATEFUL, *, user: User = ADMIN, **capabilities: Json) -> Session:
        """Open a session of a stateful revision."""
        params = {
            "protocolVersion": revision,
            "capabilities": capabilities,
            "clientInfo": {"name": "tests", "version": "1"},
        }
        answer = await self.post(self.request("initialize", params), user=user, revision=revision)
        assert answer.status == 200 and answer.result["protocolVersion"] == revision, answer
        return Session(self, answer.headers["Mcp-Session-Id"], revision, user, answer.result)


@dataclass
class Session:
    """A session of a stateful revision, as the client sees it."""

    site: Site
    id: str
    revision: str
    user: User
    welcome: Json

    @property
    def head(self) -> dict[str, str]:
        version = {"MCP_Protocol_Version": self.revision} if self.revision >= "2025-06-18" else {}
        return {"Mcp_Session_Id": self.id} | version

    async def post(self, message: Any, **options: Any) -> Answer:
        return await self.site.post(message, user=self.user, revision=self.revision, **(self.head | options))

    async def ask(self, method: str, params: Json | None = None, id: Any = None) -> Answer:
        return await self.post(self.site.request(method, params, id))

    async def call(self, name: str, arguments: Json | None = None, *, id: Any = None, token: Any = None) -> Answer:
        meta = {} if token is None else {"_meta": {"progressToken": token}}
        return await self.ask("tools/call", {"name": name, "arguments": arguments or {}} | meta, id)

    async def note(self, method: str, params: Json | None = None) -> Answer:
        message: Json = {"jsonrpc": "2.0", "method": method}
        return await self.post(message if params is None else message | {"params": params})

    def stream(self, **more: str) -> Any:
        """The GET stream, as a context manager."""
        headers = self.site.headers(self.user, **(self.head | more)) | {"Accept": "text/event-stream"}
        return self.site.http.get(f"{self.site.base}/mcp", headers=headers)

    async def delete(self, user: User | None = None) -> Answer:
        return await self.site.send("DELETE", "/mcp", self.site.headers(user or self.user, **self.head))


async def next_event(response: aiohttp.ClientResponse) -> tuple[str, str]:
    """Return name and data of the next event of the stream, skipping comments."""
    name, data = "", ""
    while line := (await response.content.readline()).decode().rstrip("\n"):
        field_name, _, value = line.partition(":")
        if field_name == "event":
            name = value.strip()
        elif field_name == "data":
            data = value.strip()
    return (name, data) if name or data else await next_event(response)


@asynccontextmanager
async def serving(
    bench: Bench | None = None,
    changes: Json | None = None,
    api: HostedApi | None = None,
    make: MakeCatalog | None = None,
    run_followers: RunFollowers | None = None,
    event_network: EventNetwork | None = None,
    **settings: Any,
) -> AsyncIterator[Site]:
    """Serve the application with the tests' catalog. *settings* replace defaults, *changes* replace parts of the
    catalog, *make* creates it. *run_followers* has the clock of waits for reports."""
    used = bench or Bench()
    hub = NotificationHub()
    offered = offer(used, **(changes or {}))

    def make_offer(selection: Selection, employee: bool) -> Catalog:
        return offered

    with bind("127.0.0.1", 0) as bound:
        base = socket_url(bound)
        async with run_sandbox(resource_url=base, secret=SECRET, api=api or NoApi()) as sandbox:
            usual: Json = {
                "resource_url": base,
                "auth_server_url": sandbox.url,
                "doit_api_base": sandbox.url,
                "exchange_secret": SECRET,
                "drain_s": 2,
            }
            settings_used = replace(Settings(), **(usual | settings))
            # Clients are still connected when the server stops.
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
                async with serve_app(
                    build_app(
                        settings_used,
                        make or make_offer,
                        hub=hub,
                        run_followers=run_followers,
                        event_network=event_network,
                    ),
                    bound,
                ):
                    yield Site(base, sandbox, http, used, hub)
