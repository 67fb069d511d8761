"""Billing lines: deterministic by seed, thirteen months and the current one, growing with the clock."""

from __future__ import annotations

from datetime import date
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.sandbox.api.costs.calendar_days import UNITS, add_months, add_periods, day_row, periods_between, start_of
from doit_mcp.sandbox.api.costs.estate_types import Estate
from doit_mcp.sandbox.api.costs.estates import ACME_ESTATE, ESTATES
from doit_mcp.sandbox.api.costs.ledger import DAY_COLUMNS, MAX_CACHED_SELECTIONS, MEASURES, Ledger, Selection
from tests.ledger_templates import CopiedLedger

TODAY = date(2026, 11, 24).toordinal()
days = st.dates(date(2020, 1, 1), date(2035, 12, 31)).map(date.toordinal)


@pytest.fixture(scope="module", params=list(ESTATES.values()), ids=list(ESTATES))
def estate(request: pytest.FixtureRequest) -> Estate:
    """Each customer's estate."""
    estate: Estate = request.param
    return estate


def test_covers_thirteen_months_and_the_current_one(estate: Estate) -> None:
    ledger = Ledger(estate, seed=7, today=TODAY)
    assert (ledger.first, ledger.last) == (date(2025, 10, 1).toordinal(), TODAY)
    assert sorted(ledger.daily()) == list(range(ledger.first, TODAY + 1))


def test_line_costs_are_in_cents_and_credits_are_separate(estate: Estate) -> None:
    ledger = Ledger(estate, seed=7, today=TODAY)
    for row in ledger.sums(("sku_id", "cost_type", "day_start"), ledger.first, TODAY, Selection(credits=True)):
        cost, usage, savings, amortized = (int(value or 0) for value in row[3:])
        assert cost % 10_000 == savings % 10_000 == amortized % 10_000 == 0
        if row[1] in ("credit", "Refund", "SavingsPlanNegation"):
            assert cost <= 0 and usage == savings == 0
        else:
            assert cost >= 0 and usage >= 0 and 0 <= savings <= cost // 4 + 10_000
    assert ledger.cost(ledger.first, TODAY, Selection(credits=True)) < ledger.cost(ledger.first, TODAY)


def test_seed_and_date_determine_the_data(estate: Estate) -> None:
    first, again, other = (Ledger(estate, seed=seed, today=TODAY).daily() for seed in (7, 7, 8))
    assert first == again != other


def test_days_are_added_as_the_clock_advances() -> None:
    ledger = Ledger(ACME_ESTATE, seed=7, today=TODAY)
    before = ledger.daily()
    ledger.extend(TODAY + 3)
    ledger.extend(TODAY + 1)
    after = ledger.daily()
    assert ledger.last == TODAY + 3
    # The latest days settle; the others do not change.
    assert [day for day in before if after[day] != before[day]] == [TODAY - 2, TODAY - 1, TODAY]
    assert sorted(set(after) - set(before)) == [TODAY + 1, TODAY + 2, TODAY + 3]


def test_days_added_one_by_one_give_the_same_lines() -> None:
    at_once, step_by_step = (Ledger(ACME_ESTATE, seed=7, today=TODAY) for _ in range(2))
    at_once.extend(TODAY + 40)
    for day in range(TODAY + 1, TODAY + 41):
        step_by_step.extend(day)
    columns = ("sku_id", "cost_type", "day_start")
    first, last = at_once.first, at_once.last
    assert at_once.sums(columns, first, last) == step_by_step.sums(columns, first, last)
    assert at_once.sums(("month", "year"), first, last) == step_by_step.sums(("month", "year"), first, last)


def test_a_copied_ledger_has_the_same_lines_and_grows_the_same_way() -> None:
    built = Ledger(ACME_ESTATE, seed=7, today=TODAY)
    first, copied = (CopiedLedger(ACME_ESTATE, seed=7, today=TODAY) for _ in range(2))
    for today in (TODAY, TODAY + 3):
        for ledger in (built, first, copied):
            ledger.extend(today)
            assert ledger.last == today
        lines = [ledger.sums(("sku_id", "day_start"), built.first, today) for ledger in (built, first, copied)]
        assert lines[0] == lines[1] == lines[2]


