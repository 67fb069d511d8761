"""The sender against receivers and resolvers that misbehave. It never reaches an address that it may not reach."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from doit_mcp.events import sender as sender_module
from doit_mcp.events.fair_slots import FairSlots
from doit_mcp.events.name_resolution import LOOKUP_OWNER, MAX_LOOKUPS, ReceiverResolver
from doit_mcp.events.receiver_urls import ReceiverPolicy
from doit_mcp.events.sender import MAX_ANSWER_BYTES, MAX_CONNECTIONS_PER_HOST, Message, Outcome, WebhookSender
from doit_mcp.events.store import Owner
from tests.events.receivers import HOST, SECRET, Arrival, Receiver, answer_with, receiving

OWNER = Owner("a", "acme", 0)
POLICY = ReceiverPolicy(private_hosts=(HOST,))


def message(url: str) -> Message:
    return Message(OWNER, url, "sub_1", "evt_1", b'{"eventId": "evt_1"}', (SECRET,))


def sender_for(receiver: Receiver, policy: ReceiverPolicy = POLICY, timeout: float = 5.0) -> WebhookSender:
    return WebhookSender(policy, time.time, make_resolver=receiver.names, tls=receiver.tls, timeout_seconds=timeout)


@pytest.fixture
async def sender(receiver: Receiver) -> AsyncIterator[WebhookSender]:
    async with sender_for(receiver) as running:
        yield running


async def test_the_url_is_used_verbatim(sender: WebhookSender, receiver: Receiver) -> None:
    """The path and the query arrive as the client spelled them."""
    path = "/a%2Fb/../c?q=%7E&x=a+b&mcp=%20"
    assert await sender.send(message(receiver.url(path))) == Outcome(204, None)
    assert receiver.arrivals[0].path == path
    headers = receiver.arrivals[0].headers
    assert headers["host"] == f"{HOST}:{receiver.port}" and headers["user-agent"].startswith("doit-mcp/")
    assert "cookie" not in headers and "authorization" not in headers


@pytest.mark.requirement("E3")
@pytest.mark.parametrize(
    ("status", "failure"),
    [(200, None), (299, None), (301, "http_4xx"), (410, "http_4xx"), (413, "http_4xx"), (503, "http_5xx")],
)
async def test_outcomes(sender: WebhookSender, receiver: Receiver, status: int, failure: str | None) -> None:
    receiver.reply = answer_with(status, headers={"Location": "http://169.254.169.254/", "Set-Cookie": "a=b"})
    assert await sender.send(message(receiver.url())) == Outcome(status, failure)
    assert len(receiver.arrivals) == 1 and receiver.names.asked == [HOST]


@pytest.mark.requirement("E2")
async def test_each_connection_resolves_again(sender: WebhookSender, receiver: Receiver) -> None:
    """DNS rebinding: the name leads to a private address after it was verified; nothing is sent there."""
    receiver.names.answers[HOST] = [["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "10.0.0.1", "fe80::1"]]
    assert (await sender.send(message(receiver.url()))).failure is None
    assert await sender.send(message(receiver.url())) == Outcome(0, "connection_refused")
    assert await sender.send(message(receiver.url())) == Outcome(0, "connection_refused")
    assert receiver.names.asked == [HOST] * 3 and len(receiver.arrivals) == 1


async def test_host_names_are_equal_in_any_case(sender: WebhookSender, receiver: Receiver) -> None:
    """A host that may have private addresses may have them however the client spells it."""
    receiver.names.answers[HOST.upper()] = receiver.names.answers[HOST]
    assert await sender.send(message(receiver.url(host=HOST.upper()))) == Outcome(204, None)


@pytest.mark.requirement("E2")
async def test_addresses_are_refused_without_permission(receiver: Receiver) -> None:
    """Without permission, neither names with loopback addresses nor literal addresses are connected to."""
    async with sender_for(receiver, ReceiverPolicy()) as sender:
        for url in (receiver.url(), receiver.url(host="127.0.0.1"), receiver.url(host="[::1]")):
            assert await sender.send(message(url)) == Outcome(0, "connection_refused")
    async with sender_for(receiver, ReceiverPolicy(hosts=("other.example",))) as sender:
        assert await sender.send(message(receiver.url())) == Outcome(0, "connection_refused")
    assert not receiver.arrivals


async def test_certificates_are_checked_for_the_name(receiver: Receiver, tmp_path: Path) -> None:
    """The original name counts for TLS, although the connection is made to a checked address."""
    receiver.names.answers["other.example"] = [["127.0.0.1"]]
    async with sender_for(receiver, ReceiverPolicy(private_hosts=(HOST, "other.example"))) as sender:
        assert await sender.send(message(receiver.url(host="other.example"))) == Outcome(0, "tls_error")
    folder = tmp_path / "other"
    folder.mkdir()
    async with receiving(folder) as unknown, sender_for(receiver) as sender:
        assert await sender.send(message(unknown.url())) == Outcome(0, "tls_error")


@pytest.mark.requirement("E3")
async def test_slow_and_endless_answers(receiver: Receiver) -> None:
    """An answer that does not come in time is a failure. The body of an answer is not read, and never held in memory."""
    hang = asyncio.Event()

    async def never(arrival: Arrival) -> web.StreamResponse:
        await hang.wait()
        return web.Response()

    async with sender_for(receiver, timeout=0.2) as sender:
        receiver.reply = receiver.verify = never
        assert await sender.send(message(receiver.url())) == Outcome(0, "timeout")
        assert await sender.verify(OWNER, receiver.url(), "sub_1", SECRET) == "timeout"
        hang.set()
    async with sender_for(receiver) as sender:
        receiver.reply = receiver.verify = answer_with(200, body=b" " * 50 * MAX_ANSWER_BYTES)
        assert (await sender.send(message(receiver.url()))).failure is None
        assert await sender.verify(OWNER, receiver.url(), "sub_1", SECRET) == "challenge_failed"


async def test_the_time_of_an_attempt_begins_with_its_slot(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver on a host with slow ones gets its whole time. Messages to other hosts do not wait for that host."""
    monkeypatch.setattr(sender_module, "MAX_CONNECTIONS_PER_HOST", 1)
    receiver.names.answers["other.example"] = [["127.0.0.1"]]

    release = asyncio.Event()

    async def hang(arrival: Arrival) -> web.StreamResponse:
        if arrival.path == "/slow":
            await release.wait()
        return web.Response(status=204)

    receiver.reply = hang
    policy = ReceiverPolicy(private_hosts=(HOST, "other.example"))
    async with sender_for(receiver, policy, timeout=1.0) as sender:
        slow = asyncio.create_task(sender.send(message(receiver.url("/slow"))))
        await receiver.wait_for(lambda: receiver.arrivals)
        waiting = [asyncio.create_task(sender.send(message(receiver.url("/good")))) for _ in range(3)]
        assert (await sender.send(message(receiver.url("/good", "other.example")))).failure == "tls_error"
        assert not slow.done() and len(receiver.arrivals) == 1
        assert await slow == Outcome(0, "timeout")
        assert await asyncio.gather(*waiting) == [Outcome(204, None)] * 3
    release.set()


