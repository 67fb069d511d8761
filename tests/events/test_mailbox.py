"""The rules of a mailbox, with an invented clock: retries, 410 and 413, suspension, rotation, bounds, ends."""

from __future__ import annotations

import base64
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.events import mailbox, recording
from doit_mcp.events.errors import ERROR_CODES, EventError
from doit_mcp.events.new_items import MAX_SEEN, NewItem, Reading, find_new_items, pack_marks, period_start, unpack_marks
from doit_mcp.events.receiver_urls import ReceiverPolicy
from doit_mcp.events.requests import read_subscribe
from doit_mcp.events.secret_rotation import list_valid_secrets
from doit_mcp.events.sender import Outcome
from doit_mcp.events.store import Change, Fields
from tests.events.receivers import OTHER_SECRET, SECRET

NOW = 1_796_000_000.0
OK, REFUSED, DOWN = Outcome(204, None), Outcome(410, "http_4xx"), Outcome(503, "http_5xx")
ACCOUNT = {"token": "t", "customer": "c", "tenant": "c", "digest": "00", "expires": NOW + 3600}


PARAMS = {
    "name": "anomaly.detected",
    "delivery": {"mode": "webhook", "url": "https://a.example/h", "secret": SECRET},
}


def apply(fields: Fields, change: Change) -> Fields:
    """The fields after *change*."""
    return {name: value for name, value in fields.items() if name not in change.delete} | change.put


def subscribed(
    fields: Fields, name: str = "anomaly.detected", *, secret: str = SECRET, now: float = NOW, **more: Any
) -> tuple[Fields, str]:
    """The fields with a subscription, and its id."""
    params = {"name": name, "delivery": {"mode": "webhook", "url": "https://a.example/h", "secret": secret}, **more}
    request = read_subscribe(params, ReceiverPolicy(), False)
    id = request.target.subscription_id("owner")
    return apply(fields, mailbox.subscribe(fields, id, request, ACCOUNT, now + 900, ["seen"], now)), id


def make_item(number: int, name: str = "anomaly.detected", **data: Any) -> NewItem:
    return NewItem(name, f"a{number}", NOW + number, {"id": f"a{number}", **data})


def recorded(fields: Fields, *items: NewItem, now: float = NOW) -> Fields:
    return apply(fields, recording.record(fields, items, "c", now))


def keys(fields: Fields) -> list[str]:
    return [key for key, _ in mailbox.select_fields(fields, mailbox.DELIVERY)]


def settled(fields: Fields, key: str, outcome: Outcome, now: float = NOW) -> Fields:
    return apply(fields, mailbox.record_attempt(fields, key, outcome, now, 0.5))


def test_retries_end_within_15_minutes_and_suspend() -> None:
    """Five attempts with growing delays; then the subscription is suspended until a refresh, which tells of the gap."""
    fields, id = subscribed({})
    fields = recorded(fields, make_item(1), make_item(2))
    first, second = keys(fields)
    now = NOW
    for attempt in range(5):
        assert mailbox.due_time(fields, first, fields[mailbox.DELIVERY + first], 0) == pytest.approx(now)
        fields = settled(fields, first, DOWN, now)
        if attempt < 4:
            now = fields[mailbox.DELIVERY + first]["next"]
    assert now - NOW < 900 and mailbox.DELIVERY + first not in fields
    assert mailbox.due_time(fields, second, fields[mailbox.DELIVERY + second], 0) is None, "suspended"
    status = mailbox.delivery_status(fields, id)
    assert (
        status is not None and status["active"] is False and status["lastError"] == "http_5xx" and status["failedSince"]
    )
    fields, _ = subscribed(fields)
    assert set(keys(fields)) == {second, f"{id}:gap"}
    assert mailbox.due_time(fields, second, fields[mailbox.DELIVERY + second], 0) == NOW
    assert fields[f"{mailbox.DELIVERY}{id}:gap"]["control"]["type"] == "gap"
    fields = settled(fields, f"{id}:gap", DOWN)
    fields = settled(fields, f"{id}:gap", DOWN)
    assert keys(fields) == [second]


@pytest.mark.parametrize("status", [410, 413])
def test_gone_and_too_large_are_not_retried(status: int) -> None:
    """The event is dropped; the subscription and its other events go on. The next refresh tells of the gap."""
    fields, id = subscribed({})
    fields = recorded(fields, make_item(1), make_item(2))
    first, second = keys(fields)
    fields = settled(fields, first, Outcome(status, "http_4xx"))
    assert keys(fields) == [second]
    assert mailbox.due_time(fields, second, fields[mailbox.DELIVERY + second], 0) is not None
    fields = settled(fields, second, OK)
    assert keys(fields) == [] and not mailbox.record_attempt(fields, second, OK, NOW, 0.5)
    assert fields[mailbox.STATUS + id]["dropped"] == 1, "truncated in the result of the refresh"
    assert keys(subscribed(fields)[0]) == [f"{id}:gap"]


