"""Receipts: who runs a write, who waits for its result, and what expires."""

from __future__ import annotations

import asyncio

import pytest

from doit_mcp.catalog.stores.write_receipts import MemoryReceiptStore, Receipt


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def complete(receipts: MemoryReceiptStore, key: str, owner: str = "o", answer: bytes = b"a") -> None:
    assert await receipts.claim(owner, key) is None
    await receipts.settle(owner, key, answer)


async def test_repeated_write_is_reported_until_expiry() -> None:
    clock = Clock()
    receipts = MemoryReceiptStore(clock)
    await complete(receipts, "k")
    clock.now += 30
    assert await receipts.claim("o", "k") == Receipt(b"a", True, 30.0)
    clock.now += 90
    assert await receipts.claim("o", "k") is None


async def test_different_owner_or_key_is_a_different_write() -> None:
    receipts = MemoryReceiptStore(Clock())
    await complete(receipts, "k")
    assert await receipts.claim("p", "k") is None and await receipts.claim("o", "l") is None


async def test_write_that_was_not_applied_may_be_repeated() -> None:
    receipts = MemoryReceiptStore(Clock())
    assert await receipts.claim("o", "k") is None
    await receipts.settle("o", "k", None)
    assert await receipts.claim("o", "k") is None


async def test_unknown_outcome_is_reported() -> None:
    receipts = MemoryReceiptStore(Clock())
    await receipts.claim("o", "k")
    await receipts.settle("o", "k", b"", known=False)
    assert await receipts.claim("o", "k") == Receipt(b"", False, 0.0)


async def test_large_result_is_recorded_only_as_done() -> None:
    receipts = MemoryReceiptStore(Clock(), max_answer_bytes=3)
    await complete(receipts, "k", answer=b"four")
    assert await receipts.claim("o", "k") == Receipt(b"", True, 0.0)


@pytest.mark.parametrize("answer", [b"a", None])
async def test_concurrent_duplicate_waits(answer: bytes | None) -> None:
    """Duplicates wait for the result; if the write was not applied, exactly one of them runs it."""
    receipts = MemoryReceiptStore(Clock())
    assert await receipts.claim("o", "k") is None
    waiting = [asyncio.ensure_future(receipts.claim("o", "k")) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(claim.done() for claim in waiting)
    await receipts.settle("o", "k", answer)
    if answer is None:
        finished, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in finished] == [None] and len(rest) == 2
        await receipts.settle("o", "k", b"b")
        assert [await claim for claim in rest] == [Receipt(b"b", True, 0.0)] * 2
    else:
        assert await asyncio.gather(*waiting) == [Receipt(b"a", True, 0.0)] * 3


async def test_write_in_progress_outlives_the_window() -> None:
    clock = Clock()
    receipts = MemoryReceiptStore(clock)
    await receipts.claim("o", "slow")
    clock.now += 500
    waiting = asyncio.ensure_future(receipts.claim("o", "slow"))
    await asyncio.sleep(0)
    assert not waiting.done()
    await receipts.settle("o", "slow", b"a")
    assert await waiting == Receipt(b"a", True, 0.0)


async def test_oldest_completed_receipt_is_evicted() -> None:
    receipts = MemoryReceiptStore(Clock(), per_owner=3, total=5)
    assert await receipts.claim("o", "running") is None
    for key in ("1", "2", "3"):
        await complete(receipts, key)
    assert len(receipts) == 3
    assert await receipts.claim("o", "2") is not None and await receipts.claim("o", "3") is not None
    for owner in ("p", "q", "r"):
        await complete(receipts, "k", owner)
    assert len(receipts) == 5


async def test_excess_writes_in_progress_are_no_longer_awaited() -> None:
    receipts = MemoryReceiptStore(Clock(), per_owner=1)
    assert await receipts.claim("o", "1") is None
    waiting = asyncio.ensure_future(receipts.claim("o", "1"))
    await asyncio.sleep(0)
    assert await receipts.claim("o", "2") is None
    assert await waiting is None, "it looked again and must run the write itself"
    await receipts.settle("o", "2", b"late")
    assert len(receipts) == 1


async def test_group_entries_are_cleaned_up() -> None:
    receipts = MemoryReceiptStore(Clock())
    for key in ("1", "2", "3"):
        assert await receipts.claim("o", key) is None
        await receipts.settle("o", key, b"a", groups=["g", key])
    await receipts.forget_groups(["1"])
    await receipts.forget("o", "2")
    assert receipts._groups == {"g": {("o", "3")}, "3": {("o", "3")}}
    await receipts.forget_groups(["g"])
    assert not receipts._groups and not len(receipts)


async def test_write_claimed_by_another_process_starts_again() -> None:
    receipts = MemoryReceiptStore(Clock())
    await complete(receipts, "k")
    receipts.force_claim("o", "k")
    waiting = asyncio.ensure_future(receipts.claim("o", "k"))
    await asyncio.sleep(0)
    assert not waiting.done()
    await receipts.settle("o", "k", b"b")
    assert await waiting == Receipt(b"b", True, 0.0)


@pytest.mark.requirement("N4")
async def test_n4_total_result_size_is_bounded() -> None:
    """The oldest results are dropped; the fact that their writes were done is still known."""
    receipts = MemoryReceiptStore(Clock(), total_bytes=100)
    for number in range(5):
        await complete(receipts, f"{number}", owner=f"owner {number}", answer=b"x" * 40)
    claims = [await receipts.claim(f"owner {number}", f"{number}") for number in range(5)]
    assert [claim.answer for claim in claims if claim is not None and claim.done] == [
        b"",
        b"",
        b"",
        b"x" * 40,
        b"x" * 40,
    ]


@pytest.mark.requirement("N5")
async def test_n5_owner_with_the_most_receipts_is_evicted_first() -> None:
    """Many writes of one owner do not make the server forget a single write of another."""
    receipts = MemoryReceiptStore(Clock(), total=10)
    await complete(receipts, "only", owner="quiet")
    for number in range(50):
        await complete(receipts, f"{number}", owner="greedy")
    assert len(receipts) == 10 and await receipts.claim("quiet", "only") is not None
