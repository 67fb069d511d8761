"""The pace of daily costs, learned from settled days."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.forecasts.run_rate import CloudCosts, project_cost
from doit_mcp.catalog.forecasts.weekday_pace import (
    MIN_HISTORY_DAYS,
    WeekdayPace,
    count_settled_days,
    estimate_margins,
    learn_pace,
)
from doit_mcp.catalog.periods.period import last_final_day, month_of

# A Saturday, so that the last two weekdays are unsettled.
TODAY = date(2026, 11, 28)


def costs_of(days: int, *, workday: float = 100.0, weekend: float = 100.0, today: date = TODAY) -> dict[date, float]:
    """Return the same cost for each of the last *days* days, today included."""
    dates = [today - timedelta(days=back) for back in range(days)]
    return {day: workday if day.weekday() < 5 else weekend for day in dates}


def pace_of(costs: dict[date, float], today: date = TODAY) -> WeekdayPace:
    pace = learn_pace(costs, today)
    assert pace is not None
    return pace


def test_weekdays_have_their_own_cost() -> None:
    assert pace_of(costs_of(60, workday=100.0, weekend=30.0)).by_weekday == (100.0,) * 5 + (30.0,) * 2


def test_the_last_three_days_teach_nothing() -> None:
    costs = costs_of(60)
    changed = costs | {TODAY - timedelta(days=back): 10_000.0 * (back + 1) for back in range(3)}
    assert learn_pace(changed, TODAY) == learn_pace(costs, TODAY)
    settled = costs | {last_final_day(TODAY): -1.0}
    assert last_final_day(TODAY) == date(2026, 11, 25) and learn_pace(settled, TODAY) != learn_pace(costs, TODAY)


@pytest.mark.parametrize("days", range(12))
def test_fewer_than_seven_settled_days_give_no_pace(days: int) -> None:
    costs = costs_of(days)
    assert count_settled_days(costs, TODAY) == max(0, days - 3)
    assert (learn_pace(costs, TODAY) is None) == (days - 3 < MIN_HISTORY_DAYS)


def test_leading_days_without_cost_are_not_history() -> None:
    zeros = {TODAY - timedelta(days=back): 0.0 for back in range(9, 60)}
    assert learn_pace(zeros | costs_of(9), TODAY) is None and learn_pace(zeros, TODAY) is None


def test_the_level_follows_a_launch_and_a_shutdown_after_a_week() -> None:
    launched = costs_of(60) | costs_of(12, workday=250.0, weekend=250.0)
    assert pace_of(launched).by_weekday == (250.0,) * 7
    ended = costs_of(60, weekend=40.0) | costs_of(12, workday=0.0, weekend=0.0)
    assert pace_of(ended).by_weekday == (0.0,) * 7


def test_a_single_charge_does_not_repeat() -> None:
    assert pace_of(costs_of(60) | {date(2026, 11, 17): 9_000.0}) == pace_of(costs_of(60))


def test_a_charge_on_the_first_of_two_months_repeats_on_the_next() -> None:
    costs = costs_of(60) | {date(2026, 10, 1): 5_100.0, date(2026, 11, 1): 4_100.0}
    pace = pace_of(costs)
    assert pace.monthly_charge == 4_000.0 and pace.cost_of(date(2026, 12, 1)) == 4_100.0
    assert pace.cost_of(date(2026, 12, 2)) == 100.0
    assert pace_of(costs_of(60) | {date(2026, 11, 1): 4_100.0}).monthly_charge == 0.0


def test_costs_that_are_too_rare_for_a_median_have_their_mean() -> None:
    rare = {TODAY - timedelta(days=back): 70.0 if back % 10 == 5 else 0.0 for back in range(60)}
    settled = [rare[last_final_day(TODAY) - timedelta(days=back)] for back in range(28)]
    assert pace_of(rare).by_weekday == (pytest.approx(fmean(settled)),) * 7


@pytest.mark.parametrize(
    ("day", "cost", "missing"),
    [
        (TODAY, 40.0, 60.0),
        (TODAY, 120.0, 0.0),
        (TODAY - timedelta(days=1), 81.0, 0.0),
        (TODAY - timedelta(days=1), 79.0, 21.0),
        (TODAY - timedelta(days=2), 0.0, 100.0),
        (TODAY - timedelta(days=2), 500.0, 0.0),
    ],
)
def test_days_far_below_the_pace_are_unfinished(day: date, cost: float, missing: float) -> None:
    pace = WeekdayPace((100.0,) * 7, below=10.0, above=10.0)
    assert pace.missing_cost(day, cost, TODAY) == missing


def test_margins_grow_with_the_days() -> None:
    pace = WeekdayPace((100.0,) * 7, below=10.0, above=20.0)
    assert estimate_margins([pace], []) == (0.0, 0.0)
    assert estimate_margins([pace], [1.0] * 9) == (pytest.approx(10 * 18**0.5), pytest.approx(20 * 18**0.5))


def test_paces_that_stray_in_opposite_directions_have_no_spread_together() -> None:
    noise = random.Random(3)
    up = {day: 100.0 + noise.uniform(-20, 20) for day in costs_of(60)}
    down = {day: 200.0 - cost for day, cost in up.items()}
    paces = [pace_of(up), pace_of(down)]
    apart = [estimate_margins([pace], [1.0] * 5) for pace in paces]
    together = estimate_margins(paces, [1.0] * 5)
    assert min(min(pair) for pair in apart) > 10 and max(together) < 0.5 * min(min(pair) for pair in apart)
    assert estimate_margins([paces[0]] * 2, [1.0] * 5) == (
        pytest.approx(2 * apart[0][0]),
        pytest.approx(2 * apart[0][1]),
    )


@pytest.mark.parametrize("history", [24, 60, 92])
def test_low_and_high_hold_in_about_eight_of_ten_months(history: int) -> None:
    noise = random.Random(7)
    hits = 0
    for _ in range(300):
        today = date(2026, 10, 5) + timedelta(days=noise.randrange(80))
        month = month_of(today)
        first = today - timedelta(days=history)
        days = [first + timedelta(days=count) for count in range((month.last - first).days + 1)]
        truth = {day: (100 if day.weekday() < 5 else 60) * noise.gauss(1, 0.12) for day in days}
        known = {day: cost for day, cost in truth.items() if day <= today}
        exact = {day: Decimal(repr(cost)) for day, cost in known.items()}
        found = project_cost(month, [CloudCosts(exact, {}, learn_pace(known, today))], today)
        assert found.ahead is not None
        total = sum(cost for day, cost in truth.items() if month.first <= day)
        expected = float(found.spent) + found.ahead
        hits += expected - found.below <= total <= expected + found.above
    assert 0.7 < hits / 300 < 0.95


@given(
    costs=st.dictionaries(st.dates(date(2026, 8, 1), date(2026, 11, 28)), st.floats(-1e6, 1e6), max_size=80),
    day=st.dates(date(2026, 11, 26), date(2026, 12, 31)),
)
def test_distances_are_never_negative(costs: dict[date, float], day: date) -> None:
    pace = learn_pace(costs, TODAY)
    if pace is not None:
        assert pace.below >= 0 and pace.above >= 0 and pace.monthly_charge >= 0
        assert pace.missing_cost(day, costs.get(day, 0.0), TODAY) >= 0
