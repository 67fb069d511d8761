"""The Grafana dashboard and the Prometheus alerts: they load, name existing metrics, and show data of real traffic."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from doit_mcp.events.signatures import make_signature_headers
from tests.e2e.launch import Sandbox, running_sandbox
from tests.loopback_ports import unused_port
from tests.redis_state.redis_server import redis_server
from tests.transports.http.serving import ACCEPT

ROOT = Path(__file__).parent.parent
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
ALERTS = ROOT / "deploy" / "prometheus-alerts.yml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
]
QUERIES = [
    (f"{panel['title']}: {target['legendFormat']}", target["expr"])
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", ())
]
METRIC = re.compile(r"\b(?:doit_)?mcp_(?!method|protocol)\w+")
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "claude-ai", "version": "1.2.3"},
    },
}
# Its result does not fit.
LARGE_QUERY = {
    "timeRange": {"mode": "last", "amount": 90, "unit": "day", "includeCurrent": False},
    "dimensions": [{"id": name, "type": "datetime"} for name in ("year", "month", "day")],
    "group": [{"id": "sku_description", "type": "fixed"}],
    "metric": {"type": "basic", "value": "cost"},
}
# What healthy traffic does not cause.
EMPTY = {
    "Refused connections: closed: {{reason}}",
    "Refused connections: paused: {{reason}}",
    "Dropped events: {{reason}}",
}
REPORT_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
EVENT_SETTINGS = {
    "DOIT_MCP_EVENTS_POLL_S": "5",
    "DOIT_MCP_EVENTS_HOLD_S": "0",
    "DOIT_MCP_EVENTS_INGEST_SECRET": REPORT_SECRET,
}
SCRAPE_SECONDS = 0.2


def require(program: str) -> str:
    """Return the path of *program*, without which the test is skipped, or fails where nothing may be skipped."""
    path = shutil.which(program)
    if path is None:
        assert os.environ.get("DOIT_MCP_TEST_REQUIRE_ALL") != "1", f"{program} is not installed"
        pytest.skip(f"{program} is not installed")
    return path


def test_rules_are_valid_and_fire(tmp_path: Path) -> None:
    for file in (ALERTS, ROOT / "tests" / "data" / "alert-tests.yml"):
        shutil.copy(file, tmp_path)
    for command in (["check", "rules", ALERTS.name], ["test", "rules", "alert-tests.yml"]):
        checked = subprocess.run([require("promtool"), *command], cwd=tmp_path, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_rule_has_a_case_that_fires_and_one_that_does_not() -> None:
    cases = yaml.safe_load((ROOT / "tests" / "data" / "alert-tests.yml").read_text())["tests"]
    found = {(case["alertname"], bool(case["exp_alerts"])) for group in cases for case in group["alert_rule_test"]}
    assert found == {(rule["alert"], fires) for rule in RULES for fires in (True, False)}


def test_page_has_every_alert() -> None:
    text = (ROOT / "docs" / "operations" / "monitoring.rst").read_text("utf-8")
    described = re.findall(r"^   \* - ``(\w+)``$", text, re.MULTILINE)
    assert described == [rule["alert"] for rule in RULES]


def test_panels_are_complete() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    assert all('instance=~"$instance"' in query for _, query in QUERIES)
    for panel in panels:
        assert panel["type"] == "row" or (panel["description"] and panel["datasource"]["uid"] == "${datasource}")


async def make_traffic(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """Successes, failures, a truncated result, an unknown tool, a session from its start to its end."""
    headers = {"Authorization": f"Bearer {next(iter(sandbox.api_tokens.values()))}", "Accept": ACCEPT}

    async def post(message: dict[str, Any], **more: str) -> aiohttp.ClientResponse:
        async with http.post(sandbox.mcp, json=message, headers={**headers, **more}) as response:
            await response.read()
            assert response.status < 300
            return response

    async def call(name: str, **arguments: Any) -> None:
        params = {"name": name, "arguments": arguments}
        await post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, **session)

    opened = await post(INITIALIZE)
    session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"]}
    await post({"jsonrpc": "2.0", "method": "notifications/initialized"}, **session)
    await post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, **session)
    await call("list_labels")
    await call("run_query", query=LARGE_QUERY)
    await call("no_such_tool")
    faults = {"faults": [{"kind": 404, "path_prefix": "/analytics/v1/budgets"}]}
    async with http.put(f"{sandbox.services}/sandbox/faults", json=faults) as response:
        assert response.status < 300
    await call("list_budgets")
    async with http.delete(sandbox.mcp, headers={**headers, **session}) as response:
        assert response.status < 300


async def make_event(http: aiohttp.ClientSession, sandbox: Sandbox, number: int) -> None:
    """Subscribe the receiver of the sandbox, and report an anomaly."""
    async with http.get(f"{sandbox.services}/sandbox/receiver") as response:
        receiver = await response.json()
    delivery = {"mode": "webhook", "url": receiver["url"], "secret": receiver["secret"]}
    params = {"name": "anomaly.detected", "arguments": {}, "delivery": delivery, "cursor": None}
    message = {"jsonrpc": "2.0", "id": 1, "method": "events/subscribe", "params": params}
    email, token = next(iter(sandbox.api_tokens.items()))
    headers = {"Authorization": f"Bearer {token}", "Accept": ACCEPT}
    async with http.post(sandbox.mcp, json=message, headers=headers) as response:
        assert '"refreshBefore"' in await response.text()
    data = {"id": f"a{number}", "severity": "critical"}
    report = {"customer": email.partition("@")[2], "name": "anomaly.detected", "data": data}
    body = json.dumps(report).encode()
    signed = make_signature_headers([REPORT_SECRET], f"msg_{number}", int(time.time()), body)
    async with http.post(f"{sandbox.base}/events/ingest", data=body, headers=signed) as response:
        assert await response.json() == {"subscribers": 1}
    async with asyncio.timeout(30):
        while not any(each["body"].get("data") == data for each in receiver["arrivals"]):
            await asyncio.sleep(SCRAPE_SECONDS)
            async with http.get(f"{sandbox.services}/sandbox/receiver") as response:
                receiver = await response.json()


@asynccontextmanager
async def prometheus(folder: Path, base: str) -> AsyncIterator[str]:
    """A Prometheus that scrapes *base* and evaluates the alerts. Yield its URL."""
    scrape = {"job_name": "doit-mcp", "static_configs": [{"targets": [base.removeprefix("http://")]}]}
    times = {"scrape_interval": f"{SCRAPE_SECONDS * 1000:.0f}ms", "scrape_timeout": f"{SCRAPE_SECONDS * 1000:.0f}ms"}
    config = {"global": {**times, "evaluation_interval": "1s"}, "rule_files": [str(ALERTS)], "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{unused_port()}"
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": url.removeprefix("http://"),
        "log.level": "error",
    }
    process = await asyncio.create_subprocess_exec(
        require("prometheus"), *(f"--{name}={value}" for name, value in options.items())
    )
    try:
        yield url
    finally:
        process.terminate()
        await process.wait()


async def query(http: aiohttp.ClientSession, url: str, expression: str) -> list[Any]:
    """Return the series of an instant query. Wait until Prometheus answers."""
    while True:
        try:
            async with http.get(f"{url}/api/v1/query", params={"query": expression}) as response:
                answer = await response.json()
                if response.status != 503:
                    assert answer["status"] == "success", (expression, answer)
                    return list(answer["data"]["result"])
        except aiohttp.ClientConnectionError:
            pass
        await asyncio.sleep(0.05)


async def count_scrapes(http: aiohttp.ClientSession, url: str) -> float:
    series = await query(http, url, "count_over_time(doit_mcp_connections[1h])")
    return float(series[0]["value"][1]) if series else 0.0


async def test_every_panel_shows_data(tmp_path: Path) -> None:
    with redis_server() as redis, running_sandbox(tmp_path, DOIT_MCP_REDIS_URL=redis.url, **EVENT_SETTINGS) as sandbox:
        async with aiohttp.ClientSession() as http, prometheus(tmp_path, sandbox.base) as url:
            # A rate needs two scrapes with different counts.
            for number in range(3):
                await make_traffic(http, sandbox)
                await make_event(http, sandbox, number)
                scrapes = await count_scrapes(http, url)
                while await count_scrapes(http, url) < scrapes + 2:
                    await asyncio.sleep(SCRAPE_SECONDS / 2)
            empty = set()
            for title, expression in QUERIES:
                filled = expression.replace("$instance", ".*").replace("$__rate_interval", "1m")
                if all(series["value"][1] == "NaN" for series in await query(http, url, filled)):
                    empty.add(title)
            assert empty == EMPTY
            async with http.get(f"{sandbox.base}/metrics") as response:
                text = await response.text()
            exported = set(re.findall(r"^(?:# TYPE )?(\w+)", text, re.MULTILINE))
            expressions = [expression for _, expression in QUERIES] + [rule["expr"] for rule in RULES]
            assert {name for expression in expressions for name in METRIC.findall(expression)} - exported == set()
            async with http.get(f"{url}/api/v1/rules") as response:
                loaded = (await response.json())["data"]["groups"][0]["rules"]
            assert [(rule["name"], rule.get("lastError", "")) for rule in loaded] == [
                (rule["alert"], "") for rule in RULES
            ]
