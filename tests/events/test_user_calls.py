"""The tool calls of users, which events wait for, with an invented clock."""

from __future__ import annotations

from doit_mcp.events.user_calls import UserCalls

HOLD_SECONDS = 90.0


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_calls_in_progress_count_until_they_end() -> None:
    """A call counts as one of this moment while it, or another one of the same user, is in progress."""
    calls = UserCalls(clock := Clock(), HOLD_SECONDS)
    assert calls.last_at("a") == 0
    calls.begin("a")
    calls.begin("a")
    clock.now = 1500.0
    calls.end("a", is_remembered=True)
    clock.now = 1600.0
    assert calls.last_at("a") == 1600 and calls.last_at("b") == 0
    calls.end("a", is_remembered=True)
    clock.now = 1650.0
    assert calls.last_at("a") == 1600
    calls.begin("stranger")
    calls.end("stranger", is_remembered=False)
    assert calls.last_at("stranger") == 0, "users without subscriptions are not remembered"


def test_other_replicas_learn_of_calls_in_time() -> None:
    """A call in progress is news again before the hold of its last news is over, and once more when it ends."""
    calls = UserCalls(clock := Clock(), HOLD_SECONDS)
    calls.begin("a")
    assert calls.take_news({"b"}) == {} and calls.take_news({"a", "b"}) == {"a": 1000.0}
    clock.now += 44
    assert calls.take_news({"a"}) == {}
    clock.now += 1
    assert calls.take_news({"a"}) == {"a": 1045.0}
    clock.now += 10
    calls.end("a", is_remembered=True)
    assert calls.take_news({"a"}) == {"a": 1055.0}
    assert calls.take_news({"a"}) == {}
    clock.now += HOLD_SECONDS + 1
    assert calls.take_news({"a"}) == {} and calls.last_at("a") == 0
