"""Stream leases: what ends a stream, and what renews it."""

from __future__ import annotations

import asyncio
import time

import pytest

from doit_mcp.server.credential_expiry import MAX_FORWARDED_RENEWALS, NEVER_EXPIRES, StreamLeases


@pytest.mark.requirement("N19")
async def test_n19_lease_ends_exactly_with_its_credential() -> None:
    leases, ended = StreamLeases(), []
    with (
        leases.start_lease(b"a", NEVER_EXPIRES) as first,
        leases.start_lease(b"a", NEVER_EXPIRES) as second,
        leases.start_lease(b"b", NEVER_EXPIRES) as other,
    ):
        for lease, name in ((first, "first"), (second, "second"), (other, "other")):
            lease.on_end(lambda name=name: ended.append(name))  # type: ignore[misc]  # binds the loop's name
        leases.end_streams(b"unknown")
        leases.end_streams(b"a")
        assert sorted(ended) == ["first", "second"] and not other.has_ended
    assert not leases.by_credential
    leases.end_streams(b"b")
    assert "other" not in ended


@pytest.mark.requirement("N19")
async def test_n19_lease_expired_before_use_says_so() -> None:
    leases, over = StreamLeases(), asyncio.Event()
    with leases.start_lease(b"a", time.time() - 1) as lease:
        lease.on_end(over.set)
        await asyncio.wait_for(over.wait(), 20)
        lease.renew(b"b", NEVER_EXPIRES)
        again = asyncio.Event()
        lease.on_end(again.set)
        assert lease.has_ended and again.is_set()
    assert not leases.by_credential


@pytest.mark.requirement("N19")
async def test_n19_renewed_lease_follows_the_new_credential() -> None:
    leases, over = StreamLeases(), asyncio.Event()
    with leases.start_lease(b"old", time.time() + 0.05) as lease:
        lease.on_end(over.set)
        leases.by_session["s"] = lease
        leases.renew("s", b"new", NEVER_EXPIRES)
        leases.end_streams(b"old")
        await asyncio.sleep(0.1)
        assert not lease.has_ended and list(leases.by_credential) == [b"new"]
        leases.end_streams(b"new")
        assert over.is_set()


@pytest.mark.requirement("N19")
async def test_n19_other_replicas_are_notified_of_a_renewal_once() -> None:
    leases, notified = StreamLeases(), []
    leases.forward_renewal = lambda *renewal: notified.append(renewal)
    for _ in range(3):
        leases.renew("elsewhere", b"new", NEVER_EXPIRES)
    assert notified == [("elsewhere", b"new", NEVER_EXPIRES)]
    for number in range(MAX_FORWARDED_RENEWALS + 10):
        leases.renew(str(number), b"new", NEVER_EXPIRES)
    assert len(leases._forwarded) == MAX_FORWARDED_RENEWALS
    leases.receive_renewal("unknown", b"new", NEVER_EXPIRES)
