"""A test double of a running call, and helpers that call a tool without a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from doit_mcp.api import Doit
from doit_mcp.catalog.call import MissingClientCapability, Question
from doit_mcp.catalog.currencies import CURRENCY_FACT, DEFAULT_CURRENCY
from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.stores.approvals import ConfirmationPolicy
from doit_mcp.catalog.stores.customer_facts import CustomerFacts, Facts
from doit_mcp.catalog.stores.result_store import MemoryResultStore, ResultStore
from doit_mcp.catalog.stores.run_followers import RunFollowers
from doit_mcp.catalog.stores.write_claim import WriteClaim
from doit_mcp.catalog.stores.write_receipts import MemoryReceiptStore, ReceiptStore
from doit_mcp.catalog.tools import tool_result
from doit_mcp.catalog.tools.series import structured_content
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from doit_mcp.catalog.writes.external_addresses import DOMAINS_FACT
from doit_mcp.events.subscriptions import RecentEvents
from doit_mcp.protocol.jsonrpc import JsonObject
from doit_mcp.server.approvals import Approvals, BoundApprovals
from doit_mcp.server.consents import MemoryConsents
from tests.api.recorder import Recorder


class Caller:
    """Implements Call over a recorder. Progress is recorded, and the client supports no elicitation.

    By default, the server lets writes run without confirmation.
    """

    policy: ConfirmationPolicy = "never"

    def __init__(self, api: Recorder) -> None:
        self.doit = Doit.for_sender(api)
        self.client_capabilities: JsonObject = {}
        self.request_meta: JsonObject = {}
        self.owner, self.now, self.console_url = "somebody", 1_790_000_000.0, "https://console.example"
        self.tenant = ""
        self.results: ResultStore = MemoryResultStore()
        self.facts: Facts = CustomerFacts().for_customer(self.owner, self.tenant)
        # Known, so that no test of another subject sends requests for it.
        self.facts.put(DOMAINS_FACT, ["acme.example"])
        self.receipts: ReceiptStore = MemoryReceiptStore()
        self.run_followers = RunFollowers()
        self.recent_events: RecentEvents | None = None
        self.can_wait = self.is_extended = False
        self.steps: list[tuple[float, str]] = []
        self.detached = self.committed = False
        self.claim: WriteClaim | None = None
        self.customer_context: str | None = None
        self.waits_for_answers = False
        self.can_withhold = True
        approvals = Approvals.in_memory(MemoryConsents(since=0), self.policy)
        self.approvals = BoundApprovals(approvals, self.owner, self.tenant)

    async def report_progress(self, done: float, total: float | None = None, message: str = "") -> None:
        self.steps.append((done, message))

    async def send_log(self, level: str, data: object, logger: str = "") -> None:
        raise AssertionError(f"logged {data!r}")

    def client_supports(self, question: Question) -> bool:
        return self.can_ask(question)

    def can_ask(self, question: Question) -> bool:
        return False

    async def ask(self, key: str, method: str, params: JsonObject) -> JsonObject:
        raise MissingClientCapability({})

    async def ask_all(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        raise MissingClientCapability({})

    def extend_deadline(self) -> None:
        self.is_extended = self.is_extended or self.can_wait

    def make_api(self, seconds: float) -> Doit:
        return self.doit

    def api_for_customer(self, customer: str) -> Doit | None:
        return None

    def remember_customer(self, customer: str) -> bool:
        return False

    async def commit(self) -> None:
        await self.approvals.use()
        self.committed = True

    def withhold_result(self) -> bool:
        return self.can_withhold

    async def run_in_background(self, *, required: bool = False) -> None:
        self.detached = True

    async def release_connection(self) -> None:
        """Do nothing: no connection exists."""


def make_caller(api: Recorder) -> Caller:
    """Return a caller; without a customer's id, it is known that amounts are in US dollars, so no request asks for it."""
    caller = Caller(api)
    if not api.tenant:
        caller.facts.put(CURRENCY_FACT, DEFAULT_CURRENCY)
    return caller


STREAMED = ("refine_cloudflow", "build_cloud_flow", "ask_ava_streaming")
"""Tools that read a stream of events."""
TOOLS = {tool.name: tool for tool in all_tools()}


async def run(tool: Tool | str, api: Recorder, /, **arguments: Any) -> JsonObject:
    """Return the result of a tool for arguments as a client sends them."""
    tool = TOOLS[tool] if isinstance(tool, str) else tool
    coerced = tool.coerce_arguments(arguments)
    assert tool.argument_problems(coerced) == []
    result = await tool.run(make_caller(api), coerced)
    assert not isinstance(result, ContentResult)
    return structured_content(result)


async def call(tool: Tool | str, api: Recorder, /, **arguments: Any) -> JsonObject:
    """Return the CallToolResult as JSON."""
    tool = TOOLS[tool] if isinstance(tool, str) else tool
    coerced = tool.coerce_arguments(arguments)
    body: JsonObject = orjson.loads(
        orjson.dumps(tool_result.make_tool_result_inline(tool, coerced, await run(tool, api, **arguments)))
    )
    return body
