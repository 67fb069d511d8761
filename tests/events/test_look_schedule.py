"""When a mailbox looks again."""

from __future__ import annotations

from doit_mcp.events.look_schedule import CONFIRMED_SECONDS, LookSchedule


def test_a_waiting_delivery_requests_a_look_but_not_before_the_pause_after_a_failure() -> None:
    looks = LookSchedule()
    looks.keep({"invoices", "budgets"}, 5.0)
    looks.request(["invoices"], 1.0)
    assert looks.due(1.0) == ["invoices"] and not looks.is_confirmed("invoices", 1.0)
    assert [looks.fail("invoices"), looks.fail("invoices")] == [1, 2]
    looks.plan("invoices", 1.0, 100.0)
    looks.request(["invoices"], 2.0)
    assert looks.due(2.0) == [] and looks.due(101.0) == ["budgets", "invoices"]
    looks.succeed("invoices", 101.0)
    looks.plan("invoices", 101.0, 100.0)
    assert looks.is_confirmed("invoices", 101.0 + CONFIRMED_SECONDS)
    assert not looks.is_confirmed("invoices", 102.0 + CONFIRMED_SECONDS)
    looks.request(["invoices"], 112.0)
    assert "invoices" in looks.due(112.0)
    looks.keep({"budgets"}, 0.0)
    assert looks.times() == [5.0]


def test_a_clock_that_was_set_back_confirms_no_permission() -> None:
    """A look in what is now the future must not confirm the permission of the user until the clock is there again."""
    looks = LookSchedule()
    looks.succeed("invoices", 10_000.0)
    assert looks.is_confirmed("invoices", 10_000.0 + CONFIRMED_SECONDS)
    assert not looks.is_confirmed("invoices", 10_000.0 - 3600)
