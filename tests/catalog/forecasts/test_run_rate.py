"""Projections to the end of a period, computed from daily costs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.forecasts.run_rate import CloudCosts, Projection, list_days, period_cost, project_cost
from doit_mcp.catalog.forecasts.weekday_pace import WeekdayPace, learn_pace
from doit_mcp.catalog.periods.period import Period, month_of, quarter_of

TODAY = date(2026, 9, 21)
MONTH = month_of(TODAY)
PACE = WeekdayPace((10.0,) * 7, below=2.0, above=3.0)


def days(first: date, last: date, amount: float) -> dict[date, Decimal]:
    return {first + timedelta(days=n): Decimal(repr(amount)) for n in range((last - first).days + 1)}


def pace_of(actual: dict[date, Decimal], today: date = TODAY) -> WeekdayPace | None:
    return learn_pace({day: float(cost) for day, cost in actual.items()}, today)


def project(
    period: Period,
    actual: Mapping[date, Decimal],
    forecast: Mapping[date, Decimal],
    pace: WeekdayPace | None,
    today: date,
) -> Projection:
    """Project the costs of one cloud."""
    return project_cost(period, [CloudCosts(actual, forecast, pace)], today)


def test_clouds_are_projected_on_their_own_and_added_up() -> None:
    steady = days(date(2026, 8, 1), TODAY, 100.0)
    late = days(date(2026, 8, 1), TODAY, 10.0) | {date(2026, 9, 20): Decimal(1)}
    clouds = [CloudCosts(actual, {}, pace_of(actual)) for actual in (steady, late)]
    parts = [project_cost(MONTH, [cloud], TODAY) for cloud in clouds]
    total = project_cost(MONTH, clouds, TODAY)
    # 9 of 110 are too few to be noticed in the sum.
    assert total.unfinished == parts[1].unfinished == (date(2026, 9, 20),) and parts[0].unfinished == ()
    assert total.spent == parts[0].spent + parts[1].spent
    assert total.ahead == (parts[0].ahead or 0) + (parts[1].ahead or 0) == 900.0 + 90.0 + 9.0


def test_what_unsettled_days_may_still_gain_is_in_the_high_estimate() -> None:
    actual = days(date(2026, 8, 1), TODAY, 10.0) | {date(2026, 9, 20): Decimal(7)}
    found = project(MONTH, actual, {}, PACE, TODAY)
    # Within twice the usual distance, so it is not raised; two unsettled days besides it and nine days to come.
    assert found.unfinished == () and found.ahead == 90.0
    assert found.above == 3.0 + 3 * (12 + 144 / 9) ** 0.5


def test_a_spike_may_go_on_but_a_single_charge_does_not() -> None:
    usual = days(date(2026, 8, 1), TODAY, 10.0)
    margin = 3 * (12 + 144 / 9) ** 0.5
    charge = project(MONTH, usual | {date(2026, 9, 19): Decimal(90)}, {}, PACE, TODAY)
    assert charge.above == pytest.approx(margin)
    spike = days(date(2026, 9, 18), date(2026, 9, 20), 90.0) | {TODAY: Decimal(50)}
    # Today may double, and have 90 at least.
    assert project(MONTH, usual | spike, {}, PACE, TODAY).above == pytest.approx(margin + 50)


def test_without_a_forecast_the_pace_goes_on() -> None:
    actual = days(date(2026, 8, 1), date(2026, 9, 20), 10.0)
    found = project(MONTH, actual, {}, pace_of(actual), TODAY)
    assert found.spent == 200 and found.ahead == 100.0 and found.below == found.above == 0.0
    shown = found.as_json("USD", MONTH.previous_period(), Decimal(310))
    assert shown["expected"] == shown["low"] == shown["high"] == 300.0
    # 310 in 31 days are as much per day as 300 in 30.
    assert shown["changePercent"] == -3.2 and shown["perDayChangePercent"] == 0.0


def test_periods_of_equal_length_need_no_change_per_day() -> None:
    august = month_of(date(2026, 8, 31))
    found = project(august, {}, {}, PACE, date(2026, 8, 31)).as_json("USD", august.previous_period(), Decimal(10))
    assert "perDayChangePercent" not in found and found["expected"] == 30.0 and found["changePercent"] == 200.0


def test_the_forecast_goes_before_the_pace_and_the_rest_of_today_counts() -> None:
    actual = days(date(2026, 9, 1), TODAY, 10.0) | {TODAY: Decimal(4)}
    found = project(MONTH, actual, days(TODAY, MONTH.last, 7.0), PACE, TODAY)
    assert found.spent == 204 and found.ahead == 6.0 + 9 * 7.0 and found.unfinished == ()


def test_unsettled_days_far_below_the_pace_are_raised_to_it() -> None:
    actual = days(date(2026, 8, 1), date(2026, 9, 18), 10.0) | {
        date(2026, 9, 19): Decimal("5.9"),
        date(2026, 9, 20): Decimal("6.1"),
    }
    found = project(MONTH, actual, {}, PACE, TODAY)
    # 19 September and today are raised; 20 September is within twice the usual distance.
    assert found.spent == 192 and found.ahead == 4.1 + 10.0 + 90.0 and found.unfinished == (date(2026, 9, 19),)
    shown = found.as_json("USD", MONTH.previous_period(), None)
    assert shown["unfinishedDays"] == ["2026-09-19"] and shown["before"] is None and shown["changePercent"] is None
    # 20 September may gain 3.9 up to its pace.
    below, above = Decimal(11 + 121 / 9).sqrt(), Decimal(12 + 144 / 9).sqrt()
    assert shown["low"] == float(round(Decimal("296.1") - 2 * below, 2))
    assert shown["high"] == float(round(Decimal("300.0") + 3 * above, 2))


def test_a_settled_day_far_below_the_pace_stays() -> None:
    actual = days(date(2026, 8, 1), TODAY, 10.0) | {date(2026, 9, 18): Decimal(0)}
    found = project(MONTH, actual, {}, PACE, TODAY)
    assert found.spent == 200 and found.ahead == 90.0


def test_only_unsettled_days_of_the_period_count() -> None:
    first = date(2026, 10, 1)
    found = project(month_of(first), {}, {}, PACE, first)
    assert found.ahead == 310.0 and found.unfinished == ()


def test_what_is_spent_is_the_least() -> None:
    last = date(2026, 9, 29)
    shown = project(MONTH, {last: Decimal(100)}, {}, WeekdayPace((10.0,) * 7, 90.0, 90.0), last).as_json(
        "USD", MONTH, None
    )
    assert shown["spent"] == shown["low"] == 100.0 and shown["expected"] == 110.0
    credits = WeekdayPace((10.0,) * 7, 90.0, 90.0, is_never_negative=False)
    assert project(MONTH, {last: Decimal(100)}, {}, credits, last).as_json("USD", MONTH, None)["low"] < 100


def test_without_a_pace_nothing_is_expected() -> None:
    found = project(MONTH, {TODAY: Decimal(5)}, days(TODAY, MONTH.last, 7.0), None, TODAY).as_json(
        "USD", MONTH.previous_period(), Decimal(9)
    )
    assert found["spent"] == 5.0 and [found[name] for name in ("ahead", "expected", "low", "high")] == [None] * 4
    assert found["before"] == 9.0 and found["changePercent"] is None
    assert period_cost(MONTH, {}) is None and period_cost(MONTH, {TODAY: Decimal(0)}) == 0


AMOUNTS = st.dictionaries(
    st.dates(date(2026, 4, 1), date(2026, 10, 31)), st.decimals(-1_000_000, 1_000_000, places=4), max_size=90
)


@given(actual=AMOUNTS, forecast=AMOUNTS, today=st.dates(date(2026, 7, 1), date(2026, 9, 30)), whole=st.booleans())
def test_low_expected_and_high_are_in_order(
    actual: dict[date, Decimal], forecast: dict[date, Decimal], today: date, whole: bool
) -> None:
    period: Period = quarter_of(today) if whole else month_of(today)
    found = project(period, actual, forecast, pace_of(actual, today), today).as_json(
        "USD", period.previous_period(), None
    )
    if found["expected"] is None:
        return
    assert abs(found["spent"] + found["ahead"] - found["expected"]) < 0.005
    assert found["low"] <= found["expected"] <= found["high"]
    known = sum(cost for day, cost in actual.items() if period.first <= day <= today)
    assert abs(Decimal(found["spent"]) - known) < Decimal("0.01")


def test_days_between_includes_both() -> None:
    assert list_days(TODAY, TODAY) == [TODAY] and list_days(TODAY, TODAY - timedelta(days=1)) == []
