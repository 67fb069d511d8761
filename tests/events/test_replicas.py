"""Events with several replicas that share a Redis: nothing is lost or doubled, even if a replica is killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from doit_mcp.events.service import LEASE_TICKS, TICK_SECONDS
from doit_mcp.events.store import LEASE_SECONDS
from doit_mcp.sandbox.api import Api
from doit_mcp.transports.http.event_wiring import EventNetwork
from tests.events.conftest import network_of
from tests.events.receivers import HOST, OTHER_SECRET, SECRET, Arrival, Receiver, receiving
from tests.events.requests import report, subscription
from tests.redis_state.process import separate
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import replicas

SETTINGS = {"events_hold_s": 0, "events_ingest_secret": OTHER_SECRET, "events_poll_s": 3600}
TAKEOVER_SECONDS = 20


@pytest.mark.requirement("E7")
async def test_two_replicas_share_subscriptions(redis: Server, receiver: Receiver) -> None:
    """A subscription made at one replica is served, refreshed, read and ended at the other. Events arrive once."""
    network = network_of(receiver)
    async with replicas(redis.url, api=Api(), event_network=network, events_private_receivers=(HOST,), **SETTINGS) as (
        one,
        two,
    ):
        granted = (await one.send_stateless("events/subscribe", subscription(receiver))).result
        again = (await two.send_stateless("events/subscribe", subscription(receiver))).result
        assert again["id"] == granted["id"] and sum(item.is_verification for item in receiver.arrivals) == 1
        for number in range(20):
            site = (one, two)[number % 2]
            assert (await report(site, f"n{number}", {"id": f"a{number}"})).body == {"subscribers": 1}
            assert (await report(two, f"n{number}", {"id": f"a{number}"})).status == 200
        events = await receiver.wait_for_events(20)
        await asyncio.sleep(0.3)
        assert len({event.json["eventId"] for event in events}) == 20 == len(receiver.events)
        polled = {"name": "anomaly.detected", "arguments": {}, "cursor": "start"}
        assert len((await one.send_stateless("events/poll", polled)).result["events"]) == 20
        # Nothing readable is stored: no secret, token, URL or content.
        stored = hashes_in(redis)
        assert b"delivery:" not in stored and stored.count(b"event:") == 20
        for secret in (SECRET, SECRET[6:], receiver.url(), '"a19"', "hooks.example", one.token()[:20]):
            assert secret.encode() not in stored
        assert (await two.send_stateless("events/unsubscribe", subscription(receiver))).status == 200
        assert (await report(one, "late", {"id": "late"})).body == {"subscribers": 1}
        assert len(receiver.events) == 20


def hashes_in(redis: Server) -> bytes:
    """All hashes in Redis, as bytes."""
    with redis.client() as client:
        names = [name for name in client.keys() if client.type(name) == b"hash"]
        return b" ".join(part for name in names for pair in client.hgetall(name).items() for part in (name, *pair))


@pytest.mark.timeout(120)
@pytest.mark.requirement("E8")
async def test_replica_is_killed_between_accept_and_delivery(
    redis: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that a replica accepted and had not delivered when it was killed are delivered by the other, with the same
    ids."""
    # Whatever this machine has to do besides: a lease ends, and the next check for abandoned mailboxes finds it.
    assert LEASE_SECONDS + LEASE_TICKS * TICK_SECONDS < TAKEOVER_SECONDS
    async with receiving(tmp_path, "localhost") as receiver:
        monkeypatch.setenv("SSL_CERT_FILE", str(receiver.ca_file))
        settings = SETTINGS | {"events_private_receivers": ("localhost",)}
        network = EventNetwork(tls=receiver.tls)
        async with (
            replicas(redis.url, api=Api(), event_network=network, **settings) as (near, _),
            separate(near, redis.url, **settings) as other,
        ):
            delivered: list[Arrival] = []
            killed = asyncio.Event()

            async def answer_after_the_kill(arrival: Arrival) -> web.StreamResponse:
                if not killed.is_set():
                    await killed.wait()
                    return web.Response(status=503)
                async with receiver.changed:
                    delivered.append(arrival)
                    receiver.changed.notify_all()
                return web.Response(status=204)

            receiver.reply = answer_after_the_kill
            params = subscription(receiver)
            params["delivery"]["url"] = receiver.url(host="localhost")
            assert (await other.site.send_stateless("events/subscribe", params)).status == 200
            ids = [f"n{number}" for number in range(10)]
            for id in ids:
                assert (await report(other.site, id, {"id": id})).body == {"subscribers": 1}
            await receiver.wait_for(lambda: receiver.events)
            await other.kill()
            killed.set()
            await receiver.wait_for(lambda: {item.json["data"]["id"] for item in delivered} == set(ids))
            by_object = {item.json["data"]["id"]: item.json["eventId"] for item in receiver.events}
            assert all(by_object[item.json["data"]["id"]] == item.json["eventId"] for item in receiver.events)


HOLD_SECONDS = 0.4


async def test_events_wait_for_calls_at_the_other_replica(redis: Server, receiver: Receiver) -> None:
    """The call ends at one replica, and the event is sent by the other one, once the hold is over."""
    settings = SETTINGS | {"events_hold_s": HOLD_SECONDS, "events_private_receivers": (HOST,)}
    async with replicas(redis.url, api=Api(), event_network=network_of(receiver), **settings) as (one, two):
        assert (await one.send_stateless("events/subscribe", subscription(receiver))).status == 200
        for number in range(2):
            called = asyncio.get_running_loop().time()
            assert (await two.call("echo", {"text": "x"})).status == 200
            assert (await report(one, f"n{number}", {"id": f"a{number}"})).status == 200
            await receiver.wait_for_events(number + 1)
            assert asyncio.get_running_loop().time() - called >= HOLD_SECONDS
