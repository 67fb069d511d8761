"""What each client must do, compared with what the sandbox's DoiT API says without our server.

A check returns what the table shows. It raises Wrong or DriverFailed.
"""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.client_matrix.driving import Driver, Installed, run_example, running_driver
from tests.e2e.answers import ADMIN, ask
from tests.e2e.launch import Sandbox

ACCESS_TTL_SECONDS = 2
QUERY = {
    "dataSource": "billing",
    "metrics": [{"type": "basic", "value": "cost"}],
    "timeInterval": "month",
    "timeRange": {"mode": "last", "amount": 1, "includeCurrent": True, "unit": "month"},
    "group": [{"id": "cloud_provider", "type": "fixed"}],
}
ERROR = "Could not run get_budget (HTTP 404): budget not found"
TICKET = {"subject": "Ticket of the matrix", "body": "Text", "platform": "doit", "product": "API", "severity": "low"}


class Wrong(Exception):
    """The client got or made something else than it should have."""


@dataclass(frozen=True, slots=True)
class Session:
    """A driver that is connected to a sandbox; *restart* stops the sandbox and starts it again at the same URL."""

    installed: Installed
    sandbox: Sandbox
    driver: Driver
    restart: Callable[[], None]

    @property
    def token(self) -> str:
        """Return the user's API token."""
        return self.sandbox.api_tokens[ADMIN]


def expect(actual: object, expected: object, what: str) -> None:
    """Raise Wrong, naming *what*, unless both are equal."""
    if actual != expected:
        raise Wrong(f"{what}: expected {expected!r:.800}, but got {actual!r:.800}")


def listed_tools(url: str, token: str) -> dict[str, list[str]]:
    """Return the names of the arguments of each tool in the server's list at *url*, by tool."""
    names = {
        "protocolVersion": "2026-07-28",
        "clientInfo": {"name": "matrix", "version": "1"},
        "clientCapabilities": {},
    }
    meta = {f"io.modelcontextprotocol/{name}": value for name, value in names.items()}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/list",
    }
    with urllib.request.urlopen(
        urllib.request.Request(url, json.dumps(message).encode(), headers), timeout=10
    ) as answer:
        tools = json.load(answer)["result"]["tools"]
    return {tool["name"]: sorted(tool["inputSchema"]["properties"]) for tool in tools}


def read(answer: Mapping[str, Any], member: str) -> Any:
    """Return a member of the JSON that the model receives in *answer*."""
    if answer["seen"] != "returned":
        raise Wrong(f"the call failed: {answer['text']:.800}")
    try:
        return json.loads(answer["text"])[member]
    except (ValueError, KeyError):
        raise Wrong(f"the model receives no JSON with the member {member!r}, but: {answer['text']:.800}") from None


async def compare_tools(driver: Driver, url: str, token: str) -> str:
    """Compare the tools that a framework made of the list at *url*, and their arguments, with the list."""
    converted = await driver.list_tools()
    listed = listed_tools(url, token)
    expect(sorted(converted), sorted(listed), "tools")
    for name, arguments in listed.items():
        expect(sorted(converted[name]), arguments, f"arguments of {name}")
    return f"{len(converted)} tools"


async def check_list(session: Session) -> str:
    """The framework converts each tool of /mcp, with all arguments."""
    return await compare_tools(session.driver, session.sandbox.mcp, session.token)


async def check_list_all(session: Session) -> str:
    """The framework converts the longest list as well."""
    url = f"{session.sandbox.mcp}/x/all"
    async with running_driver(session.installed, url, session.token) as driver:
        return await compare_tools(driver, url, session.token)


