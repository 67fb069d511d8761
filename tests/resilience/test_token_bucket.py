"""Token buckets: a burst at once, then as many as the rate refills."""

from __future__ import annotations

from doit_mcp.resilience.token_bucket import TokenBucket, TokenBuckets


def test_tokens_run_out_and_refill() -> None:
    bucket = TokenBucket(3, 0.5, 100.0)
    for _ in range(3):
        assert bucket.wait_seconds(100.0) == 0
        bucket.take()
    assert bucket.wait_seconds(100.0) == 2 and bucket.wait_seconds(101.0) == 1
    assert bucket.wait_seconds(50.0) == 1, "a clock that was set back refills nothing"
    bucket.give_back()
    assert bucket.wait_seconds(50.0) == 0


def test_multiple_tokens_and_more_than_the_capacity() -> None:
    bucket = TokenBucket(4, 1, 0.0)
    assert bucket.wait_seconds(0.0, 3) == 0
    bucket.take(3)
    assert bucket.wait_seconds(0.0, 3) == 2
    # A full bucket admits them all at once, and takes longer to refill.
    assert bucket.wait_seconds(0.0, 10) == 3 and bucket.wait_seconds(3.0, 10) == 0
    bucket.take(10)
    assert bucket.wait_seconds(3.0) == 7


def test_idle_names_are_forgotten() -> None:
    buckets = TokenBuckets(1, 1, max_buckets=2)
    for name in "ab":
        buckets.bucket_for(name, 0.0).take()
    assert buckets.bucket_for("a", 0.0).wait_seconds(0.0) == 1
    buckets.bucket_for("c", 0.0)
    assert buckets.bucket_for("a", 0.0).wait_seconds(0.0) == 1 and buckets.bucket_for("b", 0.0).wait_seconds(0.0) == 0
