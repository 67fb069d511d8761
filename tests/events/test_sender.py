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
from doit_mcp.events.name_resolution import MAX_LOOKUPS, ReceiverResolver
from doit_mcp.events.receiver_urls import ReceiverPolicy
from doit_mcp.events.sender import MAX_ANSWER_BYTES, Message, Outcome, WebhookSender
from tests.events.receivers import HOST, SECRET, Arrival, Receiver, answer_with, receiving

POLICY = ReceiverPolicy(private_hosts=(HOST,))


def message(url: str) -> Message:
    return Message(url, "sub_1", "evt_1", b'{"eventId": "evt_1"}', (SECRET,))


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
        assert await sender.verify(receiver.url(), "sub_1", SECRET) == "timeout"
        hang.set()
    async with sender_for(receiver) as sender:
        receiver.reply = receiver.verify = answer_with(200, body=b" " * 50 * MAX_ANSWER_BYTES)
        assert (await sender.send(message(receiver.url()))).failure is None
        assert await sender.verify(receiver.url(), "sub_1", SECRET) == "challenge_failed"


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
    assert await sender.verify(receiver.url(), "sub_1", SECRET) is None
    first = receiver.arrivals[0].json["challenge"]

    async def repeat(arrival: Arrival) -> web.StreamResponse:
        return web.json_response({"challenge": first})

    receiver.verify = repeat
    assert await sender.verify(receiver.url(), "sub_1", SECRET) == "challenge_failed"
    assert len({arrival.json["challenge"] for arrival in receiver.arrivals}) == 2


async def test_names_are_resolved_in_threads_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow name server occupies a bounded number of threads, also after their callers gave up."""
    release, running = threading.Event(), threading.Semaphore(0)

    def slow(*query: object, **options: object) -> list[object]:
        running.release()
        release.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    resolver = ReceiverResolver()
    lookups = [asyncio.create_task(resolver.resolve("slow.example", 443)) for _ in range(MAX_LOOKUPS + 4)]
    for _ in range(MAX_LOOKUPS):
        await asyncio.to_thread(running.acquire)
    lookups[0].cancel()
    await asyncio.sleep(0)
    assert not running.acquire(blocking=False), "no more than MAX_LOOKUPS"
    release.set()
    found = await asyncio.gather(*lookups[1:])
    assert len(found) == MAX_LOOKUPS + 3 and found[0][0]["host"] == "8.8.8.8"


async def test_unknown_names_are_errors() -> None:
    with pytest.raises(OSError):
        await ReceiverResolver().resolve("unknown.invalid", 443)
    assert (await ReceiverResolver().resolve("127.0.0.1", 443))[0]["host"] == "127.0.0.1"
