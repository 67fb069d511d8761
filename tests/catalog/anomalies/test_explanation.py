"""explain_anomaly: the text of the AI model beside facts, drivers, linked anomalies, the owner and the review."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.anomalies.anomaly_change import anomaly_days, anomaly_periods
from doit_mcp.catalog.anomalies.explanation import MAX_LINKED, MAX_TEXT_CHARACTERS, mark_ai_text
from doit_mcp.catalog.anomalies.linked_anomalies import (
    keep_one_per_spike,
    list_linked_anomaly_ids,
    note_linked_anomalies,
)
from doit_mcp.catalog.periods.period import Period
from tests.api.recorder import Recorder

from ..caller import run
from ..conftest import Ask

TODAY = date(2026, 10, 6)
TEXT = {"explanation": {"text": "It rose.", "generatedBy": "model", "aiGenerated": True}, "evidence": [], "facts": {}}
ROW = {
    **{"scope": "p-1", "entityName": "Analytics", "platform": "google-cloud", "serviceName": "BigQuery"},
    **{"costOfAnomaly": 12.5, "actualCost": 20.0, "expectedMaxCost": 7.5, "startTime": 1_789_776_000_000},
    **{"status": "active", "acknowledged": False, "linkedAnomalies": ["b", "a", "c"]},
}


NAMES = {
    "result": {
        "schema": [{"name": name, "type": "string"} for name in ("project_id", "project_name")],
        "rows": [["p-1", "Analytics"]],
    }
}


def recorder(explanation: Any = None, names: Any = None, **members: Any) -> Recorder:
    """Return an API with one anomaly and nothing else; with *names*, queries return them."""

    def answer(request: Request) -> Any:
        if names and "query" in request.path:
            return names
        if request.path.endswith("/explanation"):
            return explanation or TEXT
        if request.path == "/anomalies/v1/c":
            return ApiError("", kind="missing", status=404)
        if request.path.startswith("/anomalies/v1/"):
            return ROW | members
        return ApiError("", kind="rate", status=429)

    return Recorder(answer)


async def test_anomaly_is_explained_by_its_costs(ask: Ask) -> None:
    listed = (await ask("get_anomalies"))["anomalies"]
    for anomaly in listed:
        found = await ask("explain_anomaly", id=anomaly["id"])
        assert found["explanation"]["aiGenerated"] is True and found["explanation"]["text"]
        assert {name: found[name] for name in ("costOfAnomaly", "actualCost", "owner", "open")} == {
            name: anomaly[name] for name in ("costOfAnomaly", "actualCost", "owner", "open")
        }
        drivers = found["drivers"]
        assert drivers["currency"] == found["currency"] == "USD" and "failed" not in found
        # The weekdays of both periods are the same.
        days = [date.fromisoformat(drivers[side]["from"]) for side in ("before", "after")]
        assert days[0].weekday() == days[1].weekday() and f"{days[1]}" == anomaly["startTime"][:10]
        (by_sku,) = [item for item in drivers["by"] if item["dimension"] == "sku"]
        names = [driver["name"] for driver in by_sku["drivers"]]
        assert anomaly["top3SKUs"][0]["name"] in names and drivers["total"]["change"] > 0
        assert found["linked"] == [] and "linkedNote" not in found


async def test_review_is_shown_and_changed(ask: Ask) -> None:
    anomaly = (await ask("get_anomalies"))["anomalies"][0]["id"]
    before = (await ask("explain_anomaly", id=anomaly))["review"]
    assert before["acknowledged"] is False and "update_anomaly_review" in before["next"]
    await ask("update_anomaly_review", id=anomaly, reviewStatus="UNDER_REVIEW")
    after = (await ask("explain_anomaly", id=anomaly))["review"]
    assert after["acknowledged"] is True and after["acknowledgedBy"] and after["acknowledgedAt"]
    assert "acknowledge it" in before["next"] and "acknowledge it" not in after["next"] and "RESOLVED" in after["next"]


async def test_linked_anomalies_are_not_added_up() -> None:
    found = await run("explain_anomaly", recorder(), id="a")
    (linked,) = found["linked"]
    assert (linked["id"], linked["costOfAnomaly"], linked["open"]) == ("b", 12.5, True)
    assert found["costOfAnomaly"] == 12.5 and "Do not add them up" in found["linkedNote"]
    assert {"part": "c", "why": "not found for this customer (HTTP 404)"} in found["failed"]
    many = [f"x{number}" for number in range(MAX_LINKED + 3)]
    api = recorder(linkedAnomalies=many)
    found = await run("explain_anomaly", api, id="a")
    assert len(found["linked"]) == MAX_LINKED and "3 more are not shown" in found["linkedNote"]
    assert sum(request.path.startswith("/anomalies/v1/x") for request in api.requests) == MAX_LINKED


async def test_unavailable_explanation_leaves_the_facts() -> None:
    api = recorder(ApiError("", kind="fault", status=503, retry_after=90.0))
    found = await run("explain_anomaly", api, id="a")
    assert found["explanation"] is None and found["actualCost"] == 20.0
    assert {"part": "explanation", "why": "the API failed (HTTP 503); try again in 90 seconds"} in found["failed"]


async def test_scope_without_project_has_no_drivers() -> None:
    api = recorder(names=NAMES, scope="user_1", entityName="ann", entityLabel="User")
    found = await run("explain_anomaly", api, id="a")
    reasons = {failure["part"]: failure["why"] for failure in found["failed"]}
    assert found["drivers"] is None and reasons["drivers"] == "ann is not a project or account in the billing data"


async def test_unread_names_say_nothing_about_the_scope() -> None:
    api = recorder(scope="Globex stores", entityName="Globex stores")
    found = await run("explain_anomaly", api, id="a")
    reasons = {failure["part"]: failure["why"] for failure in found["failed"]}
    assert found["drivers"] is None and reasons["names"] == "too many requests (HTTP 429)"
    assert reasons["drivers"] == "unknown, because the names of projects and accounts could not be read"
    assert found["project"] == {"id": None, "name": "Globex stores"}
    # The other tools that show anomalies do not take the name for an id either.
    assert (await run("get_anomaly", api, id="a"))["project"] == found["project"]


async def test_ended_sign_in_is_not_a_missing_part() -> None:
    with pytest.raises(ApiError) as caught:
        await run("explain_anomaly", recorder(ApiError("", kind="credential", status=401)), id="a")
    assert caught.value.kind == "credential"


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2026-09-19T00:00:00Z", "2026-09-21T00:00:00Z", "2026-09-19", "2026-09-20"),
        ("2026-09-19T22:00:00Z", "2026-09-20T03:00:00Z", "2026-09-19", "2026-09-20"),
        ("2026-09-19T00:00:00Z", "2026-09-19T00:00:00Z", "2026-09-19", "2026-09-19"),
        ("2026-10-05T00:00:00Z", "", "2026-10-05", "2026-10-06"),
        ("2026-10-05T00:00:00Z", "2026-10-09T00:00:00Z", "2026-10-05", "2026-10-06"),
        ("2026-09-20T01:00:00+02:00", "2026-09-21T02:00:00+02:00", "2026-09-19", "2026-09-20"),
    ],
)
def test_days_of_an_anomaly(start: str, end: str, first: str, last: str) -> None:
    found = anomaly_days({"startTime": start, "endTime": end}, TODAY)
    assert found == Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize("start", ["", None, 5, "soon", "2026-10-07T00:00:00Z"])
def test_unknown_start_is_refused(start: Any) -> None:
    with pytest.raises(ApiError, match="start"):
        anomaly_days({"startTime": start}, TODAY)


@pytest.mark.parametrize(("days", "weeks"), [(1, 1), (7, 1), (8, 2), (20, 3)])
def test_days_are_compared_with_the_same_weekdays(days: int, weeks: int) -> None:
    first = date(2026, 9, 1)
    end = f"2026-09-{1 + days:02}T00:00:00Z"
    periods = anomaly_periods({"startTime": "2026-09-01T00:00:00Z", "endTime": end}, TODAY)
    assert periods.after.elapsed.days == periods.before.elapsed.days == days
    assert (first - periods.before.elapsed.first).days == 7 * weeks and periods.before.elapsed.last < first


def test_text_is_bounded_and_marked() -> None:
    found = mark_ai_text(
        {"explanation": {"text": "x" * 99_999}, "evidence": [{"type": "t", "id": 1, "more": []}, 5] * 99}
    )
    assert found is not None and len(found["text"]) == MAX_TEXT_CHARACTERS and found["aiGenerated"] is True
    assert found["evidence"][0] == {"type": "t", "id": "1"} and len(found["evidence"]) == 20
    for answer in (None, {}, {"explanation": None}, {"explanation": {"text": 5}}):
        assert mark_ai_text(answer) is None


def test_links_of_a_list() -> None:
    assert list_linked_anomaly_ids({"id": "a", "linkedAnomalies": ["b", "a", "b", 5]}) == ["b"]
    assert list_linked_anomaly_ids({"linkedAnomalies": None}) == []
    assert note_linked_anomalies([{"linkedAnomalies": []}, {}]) == ""
    assert note_linked_anomalies([{"linkedAnomalies": ["b"]}, {"linkedAnomalies": ["a"]}, {}]).startswith("2 of these")


def test_each_spike_is_counted_once() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "costOfAnomaly": 5.0, "linkedAnomalies": ["b", "c"]},
        {"id": "b", "costOfAnomaly": 9.0, "linkedAnomalies": ["a", "c"]},
        {"id": "c", "costOfAnomaly": 9.0, "linkedAnomalies": ["b"]},
        {"id": "d", "costOfAnomaly": 1.0, "linkedAnomalies": ["not in the list"]},
        {"id": "e", "costOfAnomaly": None},
    ]
    assert [row["id"] for row in keep_one_per_spike(rows)] == ["b", "d", "e"]
    assert keep_one_per_spike([]) == []
