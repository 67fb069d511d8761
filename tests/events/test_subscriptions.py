"""Subscriptions over HTTP: requests, verification, deliveries, refresh, rotation and their limits."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from doit_mcp.events import poll_schedule
from doit_mcp.events.errors import EventError
from doit_mcp.events.event_types import EVENT_TYPES
from doit_mcp.events.ingest import read_report
from doit_mcp.events.signatures import make_signature_headers
from doit_mcp.sandbox.accounts import USERS
from doit_mcp.sandbox.api import Api
from tests.events.conftest import network_of
from tests.events.receivers import HOST, OTHER_SECRET, SECRET, Arrival, Receiver, answer_with
from tests.events.requests import ACME, report, subscription
from tests.transports.http.serving import ADMIN, EMPLOYEE, OTHER_USER, REVISIONS, VIEWER, Site, serving

ANOMALY = {"id": "a1", "severity": "critical", "amount": 120.5, "currency": "USD"}


async def test_capabilities_and_list_in_both_eras(site: Site) -> None:
    """Both forms of the capability are declared, and events/list works, in every revision."""
    discovered = (await site.send_stateless("server/discover")).result["capabilities"]
    assert discovered["events"] == {} and discovered["extensions"]["io.modelcontextprotocol/events"] == {}
    listed = (await site.send_stateless("events/list")).result["events"]
    assert [event["name"] for event in listed] == list(EVENT_TYPES) and len(listed) == 11
    for event in listed:
        assert event["delivery"] == ["webhook"] and event["inputSchema"]["additionalProperties"] is False
        assert set(event) == {"name", "description", "delivery", "inputSchema", "payloadSchema"}
    for revision in REVISIONS[:-1]:
        session = await site.initialize(revision)
        assert session.welcome["capabilities"]["events"] == {}
        assert session.welcome["capabilities"]["extensions"]["io.modelcontextprotocol/events"] == {}
        assert (await session.ask("events/list")).result["events"] == listed


@pytest.mark.requirement("E4")
async def test_chatgpt_subscribes_and_receives_an_event(site: Site, receiver: Receiver) -> None:
    """The receiver is verified first; then each event arrives once, signed, with its id in header and body."""
    granted = (await site.send_stateless("events/subscribe", subscription(receiver, severity="warning"))).result
    assert granted["id"].startswith("sub_") and granted["cursor"] is None and granted["truncated"] is False
    assert datetime.fromisoformat(granted["refreshBefore"]).tzinfo is not None
    [verification] = receiver.arrivals
    assert verification.is_verification and verification.headers["x-mcp-subscription-id"] == granted["id"]
    Webhook(SECRET).verify(verification.body, verification.headers)
    assert (await report(site, "one", ANOMALY)).body == {"subscribers": 1}
    assert (await report(site, "two", ANOMALY | {"severity": "information"})).body == {"subscribers": 1}
    assert (await report(site, "one", ANOMALY)).body == {"subscribers": 1}
    assert (await report(site, "three", ANOMALY | {"id": "a2"})).status == 200
    first, second = await receiver.wait_for_events(2)
    Webhook(SECRET).verify(first.body, first.headers)
    assert first.json["eventId"] == first.headers["webhook-id"] != second.json["eventId"]
    assert set(first.json) == {"eventId", "name", "timestamp", "data", "cursor"} and first.json["cursor"] is None
    assert first.json["name"] == "anomaly.detected" and first.json["data"] == ANOMALY
    assert first.headers["content-type"] == "application/json"
    # The same request refreshes: same id, no second verification.
    again = (await site.send_stateless("events/subscribe", subscription(receiver, severity="warning"))).result
    assert again["id"] == granted["id"] and again["deliveryStatus"]["active"] is True
    assert sum(arrival.is_verification for arrival in receiver.arrivals) == 1
    ended = await site.send_stateless("events/unsubscribe", subscription(receiver, severity="warning"))
    assert ended.result.keys() <= {"resultType", "_meta"}
    gone = await site.send_stateless("events/unsubscribe", subscription(receiver, severity="warning"))
    assert gone.error["code"] == -32011 and gone.error["data"] == {"kind": "subscription"}


async def test_rotation_signs_with_both_secrets(site: Site, receiver: Receiver) -> None:
    """After a refresh with a new secret, receivers with either secret accept deliveries."""
    await site.send_stateless("events/subscribe", subscription(receiver))
    await site.send_stateless("events/subscribe", subscription(receiver, secret=OTHER_SECRET))
    await report(site, "one", ANOMALY)
    [event] = await receiver.wait_for_events(1)
    assert len(event.headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OTHER_SECRET):
        Webhook(secret).verify(event.body, event.headers)


CASES: list[tuple[dict[str, Any], str]] = [
    ({"name": "anomaly.unknown"}, "Unknown event"),
    ({"arguments": {"severity": "mild"}}, "params.arguments.severity"),
    ({"arguments": {"color": "red"}}, "color"),
    ({"arguments": [1]}, "must be an object"),
    ({"arguments": {"minimumAmount": 1e300}}, "params.arguments.minimumAmount"),
    ({"arguments": {"minimumAmount": 2**70}}, "params.arguments.minimumAmount"),
    ({"cursor": 5}, "params.cursor"),
    ({"ttlMs": -1}, "params.ttlMs"),
    ({"maxAgeMs": "old"}, "params.maxAgeMs"),
    ({"delivery": "hook"}, "params.delivery"),
]
DELIVERIES: list[tuple[dict[str, Any], str]] = [
    ({"mode": "push"}, "Unsupported delivery mode"),
    ({"secret": "whsec_short"}, "params.delivery.secret must be whsec_"),
    ({"secret": "x" * 5000}, "params.delivery.secret must be whsec_"),
    ({"url": "http://hooks.example/"}, "must be an https URL"),
    ({"url": "https://user:pass@hooks.example/"}, "credentials"),
    ({"url": "https://hooks.example/#part"}, "fragment"),
    ({"url": "https://169.254.169.254/latest"}, "public host name"),
    ({"url": "https://[::ffff:10.0.0.1]/"}, "public host name"),
    ({"url": "https://2130706433/"}, "public host name"),
    ({"url": 7}, "must be a text"),
]


@pytest.mark.requirement("E1")
async def test_bad_requests_name_the_problem(site: Site, receiver: Receiver) -> None:
    """Errors say where the problem is and what would be right. Nothing is sent to the receiver, and no secret echoed."""
    cases = [(subscription(receiver) | change, text) for change, text in CASES]
    for change, text in DELIVERIES:
        params = subscription(receiver)
        cases.append((params | {"delivery": params["delivery"] | change}, text))
    for params, text in cases:
        error = (await site.send_stateless("events/subscribe", params)).error
        assert text in error["message"], error
        assert error["code"] in (-32602, -32011, -32014) and SECRET not in str(error)
    assert not receiver.arrivals


async def test_codes_for_clients_that_declare_the_extension(site: Site, receiver: Receiver) -> None:
    """Clients that declare the extension get its codes, in both eras."""
    capabilities = {"extensions": {"io.modelcontextprotocol/events": {}}}
    session = await site.initialize(**capabilities)
    params = subscription(receiver)
    unknown = {**params, "name": "nothing"}
    assert (await session.ask("events/unsubscribe", params)).error["code"] == -32023
    assert (await site.send_stateless("events/subscribe", unknown, clientCapabilities=capabilities)).error[
        "code"
    ] == -32023
    receiver.verify = answer_with(500)
    failed = (await session.ask("events/subscribe", params)).error
    assert failed["code"] == -32027 and failed["data"] == {"reason": "http_5xx"}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer_with(200, text='{"challenge": "another"}'), "challenge_failed"),
        (answer_with(200, text="[" * 100_000), "challenge_failed"),
        (answer_with(404), "http_4xx"),
        (answer_with(302, headers={"Location": "http://169.254.169.254/"}), "http_4xx"),
        (answer_with(503), "http_5xx"),
    ],
)
async def test_receivers_that_do_not_confirm(site: Site, receiver: Receiver, reply: Any, reason: str) -> None:
    """A subscription needs the echo of its challenge. Only the category of a failure is in the error."""
    receiver.verify = reply
    error = (await site.send_stateless("events/subscribe", subscription(receiver))).error
    assert error["code"] == -32015 and error["data"] == {"reason": reason}
    assert (await report(site, "one", ANOMALY)).body == {"subscribers": 0} and not receiver.events


async def test_unreachable_receivers(site: Site, receiver: Receiver) -> None:
    """Refused connections, private addresses, wrong certificates and unknown names."""
    receiver.names.answers |= {
        "private.example": [["10.0.0.1"]],
        "mixed.example": [["8.8.8.8", "127.0.0.1"]],
        "metadata.example": [["fe80::1"]],
    }
    for host in ("private.example", "mixed.example", "metadata.example", "unknown.example"):
        params = subscription(receiver)
        params["delivery"]["url"] = receiver.url(host=host)
        assert (await site.send_stateless("events/subscribe", params)).error["data"] == {"reason": "connection_refused"}
    receiver.tls.load_default_certs()
    params = subscription(receiver)
    params["delivery"]["url"] = "https://hooks.example:1/"
    assert (await site.send_stateless("events/subscribe", params)).error["data"] == {"reason": "connection_refused"}
    assert not receiver.arrivals


@pytest.mark.requirement("E6")
async def test_caps_and_isolation(site: Site, receiver: Receiver) -> None:
    """A user has a limited number of subscriptions, and never sees or ends those of others."""
    for number in range(5):
        granted = await site.send_stateless("events/subscribe", subscription(receiver, path=f"/{number}"))
        assert granted.status == 200
    error = (await site.send_stateless("events/subscribe", subscription(receiver, path="/5"))).error
    assert error["code"] == -32013 and error["data"] == {"limit": "subscriptions", "max": 5}
    assert (await site.send_stateless("events/subscribe", subscription(receiver, path="/0"))).status == 200
    other = await site.send_stateless("events/unsubscribe", subscription(receiver, path="/0"), user=OTHER_USER)
    assert other.error["code"] == -32011
    theirs = await site.send_stateless("events/subscribe", subscription(receiver, path="/0"), user=OTHER_USER)
    mine = await site.send_stateless("events/subscribe", subscription(receiver, path="/0"))
    assert theirs.result["id"] != mine.result["id"]
    # A colleague at the same customer and a user of another one: only the first gets the customer's event.
    await site.send_stateless("events/subscribe", subscription(receiver, path="/viewer"), user=VIEWER)
    assert OTHER_USER.customer != VIEWER.customer == "ACmE4x9Zq1"
    assert (await report(site, "one", ANOMALY)).body == {"subscribers": 2}
    paths = {event.path for event in await receiver.wait_for_events(6)}
    assert paths == {"/0", "/1", "/2", "/3", "/4", "/viewer"}
    # The subscription of the other customer's user to /0 has another id.
    ids = {event.headers["x-mcp-subscription-id"] for event in receiver.events}
    assert mine.result["id"] in ids and theirs.result["id"] not in ids


async def test_employees_have_no_events(site: Site, receiver: Receiver) -> None:
    error = (await site.send_stateless("events/subscribe", subscription(receiver), user=EMPLOYEE)).error
    assert error["code"] == -32012 and "employees" in error["message"]
    assert not receiver.arrivals


async def test_a_receiver_that_hangs_delays_no_other(site: Site, receiver: Receiver) -> None:
    """With many events for receivers that hang, another receiver of the same user on the same host gets all of its own."""
    release = asyncio.Event()

    async def hang(arrival: Arrival) -> web.StreamResponse:
        if arrival.path != "/good":
            await release.wait()
        return web.Response(status=204)

    receiver.reply = hang
    for path in ("/0", "/1", "/2", "/3", "/good"):
        await site.send_stateless("events/subscribe", subscription(receiver, path=path))
    for number in range(8):
        await report(site, f"n{number}", {"id": f"a{number}"})
    await receiver.wait_for(lambda: sum(item.path == "/good" for item in receiver.events) == 8)
    release.set()
    # One attempt at a time to each of the others.
    assert len(receiver.events) <= 16


@pytest.mark.requirement("E5")
async def test_users_without_permission_cannot_subscribe(site: Site, receiver: Receiver) -> None:
    """A user who may not read invoices cannot subscribe to their events."""
    analyst = next(user for user in USERS if "invoices.read" not in user.permissions and not user.employee)
    error = (
        await site.send_stateless("events/subscribe", subscription(receiver, "invoice.issued"), user=analyst)
    ).error
    assert error["code"] == -32012


@pytest.mark.requirement("E5")
async def test_a_user_whose_permission_ended_gets_and_keeps_nothing(
    site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each delivery and refresh, a poll checks the permission. Once it ended, recorded events are deleted."""
    invoices, others = subscription(receiver, "invoice.issued"), subscription(receiver)
    for params in (invoices, others):
        assert (await site.send_stateless("events/subscribe", params)).status == 200
    assert (await report(site, "one", {"id": "i1", "amount": 5.0}, name="invoice.issued")).status == 200
    await receiver.wait_for_events(1)
    fault = {"kind": 403, "path_prefix": "/billing/v1/invoices", "times": None}
    async with site.http.put(f"{site.world.url}/sandbox/faults", json={"faults": [fault]}) as response:
        assert response.status == 200, await response.text()
    polled = {"name": "invoice.issued", "arguments": {}, "cursor": "start"}
    for method, request in (("events/subscribe", invoices), ("events/poll", polled)):
        assert (await site.send_stateless(method, request)).error["code"] == -32012, method
    # As if the last poll were long ago.
    monkeypatch.setattr(poll_schedule, "CONFIRMED_SECONDS", 0.0)
    assert (await report(site, "two", {"id": "i2", "amount": 6.0}, name="invoice.issued")).status == 200
    await receiver.wait_for(lambda: receiver.controls)
    assert receiver.controls[0].json["type"] == "terminated"
    assert (await site.send_stateless("events/poll", polled)).error["code"] == -32011, "deleted"
    # Other sources go on.
    monkeypatch.undo()
    assert (await report(site, "three", ANOMALY)).status == 200
    assert [event.json["data"]["id"] for event in await receiver.wait_for_events(2)] == ["i1", "a1"]


