"""Dimensions: values and grouping."""

from __future__ import annotations

from .conftest import ADMIN, GLOBEX, Party

LIST, ONE = "/analytics/v1/dimensions", "/analytics/v1/dimension"


async def test_dimension_values_match_billing_data(party: Party) -> None:
    listed = (await party.get(LIST))["dimensions"]
    assert len(listed) > 15
    for item in listed:
        dimension = await party.get(ONE, type=item["type"], id=item["id"])
        values = dimension.pop("values")
        assert dimension == item
        pair = {"type": item["type"], "id": item["id"]}
        years = {"mode": "last", "amount": 2, "unit": "year", "includeCurrent": True}
        result = await party.query(group=[pair], timeInterval="year", timeRange=years)
        reported = {row[0] for row in result["rows"]} - {None}
        assert reported <= {value["value"] for value in values}, item


async def test_lists_are_filtered_sorted_and_paginated(party: Party) -> None:
    dimensions = (await party.get(LIST))["dimensions"]
    assert await party.walk(LIST, "dimensions", 4) == dimensions
    labels = (await party.get(LIST, filter="type:label|label:team"))["dimensions"]
    assert labels == [{"id": "team", "label": "team", "type": "label"}]
    for field, read in (("label", "label"), ("key", "id"), ("type", "type")):
        for order in ("asc", "desc"):
            keys_read = [item[read] for item in (await party.get(LIST, sortBy=field, sortOrder=order))["dimensions"]]
            assert keys_read == sorted(keys_read, reverse=order == "desc")
    timeless = (await party.get(LIST, sortBy="timestamp", sortOrder="desc"))["dimensions"]
    assert sorted(map(str, timeless)) == sorted(map(str, dimensions)), "dimensions have no timestamps"
    for query in ({"sortBy": "colour"}, {"sortOrder": "up"}, {"filter": "colour:red"}, {"maxResults": 0}):
        assert next(iter(query)) in await party.expect_error(400, "GET", LIST, **query)


async def test_key_filters_match_nothing_and_repeated_keys_are_refused(party: Party) -> None:
    assert (await party.get(LIST, filter="key:team"))["dimensions"] == []
    assert (await party.get(LIST, filter="type:Label"))["dimensions"] == []
    assert "repeated" in await party.expect_error(400, "GET", LIST, filter="type:label|type:fixed")


async def test_values_belong_to_the_customer(party: Party) -> None:
    acme, globex = [
        {item["value"] for item in (await party.get(ONE, user, type="fixed", id="project_id"))["values"]}
        for user in (ADMIN, GLOBEX)
    ]
    assert acme and globex and not acme & globex
    clouds = (await party.get(ONE, type="fixed", id="service_description"))["values"]
    assert {"value": "BigQuery", "cloud": "google-cloud"} in clouds


async def test_missing_dimensions(party: Party) -> None:
    assert "nothing" in await party.expect_error(404, "GET", ONE, type="fixed", id="nothing")
    for query in ({"type": "fixed"}, {"id": "region"}, {"type": "no", "id": "region"}):
        assert await party.expect_error(400, "GET", ONE, **query)
