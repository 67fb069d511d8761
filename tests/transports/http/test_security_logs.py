"""Logs contain no secrets (the guard in tests/conftest.py checks every test, and is tested here), and clients can
neither forge log lines nor make them long. The documentation says what is logged."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doit_mcp.observability.logging_setup import JsonFormatter
from tests.conftest import GUARD, Guard
from tests.transports.http.serving import ADMIN, EMPLOYEE, LATEST_STATEFUL, OTHER_USER, SECRET, Site, serving
from tests.transports.http.streaming import raw_connection, raw_post

ROOT = Path(__file__).resolve().parents[3]
CANARY = "a-word-of-the-callers-that-nobody-logs"
LEAKS = """
import logging
import pytest
from doit_mcp.auth.token_exchange import make_client_assertion
from tests.auth.minting import Signer
from tests.conftest import pytest_collection_finish, pytest_runtest_teardown

SECRETS = {
    "token": lambda: Signer().token(),
    "half a token": lambda: Signer().token().split(".")[1][:-8],
    "signature": lambda: Signer().token().rpartition(".")[2],
    "assertion": lambda: make_client_assertion("a secret", "http://127.0.0.1/", 1.0, "id"),
    "header": lambda: "Authorization: bearer 0123456789abcdef",
    "body": lambda: '{"jsonrpc": "2.0", "id": 1}',
}

@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("how", ["message", "argument", "extra", "exception", "debug"])
def test_leaks(name, how):
    secret = SECRETS[name]()
    log = logging.getLogger("doit_mcp.somewhere.deep")
    if how == "extra":
        log.info("said", extra={"said": secret})
    elif how == "exception":
        try:
            raise RuntimeError(secret)
        except RuntimeError:
            log.exception("failed")
    else:
        said = ("%s", secret) if how == "argument" else (secret,)
        log.log(logging.DEBUG if how == "debug" else logging.INFO, *said)

def test_is_discreet():
    Signer().token()
    logging.getLogger("doit_mcp").info("request", extra={"trace": "0" * 32, "principal": "0123456789ab"})
    logging.getLogger("aiohttp.server").error("Error handling request", exc_info=ValueError("Bearer 0123456789abcdef"))
