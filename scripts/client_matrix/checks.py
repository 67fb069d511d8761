"""What each client must do, compared with what the sandbox's DoiT API says without our server."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from scripts.client_matrix.driving import Driver, DriverFailed, Installed, run_example, running_driver
from tests.e2e.answers import ADMIN, ask
from tests.e2e.launch import Sandbox, running_sandbox
from tests.loopback_ports import unused_port

ACCESS_TTL_SECONDS = 2
QUERY = {
    "dataSource": "billing",
    "metrics": [{"type": "basic", "value": "cost"}],
    "timeInterval": "month",
    "timeRange": {"mode": "last", "amount": 1, "includeCurrent": True, "unit": "month"},
    "group": [{"id": "cloud_provider", "type": "fixed"}],
}
ERROR = "Could not run get_budget (HTTP 404): budget not found"
NOT_APPLICABLE = "-"
COLUMNS = ("list", "list all", "reads", "write", "error", "refresh", "restart", "example")


class Wrong(Exception):
    """The client got or made something else than it should have."""


@dataclass(slots=True)
class Row:
    """The results of one client by column: what the table shows, or why it failed."""

    installed: Installed
    revision: str = "?"
    cells: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    async def check(self, column: str, step: Callable[[], Awaitable[str]]) -> None:
        """Take *step* and enter its result under *column*."""
        try:
            self.cells[column] = await step()
        except (Wrong, DriverFailed) as error:
            self.cells[column], self.failures[column] = "FAILED", str(error)


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


def parsed(answer: Mapping[str, Any]) -> Any:
    """Return the JSON that the model receives in *answer*."""
    if answer["seen"] != "returned":
        raise Wrong(f"the call failed: {answer['text'][:800]}")
    try:
        return json.loads(answer["text"])
    except ValueError:
        raise Wrong(f"the model receives no JSON: {answer['text'][:800]}") from None


async def check_list(url: str, token: str, driver: Driver) -> str:
    """The framework converts each tool of the list, with all arguments."""
    converted = (await driver.list_tools())["tools"]
    listed = listed_tools(url, token)
    expect(sorted(converted), sorted(listed), "tools")
    for name, arguments in listed.items():
        expect(sorted(converted[name]), arguments, f"arguments of {name}")
    return f"{len(converted)} tools"


async def check_list_all(row: Row, url: str, token: str) -> str:
    """The framework converts the longest list as well."""
    async with running_driver(row.installed, url, token) as driver:
        return await check_list(url, token, driver)


async def check_reads(world: str, token: str, driver: Driver) -> str:
    """A call without arguments, one with a nested object, and one with an object that any member may be in."""
    budgets = parsed(await driver.call("list_budgets", {}))["budgets"]
    known = ask(world, "/analytics/v1/budgets", token)["budgets"]
    expect(
        [(item["id"], item["amount"]) for item in budgets], [(item["id"], item["amount"]) for item in known], "budgets"
    )
    costs = by_cloud(parsed(await driver.call("run_query", {"query": QUERY})))
    expect(costs, by_cloud(ask(world, "/analytics/v1/reports/query", token, {"config": QUERY})["result"]), "costs")
    order = {"name": "list_labels", "input": {"maxResults": 2}}
    labels = parsed(await driver.call("read_operation", order))["labels"]
    known = ask(world, "/analytics/v1/labels?maxResults=2", token)["labels"]
    expect([item["id"] for item in labels], [item["id"] for item in known], "labels")
    return "yes"


def by_cloud(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the cost of each cloud in a query result of the API or of the tool."""
    columns = [column["name"] for column in result.get("schema") or result["columns"]]
    cloud, cost = columns.index("cloud_provider"), columns.index("cost")
    return {row[cloud]: round(row[cost], 2) for row in result["rows"]}