@pytest.mark.requirement("E1")
async def test_a_challenge_counts_once(sender: WebhookSender, receiver: Receiver) -> None:
    """Each verification has its own challenge; the echo of an earlier one does not count."""
    assert await sender.verify(OWNER, receiver.url(), "sub_1", SECRET) is None
    first = receiver.arrivals[0].json["challenge"]

    async def repeat(arrival: Arrival) -> web.StreamResponse:
        return web.json_response({"challenge": first})

    receiver.verify = repeat
    assert await sender.verify(OWNER, receiver.url(), "sub_1", SECRET) == "challenge_failed"
    assert len({arrival.json["challenge"] for arrival in receiver.arrivals}) == 2


async def test_a_slow_name_server_delays_only_its_own_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookups of a customer use a part of the threads, also after their callers gave up. Others get an answer at once."""
    release, running = threading.Event(), threading.Semaphore(0)

    def look_up(host: str, *query: object, **options: object) -> list[object]:
        if host == "slow.example":
            running.release()
            release.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = ReceiverResolver()

    async def resolve(owner: Owner, host: str) -> str:
        LOOKUP_OWNER.set(owner)
        return (await resolver.resolve(host, 443))[0]["host"]

    slow = [
        asyncio.create_task(resolve(Owner(f"user {number}", "slow", 0), "slow.example"))
        for number in range(2 * MAX_LOOKUPS)
    ]
    for _ in range(MAX_LOOKUPS // 2):
        await asyncio.to_thread(running.acquire)
    for task in slow[:10]:
        task.cancel()
    assert await resolve(Owner("user", "other", 0), "good.example") == "8.8.8.8"
    assert not running.acquire(blocking=False), "half of the threads are for others"
    release.set()
    found = await asyncio.gather(*slow, return_exceptions=True)
    assert found.count("8.8.8.8") == 2 * MAX_LOOKUPS - 10


@pytest.mark.requirement("E3")
async def test_slow_receivers_of_a_customer_delay_no_other_customer(receiver: Receiver) -> None:
    """However many messages a customer sends to receivers that hang, others can send to the same host at once."""
    release = asyncio.Event()

    async def hang(arrival: Arrival) -> web.StreamResponse:
        if arrival.path == "/slow":
            await release.wait()
        return web.Response(status=204)

    receiver.reply = hang

    def message_of(user: str, tenant: str, path: str) -> Message:
        return Message(Owner(user, tenant, 0), receiver.url(path), "sub_1", "evt_1", b"{}", (SECRET,))

    async with sender_for(receiver, timeout=30.0) as sender:
        slow = [
            asyncio.create_task(sender.send(message_of(f"user {number % 50}", "slow", "/slow")))
            for number in range(300)
        ]
        await receiver.wait_for(lambda: len(receiver.arrivals) == MAX_CONNECTIONS_PER_HOST // 2)
        others = await asyncio.gather(*(sender.send(message_of("user", f"c{n}", "/good")) for n in range(30)))
        assert others == [Outcome(204, None)] * 30
        assert sum(arrival.path == "/slow" for arrival in receiver.arrivals) == MAX_CONNECTIONS_PER_HOST // 2
        for task in slow[:150]:
            task.cancel()
        release.set()
        assert await asyncio.gather(*slow[150:]) == [Outcome(204, None)] * 150


async def test_users_take_turns() -> None:
    """A user with one message does not wait for all messages of a colleague, and slots that are given up are used again."""
    slots, order = FairSlots(2, 2), list[str]()

    async def work(user: str, tenant: str) -> None:
        async with slots.use(Owner(user, tenant, 0), "host"):
            order.append(user)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(work("many", "acme")) for _ in range(20)]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(work(user, tenant)) for user, tenant in (("one", "acme"), ("two", "globex"))]
    tasks[5].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(order) == 21 and order.index("one") <= 4 and order.index("two") <= 4
    async with asyncio.timeout(10), slots.use(Owner("many", "acme", 0), "host"):
        pass


async def test_unknown_names_are_errors() -> None:
    with pytest.raises(OSError):
        await ReceiverResolver().resolve("unknown.invalid", 443)
    assert (await ReceiverResolver().resolve("127.0.0.1", 443))[0]["host"] == "127.0.0.1"