async def check_reads(session: Session) -> str:
    """Calls without arguments, with a nested object, and with an object that may have any member."""
    call, services, token = session.driver.call, session.sandbox.services, session.token
    budgets = read(await call("list_budgets", {}), "budgets")
    known = ask(services, "/analytics/v1/budgets", token)["budgets"]
    expect([(one["id"], one["amount"]) for one in budgets], [(one["id"], one["amount"]) for one in known], "budgets")
    costs = {row[0]: round(row[-1], 2) for row in read(await call("run_query", {"query": QUERY}), "rows")}
    expect(costs, known_costs(services, token), "costs")
    labels = read(await call("read_operation", {"name": "list_labels", "input": {"maxResults": 2}}), "labels")
    known = ask(services, "/analytics/v1/labels?maxResults=2", token)["labels"]
    expect([one["id"] for one in labels], [one["id"] for one in known], "labels")
    return "yes"


def known_costs(services: str, token: str) -> dict[str, float]:
    """Return the cost of each cloud, as the API returns it for QUERY."""
    result = ask(services, "/analytics/v1/reports/query", token, {"config": QUERY})["result"]
    columns = [column["name"] for column in result["schema"]]
    cloud, cost = columns.index("cloud_provider"), columns.index("cost")
    return {row[cloud]: round(row[cost], 2) for row in result["rows"]}


async def check_write(session: Session) -> str:
    """A ticket is created once, with all its fields."""
    created = read(await session.driver.call("create_ticket", {"ticket": TICKET}), "id")
    tickets = ask(session.sandbox.services, "/support/v1/tickets", session.token)["tickets"]
    stored = [ticket for ticket in tickets if ticket["subject"] == TICKET["subject"]]
    expect([ticket["id"] for ticket in stored], [created], "tickets")
    shown = {name: value for name, value in TICKET.items() if name != "body"}
    expect({name: stored[0][name] for name in shown}, shown, "fields of the ticket")
    return "yes"


async def check_error(session: Session) -> str:
    """The model learns what failed; the result says whether the framework raises, flags, or only shows the text."""
    answer = await session.driver.call("get_budget", {"id": "no-such-budget"})
    if ERROR not in answer["text"]:
        raise Wrong(f"the model does not receive {ERROR!r}, but: {answer['text']:.800}")
    return "text only" if answer["seen"] == "returned" else str(answer["seen"])


async def check_refresh(session: Session) -> str:
    """The client signs in, and continues without another sign-in when its access token has expired."""
    async with running_driver(session.installed, session.sandbox.mcp) as driver:
        expect(read(await driver.call("validate_user", {}), "email"), ADMIN, "user")
        await asyncio.sleep(ACCESS_TTL_SECONDS * 1.1)
        answer = await driver.call("validate_user", {})
    expect(read(answer, "email"), ADMIN, "user")
    expect(answer["sign_ins"], 1, "sign-ins")
    return "yes"


async def check_example(session: Session) -> str:
    """The example in the docs counts the tools, unless its framework adds prompts, and prints three months of costs."""
    printed = await run_example(session.installed, session.sandbox.mcp, session.token)
    count = len(listed_tools(session.sandbox.mcp, session.token))
    first, _, answer = printed.partition("\n")
    if first != f"{count} tools" and not re.fullmatch(r"\d+ tools and prompts", first):
        raise Wrong(f"the example prints {printed:.800}")
    if session.installed.client.example_calls:
        expect(len(set(re.findall(r"period\W+(20\d\d-\d\d)\b", answer))), 3, "months in the output of the example")
    return "yes"


async def check_restart(session: Session) -> str:
    """The open connection serves a call after the server has stopped and started again."""
    session.restart()
    expect(read(await session.driver.call("validate_user", {}), "email"), ADMIN, "user")
    return "yes"


# In the order in which they run: the restart ends the connections of clients that do not survive it.
CHECKS: Mapping[str, Callable[[Session], Awaitable[str]]] = {
    "list": check_list,
    "list all": check_list_all,
    "reads": check_reads,
    "write": check_write,
    "error": check_error,
    "refresh": check_refresh,
    "example": check_example,
    "restart": check_restart,
}
