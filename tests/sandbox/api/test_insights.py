"""Insights: found in the billing lines, and created by customers."""

from __future__ import annotations

from typing import Any

from .conftest import GLOBEX, Party

RESULTS = "/insights/v1/results"
MINE = f"{RESULTS}/source/public-api/insight/mine"
RESOURCE = {
    "resourceId": "r-1",
    "resultType": "potential_daily_savings",
    "account": "1",
    "cloudProvider": "aws",
    "result": {"value": 2.5},
}
INSIGHT: dict[str, Any] = {
    "key": "mine",
    "title": "Mine",
    "shortDescription": "Of my own",
    "cloudProvider": "aws",
    "categories": ["FinOps"],
}


async def titles(party: Party, **query: object) -> list[str]:
    """The titles of the insights that match a query."""
    return [item["title"] for item in (await party.get(RESULTS, **query))["results"]]


async def test_seeded_insights_match_the_tenants_billing_data(party: Party) -> None:
    results = (await party.get(RESULTS))["results"]
    assert {item["source"] for item in results} == {"doit"}
    assert all(item["summary"]["potentialDailySavings"] > 0 for item in results if "FinOps" in item["categories"])
    assert results != (await party.get(RESULTS, GLOBEX))["results"]
    for item in results:
        path = f"{RESULTS}/source/doit/insight/{item['key']}"
        assert await party.get(path) == item
        resources = await party.get(path + "/resource-results", maxResults=1)
        assert resources["rowCount"] == 1


async def test_filters_and_pagination(party: Party) -> None:
    every = await titles(party)
    first = await party.get(RESULTS, maxResults=1)
    second = await party.get(RESULTS, maxResults=1, pageToken=first["pagination"]["pageToken"])
    assert [item["results"][0]["title"] for item in (first, second)] == every[:2]
    assert set(await titles(party, category="Security")) == {"Storage that anybody can read"}
    assert set(await titles(party, easyWin="true")) == set(every) - {
        "Storage that anybody can read",
        "Instances without backups",
    }
    assert set(await titles(party, searchTerm="BUCKETS")) == {"Storage that anybody can read"}
    assert await titles(party, cloudFlows="true") == await titles(party, displayStatus="dismissed") == []
    assert 0 < len(await titles(party, priority="High")) < len(every)
    assert len(await titles(party, tag="storage")) < len(every) == len(await titles(party, source="doit"))
    for name, value in (("priority", "Huge"), ("displayStatus", "x"), ("maxResults", "501")):
        assert name in await party.expect_error(400, "GET", RESULTS, **{name: value})
    assert "pageToken" in await party.expect_error(
        400, "GET", RESULTS, pageToken=first["pagination"]["pageToken"], category="Security"
    )


async def test_categories_are_compared_as_they_are_written(party: Party) -> None:
    names = {name for item in (await party.get(RESULTS))["results"] for name in item["categories"]}
    assert "Operational excellence" in names
    assert await titles(party, category="Operational excellence")
    for unknown in ("OperationalExcellence", "operational excellence", "x"):
        assert await titles(party, category=unknown) == []


async def test_insight_lifecycle(party: Party) -> None:
    before = await party.get(RESULTS)
    answer = await party.send("POST", RESULTS, {"results": [{**INSIGHT, "resourceResults": [RESOURCE]}]})
    assert (answer.status, answer.json) == (200, [])
    item = await party.get(MINE)
    assert (item["source"], item["summary"]["potentialDailySavings"]) == ("public-api", 2.5)
    changed = await party.send("POST", MINE, {**INSIGHT, "title": "Renamed"})
    assert (changed.json["title"], changed.json["summary"]) == ("Renamed", item["summary"])
    more = await party.send(
        "POST", MINE + "/resource-results", {"resourceResults": [{**RESOURCE, "resourceId": f"r-{at}"} for at in "ab"]}
    )
    assert [row["resourceId"] for row in more.json["resourceResults"]] == ["r-a", "r-b"]
    dismissal = {"reason": "not relevant", "comment": "no"}
    put = await party.send("PUT", MINE + "/status", {"status": "dismissed", "dismissalDetails": dismissal})
    assert (put.status, put.body) == (204, b"")
    item = await party.get(MINE)
    assert (item["displayStatus"], item["dismissalDetails"]) == ("dismissed", dismissal)
    assert await titles(party, displayStatus="dismissed") == ["Renamed"]
    assert (await party.send("DELETE", MINE)).status == 204
    assert await party.get(RESULTS) == before
    assert "not found" in await party.expect_error(404, "GET", MINE)
    assert (await party.send("DELETE", RESULTS, insightKey="mine")).status == 204


async def test_rejected_requests(party: Party) -> None:
    theirs = f"{RESULTS}/source/doit/insight/aws-rightsizing"
    assert "sourceID" in await party.expect_error(400, "POST", theirs, {**INSIGHT, "key": "aws-rightsizing"})
    assert "sourceID" in await party.expect_error(403, "DELETE", theirs)
    assert "key" in await party.expect_error(400, "POST", MINE, {**INSIGHT, "key": "other"})
    assert "categories" in await party.expect_error(400, "POST", MINE, {**INSIGHT, "categories": []})
    assert "resourceResults" in await party.expect_error(400, "POST", RESULTS, {"results": [INSIGHT]})
    assert "not found" in await party.expect_error(404, "POST", MINE + "/resource-results", {"resourceResults": []})