"""


@pytest.fixture
def written() -> Iterator[list[str]]:
    """The lines that the production configuration writes at INFO during the test."""
    lines: list[str] = []

    class Writer(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(JsonFormatter().format(record))

    handler = Writer(logging.INFO)
    logger = logging.getLogger("doit_mcp")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.mark.requirement("X6", "G2")
def test_guard_detects_a_deliberate_leak(tmp_path: Path) -> None:
    """Runs a separate suite in which every test but one logs a secret, in every possible way."""
    hooks = "from tests.conftest import pytest_collection_finish, pytest_runtest_teardown"
    (tmp_path / "conftest.py").write_text(hooks)
    (tmp_path / "test_leaks.py").write_text(LEAKS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no"]
    command += ["-c", "/dev/null", f"--rootdir={tmp_path}", str(tmp_path)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.count("ERROR ") == 30 and "31 passed, 30 errors" in done.stdout, done.stdout


def test_guard_knows_the_secrets_of_this_suite() -> None:
    """Tokens that were minted, exchanged or sent as a bearer."""
    guard = Guard()
    guard.learn(SECRET)
    guard.learn("a secret with blanks")
    for secret_text in (
        f"x{{{SECRET}}}",
        "said: a secret with blanks!",
        "eyJhbGciOiJFUzI1NiJ9",
        "BEARER  abcdefghijklmnop",
    ):
        assert guard.detects(secret_text), secret_text
    for fine in ("status 200", "Bearer is missing", "the session has ended", "0" * 32):
        assert not guard.detects(fine), fine


@pytest.mark.requirement("X6")
async def test_guard_covers_everything_the_server_handles(site: Site) -> None:
    await site.call("echo")
    for secret in (site.token(), SECRET):
        assert GUARD.detects(f"x {secret} x")


@pytest.mark.requirement("G1")
async def test_many_kinds_of_request_are_logged(site: Site, written: list[str]) -> None:
    """Refused requests have one too, each with the trace ID that the client got, and without any of its text."""
    bearer = site.headers()
    version = {"MCP-Protocol-Version": LATEST_STATEFUL, "Content-Type": "application/json"}
    params = {"name": "echo", "arguments": {"text": CANARY}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    kinds: list[tuple[str, str, dict[str, str], bytes]] = [
        ("POST", "/mcp", bearer | version, json.dumps(call).encode()),
        ("POST", "/mcp", bearer | version, b"{"),
        ("POST", "/mcp", bearer, b"{}"),
        ("POST", "/mcp", {"Authorization": f"Bearer {site.token(exp=1)}"}, b""),
        ("POST", "/mcp", {}, b""),
        ("GET", "/mcp", bearer, b""),
        ("DELETE", "/mcp", bearer, b""),
        ("PUT", "/mcp", bearer, b""),
        ("GET", f"/{CANARY}", {}, b""),
        ("PROPFIND", "/mcp", bearer, b""),
        ("GET", "/healthz", {"Host": "elsewhere"}, b""),
        ("GET", "/mcp", bearer | {"Origin": f"https://{CANARY}"}, b""),
        ("POST", "/mcp", bearer | {"Mcp-Session-Id": CANARY}, json.dumps(call).encode()),
    ]
    for method, path, headers, body in kinds:
        before = len(written)
        answer = await site.send(method, path, headers, body)
        lines = [json.loads(text) for text in written[before:]]
        (line,) = [text for text in lines if text["logger"] == "doit_mcp.requests"]
        assert line["status"] == answer.status
        assert line["trace"] == answer.headers["X-MCP-Trace-Id"] and line["ms"] >= 0
    assert CANARY not in "".join(written) and "PROPFIND" not in "".join(written)


@pytest.mark.requirement("G2")
async def test_client_names_cannot_forge_or_extend_lines(site: Site, written: list[str]) -> None:
    """A request of 700 KB with line breaks and escape sequences in every text."""
    text = f'\r\n{{"level": "error", "message": "{CANARY}"}}\x1b[31m' * 7_500
    message = {"jsonrpc": "2.0", "id": 1, "method": text, "params": {"name": text[:1000]}}
    assert (await site.post(message, MCP_Protocol_Version=LATEST_STATEFUL)).error["code"] < 0
    for trace in ("x" * 65, "a b", "a\x7fb"):
        answer = await site.send("GET", "/healthz", {"X-MCP-Trace-Id": trace} if trace.isprintable() else {})
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-MCP-Trace-Id"])
    assert written and sum(map(len, written)) < 30_000
    for line in written:
        assert "\n" not in line and "\x1b" not in line and CANARY not in line
        assert json.loads(line)["level"] == "info"


@pytest.mark.requirement("X6")
async def test_invalid_request_bytes_are_not_quoted(site: Site, written: list[str]) -> None:
    """Neither in the response nor in the log."""
    token = site.token()
    for raw in (
        f"GET /mcp HTTP/1.1\nAuthorization: Bearer {token}\n\n".encode(),
        raw_post(site, {"Authorization": f"Bearer {token}", "Content-Length": "x"}),
        f"\x16\x03\x01 {token}\r\n\r\n".encode(),
    ):
        async with raw_connection(site) as wire:
            wire.writer.write(raw)
            assert token.encode() not in await wire.rest()
    assert token not in "".join(written)


@pytest.mark.requirement("S10", "G1")
async def test_principals_and_sessions_are_pseudonymous(written: list[str]) -> None:
    """Logs have a different hash for each caller, but neither names nor session ids."""
    async with serving() as site:
        sessions = [await site.initialize(user=user) for user in (ADMIN, OTHER_USER, EMPLOYEE)]
        for session in sessions:
            await session.ask("ping")
    lines = [json.loads(line) for line in written]
    principals = {line["principal"] for line in lines if "principal" in line}
    assert len(principals) == 3 and all(re.fullmatch(r"[\w-]{12}", principal) for principal in principals)
    log = "".join(written)
    assert not [session.id for session in sessions if session.id[:16] in log]
    assert "@" not in log


@pytest.mark.requirement("G6")
async def test_audit_log_has_every_write_and_no_read(site: Site, written: list[str]) -> None:
    """Each line has the user, the customer, the tool, the outcome, and the trace ID of the request."""
    session = await site.initialize()
    await session.call("echo", {"text": CANARY})
    cut = asyncio.create_task(session.call("wait", id="w"))
    await asyncio.wait_for(site.bench.started.wait(), 20)
    assert (await session.note("notifications/cancelled", {"requestId": "w"})).status == 202
    assert (await cut).messages == ()
    site.bench.proceed.set()
    done = await session.call("wait")
    lines = [json.loads(line) for line in written]
    audit = [line for line in lines if line["logger"] == "doit_mcp.audit"]
    assert [(line["tool"], line["outcome"]) for line in audit] == [("wait", "not_sent"), ("wait", "done")]
    assert audit[1]["trace"] == done.headers["X-MCP-Trace-Id"] and audit[1]["customer"] == ADMIN.customer
    assert {line["principal"] for line in audit} == {line["principal"] for line in lines if "principal" in line}


@pytest.mark.requirement("G3")
async def test_metrics_and_probes_have_no_client_data(site: Site) -> None:
    """Clients cannot create new series."""
    session, metrics = await site.initialize(), ["", ""]
    await site.send("GET", "/metrics", {})
    for turn in range(2):
        for number in range(10):
            name = f"{CANARY}{turn}{number}"
            await site.send("GET", f"/{name}", {})
            await session.ask(f"{CANARY}/{turn}{number}")
            await session.call(name)
        metrics[turn] = (await site.send("GET", "/metrics", {})).text
    # The first names created the series in which all unknown ones are counted.
    assert len(metrics[1].splitlines()) == len(metrics[0].splitlines())
    for text in (
        metrics[1],
        (await site.send("GET", "/readyz", {})).text,
        (await site.send("GET", "/healthz", {})).text,
    ):
        assert CANARY not in text and session.id not in text and "@" not in text and "eyJ" not in text