def test_events_wait_for_the_end_of_a_turn() -> None:
    """Events are due once the user has made no call for a while; control messages at once."""
    fields, id = subscribed({})
    fields = recorded(fields, make_item(1))
    [key] = keys(fields)
    assert mailbox.due_time(fields, key, fields[mailbox.DELIVERY + key], 90) == NOW
    assert mailbox.due_time(fields, key, fields[mailbox.DELIVERY + key], 90, NOW + 20) == NOW + 110
    # Calls that never end delay an event for ten minutes, not forever.
    assert mailbox.due_time(fields, key, fields[mailbox.DELIVERY + key], 90, NOW + 7200) == NOW + 600
    fields = apply(fields, mailbox.terminate(fields, [id], EventError("forbidden", "ended"), NOW))
    [key] = keys(fields)
    assert mailbox.due_time(fields, key, fields[mailbox.DELIVERY + key], 90) == NOW


def test_termination_deletes_and_notifies_once() -> None:
    """A terminated subscription gets no events; it is deleted once its receiver was notified, or could not be."""
    fields, id = subscribed({})
    fields = recorded(fields, make_item(1))
    fields = apply(fields, mailbox.terminate(fields, [id], EventError("forbidden", "ended"), NOW))
    assert keys(fields) == [f"{id}:terminated"] and not mailbox.list_subscriptions(fields)
    assert not any(name.startswith((mailbox.SEEN, mailbox.EVENT)) for name in fields)
    body = fields[f"{mailbox.DELIVERY}{id}:terminated"]["control"]
    assert body == {"type": "terminated", "error": {"code": -32012, "message": "ended"}}
    assert not recording.record(fields, [make_item(2)], "c", NOW)
    notified = settled(fields, f"{id}:terminated", OK)
    assert not list(mailbox.select_fields(notified, mailbox.SUBSCRIPTION)) and not keys(notified)
    twice = settled(settled(fields, f"{id}:terminated", DOWN), f"{id}:terminated", DOWN)
    assert not list(mailbox.select_fields(twice, mailbox.SUBSCRIPTION)) and not keys(twice)
    revived, _ = subscribed(fields)
    assert id in mailbox.list_subscriptions(revived)


def test_rotation_keeps_the_old_secrets_for_some_minutes() -> None:
    """Each for its own ten minutes, even if it is replaced again; at most two, and never the current one twice."""
    fields, id = subscribed({})
    fields, _ = subscribed(fields, secret=OTHER_SECRET)

    def valid(seconds: float = 0) -> list[str]:
        return list_valid_secrets(fields[mailbox.SUBSCRIPTION + id], NOW + seconds)

    assert valid() == [OTHER_SECRET, SECRET]
    fields, _ = subscribed(fields, secret=OTHER_SECRET, now=NOW + 60)
    assert valid() == valid(599) == [OTHER_SECRET, SECRET] and valid(600) == [OTHER_SECRET]
    third, fourth = (f"whsec_{base64.b64encode(letter * 32).decode()}" for letter in (b"3", b"4"))
    fields, _ = subscribed(fields, secret=third, now=NOW + 300)
    assert valid(300) == [third, OTHER_SECRET, SECRET]
    assert valid(600) == valid(899) == [third, OTHER_SECRET] and valid(900) == [third]
    back, _ = subscribed(fields, secret=SECRET, now=NOW + 400)
    assert list_valid_secrets(back[mailbox.SUBSCRIPTION + id], NOW + 400) == [SECRET, third, OTHER_SECRET]
    fields, _ = subscribed(fields, secret=fourth, now=NOW + 400)
    assert valid(400) == [fourth, third, OTHER_SECRET]


def test_a_mailbox_is_bounded() -> None:
    """Beyond the limits the oldest deliveries are dropped and counted, and the oldest events forgotten."""
    fields, id = subscribed({})
    for number in range(recording.MAX_PENDING + 50):
        fields = recorded(fields, make_item(number), now=NOW + number)
    assert len(keys(fields)) == recording.MAX_PENDING and fields[mailbox.STATUS + id]["dropped"] == 50
    for key in keys(fields):
        fields = settled(fields, key, OK)
    for number in range(1000, 1000 + recording.MAX_EVENTS):
        fields = recorded(fields, make_item(number), now=NOW + 200 + number / 10)
        fields = settled(fields, keys(fields)[0], OK)
    assert len(list(mailbox.select_fields(fields, mailbox.EVENT))) <= recording.MAX_EVENTS + 1
    assert not recording.record(fields, [make_item(1100)], "c", NOW).put, "recorded before"


