"""Fault injection, recorded calls, and the control endpoints."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Fault
from doit_mcp.sandbox.api.fault_parsing import parse_fault

from .conftest import ADMIN, GLOBEX, Party

BUDGETS, INVOICES, FAULTS, CALLS = "/analytics/v1/budgets", "/billing/v1/invoices", "/sandbox/faults", "/sandbox/calls"


async def statuses(party: Party, path: str, count: int) -> list[int]:
    """The statuses of consecutive requests."""
    return [(await party.send("GET", path, declared=False)).status for _ in range(count)]


async def test_fault_occurs_as_often_as_configured(party: Party) -> None:
    party.api.faults += [Fault(BUDGETS, 503, times=2, retry_after=7), Fault("/analytics", 429)]
    assert await statuses(party, "/anomalies/v1", 1) == [200]
    first = await party.send("GET", BUDGETS, declared=False)
    assert (first.status, first.headers["Retry-After"]) == (503, "7") and set(first.json) == {"error"}
    limited = [await party.send("GET", BUDGETS, declared=False) for _ in range(3)]
    assert [item.status for item in limited] == [503, 429, 200] and "Retry-After" not in limited[1].headers
    assert party.api.faults == []


async def test_fault_can_be_permanent_or_probabilistic(party: Party) -> None:
    party.api.faults.append(Fault("/", 500, times=None, rate=0.5))
    counts = await statuses(party, "/auth/v1/validate", 60)
    assert {200, 500} == set(counts) and 10 < counts.count(500) < 50
    party.api.faults.clear()
    assert set(await statuses(party, "/auth/v1/validate", 10)) == {200}


async def test_faults_have_the_error_shape_of_their_area(party: Party) -> None:
    party.api.faults += [Fault(INVOICES, 502), Fault("/", 524)]
    problem = await party.send("GET", INVOICES, declared=False)
    assert problem.headers["Content-Type"].startswith("application/problem+json")
    assert (problem.json["status"], problem.json["retryable"]) == (502, True)
    edge = await party.send("GET", INVOICES, declared=False)
    assert edge.status == 524 and edge.headers["Content-Type"].startswith("text/html")


async def test_truncated_responses(party: Party) -> None:
    for kind in ("reset", "truncated"):
        party.api.faults.append(Fault("/", kind))  # type: ignore[arg-type]  # the loop widens the literals
        # The client retries a GET once.
        with pytest.raises(aiohttp.ClientError):
            await party.send("POST", "/analytics/v1/reports/query", {}, declared=False)
    party.api.faults += [Fault("/", "garbage"), Fault("/", "huge")]
    with pytest.raises(ValueError):
        (await party.send("GET", BUDGETS, declared=False)).json
    assert len((await party.send("GET", BUDGETS, declared=False)).body) > 60_000_000
    assert await statuses(party, BUDGETS, 1) == [200]


async def test_response_that_never_arrives(party: Party) -> None:
    party.api.faults.append(Fault("/", "hang"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await party.send("GET", BUDGETS, declared=False)
    party.api.faults.append(Fault("/", "hang"))
    waiting = asyncio.create_task(party.send("GET", BUDGETS, declared=False))
    while len(party.api.calls) < 2:
        await asyncio.sleep(0)
    # Shutdown must not wait for it.
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_requests_are_recorded_as_received(party: Party) -> None:
    headers = {"X-Tenant-Id": ACME.id, "X-Some": "thing"}
    await party.send("POST", BUDGETS, {"amount": 1}, headers=headers, nameContains="a b")
    await party.send("GET", "/auth/v1/validate", who=None)
    first, second = party.api.calls
    assert (first.method, first.path, first.tenant) == ("POST", f"{BUDGETS}?nameContains=a+b", ACME.id)
    assert (first.header("x-some"), first.body, first.bearer) == ("thing", b'{"amount": 1}', ADMIN.api_token)
    assert (second.bearer, second.tenant) == ("", "")
    assert ADMIN.api_token not in repr(first) and len(first.bearer_hash) == 64
    await party.send("POST", BUDGETS, {"name": "x" * 200_000, "amount": 1})
    assert len(party.api.calls[-1].body) == 65_536
    assert (await party.http.get(party.url + "/.well-known/jwks.json")).status == 200
    assert len(party.api.calls) == 3, "only API requests are recorded"


async def test_record_is_bounded(party: Party) -> None:
    assert party.api.calls.maxlen is not None and party.api.calls.maxlen <= 1000


async def put(party: Party, body: Any) -> Any:
    """The response to PUT /sandbox/faults."""
    async with party.http.put(party.url + FAULTS, json=body) as answer:
        return answer.status, await answer.json()


async def test_faults_can_be_set_over_http(party: Party) -> None:
    fault = {"kind": 429, "path_prefix": BUDGETS, "times": None, "retry_after": 3}
    status, body = await put(party, {"latency": 0.001, "faults": [fault]})
    usual = {"path_prefix": "/", "times": 1, "retry_after": None, "rate": 1.0, "delay": 0.0, "operation": ""}
    assert (status, body) == (200, {"latency": 0.001, "report_seconds": 0.0, "faults": [{**usual, **fault}]})
    assert await statuses(party, BUDGETS, 3) == [429] * 3
    assert party.api.latency == 0.001
    async with party.http.get(party.url + FAULTS) as answer:
        assert await answer.json() == body
    async with party.http.delete(party.url + FAULTS) as answer:
        assert await answer.json() == {"latency": 0.0, "report_seconds": 0.0, "faults": []}
    assert await statuses(party, BUDGETS, 1) == [200]
    assert await put(party, {"faults": [{"kind": "reset"}]}) == (
        200,
        {"latency": 0.0, "report_seconds": 0.0, "faults": [{**usual, "kind": "reset"}]},
    )


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"latency": -1},
        {"latency": 10**6},
        {"report_seconds": -1},
        {"faults": [{}]},
        {"faults": [{"kind": 200}]},
        {"faults": [{"kind": "x"}]},
        {"faults": [{"kind": 500, "rate": 2}]},
        {"faults": [{"kind": 500, "times": 0}]},
        {"faults": [{"kind": 500}] * 101},
        {"misspelt": 1},
        {"faults": [{"kind": 500, "operation": "GET /analytics/v1/budget"}]},
        {"faults": [{"kind": "slow", "delay": -1}]},
        {"faults": [{"kind": "slow", "delay": 301}]},
    ],
)
async def test_invalid_faults_are_rejected(party: Party, body: Any) -> None:
    status, answer_body = await put(party, body)
    assert status == 400 and answer_body["error"]
    assert party.api.faults == []


async def test_fault_can_target_one_operation(party: Party) -> None:
    budget = (await party.get(BUDGETS))["budgets"][0]["id"]
    fault = {"kind": 429, "operation": f"GET {BUDGETS}/{{id}}", "times": None}
    assert (await put(party, {"faults": [fault]}))[0] == 200
    assert await statuses(party, f"{BUDGETS}/{budget}", 1) == [429]
    assert await statuses(party, f"{BUDGETS}/{budget}?x=/y", 1) == [429]
    assert await statuses(party, BUDGETS, 1) == await statuses(party, f"{BUDGETS}?a=b", 1) == [200]
    changed = await party.send("PATCH", f"{BUDGETS}/{budget}", {"amount": 5}, declared=False)
    assert changed.status == 200
    assert await statuses(party, f"/sharing/v1/budgets/{budget}", 1) == [200]


async def test_slow_response_eventually_arrives(party: Party) -> None:
    party.api.faults += [Fault(BUDGETS, "slow", delay=300.0), Fault(BUDGETS, "slow", delay=0.001)]
    waiting = asyncio.create_task(party.send("GET", BUDGETS, declared=False))
    while not party.api.calls:
        await asyncio.sleep(0)
    assert await statuses(party, BUDGETS, 2) == [200, 200] and not waiting.done()
    party.api.faults.append(Fault(BUDGETS, 503, delay=0.001))
    assert await statuses(party, BUDGETS, 2) == [503, 200]
    # Shutdown must not wait for it.
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("reset", {"kind": "reset"}),
        ("503,times=2", {"kind": 503, "times": 2}),
        (
            "429, on=GET /a/{id}, rate=0.5, retry-after=2",
            {
                "kind": 429,
                "operation": "GET /a/{id}",
                "rate": 0.5,
                "retry_after": 2,
            },
        ),
        ("slow,delay=1.5,on=/analytics", {"kind": "slow", "delay": 1.5, "path_prefix": "/analytics"}),
        ("429,retry-after=soon", {"kind": 429, "retry_after": "soon"}),
    ],
)
def test_fault_expressions(words: str, fault: Any) -> None:
    assert parse_fault(words) == {"times": None, **fault}


@pytest.mark.parametrize("words", ["503,rate", "503,colour=red", "503,rate=much", "503,times=often", "503,,"])
def test_invalid_fault_expressions(words: str) -> None:
    with pytest.raises(ValueError):
        parse_fault(words)


async def test_non_json_faults_are_rejected(party: Party) -> None:
    async with party.http.put(party.url + FAULTS, data=b"{") as answer:
        assert (answer.status, await answer.json()) == (400, {"error": "the body is not JSON"})


async def test_requests_can_be_read_over_http(party: Party) -> None:
    await party.send("GET", BUDGETS)
    await party.send("GET", BUDGETS, who=GLOBEX)
    async with party.http.get(party.url + CALLS) as answer:
        text = await answer.text()
        calls = (await answer.json())["calls"]
    assert [call["path"] for call in calls] == [BUDGETS] * 2 and calls[0]["bearer_hash"] != calls[1]["bearer_hash"]
    assert ADMIN.api_token not in text
    async with party.http.delete(party.url + CALLS) as answer:
        assert await answer.json() == {"calls": []}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.0.0.1", "[fe80::1]"])
async def test_cross_site_pages_cannot_control_the_sandbox(party: Party, host: str) -> None:
    for method, path in (("GET", CALLS), ("PUT", FAULTS)):
        async with party.http.request(method, party.url + path, headers={"Host": host}, json={}) as answer:
            assert answer.status == 403
