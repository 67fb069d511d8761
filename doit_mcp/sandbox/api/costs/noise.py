"""Deterministic noise: numbers from 0 to 1 that depend only on a key and a day."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from hashlib import blake2b

BLOCK_DAYS = 32  # how many days share one hash
STEPS = 65_535


def noise_key(*names: object) -> bytes:
    """The key of a series of numbers."""
    return blake2b("/".join(map(str, names)).encode(), digest_size=16).digest()


def day_noise(key: bytes, day: int) -> float:
    """The number of a day."""
    return _make_block(key, day // BLOCK_DAYS)[day % BLOCK_DAYS] / STEPS


def daily_noise(key: bytes, first: int, last: int) -> list[float]:
    """The numbers of the days from *first* to *last*."""
    numbers = array("H")
    for block in range(first // BLOCK_DAYS, last // BLOCK_DAYS + 1):
        numbers.extend(_make_block(key, block))
    start = first % BLOCK_DAYS
    return [number / STEPS for number in numbers[start : start + last - first + 1]]


def drifting_noise(key: bytes, first: int, last: int, days: int) -> Iterator[float]:
    """Numbers that drift from one to the next within *days* days, for the days from *first* to *last*."""
    start = first // days
    anchors = daily_noise(key, start, last // days + 1)
    for day in range(first, last + 1):
        step, rest = divmod(day, days)
        before = anchors[step - start]
        yield before + (anchors[step - start + 1] - before) * rest / days


def _make_block(key: bytes, block: int) -> array[int]:
    return array("H", blake2b(block.to_bytes(8, "little", signed=True), key=key, digest_size=2 * BLOCK_DAYS).digest())