def test_ended_subscriptions_are_swept() -> None:
    fields, id = subscribed({})
    fields = recorded(fields, make_item(1)) | {f"{mailbox.DELIVERY}sub_gone:evt": {"tries": 0, "next": 0, "at": 0}}
    assert set(mailbox.remove_ended(fields, NOW).delete) == {f"{mailbox.DELIVERY}sub_gone:evt"}
    fields = apply(fields, mailbox.remove_ended(fields, NOW + 901))
    assert (
        not keys(fields)
        and not mailbox.list_subscriptions(fields)
        and not any(mailbox.select_fields(fields, mailbox.SEEN))
    )


def test_only_matching_subscriptions_get_an_event() -> None:
    """Each filter narrows; a missing value never passes one."""
    cases: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
        ("anomaly.detected", {"severity": "warning"}, {"severity": "critical"}, True),
        ("anomaly.detected", {"severity": "warning"}, {"severity": "information"}, False),
        ("anomaly.detected", {"minimumAmount": 100}, {"amount": 100.0}, True),
        ("anomaly.detected", {"minimumAmount": 100}, {}, False),
        ("budget.threshold_reached", {"threshold": 85}, {"threshold": 50}, False),
        ("ticket.updated", {"ticket": "a1", "status": "open"}, {"status": "open"}, True),
        ("invoice.issued", {"cloud": "google-cloud"}, {"cloud": "amazon-web-services"}, False),
    ]
    for name, arguments, data, wanted in cases:
        fields, _ = subscribed({}, name, arguments=arguments)
        assert bool(keys(recorded(fields, make_item(1, name, **data)))) is wanted, (name, arguments, data)


def test_an_anomaly_that_grows_is_news_to_the_filter_that_it_passes() -> None:
    """Each subscription remembers what passed its filters: a warning is news to one, and later, critical, to another."""

    def poll(fields: Fields, severity: str, amount: float) -> Fields:
        shown = [make_item(1, severity=severity, amount=amount)]
        return apply(fields, recording.record_poll(fields, "anomalies", Reading(shown), "c", NOW, NOW))

    fields, any_id = subscribed({})
    fields, critical = subscribed(fields, arguments={"severity": "critical", "minimumAmount": 500})
    fields = poll(poll(fields, "warning", 20), "warning", 30)
    [key] = keys(fields)
    assert key.startswith(any_id)
    fields = settled(fields, key, OK)
    fields = poll(poll(fields, "critical", 9000), "critical", 9001)
    [key] = keys(fields)
    assert key.startswith(critical) and recording.list_recent_events(fields)[0]["data"]["amount"] == 9000
    # What is true at the first poll, and passes the filters, is the baseline.
    later, id = subscribed(fields, arguments={"severity": "warning"})
    del later[mailbox.SEEN + id]
    assert len(keys(poll(later, "critical", 9002))) == 1


def test_events_are_deleted_with_the_last_subscription_that_covers_them() -> None:
    fields, all_id = subscribed({})
    fields, large = subscribed(fields, arguments={"minimumAmount": 100})
    fields = recorded(fields, make_item(1, amount=50), make_item(2, amount=150))
    fields = apply(fields, mailbox.unsubscribe(fields, all_id))
    assert [event["data"]["id"] for event in recording.list_recent_events(fields)] == ["a2"]
    assert not recording.list_recent_events(apply(fields, mailbox.unsubscribe(fields, large)))


def test_nothing_is_left_of_a_subscription_that_ended_during_an_attempt() -> None:
    """Its outcome changes nothing, and a status that another replica wrote is swept."""
    fields, id = subscribed({})
    fields = recorded(fields, make_item(1))
    [key] = keys(fields)
    ended = apply(fields, mailbox.unsubscribe(fields, id)) | {mailbox.DELIVERY + key: {"tries": 0, "next": 0, "at": 0}}
    assert not mailbox.record_attempt(ended, key, DOWN, NOW, 0.5)
    left = {mailbox.STATUS + id: {"lastError": "timeout"}, mailbox.SEEN + id: pack_marks([])}
    assert mailbox.remove_ended(left, NOW).delete == set(left)
    again, _ = subscribed(left)
    assert mailbox.delivery_status(left, id) is None and mailbox.STATUS + id not in again


