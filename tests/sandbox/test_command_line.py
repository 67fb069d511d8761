"""Command line options of the sandbox: faults, latency, customers."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from doit_mcp.sandbox import startup_message
from tests.e2e.launch import environment, running_sandbox

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
        listed = ask(f"{sandbox.world}/sandbox/customers")[2]
        assert listed["count"] == 5 and [len(item["users"]) for item in listed["customers"]] == [2, 1, 1, 1, 1]
        token = listed["customers"][-1]["users"][0]["api_token"]
        assert ask(sandbox.world + VALIDATE, token)[2]["domain"] == listed["customers"][-1]["domain"]
        status, _, body = ask(f"{sandbox.world}/analytics/v1/budgets", token)
        item = f"{sandbox.world}/analytics/v1/budgets/{body['budgets'][0]['id']}"
        assert status == 200 and [ask(item, token)[0] for _ in range(2)] == [503, 200]
        for _ in range(2):
            status, headers, _ = ask(f"{sandbox.world}/analytics/v1/labels", token)
            assert (status, headers["Retry-After"]) == (429, "7")
        faults = ask(f"{sandbox.world}/sandbox/faults")[2]
        assert faults["latency"] == 0.001 and [item["kind"] for item in faults["faults"]] == [429]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--customers", "-1"), "--customers"),
        (("--fault", "503,rate"), "rate"),
        (("--fault", "429,on=GET /nothing"), "GET /nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_invalid_options_are_rejected_before_startup(flags: tuple[str, ...], message: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "doit_mcp", "sandbox", "--port", "0", "--world-port", "0", *flags]
    done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and message in done.stderr and done.stdout == ""
    assert "Traceback" not in done.stderr


def test_startup_message_mentions_generated_customers() -> None:
    assert "/sandbox/customers" not in startup_message.format_text("http://a", "http://b")
    assert "and 12 more customers, each with a user: http://b/sandbox/customers" in startup_message.format_text(
        "http://a", "http://b", 12
    )
