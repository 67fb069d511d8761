"""Buckets: so many goes at once, then as time gives them."""

from __future__ import annotations

from doit_mcp.resilience.token_bucket import Bucket, Buckets


def test_goes_run_out_and_come_back() -> None:
    bucket = Bucket(3, 0.5, 100.0)
    for _ in range(3):
        assert bucket.wait(100.0) == 0
        bucket.take()
    assert bucket.wait(100.0) == 2 and bucket.wait(101.0) == 1
    assert bucket.wait(50.0) == 1, "a clock that was set back fills nothing"
    bucket.give_back()
    assert bucket.wait(50.0) == 0


def test_several_at_once_and_more_than_there_can_be() -> None:
    bucket = Bucket(4, 1, 0.0)
    assert bucket.wait(0.0, 3) == 0
    bucket.take(3)
    assert bucket.wait(0.0, 3) == 2
    # A full bucket lets them all go, and is empty for the longer.
    assert bucket.wait(0.0, 10) == 3 and bucket.wait(3.0, 10) == 0
    bucket.take(10)
    assert bucket.wait(3.0) == 7


def test_names_are_forgotten_not_collected() -> None:
    buckets = Buckets(1, 1, most=2)
    for name in "ab":
        buckets.of(name, 0.0).take()
    assert buckets.of("a", 0.0).wait(0.0) == 1
    buckets.of("c", 0.0)
    assert buckets.of("a", 0.0).wait(0.0) == 1 and buckets.of("b", 0.0).wait(0.0) == 0
