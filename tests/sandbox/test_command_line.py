"""Command line options of the sandbox: faults, latency, customers."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from doit_mcp.sandbox import startup_message
from tests.e2e.launch import Sandbox, environment, running_sandbox

VALIDATE = "/auth/v1/validate"


def ask(url: str, token: str = "") -> tuple[int, Any, Any]:
    """Status, headers and JSON of a response."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.load(error)


def test_faults_latency_and_customers_apply_from_startup(tmp_path: Path) -> None:
    flags = (
        "--customers",
        "3",
        "--latency",
        "0.001",
        "--fault",
        "503,on=GET /analytics/v1/budgets/{id},times=1",
        "--fault",
        "429,on=/analytics/v1/labels,retry-after=7",
    )
    with running_sandbox(tmp_path, *flags) as sandbox:
        listed = ask(f"{sandbox.services}/sandbox/customers")[2]
        assert listed["count"] == 7 and [len(item["users"]) for item in listed["customers"]] == [3, 1, 1, 1, 1, 1, 1]
        token = listed["customers"][-1]["users"][0]["api_token"]
        assert ask(sandbox.services + VALIDATE, token)[2]["domain"] == listed["customers"][-1]["domain"]
        status, _, body = ask(f"{sandbox.services}/analytics/v1/budgets", token)
        item = f"{sandbox.services}/analytics/v1/budgets/{body['budgets'][0]['id']}"
        assert status == 200 and [ask(item, token)[0] for _ in range(2)] == [503, 200]
        for _ in range(2):
            status, headers, _ = ask(f"{sandbox.services}/analytics/v1/labels", token)
            assert (status, headers["Retry-After"]) == (429, "7")
        faults = ask(f"{sandbox.services}/sandbox/faults")[2]
        assert faults["latency"] == 0.001 and [item["kind"] for item in faults["faults"]] == [429]


def post(url: str, sandbox: Sandbox, body: object) -> Any:
    """The JSON of the response to a request of Acme's admin."""
    headers = {
        "Authorization": f"Bearer {sandbox.api_tokens['admin@acme.example']}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "MCP-Protocol-Version": "2025-11-25",
    }
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=20) as answer:
        return json.load(answer)


@pytest.mark.parametrize("today", ["2028-02-29", "2026-12-01", "2027-01-01"])
def test_today_is_the_chosen_date_for_the_server_and_the_api(today: str, tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--today", today) as sandbox:
        params = {"name": "cost_trend", "arguments": {}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        months = post(sandbox.mcp, sandbox, message)["result"]["structuredContent"]["months"]
        assert (months[-1]["period"], months[-1]["cost"] > 0) == (today[:7], True)
        config = {"timeInterval": "day", "timeRange": {"mode": "current", "unit": "day"}}
        result = post(f"{sandbox.services}/analytics/v1/reports/query", sandbox, {"config": config})["result"]
        assert ["-".join(row[:3]) for row in result["rows"]] == [today]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--customers", "-1"), "--customers"),
        (("--today", "2026-02-29"), "--today must be a date"),
        (("--fault", "503,rate=often"), "--fault: rate: must be a number, not 'often'."),
        (("--fault", "429,on=GET /nothing"), "--fault: operation: 'GET /nothing' is not an operation"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_invalid_options_are_rejected_before_startup(flags: tuple[str, ...], message: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "doit_mcp", "sandbox", "--port", "0", "--sandbox-port", "0", *flags]
    done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and message in done.stderr and done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("flag", ["--port", "--sandbox-port"])
def test_taken_port_is_reported_with_what_to_do(flag: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"--port": "0", "--sandbox-port": "0"} | {flag: str(taken.getsockname()[1])}
        command = [sys.executable, "-m", "doit_mcp", "sandbox", *(word for pair in ports.items() for word in pair)]
        done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert f"Cannot listen on 127.0.0.1 port {ports[flag]}: the port is in use." in done.stderr
    assert f"choose another one: {flag} 0 picks a free port" in done.stderr


def test_startup_message_mentions_the_chosen_date() -> None:
    assert "Today " not in startup_message.format_text("http://a", "http://b")
    assert "Today           2028-02-29," in startup_message.format_text("http://a", "http://b", today="2028-02-29")


def test_startup_message_mentions_generated_customers() -> None:
    assert "/sandbox/customers" not in startup_message.format_text("http://a", "http://b")
    assert "and 12 more customers, each with a user: http://b/sandbox/customers" in startup_message.format_text(
        "http://a", "http://b", 12
    )
