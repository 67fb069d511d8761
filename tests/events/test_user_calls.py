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
    assert calls.last_call_time("a") == 0
    calls.add_subscriber("a")
    assert calls.last_call_time("a") == 1000, "a user subscribes during a turn"
    calls.begin("a")
    calls.begin("a")
    clock.now = 1500.0
    calls.end("a")
    clock.now = 1600.0
    assert calls.last_call_time("a") == 1600 and calls.last_call_time("b") == 0
    calls.end("a")
    clock.now = 1650.0
    assert calls.last_call_time("a") == 1600
    calls.begin("stranger")
    calls.end("stranger")
    assert calls.last_call_time("stranger") == 0, "users without subscriptions are not remembered"
    calls.keep_subscribers([])
    calls.share_changes()
    assert calls.last_call_time("a") == 0


def test_other_replicas_learn_of_calls_in_time() -> None:
    """At once of the first call, of a call in progress again before the hold is over, and of its end."""
    clock, sent = Clock(), list[dict[str, float]]()
    calls, other = UserCalls(clock, HOLD_SECONDS), UserCalls(clock, HOLD_SECONDS)
    calls.forward = lambda times: (sent.append(times), other.receive(times))
    calls.begin("a")
    assert sent == [], "only calls of subscribers matter"
    calls.add_subscriber("a")
    assert sent.pop() == {"a": 1000.0} and other.last_call_time("a") == 1000
    clock.now += 44
    calls.share_changes()
    calls.begin("a")
    assert sent == []
    clock.now += 1
    calls.share_changes()
    assert sent.pop() == {"a": 1045.0}
    clock.now += 10
    calls.end("a")
    calls.end("a")
    calls.share_changes()
    calls.share_changes()
    assert sent == [{"a": 1055.0}] and other.last_call_time("a") == 1055
    clock.now += HOLD_SECONDS + 1
    for replica in (calls, other):
        replica.share_changes()
        assert replica.last_call_time("a") == 0
    calls.begin("a")
    assert sent[1:] == [{"a": clock.now}]


def test_clocks_of_replicas_can_differ() -> None:
    """A time in the future counts as now, so that events do not wait longer."""
    calls = UserCalls(Clock(), HOLD_SECONDS)
    calls.receive({"a": 5000.0})
    calls.receive({"a": 900.0})
    assert calls.last_call_time("a") == 1000