def test_events_that_wait_are_bounded_for_all_subscriptions_together() -> None:
    """Subscriptions that are all suspended keep no more events than others; what is dropped is counted."""
    fields: Fields = {}
    ids = []
    for number in range(3):
        fields, id = subscribed(
            fields, arguments={"cloud": f"{('google-cloud', 'amazon-web-services', 'microsoft-azure')[number]}"}
        )
        ids.append(id)
    for number in range(300):
        cloud = ("google-cloud", "amazon-web-services", "microsoft-azure")[number % 3]
        fields = recorded(fields, make_item(number, cloud=cloud), now=NOW + number)
    assert len(list(mailbox.select_fields(fields, mailbox.EVENT))) == recording.MAX_EVENTS == len(keys(fields))
    assert sum(fields[mailbox.STATUS + id]["dropped"] for id in ids) == 100


def test_a_refresh_does_not_extend_a_verification() -> None:
    """A receiver confirms every 24 hours, however often its subscription is refreshed."""
    fields, _ = subscribed({})
    until = NOW + mailbox.VERIFIED_SECONDS
    again = apply(
        fields,
        mailbox.subscribe(
            fields, "sub_1", read_subscribe(PARAMS, ReceiverPolicy(), False), ACCOUNT, until, [], NOW + 60
        ),
    )
    assert mailbox.is_verified(again, "https://a.example/h", until - 1)
    assert not mailbox.is_verified(again, "https://a.example/h", until)


def test_ids_are_stable_and_differ_by_customer() -> None:
    one, other = make_item(1), make_item(2)
    assert one.event_id("c") == make_item(1).event_id("c") != one.event_id("d") != other.event_id("d")
    _, first = subscribed({}, arguments={"minimumAmount": 50})
    _, second = subscribed({}, arguments={"minimumAmount": 50.0})
    _, third = subscribed({}, arguments={"minimumAmount": 51})
    assert first == second != third


@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=12))
def test_each_edge_is_news_once(polls: list[list[int]]) -> None:
    """Whatever the polls show: nothing of the first is news, and nothing is news twice."""
    seen: list[str] | None = None
    news: list[str] = []
    for number, poll in enumerate(polls):
        fresh, seen = find_new_items(seen, [make_item(item) for item in poll], NOW)
        news += [item.key for item in fresh]
        assert number or not fresh
    assert len(news) == len(set(news)) and not set(news) & {f"a{item}" for item in (polls[0] if polls else ())}


def test_deliveries_about_items_that_are_no_longer_listed_are_dropped() -> None:
    """A budget was deleted while its event waited. Reported events stay, and so do all if the list was not read whole."""
    fields, _ = subscribed({})
    found = [make_item(number) for number in (1, 2)]
    fields = apply(fields, recording.record_poll(fields, "anomalies", Reading(found), "c", NOW, NOW))
    fields = recorded(fields, make_item(3))
    left = Reading(found[1:], frozenset({"a2"}))
    for source, reading in (("budgets", left), ("anomalies", Reading(found[1:]))):
        assert not recording.record_poll(fields, source, reading, "c", NOW, NOW).dropped
    change = recording.record_poll(fields, "anomalies", left, "c", NOW, NOW)
    assert change.dropped == {"not_listed": 1}
    kept = [fields[mailbox.EVENT + key.partition(":")[2]]["event"]["data"]["id"] for key in keys(apply(fields, change))]
    assert kept == ["a2", "a3"]


def test_deliveries_are_in_order_after_a_resume() -> None:
    """All are due at once; the first to be recorded is the first to be sent, in whatever order Redis returns fields."""
    fields, id = subscribed({})
    for number in (2, 0, 1):
        fields = recorded(fields, make_item(number), now=NOW + number)
    fields[mailbox.STATUS + id] = {"suspended": True}
    fields, _ = subscribed(fields, now=NOW + 60)
    assert {fields[mailbox.DELIVERY + key]["next"] for key in keys(fields)} == {NOW + 60}
    in_order = sorted(keys(fields), key=lambda key: mailbox.sort_key(fields, key))
    assert [fields[mailbox.DELIVERY + key]["at"] for key in in_order] == [NOW, NOW + 1, NOW + 2]