@pytest.mark.requirement("E5")
async def test_deliveries_end_soon_after_the_user_signs_out(receiver: Receiver) -> None:
    """An event that is recorded later than CONFIRMED_SECONDS after the sign-out is not sent."""
    assert poll_schedule.CONFIRMED_SECONDS <= 60
    now = [time.time()]
    async with serving(
        api=Api(),
        event_network=replace(network_of(receiver), clock=lambda: now[0]),
        events_hold_s=0,
        events_private_receivers=(HOST,),
        events_ingest_secret=OTHER_SECRET,
    ) as site:
        assert (await site.send_stateless("events/subscribe", subscription(receiver))).status == 200
        await report(site, "one", ANOMALY)
        await receiver.wait_for_events(1)
        site.world.identity.end_login(site.token())
        now[0] += poll_schedule.CONFIRMED_SECONDS + 1
        assert (await report(site, "two", ANOMALY | {"id": "a2"})).body == {"subscribers": 1}
        await receiver.wait_for(lambda: receiver.controls)
        assert receiver.controls[0].json["type"] == "terminated" and len(receiver.events) == 1


async def test_poll_reads_recorded_events(site: Site, receiver: Receiver) -> None:
    """events/poll returns the events of a subscription after a cursor; without a subscription it says so."""
    request = {"name": "anomaly.detected", "arguments": {}, "cursor": None}
    assert (await site.send_stateless("events/poll", request)).error["code"] == -32011
    await site.send_stateless("events/subscribe", subscription(receiver))
    first = (await site.send_stateless("events/poll", request)).result
    assert first["events"] == [] and first["hasMore"] is False and first["cursor"]
    for id in ("one", "two", "three"):
        await report(site, id, ANOMALY | {"id": id})
    page = (await site.send_stateless("events/poll", request | {"cursor": first["cursor"], "maxEvents": 2})).result
    assert len(page["events"]) == 2 and page["hasMore"] is True and page["truncated"] is False
    rest = (await site.send_stateless("events/poll", request | {"cursor": page["cursor"]})).result
    assert len(rest["events"]) == 1 and rest["hasMore"] is False
    assert len({event["eventId"] for event in page["events"] + rest["events"]}) == 3