@given(st.integers(0, 500), st.integers(0, 500), st.booleans())
def test_sums_of_months_are_sums_of_days(first: int, length: int, with_credits: bool) -> None:
    ledger = shared_ledger()
    start = ledger.first - 20 + first
    selection = Selection(credits=with_credits)
    by_month = ledger.sums(("year", "month", "cost_type"), start, start + length, selection)
    by_day = ledger.sums(("year", "month", "cost_type", "day_start"), start, start + length, selection)
    sums: dict[object, list[int]] = {}
    for row in by_day:
        values = sums.setdefault(row[:3], [0] * len(MEASURES))
        for at, value in enumerate(row[4:]):
            values[at] += int(value or 0)
    assert {row[:3]: list(row[3:]) for row in by_month} == sums


def test_weekends_are_quieter_and_spend_grows() -> None:
    daily = Ledger(ACME_ESTATE, seed=7, today=TODAY).daily()
    by_weekday = [sum(cost for day, cost in daily.items() if (day - 1) % 7 == weekday) for weekday in range(7)]
    assert max(by_weekday[5:]) < min(by_weekday[:5])
    # Without the fees of first days.
    months = [
        sum(daily[day] for day in range(start + 1, start + 28))
        for start in (daily_start(2025, 10), daily_start(2026, 10))
    ]
    assert months[0] * 1.05 < months[1] < months[0] * 1.5


@cache
def shared_ledger() -> Ledger:
    """A ledger that tests only read."""
    return Ledger(ACME_ESTATE, seed=7, today=TODAY)


def daily_start(year: int, month: int) -> int:
    """The first day of a month."""
    return date(year, month, 1).toordinal()


def test_daily_cost_cache_is_bounded() -> None:
    ledger = Ledger(ACME_ESTATE, seed=7, today=TODAY)
    costs = ledger.daily()
    parts = [ledger.daily(Selection(days=frozenset({day}))) for day in sorted(costs)[: MAX_CACHED_SELECTIONS + 2]]
    assert parts == [{day: costs[day]} for day in sorted(costs)[: MAX_CACHED_SELECTIONS + 2]]
    assert len(ledger._daily) <= MAX_CACHED_SELECTIONS


def test_columns_come_only_from_the_list() -> None:
    with pytest.raises(ValueError, match="1; DROP"):
        Ledger(ACME_ESTATE, seed=7, today=TODAY).sums(("1; DROP TABLE lines",), TODAY, TODAY)


@given(days, st.sampled_from([*UNITS, "isoweek"]), st.integers(-40, 40))
def test_periods_tile_the_calendar(day: int, unit: str, count: int) -> None:
    start = start_of(unit, day)
    assert start <= day < add_periods(unit, start, 1)
    assert start_of(unit, start) == start and add_periods(unit, add_periods(unit, start, count), -count) == start
    assert periods_between(unit, start, add_periods(unit, start, count)) == count


@given(days, st.integers(-30, 30))
def test_monthly_days_are_clamped_to_the_month(day: int, months: int) -> None:
    before, after = date.fromordinal(day), date.fromordinal(add_months(day, months))
    assert (after.year * 12 + after.month) - (before.year * 12 + before.month) == months
    assert after.day == before.day or (after.day < before.day and date.fromordinal(after.toordinal() + 1).day == 1)


@given(days)
def test_calendar_columns_of_a_day(day: int) -> None:
    row = dict(zip(DAY_COLUMNS, day_row(day), strict=True))
    day_date = date.fromordinal(day)
    assert (row["year"], row["month"], row["day_of_month"]) == tuple(day_date.strftime("%Y-%m-%d").split("-"))
    assert (row["iso_year"], row["isoweek"]) == tuple(day_date.strftime("%G-%V").split("-"))
    week = date.fromordinal(int(row["week_start"]))
    assert week.strftime("%A") == "Sunday" and (row["week_year"], row["week"]) == (
        f"{week.year:04}",
        week.strftime("%U").zfill(2) if date(week.year, 1, 1).weekday() != 6 else week.strftime("%U"),
    )
