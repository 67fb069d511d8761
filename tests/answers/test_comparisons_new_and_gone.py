"""Values of a dimension that are new or gone are distinguished from SKUs that are, which the causes are about."""

from __future__ import annotations

from typing import Any

import pytest

from .world import World

NOTE = "in causes they are SKUs"


def span(days: dict[str, Any]) -> tuple[str, str]:
    """Return the first and last day of a period in a result."""
    return days["from"], days["to"]


@pytest.mark.parametrize("after", ["this_quarter", "this_month", "2026-Q3", "2026-10"])
async def test_new_and_gone_of_a_dimension_are_what_its_values_cost(november: World, after: str) -> None:
    answer = await november.ask("explain_cost_change", after=after, by=["project", "region"], top=25)
    old_days, new_days = (span(answer["compared"][side]) for side in ("before", "after"))
    dimensions = {dimension["dimension"]: dimension for dimension in answer["by"]}
    for name, column in (("project", "project_id"), ("region", "region")):
        old, new = november.costs(column, *old_days), november.costs(column, *new_days)
        appeared = sum(cost for value, cost in new.items() if value not in old)
        vanished = sum(cost for value, cost in old.items() if value not in new)
        assert dimensions[name].get("new", 0.0) == pytest.approx(appeared, abs=0.01)
        assert dimensions[name].get("gone", 0.0) == pytest.approx(-vanished, abs=0.01)
    causes = answer["causes"]
    named = [
        name
        for name, dimension in dimensions.items()
        if dimension.get("new", 0.0) > causes["new"] or dimension.get("gone", 0.0) < causes["gone"]
    ]
    note = answer.get("note", "")
    assert (f"new and gone by {', '.join(named)} are values; {NOTE}" in note) == bool(named)


async def test_a_launch_is_new_by_project_and_usage_by_sku(november: World) -> None:
    answer = await november.ask("explain_cost_change", after="this_quarter", by=["project", "sku"], top=25)
    project, sku = answer["by"]
    launched = next(driver for driver in project["drivers"] if driver["name"] == "acme-mobile")
    assert launched["status"] == "new" and project["new"] == launched["change"]
    assert 0 < answer["causes"]["new"] < project["new"]
    # The causes are those of SKUs, and their dimension does not repeat them.
    assert not {"new", "gone"} & sku.keys()


async def test_causes_of_skus_alone_need_no_explanation(november: World) -> None:
    answer = await november.ask("explain_cost_change", after="this_quarter", by=["sku"])
    assert answer["causes"]["new"] > 0 and NOTE not in answer.get("note", "")
