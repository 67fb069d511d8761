"""Rows of a month of which a comparison has only some days are marked."""

from __future__ import annotations

from .world import World


async def test_months_that_the_period_cuts_are_marked(november: World) -> None:
    answer = await november.ask("compare_spend", period="this_month", groupBy="cloud")
    for name, month in (("period1", "2026-11"), ("period2", "2026-10")):
        (cut,) = answer[name]["partial"]
        # The last three days are not final.
        assert cut == {"period": month, "from": f"{month}-01", "to": f"{month}-25", "days": 25}
        costs = november.costs("cloud_provider", cut["from"], cut["to"])
        assert {(row[0], row[1]): row[2] for row in answer[name]["rows"]} == {
            (cloud, month): cost for cloud, cost in costs.items()
        }


async def test_only_months_at_the_ends_are_cut(november: World) -> None:
    answer = await november.ask("compare_spend", period="2026-08-15/2026-10-31", compareTo="2026-04", groupBy="cloud")
    assert [cut["period"] for cut in answer["period1"]["partial"]] == ["2026-08"]
    assert "partial" not in answer["period2"]


async def test_a_period_is_labeled_with_its_days(november: World) -> None:
    answer = await november.ask("compare_spend")
    assert answer["period1"]["label"] == "2026-09-01 to 2026-11-28"