async def check_write(world: str, token: str, driver: Driver) -> str:
    """A ticket is created once, with all its fields."""
    ticket = {
        "subject": "Ticket of the matrix",
        "body": "Text",
        "platform": "doit",
        "product": "API",
        "severity": "low",
    }
    created = parsed(await driver.call("create_ticket", {"ticket": ticket}))
    tickets = ask(world, "/support/v1/tickets", token)["tickets"]
    stored = [item for item in tickets if item["subject"] == ticket["subject"]]
    expect([item["id"] for item in stored], [created["id"]], "tickets")
    fields = {name: value for name, value in ticket.items() if name != "body"}
    expect({name: stored[0][name] for name in fields}, fields, "fields of the ticket")
    return "yes"


async def check_error(driver: Driver) -> str:
    """The model learns what failed; the cell says whether the framework raises, flags, or only shows the text."""
    answer = await driver.call("get_budget", {"id": "no-such-budget"})
    if ERROR not in answer["text"]:
        raise Wrong(f"the model does not receive {ERROR!r}, but: {answer['text'][:800]}")
    return {"returned": "text only"}.get(answer["seen"], answer["seen"])


async def check_refresh(row: Row, sandbox: Sandbox) -> str:
    """The client signs in, and continues without another sign-in when its access token has expired."""
    async with running_driver(row.installed, sandbox.mcp) as driver:
        expect(parsed(await driver.call("validate_user", {}))["email"], ADMIN, "user")
        await asyncio.sleep(ACCESS_TTL_SECONDS * 1.1)
        answer = await driver.call("validate_user", {})
        expect(parsed(answer)["email"], ADMIN, "user")
        expect(answer["sign_ins"], 1, "sign-ins")
    return "yes"


async def check_user(driver: Driver) -> str:
    """The connection still serves a call."""
    expect(parsed(await driver.call("validate_user", {}))["email"], ADMIN, "user")
    return "yes"


async def check_example(row: Row, name: str, url: str, token: str) -> str:
    """The example in the docs counts the tools, unless its framework adds prompts, and prints three months of costs."""
    printed = await run_example(row.installed, name, url, token)
    first, _, answer = printed.partition("\n")
    if not re.match(rf"{len(listed_tools(url, token))} tools$|\d+ tools and prompts$", first):
        raise Wrong(f"the example prints {printed[:800]!r}")
    if row.installed.client.example_calls:
        expect(len(set(re.findall(r"period\W+(20\d\d-\d\d)\b", answer))), 3, "months in the output of the example")
    return "yes"


async def run_client(installed: Installed, directory: Path) -> Row:
    """Return the results of a client against a sandbox of its own, whose files go to *directory*."""
    row = Row(installed)
    ports = ("--port", str(unused_port()), "--world-port", str(unused_port()))
    flags = ("--auto-approve", ADMIN, "--access-ttl", str(ACCESS_TTL_SECONDS), "--state-dir", str(directory / "state"))
    start = partial(running_sandbox, directory, *ports, *flags)
    with ExitStack() as running:
        sandbox = running.enter_context(start())
        token = sandbox.api_tokens[ADMIN]
        async with running_driver(installed, sandbox.mcp, token) as driver:
            await row.check("list", partial(check_list, sandbox.mcp, token, driver))
            await row.check("reads", partial(check_reads, sandbox.world, token, driver))
            await row.check("write", partial(check_write, sandbox.world, token, driver))
            await row.check("error", partial(check_error, driver))
            await row.check("list all", partial(check_list_all, row, f"{sandbox.mcp}/x/all", token))
            if installed.client.oauth:
                await row.check("refresh", partial(check_refresh, row, sandbox))
            if installed.client.example:
                await row.check("example", partial(check_example, row, installed.client.example, sandbox.mcp, token))
            await row.check("restart", partial(check_restart, row, driver, running, start))
    return row


async def check_restart(
    row: Row, driver: Driver, running: ExitStack, start: Callable[[], AbstractContextManager[Sandbox]]
) -> str:
    """The open connection serves a call after the server has stopped and started again."""
    running.close()
    running.enter_context(start())
    answer = await driver.call("validate_user", {})
    row.revision = answer["revision"] or "?"
    expect(parsed(answer)["email"], ADMIN, "user")
    return "yes"