@pytest.mark.requirement("E9")
async def test_reports_are_authenticated_and_checked(site: Site) -> None:
    """Unsigned, malformed and unknown reports are refused, and say why."""
    assert (await site.send("POST", "/events/ingest", {}, b"{}")).status == 401
    signed = make_signature_headers([OTHER_SECRET], "msg_1", int(time.time()), b"{}")
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        assert (await site.send("POST", "/events/ingest", signed | {name: "v1,\u00e9"}, b"{}")).status == 401, name
    refused = await report(site, "one", {"id": "a", "color": "red"})
    assert refused.status == 400 and "color" in refused.text
    assert (await report(site, "one", {"id": "a"}, name="nothing")).status == 400
    assert (await site.send("POST", "/events/ingest", {}, b"x" * (65 << 10))).status == 413
    assert HOST not in refused.text
    foreign = await report(site, "one", {"id": "a", "url": "https://evil.example/"})
    assert foreign.status == 400 and "data.url must begin with" in foreign.text
    now = time.time()
    texts = {"id": "a1", "service": "Big\u200b\u202eQuery" + "x" * 3000}
    fields = {"customer": ACME, "name": "anomaly.detected", "id": "one", "data": texts}
    cleaned = read_report(json.dumps(fields).encode(), now, "https://console.example").item.data["service"]
    assert cleaned.startswith("BigQuery") and len(cleaned) == 200
    for days in (-46, 30):
        at = datetime.fromtimestamp(now + days * 86_400, UTC).isoformat()
        with pytest.raises(EventError, match="timestamp must be"):
            read_report(json.dumps(fields | {"timestamp": at}).encode(), now, "https://console.example")


