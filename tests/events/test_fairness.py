"""What users and customers share: the call budget, verifications, the list of subscribers and the polls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from doit_mcp.events import subscriptions
from doit_mcp.events.call_turns import CallTurns
from doit_mcp.events.poll_pace import PollPace
from doit_mcp.events.store import Owner
from doit_mcp.resilience.limits import TieredLimiter
from doit_mcp.resilience.token_bucket import Rate, RateLimiter, TokenBuckets
from doit_mcp.sandbox.api import Api
from doit_mcp.transports.http import event_wiring
from tests.events.conftest import network_of
from tests.events.receivers import HOST, Receiver
from tests.events.requests import ACME, subscription
from tests.transports.http.serving import ADMIN, OTHER_USER, VIEWER, Json, Site, User, serving


class Turns:
    """The turns of a budget of 2 requests at once and one per second, and what was granted when, in virtual seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.granted: list[tuple[str, float]] = []
        budget = RateLimiter("too many", TokenBuckets(2, 1.0), clock=lambda: self.now)
        self._turns = CallTurns(TieredLimiter(budget), self._sleep)

    async def _sleep(self, seconds: float) -> None:
        # Others arrive in the meantime.
        for _ in range(10):
            await asyncio.sleep(0)
        self.now += seconds

    def mark_urgent(self, user: str) -> None:
        self._turns.mark_urgent(Owner(user, "t", 0))

    async def request(self, user: str, tenant: str = "t", count: int = 1, *, is_urgent: bool = False) -> bool:
        """Make requests of a user, one after the other. Return whether the last one waited."""
        waited = False
        for _ in range(count):
            waited = await self._turns.acquire(Owner(user, tenant, 0), is_urgent=is_urgent)
            self.granted.append((user, self.now))
        return waited


async def test_users_of_a_customer_take_turns_at_the_call_budget() -> None:
    """However many requests one user has, in order or at the same time, the next turn is that of a colleague."""
    turns = Turns()
    assert await turns.request("busy") is False, "within the budget"
    busy = [asyncio.create_task(turns.request("busy", count=3)) for _ in range(10)]
    await asyncio.sleep(0)
    assert await turns.request("colleague") is True
    assert len(turns.granted) == 4, "after the request in progress"
    # Another customer has a budget of its own.
    before = turns.now
    assert await turns.request("other", "another customer") is False and turns.now == before
    # All get their turns.
    await asyncio.gather(*busy, turns.request("colleague", count=4))
    names = [name for name, _ in turns.granted]
    assert names.count("busy") == 31 and names.count("colleague") == 5
    last = len(names) - 1 - names[::-1].index("colleague")
    assert last < 4 + 2 * 4 + 2, "one turn each, after that of the other customer"


async def test_urgent_requests_go_before_routine_ones() -> None:
    """Subscribes and polls for deliveries do not wait for routine polls, which are slower meanwhile but never stop."""
    turns = Turns()
    await turns.request("a", count=2)
    routine = [asyncio.create_task(turns.request(f"routine {number}")) for number in range(30)]
    await asyncio.sleep(0)
    urgent = asyncio.create_task(turns.request("urgent", is_urgent=True))
    await asyncio.sleep(0)
    turns.mark_urgent("routine 29")
    await urgent
    assert [name for name, _ in turns.granted[2:]] == ["urgent"], "the first one, though it came last"
    assert turns.granted[2][1] <= 2.0
    await asyncio.gather(*(turns.request("urgent", is_urgent=True) for _ in range(27)))
    names = [name for name, _ in turns.granted[2:]]
    assert names[1] == "routine 29", "a delivery waits for it now"
    assert 2 <= sum(name.startswith("routine") for name in names[2:]) <= 4, names
    await asyncio.gather(*routine)


def test_routine_polls_of_many_users_fit_into_half_of_the_budget() -> None:
    """The interval grows with the users of a customer, also with those that other replicas work for."""
    pace = PollPace(60, 60)
    owners = [Owner(f"user {number}", "t", 0) for number in range(90)]
    assert pace.interval_seconds("t") == 60.0 and pace.longest_seconds == 0.0
    for owner in owners[:15]:
        pace.set_round(owner, 2)
    assert pace.interval_seconds("t") == 60.0 and pace.interval_seconds("other") == 60.0
    pace.keep_owners(owners)
    assert pace.interval_seconds("t") == pace.longest_seconds == 90 * 2 / 30 * 60
    for owner in owners[:15]:
        pace.set_round(owner, 0)
    assert pace.longest_seconds == 0.0


async def test_requests_that_are_canceled_do_not_keep_the_turn() -> None:
    """Canceled while they wait, or when their turn has just come."""
    turns = Turns()
    await turns.request("a", count=2)
    tasks = [asyncio.create_task(turns.request(user)) for user in ("a", "b", "b", "c", "d")]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[3].cancel()
    await tasks[0]
    tasks[2].cancel()
    assert await tasks[4] is True
    assert [name for name, _ in turns.granted] == ["a", "a", "a", "d"]
    turns.now += 5
    assert await turns.request("e") is False, "the turn is free"


