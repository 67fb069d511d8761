"""Monthly charges, which are billed on the first of a month: periods that have them equally often, or say so."""

from __future__ import annotations

from typing import Any

import pytest

from .world import World, open_world

MONTHLY = "(cost_type IN ('Fee', 'Tax', 'tax', 'RIFee', 'Refund'))"


def span(days: dict[str, Any]) -> tuple[str, str]:
    """Return the first and last day of a period in a result."""
    return days["from"], days["to"]


@pytest.mark.parametrize(
    ("today", "period", "before", "after"),
    [
        ("2028-02-29", "ytd", ("2027-01-01", "2027-02-28"), ("2028-01-01", "2028-02-29")),
        ("2026-12-01", "this_quarter", ("2026-07-01", "2026-09-01"), ("2026-10-01", "2026-12-01")),
        ("2026-11-28", "this_quarter", ("2026-07-01", "2026-08-28"), ("2026-10-01", "2026-11-28")),
    ],
)
async def test_periods_to_date_end_on_the_same_day_of_the_month(
    today: str, period: str, before: tuple[str, str], after: tuple[str, str]
) -> None:
    async with open_world(today) as world:
        for tool, sides in (("compare_spend", ("period2", "period1")), ("explain_cost_change", ("before", "after"))):
            answer = await world.ask(tool, period=period)
            assert (span(answer[sides[0]]), span(answer[sides[1]])) == (before, after)
            old, new = world.cost(*before), world.cost(*after)
            days = [answer[side]["days"] for side in sides]
            if days[0] != days[1]:
                per_day = old / days[0], new / days[1]
                expected = round(100 * (per_day[1] - per_day[0]) / per_day[0], 1)
                assert answer["total"]["perDayChangePercent"] == expected
            assert "First days of months" not in answer.get("note", "")


async def test_a_leap_year_to_date_names_the_last_year_as_well() -> None:
    async with open_world("2028-02-29") as world:
        answer = await world.ask("compare_spend", period="ytd", compareTo="2027")
        assert span(answer["period2"]) == ("2027-01-01", "2027-02-28")
        total, old, new = (
            answer["total"],
            world.cost("2027-01-01", "2027-02-28"),
            world.cost("2028-01-01", "2028-02-29"),
        )
        assert total["period2"] == old
        assert total["changePercent"] == round(100 * (new - old) / old, 1)
        assert total["perDayChangePercent"] == round(100 * (new / 60 - old / 59) / (old / 59), 1)


@pytest.mark.parametrize("period", ["2026-11-01", "2026-11-01/2026-11-07", "2026-11-02/2026-11-08"])
async def test_a_monthly_charge_in_one_of_the_periods_is_neither_new_nor_gone(november: World, period: str) -> None:
    answer = await november.ask("explain_cost_change", after=period, top=25)
    old, new = (november.cost(*span(answer["compared"][side]), MONTHLY) for side in ("before", "after"))
    assert old != new
    assert answer["causes"]["fees"] == pytest.approx(new - old, abs=0.011)
    # The monthly fee of the reservations alone is more than 1,000.
    assert abs(answer["causes"].get("commitments", 0.0)) < 200
    for dimension in answer["by"]:
        for driver in dimension["drivers"]:
            name = str(driver["name"])
            assert "status" not in driver or not any(word in name for word in ("Support", "Tax", "Invoice")), driver
    before, after = (1, 0) if period == "2026-11-02/2026-11-08" else (0, 1)
    starts = f"First days of months in the earlier period: {before}, in the later one: {after}."
    assert starts in answer["note"] and "They are in causes.fees." in answer["note"]
    compared = await november.ask("compare_spend", period=period)
    assert starts in compared["note"]


async def test_what_is_new_besides_monthly_charges_is_new(november: World) -> None:
    """The launch of a project, in a period with a first of a month that is compared with one without."""
    answer = await november.ask(
        "explain_cost_change", after="2026-09-20/2026-10-03", before="2026-08-20/2026-08-31", by=["project"], top=25
    )
    status = {driver["name"]: driver.get("status") for driver in answer["by"][0]["drivers"]}
    assert status["acme-mobile"] == "new"
    assert status["acme-production"] is None


async def test_monthly_fees_of_reservations_are_commitments_where_both_periods_have_them(november: World) -> None:
    answer = await november.ask("explain_cost_change", after="2026-10")
    assert "First days of months" not in answer.get("note", "")
    fees = "cost_type IN ('Fee', 'Tax', 'tax', 'Refund')"
    old, new = november.cost("2026-09-01", "2026-09-30", fees), november.cost("2026-10-01", "2026-10-31", fees)
    assert answer["causes"]["fees"] == pytest.approx(new - old - old / 30, abs=0.011)