async def test_events_wait_until_the_user_has_made_no_call_for_a_while(receiver: Receiver) -> None:
    """Hosts lose events that arrive during a turn of the conversation, so they arrive after the last tool call."""
    hold = 2
    async with serving(
        api=Api(),
        event_network=network_of(receiver),
        events_hold_s=hold,
        events_private_receivers=(HOST,),
        events_ingest_secret=OTHER_SECRET,
    ) as site:
        assert (await site.send_stateless("events/subscribe", subscription(receiver))).status == 200
        called_at = time.monotonic()
        assert (await site.call("echo", {"text": "hello"})).status == 200
        await report(site, "one", ANOMALY)
        await receiver.wait_for_events(1)
        assert time.monotonic() - called_at >= hold


async def test_events_wait_for_the_end_of_a_call_that_takes_long(receiver: Receiver) -> None:
    """The wait begins at the end of a call, however long it took. A colleague without calls gets the event at once."""
    passed_seconds = [0.0]
    network = replace(network_of(receiver), clock=lambda: time.time() + passed_seconds[0])
    async with serving(
        api=Api(), event_network=network, events_private_receivers=(HOST,), events_ingest_secret=OTHER_SECRET
    ) as site:
        for user, path in ((ADMIN, "/caller"), (VIEWER, "/colleague")):
            await site.send_stateless("events/subscribe", subscription(receiver, path=path), user=user)
        call = asyncio.create_task(site.call("wait"))
        await site.bench.started.wait()
        passed_seconds[0] += 100
        await report(site, "one", ANOMALY)
        await receiver.wait_for_events(1)
        assert [event.path for event in receiver.events] == ["/colleague"]
        site.bench.proceed.set()
        assert (await call).status == 200
        passed_seconds[0] += 91
        await report(site, "two", ANOMALY | {"id": "a2"})
        await receiver.wait_for_events(4)
        assert Counter(event.path for event in receiver.events) == {"/colleague": 2, "/caller": 2}


