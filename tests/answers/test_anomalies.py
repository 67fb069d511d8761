"""Lists of anomalies count what they show, and an empty list says why."""

from __future__ import annotations

import pytest

from .world import World


@pytest.mark.parametrize(("short", "full"), [("aws", "amazon-web-services"), ("gcp", "google-cloud")])
async def test_clouds_have_the_short_names_of_other_tools(november: World, short: str, full: str) -> None:
    found = await november.ask("get_anomalies", filter=f"platform:{short}")
    assert found["anomalies"] and {row["platform"] for row in found["anomalies"]} == {full}
    assert found == await november.ask("get_anomalies", filter=f"platform:{full}")


@pytest.mark.parametrize(
    ("term", "note"),
    [
        ("serviceName:bigquery", 'No anomaly has serviceName "bigquery"; they have "BigQuery", "EC2".'),
        ("serviceName:Amazon Elastic Compute Cloud", '"EC2"'),
        ("serviceName:nosuch", '"BigQuery", "EC2"'),
        ("platform:azure", 'they have "amazon-web-services", "google-cloud"'),
        ("platform:aws|serviceName:BigQuery", "none has all of them"),
    ],
)
async def test_an_empty_list_names_the_real_values_and_has_no_totals(november: World, term: str, note: str) -> None:
    found = await november.ask("get_anomalies", filter=term)
    assert found["anomalies"] == [] and note in found["note"]
    assert not {"totalCount", "anomalySummary"} & found.keys()


async def test_open_anomalies_are_counted_without_closed_ones(november: World) -> None:
    everything = await november.ask("get_anomalies")
    found = await november.ask("get_anomalies", onlyOpen=True)
    expected = [row for row in everything["anomalies"] if row["open"]]
    assert 0 < len(expected) < everything["totalCount"]
    assert found["totalCount"] == found["openCount"] == len(expected)
    assert found["anomalySummary"]["totalCostOfAnomaly"] == sum(row["costOfAnomaly"] for row in expected)
    assert sum(found["anomalySummary"]["countBySeverity"].values()) == len(expected)


async def test_unknown_names_of_accounts_are_left_out(november: World) -> None:
    rows = (await november.ask("get_anomalies"))["anomalies"]
    assert all(row["account"]["id"] and row["account"].get("name", "left out") for row in rows)


async def test_notifications_are_shown_where_they_are_asked_for(november: World) -> None:
    """The API sends an empty list in place of notifications that were not asked for."""
    for tool, arguments in (("get_anomalies", {}), ("get_cloud_overview", {})):
        rows = (await november.ask(tool, **arguments))["anomalies"]
        assert rows and not any("notifications" in row for row in rows)
    notified = (await november.ask("get_anomalies", includeNotifications=True))["anomalies"]
    assert notified and all(row["notifications"] for row in notified)
