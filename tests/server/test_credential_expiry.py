"""Leases: what ends a stream, and what keeps it."""

from __future__ import annotations

import asyncio
import time

from doit_mcp.server.credential_expiry import MAX_RELAYED, NEVER, Leases


async def test_n19_a_lease_ends_with_its_credential_and_only_then() -> None:
    leases, ended = Leases(), []
    with leases.lease(b"a", NEVER) as first, leases.lease(b"a", NEVER) as second, leases.lease(b"b", NEVER) as other:
        for lease, name in ((first, "first"), (second, "second"), (other, "other")):
            lease.on_end(lambda name=name: ended.append(name))  # type: ignore[misc]  # binds the loop's name
        leases.end(b"unknown")
        leases.end(b"a")
        assert sorted(ended) == ["first", "second"] and not other.over
    assert not leases.held
    leases.end(b"b")
    assert "other" not in ended


async def test_n19_a_lease_that_is_over_before_it_is_used_says_so() -> None:
    leases, over = Leases(), asyncio.Event()
    with leases.lease(b"a", time.time() - 1) as lease:
        lease.on_end(over.set)
        await asyncio.wait_for(over.wait(), 20)
        lease.renew(b"b", NEVER)
        again = asyncio.Event()
        lease.on_end(again.set)
        assert lease.over and again.is_set()
    assert not leases.held


async def test_n19_a_renewed_lease_follows_the_new_credential() -> None:
    leases, over = Leases(), asyncio.Event()
    with leases.lease(b"old", time.time() + 0.05) as lease:
        lease.on_end(over.set)
        leases.sessions["s"] = lease
        leases.renew("s", b"new", NEVER)
        leases.end(b"old")
        await asyncio.sleep(0.1)
        assert not lease.over and list(leases.held) == [b"new"]
        leases.end(b"new")
        assert over.is_set()


async def test_n19_other_replicas_hear_of_a_renewal_once() -> None:
    leases, told = Leases(), []
    leases.relay = lambda *renewal: told.append(renewal)
    for _ in range(3):
        leases.renew("elsewhere", b"new", NEVER)
    assert told == [("elsewhere", b"new", NEVER)]
    for number in range(MAX_RELAYED + 10):
        leases.renew(str(number), b"new", NEVER)
    assert len(leases._relayed) == MAX_RELAYED
    leases.heard("unknown", b"new", NEVER)