def test_old_facts_cause_no_events_and_marks_are_bounded() -> None:
    old = NewItem("invoice.issued", "i1", NOW - 46 * 86_400, {"id": "i1"})
    assert find_new_items([], [old], NOW) == ([], [old.mark])
    _, marks = find_new_items(None, [make_item(number) for number in range(MAX_SEEN + 10)], NOW)
    assert len(marks) == MAX_SEEN
    stored = pack_marks(marks)
    assert unpack_marks(stored) == marks and sys.getsizeof(stored["marks"]) < 25_000


def test_periods() -> None:
    """The first day of each period that contains 2026-11-28, a Saturday."""
    days = {
        "day": "2026-11-28",
        "week": "2026-11-22",
        "month": "2026-11-01",
        "quarter": "2026-10-01",
        "year": "2026-01-01",
    }
    assert {interval: period_start(interval, 1_795_860_000) for interval in days} == days
    assert period_start("decade", NOW) == ""


def test_error_codes() -> None:
    """Both sets of codes, in one table."""
    codes = [ERROR_CODES[kind] for kind in ("not_found", "forbidden", "exhausted", "unsupported", "callback")]
    assert codes == [(-32023 - number, -32011 - number) for number in range(5)]


def test_a_subscription_made_again_survives_the_message_about_its_end() -> None:
    """The user signs in again before the receiver learned that the subscription had ended."""
    fields, id = subscribed({})
    fields = apply(fields, mailbox.terminate(fields, [id], EventError("forbidden", "no"), NOW))
    fields, again = subscribed(fields)
    assert again == id and keys(fields) == []
    # The attempt was in progress.
    fields = settled(fields, f"{id}:terminated", OK)
    assert id in mailbox.list_subscriptions(apply(fields, mailbox.remove_ended(fields, NOW + 1)))


def test_verified_receivers_are_bounded() -> None:
    """A client that subscribes and unsubscribes with ever new URLs leaves a bounded number of them."""
    fields: Fields = {}
    kept = {"url": "https://a.example/kept", "mode": "webhook", "secret": SECRET}
    fields, _ = subscribed(fields, delivery=kept)
    for number in range(mailbox.MAX_VERIFIED + 50):
        delivery = {"url": f"https://a.example/{number}", "mode": "webhook", "secret": SECRET}
        fields, id = subscribed(fields, delivery=delivery)
        fields = apply(fields, mailbox.unsubscribe(fields, id))
    assert len(list(mailbox.select_fields(fields, mailbox.VERIFIED))) <= mailbox.MAX_VERIFIED + 1
    assert mailbox.is_verified(fields, kept["url"], NOW)
    assert mailbox.is_verified(fields, f"https://a.example/{number}", NOW)


def test_a_clock_that_was_set_back_delays_no_delivery() -> None:
    fields, id = subscribed({})
    fields = recorded(fields, make_item(1), now=NOW + 800)
    fields = apply(fields, mailbox.remove_ended(fields, NOW))
    [key] = keys(fields)
    assert mailbox.due_time(fields, key, fields[mailbox.DELIVERY + key], 0) == NOW


def test_dropped_deliveries_are_counted_by_reason() -> None:
    fields, id = subscribed({})
    fields = recorded(fields, *(make_item(number) for number in range(4)))
    assert mailbox.record_attempt(fields, keys(fields)[0], REFUSED, NOW, 0.5).dropped == {"gone": 1}
    assert mailbox.record_attempt(fields, keys(fields)[0], Outcome(413, "http_4xx"), NOW, 0.5).dropped == {
        "too_large": 1
    }
    assert mailbox.record_attempt(fields, keys(fields)[0], OK, NOW, 0.5).dropped == {}
    assert mailbox.unsubscribe(fields, id).dropped == {"unsubscribed": 4}
    assert mailbox.remove_ended(fields, NOW + 10_000).dropped == {"expired": 4}
    assert mailbox.terminate(fields, [id], EventError("forbidden", "no"), NOW).dropped == {"revoked": 4}
    many = [make_item(number) for number in range(recording.MAX_PENDING + 7)]
    assert recording.record(fields, many, "c", NOW).dropped == {"limit": 7}
    key, failing = keys(fields)[0], fields
    for _ in mailbox.RETRY_SECONDS:
        failing = settled(failing, key, DOWN)
    change = mailbox.record_attempt(failing, key, DOWN, NOW, 0.5)
    assert change.dropped == {"failed": 1}
    assert recording.record(apply(failing, change), many, "c", NOW).dropped == {"suspended": 6}
    old = make_item(-50 * 86_400)
    assert recording.record_poll(fields, "anomalies", Reading([old]), "c", NOW, NOW).dropped == {"old": 1}
