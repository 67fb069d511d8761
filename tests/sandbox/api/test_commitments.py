"""Commitment manager: commitments compared with the billing lines."""

from __future__ import annotations

from ..conftest import Clock
from .conftest import GLOBEX, VIEWER, Party

COMMITMENTS = "/analytics/v1/commitment-manager"


async def test_commitments_match_billing_data(party: Party, clock: Clock) -> None:
    commitments = (await party.get(COMMITMENTS))["commitments"]
    for item in commitments:
        assert await party.get(f"{COMMITMENTS}/{item['id']}", VIEWER) == item
        assert item["totalCommitmentValue"] == sum(period["commitmentValue"] for period in item["periods"])
        filters = [{"id": "cloud_provider", "type": "fixed", "values": [item["cloudProvider"]]}]
        cost = await party.cost(
            metrics=[{"type": "basic", "value": "cost"}],
            filters=filters,
            dataSource="billing",
            timeRange={"mode": "custom"},
            timeInterval="month",
            includePromotionalCredits=False,
            customTimeRange={"from": item["startDate"], "to": "2026-11-24T23:59:59Z"},
            dimensions=[{"id": "year", "type": "datetime"}, {"id": "month", "type": "datetime"}],
        )
        assert abs(item["totalCurrentAttainment"] - cost) < 1
    clock.advance(86_400)
    later = (await party.get(COMMITMENTS))["commitments"]
    assert [item["id"] for item in later] == [item["id"] for item in commitments]
    assert all(new["totalCurrentAttainment"] > old["totalCurrentAttainment"] for new, old in zip(later, commitments))
    assert not {item["id"] for item in (await party.get(COMMITMENTS, GLOBEX))["commitments"]} & {
        item["id"] for item in commitments
    }


async def test_filter_order_and_pagination(party: Party) -> None:
    rows = await party.walk(COMMITMENTS, "commitments", 1, sortBy="name", sortOrder="desc")
    names = [item["name"] for item in rows]
    assert len(names) > 1 and names == sorted(names, reverse=True)
    cloud = rows[0]["cloudProvider"]
    assert (await party.get(COMMITMENTS, filter=f"provider:{cloud}"))["commitments"] == rows[:1]
    assert (await party.get(COMMITMENTS, filter=f"cloudProvider:{cloud}"))["commitments"] == rows[:1]
    assert "repeated" in await party.expect_error(400, "GET", COMMITMENTS, filter="name:a|name:b")
    assert (await party.get(COMMITMENTS, filter="name:none"))["commitments"] == []
    assert "filter" in await party.expect_error(400, "GET", COMMITMENTS, filter="owner:x")
    assert "sortBy" in await party.expect_error(400, "GET", COMMITMENTS, sortBy="owner")
    assert "not found" in await party.expect_error(404, "GET", f"{COMMITMENTS}/none")
