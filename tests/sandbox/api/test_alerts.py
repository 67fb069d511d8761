"""Alerts: create, list, update, delete; and the billing lines that make them fire."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from doit_mcp.sandbox.api.costs.alerts import last_firing_day

from ..conftest import Clock
from .conftest import ADMIN, Party
from .test_queries import TODAY, ledger

PATH = "/analytics/v1/alerts"
COST = {"type": "basic", "value": "cost"}
GOOGLE = {"type": "fixed", "id": "cloud_provider", "values": ["google-cloud"]}
CONFIG: dict[str, Any] = {"metric": COST, "timeInterval": "month", "condition": "value", "operator": "gt", "value": 1}
START = date(2026, 10, 1).toordinal()


async def create(party: Party, **body: object) -> Any:
    """The response to the creation of an alert."""
    answer = await party.send("POST", PATH, {"name": "Mine", "config": CONFIG, **body})
    assert answer.status == 201, answer
    return answer.json


async def test_alert_lifecycle(party: Party, clock: Clock) -> None:
    before = (await party.get(PATH))["alerts"]
    alert = await create(party, config={"metric": COST, "timeInterval": "week", "operator": "gt", "value": 10})
    assert alert["recipients"] == [ADMIN.email] and alert["config"]["condition"] == "percentage-change"
    path = f"{PATH}/{alert['id']}"
    assert (await party.get(PATH))["alerts"] == [{**alert, "owner": ADMIN.email}, *before]
    clock.advance(5)
    body = {"name": "Else", "recipients": ["a@acme.example"], "config": {**CONFIG, "scopes": [GOOGLE], "value": 10**9}}
    changed = (await party.send("PATCH", path, body)).json
    assert (changed["name"], changed["recipients"], changed["config"]["value"]) == ("Else", ["a@acme.example"], 10**9)
    assert changed["updateTime"] == alert["updateTime"] + 5000
    assert await party.get(path) == changed
    response = await party.send("DELETE", path)
    assert (response.status, response.body) == (200, b"")
    for method, payload in (("GET", None), ("PATCH", {"config": CONFIG}), ("DELETE", None)):
        assert "not found" in await party.expect_error(404, method, path, payload)
    assert (await party.get(PATH))["alerts"] == before


async def test_alert_fires_when_costs_exceed_its_value(party: Party, clock: Clock) -> None:
    spent = await party.cost(timeInterval="month", timeRange={"mode": "current", "unit": "month"})
    below, above = [await create(party, config={**CONFIG, "value": spent + more}) for more in (-1, 1)]
    assert below["lastAlerted"] == below["createTime"] and "lastAlerted" not in above
    clock.advance(86_400)
    later = await party.get(f"{PATH}/{above['id']}")
    # Costs of the day on which it was created have arrived meanwhile, and of the next one.
    assert later["lastAlerted"] >= later["createTime"]


def last_fired(since: int = START, **config: object) -> str | None:
    """The last day on which a configuration fired."""
    day = last_firing_day({"currency": "USD", **CONFIG, **config}, ledger(), since)
    return None if day is None else str(date.fromordinal(day))


def test_conditions() -> None:
    october = ledger().cost(START, START + 30) / 1e6
    november = ledger().cost(START + 31, TODAY) / 1e6
    assert last_fired(value=october - 0.01) in ("2026-10-31", "2026-11-24") and last_fired(value=2 * october) is None
    assert last_fired(value=november - 0.01) in ("2026-11-24", "2026-11-23")
    assert last_fired(operator="lt", value=october + 1) == "2026-10-31", "an unfinished month is not compared"
    assert last_fired(operator="lt", value=october - 1) is None
    expected = {"condition": "forecast", "value": november + 1}
    assert last_fired(**expected) == "2026-11-24" and last_fired(**{**expected, "operator": "lt"}) is None
    assert last_fired(condition="forecast", value=3 * october) is None
    september = ledger().cost(START - 30, START - 1) / 1e6
    change = 100 * (october - september) / september
    assert last_fired(condition="percentage-change", value=change - 0.1) == "2026-10-31"
    assert last_fired(condition="percentage-change", value=change + 0.1) is None
    for above, fired in ((0.01, None), (-0.01, "2026-10-31")):
        ignored = {"lowerBound": 0, "upperBound": october + above}
        assert last_fired(condition="percentage-change", value=change - 0.1, ignoreValuesRange=ignored) == fired
    assert last_fired(condition="percentage-change", operator="lt", value=change + 0.1) == "2026-10-31"


def test_evaluated_costs() -> None:
    day = {"timeInterval": "day", "condition": "percentage-change", "evaluateForEach": "service_id"}
    costs: dict[tuple[str, int], int] = {}
    for row in ledger().sums(("cloud_provider", "service_id", "day_start"), START, TODAY):
        costs[f"{row[0]}/{row[1]}", int(row[2] or 0)] = int(row[3] or 0)
    aws = [{**GOOGLE, "values": ["amazon-web-services"]}]
    all_of = [{**GOOGLE, "values": ["google-cloud", "amazon-web-services"]}, *aws]
    for scopes, part in (
        (None, ""),
        ([GOOGLE], "google-cloud/"),
        (aws, "amazon-web-services/"),
        (all_of, "amazon-web-services/"),
    ):
        for value in (20, 40, 70, 200):
            jumped = [
                when
                for (service, when), cost in costs.items()
                if service.startswith(part)
                and when > START + 1
                and (before := costs.get((service, when - 1), 0))
                and 100 * (cost - before) > value * abs(before)
            ]
            last = str(date.fromordinal(max(jumped))) if jumped else None
            assert last_fired(**day, value=value, scopes=scopes, since=START + 2) == last, (part, value)
    usage = {"metric": {"type": "basic", "value": "usage"}, "value": 1}
    assert last_fired(**usage) is not None and last_fired(currency="IDR", value=10**6) is not None


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"metric": {"type": "custom", "value": "x"}}, "config.metric"),
        ({"value": None}, "config.value"),
        ({"timeInterval": "hour"}, "config.timeInterval"),
        ({"dataSource": "billing-datahub"}, "config.dataSource"),
        ({"scopes": [{"type": "fixed", "id": "nothing", "values": ["x"]}]}, "config.scopes[0]"),
        ({"scopes": [GOOGLE, {"type": "fixed", "id": "nothing", "values": ["x"]}]}, "config.scopes[1]"),
        ({"scopes": [GOOGLE] * 27}, "config.scopes"),
        ({"attributions": ["x"]}, "attributions"),
        ({"operator": "above"}, "config.operator"),
        ({"evaluateForEach": "nothing"}, "config.evaluateForEach"),
        ({"evaluateForEach": "region", "condition": "forecast"}, "config.evaluateForEach"),
        ({"misspelt": 1}, "misspelt"),
    ],
)
async def test_validation_errors_name_the_field(party: Party, config: Any, field: str) -> None:
    assert field in await party.expect_error(400, "POST", PATH, {"name": "x", "config": {**CONFIG, **config}})
    alert = (await party.get(PATH))["alerts"][0]["id"]
    assert field in await party.expect_error(400, "PATCH", f"{PATH}/{alert}", {"config": {**CONFIG, **config}})
    assert "name" in await party.expect_error(400, "POST", PATH, {"name": "x" * 65, "config": CONFIG})


async def test_an_alert_keeps_a_recipient(party: Party) -> None:
    slack = [{"id": "C1", "workspace": "T1"}]
    path = f"{PATH}/{(alert := await create(party))['id']}"
    assert alert["recipients"] == [ADMIN.email] and alert["recipientsSlackChannels"] == []
    assert "recipients" in await party.expect_error(400, "PATCH", path, {"recipients": []})
    changed = (await party.send("PATCH", path, {"recipients": [], "recipientsSlackChannels": slack})).json
    assert (changed["recipients"], changed["recipientsSlackChannels"]) == ([], slack)
    assert (await create(party, recipientsSlackChannels=slack))["recipients"] == []


async def test_slack_channels_are_listed_and_checked(party: Party) -> None:
    listed = await party.get(f"{PATH}/slack-channels")
    assert listed["rowCount"] == 4 and listed["isWorkspaceConnected"] and listed["hasSharedChannel"]
    first = await party.get(f"{PATH}/slack-channels", maxResults=1, nameContains="FINOPS")
    assert [(item["name"], item["type"]) for item in first["items"]] == [("finops-private", "private")]
    one, shared = first["items"][0], next(item for item in listed["items"] if item["shared"])
    pairs = [{"id": one["id"], "workspace": one["workspace"]}, {"id": shared["id"], "shared": True}]
    stored = (await create(party, recipientsSlackChannels=pairs))["recipientsSlackChannels"]
    assert [item["name"] for item in stored] == [one["name"], shared["name"]]
    for wrong in (
        {"id": "C1"},
        {"id": "C1", "workspace": "T1", "shared": True},
        {"id": "C1", "shared": True, "customerId": "other"},
    ):
        body = {"name": "x", "config": CONFIG, "recipientsSlackChannels": [wrong]}
        assert "recipientsSlackChannels" in await party.expect_error(400, "POST", PATH, body)


async def test_lists_are_filtered_sorted_and_paginated(party: Party) -> None:
    ids = [(await create(party, name=f"Alert {letter}"))["id"] for letter in "ACB"]
    all_ids = [item["id"] for item in (await party.get(PATH))["alerts"]]
    assert all_ids[:3] == ids[::-1] and [item["id"] for item in await party.walk(PATH, "alerts", 2)] == all_ids
    named = (await party.get(PATH, filter=f"name:Alert A|name:Alert B|owner:{ADMIN.email}", sortBy="name"))["alerts"]
    assert [item["name"] for item in named] == ["Alert A", "Alert B"]
    assert len((await party.get(PATH, nameContains="aLERT "))["alerts"]) == 3
    for field in ("createTime", "updateTime", "lastAlerted"):
        values = [item.get(field, 0) for item in (await party.get(PATH, sortBy=field, sortOrder="desc"))["alerts"]]
        assert values == sorted(values, reverse=True)
    for query in ({"sortBy": "colour"}, {"filter": "colour:red"}, {"maxResults": 0}, {"pageToken": "x"}):
        assert next(iter(query)) in await party.expect_error(400, "GET", PATH, **query)
