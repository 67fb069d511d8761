"""The commands as an operator runs them: errors before the port opens, and a graceful stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from doit_mcp import __version__
from doit_mcp.settings import Settings

SECRET = "a-secret-that-must-never-be-printed"


def environment(**more: str) -> dict[str, str]:
    foreign = ("DOIT_", "MCP_", "AUTH_SERVER_", "CUSTOMER_CONTEXT", "TENANT_ID")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | more


def run(*arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "doit_mcp", *arguments]
    return subprocess.run(
        command, input=stdin, env=environment(**more), capture_output=True, text=True, timeout=30, check=False
    )


def test_version() -> None:
    assert run("--version").stdout.strip() == __version__


@pytest.mark.requirement("L6")
def test_serve_requires_its_secret() -> None:
    """``serve`` refuses to run without authentication. The error names the variable and suggests the sandbox."""
    done = run("serve")
    assert done.returncode == 2 and "MCP_TOKEN_EXCHANGE_SECRET" in done.stderr and "sandbox" in done.stderr


@pytest.mark.requirement("N22")
@pytest.mark.parametrize("state_secrets", ["", "derived", f"{'n' * 32},derived"])
def test_n22_short_secret_is_rejected_with_shared_state(state_secrets: str) -> None:
    """Clients hold encrypted state, so a short secret could be guessed offline. 32 characters suffice."""
    short, enough = "x" * 31, "x" * 32
    # An address reserved for documentation: accepted settings then fail later, when the server cannot listen.
    more = {"DOIT_MCP_STATE_SECRETS": state_secrets, "DOIT_MCP_HOST": "192.0.2.1"}
    done = run("serve", **more, MCP_TOKEN_EXCHANGE_SECRET=short)
    assert done.returncode == 2 and short not in done.stderr
    assert "MCP_TOKEN_EXCHANGE_SECRET must have at least 32 characters" in done.stderr
    assert "openssl rand -hex 32" in done.stderr and "DOIT_MCP_STATE_SECRETS" in done.stderr
    assert "Cannot listen" in run("serve", **more, MCP_TOKEN_EXCHANGE_SECRET=enough).stderr


@pytest.mark.requirement("N22")
def test_n22_short_exchange_secret_is_accepted_without_shared_state() -> None:
    more = {"DOIT_MCP_STATE_SECRETS": "n" * 32, "DOIT_MCP_HOST": "192.0.2.1"}
    assert "Cannot listen" in run("serve", **more, MCP_TOKEN_EXCHANGE_SECRET="short").stderr


@pytest.mark.requirement("L6")
def test_all_problems_are_reported_together() -> None:
    done = run(DOIT_MCP_PORT="x", AUTH_SERVER_URL="ftp://x", DOIT_MCP_MAX_BODY="1", MCP_TOKEN_EXCHANGE_SECRET=SECRET)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 3
    assert all(name in done.stderr for name in ("DOIT_MCP_PORT", "AUTH_SERVER_URL", "DOIT_MCP_MAX_BODY"))
    assert SECRET not in done.stderr


@pytest.mark.requirement("L6")
def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = run("serve", "--port", port, MCP_TOKEN_EXCHANGE_SECRET=SECRET)
    assert done.returncode == 2 and port in done.stderr and SECRET not in done.stderr


def test_flags_override_the_environment_except_secrets() -> None:
    done = run("serve", "--port", "x", DOIT_MCP_PORT="8080", MCP_TOKEN_EXCHANGE_SECRET=SECRET)
    assert done.returncode == 2 and done.stderr == "doit-mcp: --port must be a whole number from 0 to 65535.\n"
    output = run("serve", "--help").stdout
    assert "--resource-url" in output and "--exchange-secret" not in output and "--api-key" not in output


@pytest.mark.requirement("N22")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--redis-url", "redis://:{}@host"], "set DOIT_MCP_REDIS_URL or DOIT_MCP_REDIS_URL_FILE"),
        (["--redis-url", "redis://:{}@host", "serve"], "set DOIT_MCP_REDIS_URL or DOIT_MCP_REDIS_URL_FILE"),
        (["--exchange-secret={}"], "set MCP_TOKEN_EXCHANGE_SECRET or MCP_TOKEN_EXCHANGE_SECRET_FILE"),
        (["serve", "--state-secrets={},derived"], "set DOIT_MCP_STATE_SECRETS or DOIT_MCP_STATE_SECRETS_FILE"),
        (["stdio", "--api-key", "{}"], "set DOIT_API_KEY or DOIT_API_KEY_FILE"),
        (["serve", "--redisurl", "redis://:{}@host"], "Unknown flag --redisurl"),
        (["--redisurl", "redis://:{}@host"], "Unknown command. Available: serve, sandbox, stdio"),
        (["--a={}"], "Unknown flag --a"),
        (["--redis={}", "sandbox", "--key", "{}"], "Unknown flag --key, --redis"),
        (["serve", "{}"], "Unexpected argument"),
        (["{}"], "Unknown command. Available: serve, sandbox, stdio"),
        (["--worker={}"], "Unknown flag --worker"),
        (["serve", "--port", "{}"], "--port must be a whole number"),
        (["--port"], "--port: expected one argument"),
        (["serve", "--port"], "--port: expected one argument"),
        (["sandbox", "--sandbox-port", "{}"], "--sandbox-port: must be a whole number"),
        (["sandbox", "--announce={}"], "--announce: must be one of text, json"),
        (["sandbox", "--latency", "{}"], "--latency: must be a number of seconds"),
        (["sandbox", "--access-ttl", "nan"], "--access-ttl: must be a number of seconds"),
    ],
)
def test_n22_errors_do_not_repeat_secrets_from_the_command_line(arguments: list[str], message: str) -> None:
    """A secret in any position, even after a misspelled flag, is not repeated in an error."""
    done = run(*(argument.replace("{}", SECRET) for argument in arguments))
    assert done.returncode == 2 and SECRET not in done.stderr + done.stdout
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["sandbox", "--resource-url", "https://{}.example"], ["--resource-url cannot be used with sandbox"]),
        (["--auth-server-url", "https://{}.example", "sandbox"], ["--auth-server-url cannot be used with sandbox"]),
        (["serve", "--tenant-id", "{}"], ["--tenant-id cannot be used with serve: only stdio uses it"]),
        (["--customer-context", "{}"], ["--customer-context cannot be used with serve"]),
        (["stdio", "--port", "8080", "--workers=2"], ["--port cannot be used with stdio", "--workers cannot be used"]),
    ],
)
def test_flags_without_effect_on_a_command_are_refused(arguments: list[str], messages: list[str]) -> None:
    """Each with its reason. As variables they are accepted, because other commands share the environment."""
    done = run(*(argument.replace("{}", SECRET) for argument in arguments))
    assert done.returncode == 2 and SECRET not in done.stderr and len(done.stderr.splitlines()) == len(messages)
    assert all(message in line for message, line in zip(messages, done.stderr.splitlines(), strict=True))
    assert all(line.count(": ") == 2 for line in done.stderr.splitlines())


def test_help_lists_only_flags_that_have_an_effect() -> None:
    assert "--resource-url" not in run("sandbox", "--help").stdout
    output = run("stdio", "--help").stdout
    assert "--tenant-id" in output and "--port" not in output


def test_help_lists_the_commands_before_the_settings_and_those_by_group() -> None:
    """All groups have a heading, in the order of the docs, and the commands come first."""
    output = run("--help").stdout
    headings = [line.removesuffix(":") for line in output.splitlines() if line.endswith(":") and line[0] != " "]
    groups = list(dict.fromkeys(declared.group for declared in Settings.variables().values()))
    assert headings == ["options", "commands", *groups] and groups[0] == "Required"


def test_problems_name_the_flag_or_the_variable_that_was_used() -> None:
    assert run("sandbox", "--host", "0.0.0.0").stderr.startswith("doit-mcp: --host: ")
    assert run("sandbox", DOIT_MCP_HOST="0.0.0.0").stderr.startswith("doit-mcp: DOIT_MCP_HOST: ")
    more = {"MCP_TOKEN_EXCHANGE_SECRET": SECRET}
    assert run("--workers", "2", **more).stderr.startswith("doit-mcp: --workers: ")
    assert run(DOIT_MCP_WORKERS="2", **more).stderr.startswith("doit-mcp: DOIT_MCP_WORKERS: ")


def test_auto_approve_requires_a_sandbox_user() -> None:
    done = run("sandbox", "--port", "0", "--sandbox-port", "0", "--auto-approve", "nobody@acme.example")
    assert done.returncode == 2 and "nobody@acme.example" in done.stderr


def test_sandbox_listens_on_loopback_only() -> None:
    """The sandbox only listens on loopback, because its passwords are public."""
    done = run("sandbox", "--host", "0.0.0.0")
    assert done.returncode == 2 and "--host" in done.stderr and "127.0.0.1" in done.stderr


def test_stdio_requires_a_key() -> None:
    done = run("stdio")
    assert done.returncode == 2 and "DOIT_API_KEY" in done.stderr and done.stdout == ""


def test_stdio_answers_and_exits_at_end_of_input() -> None:
    lines = [
        '{"jsonrpc": "2.0", "id": 1, "method": "ping"}',
        "not json",
        '{"jsonrpc": "2.0", "id": 2, "method": "nothing"}',
        '{"jsonrpc": "2.0", "method": "notifications/initialized"}',
        "",
    ]
    done = run("stdio", stdin="\n".join(lines), DOIT_API_KEY="a key", DOIT_API_BASE="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    by_id = {answer.get("id"): answer for answer in answers}
    assert by_id[1]["result"] == {} and by_id[2]["error"]["code"] == -32601 and by_id[None]["error"]["code"] == -32700
    assert len(answers) == 3 and "a key" not in done.stderr


@contextmanager
def sandbox() -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-m", "doit_mcp", "sandbox", "--port", "0", "--sandbox-port", "0", "--announce", "json"]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def call(said: dict[str, Any], name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    token = next(iter(said["api_tokens"].values()))
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(said["mcp"], json.dumps(message).encode(), headers), timeout=20
    ) as answer:
        fields: dict[str, Any] = json.load(answer)
    return fields


@pytest.mark.requirement("L4")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_calls_in_progress_finish(number: int) -> None:
    """A server stopped during a call finishes the call and exits with status 0 and no traceback."""
    with sandbox() as (process, output):
        faults = {"latency": 1.0, "faults": []}
        control = urllib.request.Request(
            output["services"] + "/sandbox/faults", json.dumps(faults).encode(), {"Content-Type": "application/json"}
        )
        control.method = "PUT"
        with urllib.request.urlopen(control, timeout=10):
            pass
        answers: list[dict[str, Any]] = []
        caller = threading.Thread(target=lambda: answers.append(call(output, "list_budgets", {})))
        caller.start()
        wait_for_request(output["services"])
        process.send_signal(number)
        caller.join(20)
        assert process.wait(20) == 0
        assert json.loads(answers[0]["result"]["content"][0]["text"])["budgets"]
        assert process.stderr is not None and "Traceback" not in process.stderr.read()


def wait_for_request(services: str) -> None:
    """Wait until the DoiT API has received the request for the budgets."""
    for _ in range(500):
        time.sleep(0.02)
        with urllib.request.urlopen(services + "/sandbox/calls", timeout=10) as answer:
            if "/budgets" in answer.read().decode():
                return
    raise AssertionError("the call never came")


@pytest.mark.requirement("X6", "G1", "G2", "M16")
def test_logs_are_json_lines_without_secrets() -> None:
    """Every line is a JSON object, and none contains a token or a password."""
    with sandbox() as (process, output):
        call(output, "validate_user", {})
        process.terminate()
        assert process.wait(20) == 0 and process.stderr is not None
        text = process.stderr.read()
    lines = [json.loads(line) for line in text.splitlines()]
    (served,) = [line for line in lines if line.get("tool") == "validate_user"]
    assert served["rpc"] == "tools/call" and served["status"] == 200 and served["upstream_calls"] >= 1
    assert len(served["principal"]) == 12 and served["failed"] is False
    for secret in (*output["api_tokens"].values(), *output["users"].values()):
        assert secret not in text


def test_check_exits_with_1_if_a_check_fails() -> None:
    """Its findings are JSON on standard output, and the token is in none of them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    done = run("check", f"{base}/mcp", "--json", DOIT_API_KEY=SECRET)
    findings = json.loads(done.stdout)
    assert (done.returncode, findings["url"], findings["status"]) == (1, base, "fail")
    assert next(item for item in findings["checks"] if item["check"] == "server")["advice"]
    assert SECRET not in done.stdout + done.stderr and "Traceback" not in done.stderr
    text = run("check", MCP_RESOURCE_URL=base, AUTH_SERVER_URL=base, DOIT_API_BASE=base)
    assert text.returncode == 1 and "To do: " in text.stdout and "fail  server" in text.stdout


def test_check_exits_with_0_for_a_working_server() -> None:
    with sandbox() as (_, output):
        done = run("check", output["base"])
    assert done.returncode == 0 and "0 failures" in done.stdout, done.stdout


def test_check_refuses_what_it_cannot_use() -> None:
    assert run("check", "mcp.example.com").stderr.startswith("doit-mcp: URL must be a URL such as https://host")
    assert "--port cannot be used with check" in run("check", "--port", "1").stderr
    assert run("check", "--stream-seconds", "x").returncode == 2
