"""Undo calls of updates: they restore everything that the update removed, and nothing that others changed since."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.sandbox.bodies import ALERT, BUDGET, BY_CLOUD, METRIC
from tests.transports.http.serving import EMPLOYEE, Json, Site, serving
from tests.transports.http.test_undo import applied, as_set

TERMS: Json = {
    "name": "Full",
    "platform": "amazon-web-services",
    "eligibleFrom": "2026-01-01T00:00:00Z",
    "eligibleTo": "2027-01-01T00:00:00Z",
    "priceBooks": [{"name": "Standard", "rules": [{"name": "Discount", "percentageChange": -3}]}],
}
REAL_TIME: Json = {
    "accountID": "123456789012",
    "roleArn": "arn:aws:iam::123456789012:role/DoiTRole",
    "enabledFeatures": ["real-time-data"],
    "s3Bucket": "acme-cloudtrail",
    "s3BucketRegion": "us-east-1",
}
CHILD, CONTRACT = "U6eAmQoRzZ", "pf8b6xKxU8skznfm4Deu"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API, with all tools."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


async def prepared_fields(site: Site, name: str, arguments: Json) -> dict[str, Json]:
    """Return the rows of the change that a call prepares, by field."""
    content = (await site.call(name, arguments)).result["structuredContent"]
    return {row["field"]: row for row in content["change"]["fields"]} | {
        "affected": content["change"].get("affected", [])
    }


async def test_replacing_update_of_a_template_lists_and_restores_omitted_terms(site: Site) -> None:
    template = await applied(site, "create_contract_template", TERMS)
    selected = {"templateID": template["templateId"]}
    former = await applied(site, "get_contract_template", selected)
    short = selected | {"name": "Full2"} | {name: TERMS[name] for name in ("platform", "eligibleFrom")}
    rows = await prepared_fields(site, "update_contract_template", short)
    assert rows["eligibleTo"] == {"field": "eligibleTo", "before": TERMS["eligibleTo"], "after": None}
    assert "Standard" in str(rows["priceBooks"]) and rows["priceBooks"]["after"] is None
    done = await applied(site, "update_contract_template", short)
    assert "eligibleTo" not in await applied(site, "get_contract_template", selected)
    await applied(site, done["undo"]["tool"], done["undo"]["arguments"])
    restored = await applied(site, "get_contract_template", selected)
    assert {**restored, "updatedAt": ""} == {**former, "updatedAt": ""}


async def test_new_version_of_a_contract_lists_and_restores_omitted_terms(site: Site) -> None:
    selected = {"customerID": CHILD, "contractID": CONTRACT}
    former = (await applied(site, "get_contract", selected))["versions"][-1]
    short = {**selected, "name": former["name"], "startDate": former["startDate"], "renewalPolicy": "auto"}
    short["doitInvoicingEnabled"] = False
    rows = await prepared_fields(site, "update_contract", short)
    assert {"endDate", "billingProfile", "managementAccounts"} <= rows.keys()
    assert any("invoicesEmail" in line and "none" in line for line in rows["affected"])
    done = await applied(site, "update_contract", short)
    await applied(site, done["undo"]["tool"], done["undo"]["arguments"])
    restored = (await applied(site, "get_contract", selected))["versions"][-1]
    changing = {"version", "status", "effectiveStart", "effectiveEnd"}
    assert {name: value for name, value in restored.items() if name not in changing} == {
        name: value for name, value in former.items() if name not in changing
    }


async def test_undo_keeps_what_others_changed_in_the_same_object(site: Site) -> None:
    alert = await applied(site, "create_alert", ALERT)
    selected = {"id": alert["id"]}
    done = await applied(site, "update_alert", {**selected, "alert": {"value": 77}})
    assert done["undo"]["arguments"] == {**selected, "alert": {"value": ALERT["config"]["value"]}}
    await site.apply("update_alert", {**selected, "alert": {"operator": "lt"}}, user=EMPLOYEE)
    await applied(site, "update_alert", done["undo"]["arguments"])
    config = (await applied(site, "get_alert", selected))["config"]
    assert (config["value"], config["operator"]) == (ALERT["config"]["value"], "lt")
    settings = (await applied(site, "get_customer", {}))["settings"]
    done = await applied(site, "update_customer", {"settings": {"currency": "GBP"}})
    assert done["undo"]["arguments"] == {"settings": {"currency": settings["currency"]}}


async def test_undo_of_a_condition_restores_the_range_that_it_clears(site: Site) -> None:
    percentage = {"condition": "percentage-change", "operator": "gt", "value": 20}
    ignored = {"lowerBound": 0, "upperBound": 5}
    config = {**ALERT["config"], **percentage, "ignoreValuesRange": ignored}
    ignoring = {"name": "Growth", "recipients": ["ann@acme.example"], "alert": config}
    selected = {"id": (await applied(site, "create_alert", ignoring))["id"]}
    former = (await applied(site, "get_alert", selected))["config"]
    done = await applied(site, "update_alert", {**selected, "alert": {"condition": "value"}})
    await applied(site, "update_alert", done["undo"]["arguments"])
    assert (await applied(site, "get_alert", selected))["config"] == former
    # "none" removes a range that was not there before.
    await applied(site, "update_alert", {**selected, "alert": {"ignoreValuesRange": "none"}})
    former = (await applied(site, "get_alert", selected))["config"]
    done = await applied(site, "update_alert", {**selected, "alert": {"ignoreValuesRange": ignored}})
    await applied(site, "update_alert", done["undo"]["arguments"])
    assert (await applied(site, "get_alert", selected))["config"] == former


async def test_geographic_scopes_are_restored_with_their_country_or_region(site: Site) -> None:
    name, target = "update_customer_geographic_scope", {"targetCustomerId": CHILD}
    region = await applied(site, "create_custom_region", {"name": "North", "countryCodes": ["DK", "SE"]})
    scopes: list[Json] = [
        {"type": "country", "countryCode": "FR"},
        {"type": "global"},
        {"type": "customRegion", "customRegionId": region["id"]},
        {"type": "global"},
    ]
    await applied(site, name, {**target, **scopes[0]})
    for former, scope in pairwise(scopes):
        dry_run = await applied(site, name, {**target, **scope, "dryRun": True})
        lost = former.keys() - scope.keys()
        assert all(member in str(dry_run["change"]) for member in lost), dry_run
        done = await applied(site, name, {**target, **scope})
        assert done["undo"]["arguments"] == {**target, **former}, done
        await applied(site, name, done["undo"]["arguments"])
        shown = await applied(site, "get_customer_geographic_scope", target)
        assert former.items() <= shown.items()
        await applied(site, name, {**target, **scope})


async def test_changes_without_a_true_undo_offer_none(site: Site) -> None:
    assets = (await applied(site, "list_assets", {"filter": "type:g-suite"}))["assets"]
    seats = next(asset for asset in assets if asset.get("quantity"))
    bought = await applied(site, "update_asset", {"id": seats["id"], "quantity": seats["quantity"] + 5})
    assert bought["undo"].keys() == {"note"}
    tickets = (await applied(site, "list_tickets", {}))["tickets"]
    ticket = next(ticket for ticket in tickets if ticket["status"] == "open")
    solved = await applied(site, "update_ticket", {"ticketId": ticket["id"], "status": "solved"})
    assert solved["undo"].keys() == {"note"}


async def test_features_are_restored_with_their_bucket(site: Site) -> None:
    connected = await applied(site, "create_account_role", REAL_TIME)
    selected = {"accountID": connected["accountID"]}
    former = await applied(site, "get_aws_account", selected)
    features = {"enabledFeatures": [name for name in former["enabledFeatures"] if name != "real-time-data"]}
    done = await applied(site, "update_aws_feature", {**selected, **features})
    assert done["undo"]["arguments"]["s3Bucket"] == former["s3Bucket"]
    await applied(site, "update_aws_feature", done["undo"]["arguments"])
    restored = await applied(site, "get_aws_account", selected)
    assert restored["s3Bucket"] == former["s3Bucket"] and restored["enabledFeatures"] == former["enabledFeatures"]


async def test_values_that_were_empty_are_cleared_again(site: Site) -> None:
    budget = await applied(site, "create_budget", BUDGET)
    resource = {"resourceType": "budgets", "resourceId": budget["id"]}
    done = await applied(site, "update_resource_permissions", {**resource, "public": "viewer"})
    assert done["undo"]["arguments"] == {**resource, "public": "no_access"}
    await applied(site, "update_resource_permissions", done["undo"]["arguments"])
    assert (await applied(site, "get_resource_permissions", resource))["public"] is None
    dataset = {"name": (await applied(site, "list_datahub_datasets", {}))["datasets"][0]["name"]}
    await applied(site, "update_datahub_dataset", {**dataset, "displayName": ""})
    done = await applied(site, "update_datahub_dataset", {**dataset, "displayName": "Shown"})
    assert done["undo"]["arguments"] == {**dataset, "displayName": ""}
    await applied(site, "update_datahub_dataset", done["undo"]["arguments"])
    assert not (await applied(site, "get_datahub_dataset", dataset)).get("displayName")


async def test_themes_and_labeled_annotations_are_restored(site: Site) -> None:
    colors = {"light": ["#111111"], "dark": ["#222222"]}
    theme = await applied(site, "create_custom_theme", {"name": "T", "primaryColor": "#123456", "colors": colors})
    done = await applied(site, "update_theme", {"id": theme["id"], "newName": "T2", "primaryColor": "#654321"})
    assert done["undo"]["arguments"] == {"id": theme["id"], "newName": "T", "primaryColor": "#123456"}
    await applied(site, "update_theme", done["undo"]["arguments"])
    assert (await applied(site, "get_theme", {"id": theme["id"]}))["name"] == "T"
    former = (await applied(site, "get_active_theme", {}))["themeId"]
    done = await applied(site, "set_active_theme", {"themeId": theme["id"]})
    assert done["undo"] == {"tool": "set_active_theme", "arguments": {"themeId": former}}
    label = await applied(site, "create_label", {"name": "Quarter", "color": "blue"})
    note = {"content": "Moved", "timestamp": "2026-01-01T00:00:00Z", "labels": [label["id"]]}
    selected = {"id": (await applied(site, "create_annotation", note))["id"]}
    done = await applied(site, "update_annotation", {**selected, "labels": []})
    assert done["undo"]["arguments"] == {**selected, "labels": [label["id"]]}
    await applied(site, "update_annotation", done["undo"]["arguments"])
    deleted = await applied(site, "delete_annotation", selected)
    restored = await applied(site, "create_annotation", deleted["undo"]["arguments"])
    assert [row["id"] for row in restored["labels"]] == [label["id"]]


async def test_removed_geographic_scope_is_set_again(site: Site) -> None:
    target = {"targetCustomerId": CHILD}
    await applied(site, "update_customer_geographic_scope", {**target, "type": "country", "countryCode": "FR"})
    undo = (await applied(site, "delete_customer_geographic_scope", target))["undo"]
    assert undo == {
        "tool": "update_customer_geographic_scope",
        "arguments": {**target, "type": "country", "countryCode": "FR"},
    }


async def test_notes_name_the_member_that_had_no_value(site: Site) -> None:
    report = await applied(site, "create_report", {"name": "R", "description": "d", "report": BY_CLOUD})
    limit = {"metricFilter": {"metric": METRIC, "operator": "gt", "values": [1]}}
    done = await applied(site, "update_report", {"id": report["id"], "report": limit})
    assert "report.metricFilter" in done["undo"]["note"]


async def test_period_and_truth_values_of_a_report_are_restored(site: Site) -> None:
    report = await applied(site, "create_report", {"name": "R", "description": "d", "report": BY_CLOUD})
    selected = {"id": report["id"]}
    former = (await applied(site, "get_report_config", selected))["config"]
    month: Json = {"from": "2026-01-01", "to": "2026-01-31"}
    changed: Json = {
        "customTimeRange": month,
        "includePromotionalCredits": True,
        "advancedAnalysis": {"forecast": True},
    }
    dry_run = await applied(site, "update_report", {**selected, "report": changed, "dryRun": True})
    fields = [row["field"] for row in dry_run["change"]["fields"]]
    assert "report.timeRange.mode" in fields, fields
    done = await applied(site, "update_report", {**selected, "report": changed})
    undo = done["undo"]
    assert "note" not in undo and undo["arguments"]["report"]["timeRange"] == BY_CLOUD["timeRange"]
    await applied(site, "update_report", undo["arguments"])
    restored = (await applied(site, "get_report_config", selected))["config"]
    # The API ignores a custom range without the mode for it.
    cleared = {"customTimeRange", *changed}
    assert {name: value for name, value in restored.items() if name not in cleared} == former
    assert not restored["includePromotionalCredits"] and not restored["advancedAnalysis"]["forecast"]
    # The other way round, the range comes back with the mode.
    await applied(site, "update_report", {**selected, "report": {"customTimeRange": month}})
    done = await applied(site, "update_report", {**selected, "report": {"timeRange": BY_CLOUD["timeRange"]}})
    assert done["undo"]["arguments"]["report"]["timeRange"] == {"mode": "custom"}
    assert done["undo"]["arguments"]["report"]["customTimeRange"]["from"].startswith("2026-01-01")


async def test_changes_show_what_the_api_sets_in_place_of_a_value(site: Site) -> None:
    budget = await applied(site, "create_budget", {**BUDGET, "alerts": [{"percentage": 30}]})
    selected = {"id": budget["id"]}
    rows = await prepared_fields(site, "update_budget", {**selected, "recipients": [], "alerts": []})
    assert rows["alerts"]["removed"] == ["Alert at 30 %"] and "default" in rows["alerts"]["added"][0]
    # The owner is the only recipient already.
    assert "recipients" not in rows and rows["affected"] == ["recipients: unchanged"]
    emptied = await applied(site, "update_budget", {**selected, "alerts": []})
    assert "alerts is" in emptied["notApplied"] and "not none" in emptied["notApplied"]
    shown = await applied(site, "update_budget", {**selected, "usePrevSpend": True, "dryRun": True})
    amount = next(row for row in shown["change"]["fields"] if row["field"] == "amount")
    assert amount == {"field": "amount", "before": BUDGET["amount"], "after": "the spend of the period before"}
    done = await applied(site, "update_budget", {**selected, "usePrevSpend": True})
    assert "notApplied" not in done
    assert done["undo"]["arguments"] == {**selected, "usePrevSpend": False, "amount": BUDGET["amount"]}
    ignored = await applied(site, "update_budget", {**selected, "amount": 5})
    assert "amount is" in ignored["notApplied"] and "not 5" in ignored["notApplied"]
    assert "notApplied" not in await applied(site, "update_budget", {**selected, "name": "Other"})


async def test_undo_restores_scopes_that_name_allocations_by_id(site: Site) -> None:
    rows = (await applied(site, "list_allocations", {}))["allocations"]
    single = next(row["id"] for row in rows if row["name"] == "Production")
    everything = {name: value for name, value in BUDGET.items() if name != "scopes"}
    budget = (await applied(site, "create_budget", {**everything, "scope": [single]}))["id"]
    alert = (await applied(site, "create_alert", ALERT))["id"]
    await applied(site, "update_alert", {"id": alert, "alert": {"attributions": [single]}})
    for kind, id, changes in (
        ("budget", budget, {"scopes": BUDGET["scopes"]}),
        ("alert", alert, {"alert": {"scopes": ALERT["config"]["scopes"]}}),
    ):
        former = as_set(await applied(site, f"get_{kind}", {"id": id}))
        assert single in str(former)
        updated = await applied(site, f"update_{kind}", {"id": id, **changes})
        await applied(site, updated["undo"]["tool"], updated["undo"]["arguments"])
        assert as_set(await applied(site, f"get_{kind}", {"id": id})) == former
        deleted = await applied(site, f"delete_{kind}", {"id": id})
        again = await applied(site, deleted["undo"]["tool"], deleted["undo"]["arguments"])
        assert as_set(await applied(site, f"get_{kind}", {"id": again["id"]})) == former
    unknown = [{"id": "attribution", "type": "attribution", "values": ["Production", "Xyz", single]}]
    refused = (await site.apply("create_budget", {**everything, "scopes": unknown})).result
    assert refused["isError"] and 'no attribution value "Xyz"' in refused["content"][0]["text"]