@pytest.mark.requirement("E6")
async def test_api_token_users_have_events_of_their_own(site: Site, receiver: Receiver) -> None:
    """Callers with a DoiT API token subscribe as well; their customer is the domain that the API returned."""
    headers = {"Authorization": f"Bearer {ADMIN.api_token}", "Accept": "application/json, text/event-stream"}
    headers["Content-Type"] = "application/json"
    for _ in range(2):
        body = json.dumps(site.request("events/subscribe", subscription(receiver))).encode()
        answer = await site.send("POST", "/mcp", headers, body)
        assert answer.result["id"].startswith("sub_"), answer
    domain = ADMIN.email.partition("@")[2]
    assert (await report(site, "one", ANOMALY)).body == {"subscribers": 0}
    assert (await report(site, "two", ANOMALY, customer=domain)).body == {"subscribers": 1}
    [event] = await receiver.wait_for_events(1)
    assert event.headers["x-mcp-subscription-id"] == answer.result["id"]
    assert ADMIN.api_token not in event.body.decode()


async def test_each_failure_ends_as_documented(receiver: Receiver) -> None:
    """410 and 413 end the attempts for one event, other failures are repeated, and after the last one a refresh resumes."""
    tries = Counter[tuple[str, str]]()

    async def fail(arrival: Arrival) -> web.StreamResponse:
        name = arrival.path.removeprefix("/")
        tries[name, arrival.headers["webhook-id"]] += 1
        if name == "flaky":
            return web.Response(status=503 if tries[name, arrival.headers["webhook-id"]] < 3 else 204)
        return web.Response(status=int(name), headers={"Location": receiver.url("/elsewhere")})

    def count(name: str) -> int:
        return sum(item.path == f"/{name}" for item in receiver.events)

    receiver.reply = fail
    async with serving(
        api=Api(),
        event_network=replace(network_of(receiver), retry_seconds=(0.05, 0.1, 0.15, 0.2)),
        events_hold_s=0,
        events_private_receivers=(HOST,),
        events_ingest_secret=OTHER_SECRET,
    ) as site:
        for name in ("410", "413", "503", "302", "flaky"):
            await site.send_stateless("events/subscribe", subscription(receiver, path=f"/{name}"))
        assert (await report(site, "one", ANOMALY)).status == 200
        await receiver.wait_for(lambda: [count(name) for name in ("503", "302", "flaky")] == [5, 5, 3])
        assert (await report(site, "two", ANOMALY | {"id": "a2"})).status == 200
        await receiver.wait_for(lambda: [count(name) for name in ("410", "413", "flaky")] == [2, 2, 6])
        for item in receiver.events:
            Webhook(SECRET).verify(item.body, item.headers)
        assert len({item.headers["webhook-id"] for item in receiver.events}) == 2
        assert count("elsewhere") == 0 and count("503") == count("302") == 5
        metrics = (await site.send("GET", "/metrics", {})).text
        for line in (
            'doit_mcp_events_dropped_total{reason="gone"} 2',
            'doit_mcp_events_dropped_total{reason="too_large"} 2',
            'doit_mcp_events_dropped_total{reason="failed"} 2',
            'doit_mcp_event_verifications_total{outcome="confirmed"} 5',
            "doit_mcp_event_subscriptions_suspended 2",
        ):
            assert line in metrics, line
        receiver.reply = None
        refreshed = (await site.send_stateless("events/subscribe", subscription(receiver, path="/503"))).result
        assert refreshed["truncated"] is True and refreshed["deliveryStatus"]["lastError"] == "http_5xx"
        assert refreshed["deliveryStatus"]["active"] is False
        await receiver.wait_for(lambda: count("503") == 6 and receiver.controls)
        assert [item.json for item in receiver.controls] == [{"type": "gap", "cursor": None}]
