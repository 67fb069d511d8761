"""When a mailbox polls again."""

from __future__ import annotations

from doit_mcp.events.poll_schedule import CONFIRMED_SECONDS, PollSchedule


def test_a_waiting_delivery_requests_a_poll_but_not_before_the_pause_after_a_failure() -> None:
    polls = PollSchedule()
    polls.set_sources({"invoices", "budgets"}, 5.0)
    polls.poll_now(["invoices"], 1.0)
    assert polls.list_due(1.0) == ["invoices"] and not polls.is_confirmed("invoices", 1.0)
    assert [polls.record_failure("invoices"), polls.record_failure("invoices")] == [1, 2]
    polls.poll_after("invoices", 1.0, 100.0)
    polls.poll_now(["invoices"], 2.0)
    assert polls.list_due(2.0) == [] and polls.list_due(101.0) == ["budgets", "invoices"]
    polls.record_success("invoices", 101.0)
    polls.poll_after("invoices", 101.0, 100.0)
    assert polls.is_confirmed("invoices", 101.0 + CONFIRMED_SECONDS)
    assert not polls.is_confirmed("invoices", 102.0 + CONFIRMED_SECONDS)
    polls.poll_now(["invoices"], 112.0)
    assert "invoices" in polls.list_due(112.0)
    polls.set_sources({"budgets"}, 0.0)
    assert polls.times() == [5.0]


def test_a_clock_that_was_set_back_confirms_no_permission() -> None:
    """A poll in what is now the future must not confirm the permission of the user until the clock is there again."""
    polls = PollSchedule()
    polls.record_success("invoices", 10_000.0)
    assert polls.is_confirmed("invoices", 10_000.0 + CONFIRMED_SECONDS)
    assert not polls.is_confirmed("invoices", 10_000.0 - 3600)