def events_site(receiver: Receiver, **settings: Any) -> Any:
    return serving(
        api=Api(),
        event_network=network_of(receiver),
        events_hold_s=0,
        events_private_receivers=(HOST,),
        **settings,
    )


async def subscribe(site: Site, receiver: Receiver, user: User, path: str) -> Json:
    """Subscribe a user, and return the error, {} without one."""
    answer = await site.send_stateless("events/subscribe", subscription(receiver, path=path), user=user)
    error: Json = answer.body.get("error", {})
    return error


async def test_subscribing_and_polling_count_in_the_call_budget(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """events/subscribe and events/poll make requests to the API, so they are refused if the budget stays used up."""
    monkeypatch.setattr(subscriptions, "MAX_TURN_SECONDS", 0.0)
    async with events_site(receiver, events_calls_per_minute=4, events_poll_s=3600) as site:
        errors = [await subscribe(site, receiver, ADMIN, f"/{number}") for number in range(5)]
        assert errors[0] == {} and errors[-1]["data"] == {"limit": "calls"} and errors[-1]["code"] == -32013
        assert "try again" in errors[-1]["message"]
        polled = {"name": "anomaly.detected", "arguments": {}, "cursor": None}
        assert (await site.send_stateless("events/poll", polled)).error["data"] == {"limit": "calls"}
        assert await subscribe(site, receiver, OTHER_USER, "/other") == {}, "another customer"


async def test_polls_of_a_user_at_the_same_time_are_limited(receiver: Receiver) -> None:
    """Beyond the limit they are refused, so that they take neither the time nor the budget of colleagues."""
    async with events_site(receiver, events_poll_s=3600) as site:
        assert await subscribe(site, receiver, ADMIN, "/one") == {}
        polled = {"name": "anomaly.detected", "arguments": {}, "cursor": None}
        answers = await asyncio.gather(*(site.send_stateless("events/poll", polled) for _ in range(10)))
        refused = [answer.body["error"] for answer in answers if "error" in answer.body]
        assert 0 < len(refused) <= 10 - subscriptions.MAX_RUNNING_POLLS
        assert {error["data"]["limit"] for error in refused} == {"polls"} and "in progress" in refused[0]["message"]
        assert (await site.send_stateless("events/poll", polled)).result["events"] == []


async def test_subscribers_of_a_customer_are_limited(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """One customer cannot use up the places of subscribers that all customers share."""
    monkeypatch.setattr(subscriptions, "MAX_OWNERS_PER_CUSTOMER", 1)
    assert ADMIN.customer == VIEWER.customer != OTHER_USER.customer
    async with events_site(receiver) as site:
        assert await subscribe(site, receiver, ADMIN, "/one") == {}
        assert (await subscribe(site, receiver, VIEWER, "/two"))["data"] == {"limit": "subscribers"}
        assert await subscribe(site, receiver, ADMIN, "/three") == {}, "a known subscriber"
        assert await subscribe(site, receiver, OTHER_USER, "/four") == {}


async def test_verifications_of_a_customer_are_limited(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """One customer cannot use up the verifications of a host that all customers have their receivers at."""
    monkeypatch.setattr(event_wiring, "CUSTOMER_VERIFICATION_RATE", Rate(2, 1e-6))
    async with events_site(receiver) as site:
        assert await subscribe(site, receiver, ADMIN, "/one") == await subscribe(site, receiver, VIEWER, "/two") == {}
        assert (await subscribe(site, receiver, VIEWER, "/three"))["data"] == {"limit": "verifications"}
        assert await subscribe(site, receiver, OTHER_USER, "/four") == {}
        assert await subscribe(site, receiver, ADMIN, "/one") == {}, "verified before"


async def test_a_poll_that_hangs_delays_no_other_user(receiver: Receiver) -> None:
    """While the API does not answer the poll of one user, colleagues and other customers get their events."""
    async with events_site(receiver, events_poll_s=0.2, events_calls_per_minute=10_000) as site:
        assert await subscribe(site, receiver, ADMIN, "/slow") == {}
        fault = {"kind": "hang", "path_prefix": "/anomalies/v1", "times": 1}
        faults = f"{site.world.url}/sandbox/faults"
        async with site.http.put(faults, json={"faults": [fault]}) as response:
            assert response.status == 200, await response.text()
        async with asyncio.timeout(30):
            while True:
                async with site.http.get(faults) as response:
                    if not (await response.json())["faults"]:
                        break
                await asyncio.sleep(0.02)
        # From here on, the worker of the first user waits.
        assert await subscribe(site, receiver, VIEWER, "/colleague") == {}
        assert await subscribe(site, receiver, OTHER_USER, "/other") == {}
        for customer in (ACME, OTHER_USER.customer):
            made = {"kind": "anomaly", "customer": customer}
            async with site.http.post(f"{site.world.url}/sandbox/events", json=made) as response:
                assert response.status == 201, await response.text()
        await receiver.wait_for_events(2)
        assert {event.path for event in receiver.events} == {"/colleague", "/other"}
