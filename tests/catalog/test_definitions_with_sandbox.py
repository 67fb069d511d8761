"""Tools that create, update and delete Cloud Analytics resources, against the sandbox's API."""

from __future__ import annotations

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.tools.tool import ToolError
from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.seeds import customer_account

from .conftest import Ask

METRIC = {"type": "basic", "value": "cost"}
THEME = {"primaryColor": "#336699", "colors": {"light": ["#336699"], "dark": ["#99ccff"]}}


async def check_deleted(ask: Ask, name: str, **arguments: str) -> None:
    """Check that the resource in *arguments* no longer exists."""
    with pytest.raises(ApiError) as caught:
        await ask(name, **arguments)
    assert caught.value.kind == "missing"


async def test_alert_lifecycle(ask: Ask) -> None:
    config = {
        **{"metric": METRIC, "timeInterval": "day", "condition": "value", "operator": "gt", "value": "100"},
        "scopes": [{"id": "cloud_provider", "type": "fixed", "values": ["amazon-web-services"]}],
    }
    alert = await ask("create_alert", name="Daily AWS", config=config)
    assert alert["config"]["value"] == 100
    changed = await ask("update_alert", id=alert["id"], name="AWS by day", config=config)
    assert changed["name"] == "AWS by day"
    assert (await ask("get_alert", name="aws by DAY"))["id"] == alert["id"]
    assert [row["id"] for row in (await ask("list_alerts", nameContains="by day"))["alerts"]] == [alert["id"]]
    deleted = await ask("delete_alert", id=alert["id"])
    assert deleted.pop("undo")["tool"] == "create_alert"
    assert deleted == {"status": "completed", "deleted": True, "id": alert["id"]}
    await check_deleted(ask, "get_alert", id=alert["id"])


async def test_single_fields_of_an_alert_can_be_changed(ask: Ask) -> None:
    scopes = [{"id": "cloud_provider", "type": "fixed", "values": ["amazon-web-services"]}]
    config = {"metric": METRIC, "timeInterval": "day", "condition": "value", "operator": "gt", "value": 100}
    alert = await ask("create_alert", name="Daily AWS", config={**config, "scopes": scopes})
    renamed = await ask("update_alert", id=alert["id"], name="AWS by day")
    assert (renamed["name"], renamed["config"]) == ("AWS by day", alert["config"])
    raised = await ask("update_alert", id=alert["id"], alert={"value": 200})
    assert raised["config"] == {**alert["config"], "value": 200}
    assert raised["scopeLastMonth"] == alert["scopeLastMonth"]
    with pytest.raises(ToolError, match="at least one"):
        await ask("update_alert", id=alert["id"])
    await ask("delete_alert", id=alert["id"])


async def test_alerts_watch_what_all_scopes_match(ask: Ask) -> None:
    config = {"metric": METRIC, "timeInterval": "month", "condition": "value", "value": 0.01}
    clouds = [
        {"id": "cloud_provider", "type": "fixed", "values": values}
        for values in (["amazon-web-services", "google-cloud"], ["google-cloud"])
    ]
    both = await ask("create_alert", name="Both", config={**config, "scopes": clouds})
    one = await ask("create_alert", name="One", config={**config, "scopes": clouds[1:]})
    assert both["config"]["operator"] == "gt" and both["scopeLastMonth"] == one["scopeLastMonth"]
    slack = [{"id": "C1", "shared": True}]
    changed = await ask(
        "update_alert",
        id=both["id"],
        recipients=[],
        recipientsSlackChannels=slack,
        alert={"condition": "percentage-change", "ignoreValuesRange": {"lowerBound": 0, "upperBound": 5}},
    )
    assert changed["recipients"] == [] and changed["recipientsSlackChannels"] == slack
    assert changed["config"]["ignoreValuesRange"] == {"lowerBound": 0, "upperBound": 5}
    changed = await ask("update_alert", id=both["id"], alert={"ignoreValuesRange": "none"})
    assert "ignoreValuesRange" not in changed["config"] and changed["config"]["condition"] == "percentage-change"
    changed = await ask("update_alert", id=both["id"], alert={"scopes": []})
    assert changed["config"]["scopes"] == [] and changed["scopeLastMonth"]["cost"] > both["scopeLastMonth"]["cost"]
    allocations = (await ask("list_allocations"))["allocations"]
    single = next(row["id"] for row in allocations if row["allocationType"] == "single")
    older = await ask("update_alert", id=one["id"], alert={"attributions": [single]})
    assert [scope["values"] for scope in older["config"]["scopes"]] == [[single]]
    assert older["scopeLastMonth"] != one["scopeLastMonth"] and "attributions" not in older["config"]
    for alert in (both, one):
        await ask("delete_alert", id=alert["id"])


async def test_allocations_with_legacy_fields_single_and_grouped(ask: Ask) -> None:
    component = {"key": "cloud_provider", "type": "fixed", "values": ["google-cloud"], "mode": "is"}
    rule = {"components": [{**component, "inverse_selection": True, "include_null": True}], "formula": "A"}
    single = await ask("create_allocation", name="No Google", description="", rule=rule)
    stored_component = single["rule"]["components"][0]
    assert (stored_component["inverse"], stored_component["includeNull"], single["allocationType"]) == (
        True,
        True,
        "single",
    )
    rules = [
        {"action": "create", "name": "Google", "components": [component], "formula": "A"},
        {"action": "select", "id": single["id"]},
    ]
    group = await ask("create_allocation", name="Clouds", description="d", rules=rules, unallocatedCosts="Rest")
    assert [item["name"] for item in group["rules"]] == ["Google", "No Google"]
    assert (await ask("update_allocation", id=group["id"], description="e"))["description"] == "e"
    assert [row["id"] for row in (await ask("list_allocations", name="no goo"))["allocations"]] == [single["id"]]
    assert (await ask("get_allocation", name="no google"))["id"] == single["id"]
    with pytest.raises(ApiError) as caught:
        await ask("delete_allocation", id=single["id"])
    assert caught.value.kind == "conflict"
    assert f"in use, used by allocations: Clouds (id {group['id']})" in caught.value.reason
    await ask("delete_allocation", id=group["id"])
    await ask("delete_allocation", id=single["id"])
    await check_deleted(ask, "get_allocation", id=single["id"])


async def test_report_lifecycle(ask: Ask) -> None:
    config = {
        **{"dataSource": "billing", "metrics": [METRIC], "timeInterval": "day"},
        "timeRange": {"mode": "last", "amount": 7, "unit": "day"},
        "group": [{"id": "cloud_provider", "type": "fixed", "limit": {"metric": METRIC, "sort": "desc", "value": 2}}],
        "filters": [{"id": "cloud_provider", "type": "fixed", "values": ["aws"]}],
    }
    report = await ask("create_report", name="By cloud", config=config)
    result = await ask("get_report_config", name="by CLOUD")
    assert result["id"] == report["id"] and result["config"]["filters"][0]["values"] == ["amazon-web-services"]
    assert result["config"]["group"][0]["limit"]["value"] == 2
    assert (await ask("get_report_results", id=report["id"]))["result"]["rows"]
    changed = await ask("update_report", id=report["id"], description="d", config={"timeInterval": "month"})
    assert (changed["description"], changed["config"]["timeInterval"]) == ("d", "month")
    assert changed["config"]["filters"] == result["config"]["filters"]
    await ask("delete_report", id=report["id"])
    await check_deleted(ask, "get_report_config", id=report["id"])


async def test_theme_lifecycle(ask: Ask) -> None:
    theme = await ask("create_custom_theme", name="Dusk", **THEME)
    assert (await ask("update_theme", name="dusk", newName="Dawn"))["name"] == "Dawn"
    assert (await ask("get_theme", name="dawn"))["colors"] == THEME["colors"]
    assert theme["id"] in {row["id"] for row in (await ask("list_themes"))["themes"]}
    chosen = await ask("set_active_theme", themeId=theme["id"])
    assert chosen["undo"]["arguments"] == {"themeId": "default"}
    assert await ask("get_active_theme") == {"themeId": theme["id"]}
    assert (await ask("set_active_theme", themeId="default"))["themeId"] == "default"
    await ask("delete_custom_theme", id=theme["id"])
    await check_deleted(ask, "get_theme", id=theme["id"])


async def test_suggestions_become_a_budget_or_are_dismissed(ask: Ask) -> None:
    first, second = (await ask("list_budget_suggestions"))["items"][:2]
    budget = {"name": "Suggested", "currency": "USD", "type": "recurring", "startPeriod": 1_789_000_000_000}
    budget_created = await ask("create_budget", **budget, amount=100, timeInterval="month")
    accepted = await ask("accept_budget_suggestion", id=first["id"], budgetId=budget_created["id"])
    assert accepted["budgetId"] == budget_created["id"] and accepted["undo"].keys() == {"note"}
    assert (await ask("dismiss_budget_suggestion", id=second["id"], reason="wrong_amount"))["status"] == "dismissed"
    remaining = {row["id"] for row in (await ask("list_budget_suggestions"))["items"]}
    assert not {first["id"], second["id"]} & remaining
    await ask("delete_budget", id=budget_created["id"])
    await check_deleted(ask, "get_budget", id=budget_created["id"])


async def test_dimensions_and_their_values(ask: Ask) -> None:
    listed = await ask("list_dimensions", filter="type:fixed")
    assert listed["dimensions"] and {row["type"] for row in listed["dimensions"]} == {"fixed"}
    values = (await ask("get_dimension", type="fixed", id="cloud_provider"))["values"]
    assert "amazon-web-services" in {row["value"] for row in values}


async def test_contract_lifecycle(ask: Ask, witness: Api) -> None:
    customer = next(iter(customer_account.child_customers(witness.tenant(ACME))))
    terms = {
        **{"customerID": customer, "name": "Resale", "startDate": "2030-01-01T00:00:00Z", "renewalPolicy": "manual"},
        **{"invoicesEmail": "a@b.example", "contractUpdatesEmail": "c@d.example", "billingProfile": {"name": "B"}},
    }
    contract = await ask("create_contract", **terms)
    identifiers = {"customerID": customer, "contractID": contract["contractId"]}
    assert (contract["status"], contract["version"]) == ("draft", 1)
    assert (await ask("update_contract", **{**terms, **identifiers, "name": "Resale 2"}))["version"] == 2
    details = await ask("get_contract", **identifiers)
    assert details["name"] == "Resale 2" and len(details["versions"]) == 2
    assert (await ask("activate_contract", **identifiers))["status"] == "scheduled"
    assert (await ask("cancel_contract", **identifiers, reason="moved"))["status"] == "cancelled"
    listed = await ask("list_contracts", customerID=customer)
    assert listed["rowCount"] == len(listed["contracts"]) >= 2
    contracts = (await ask("list_contracts"))["contracts"]
    assert contracts and {row["customerId"] for row in contracts} == {ACME.id}


async def test_contract_template_lifecycle(ask: Ask) -> None:
    template = {"name": "Standard", "platform": "amazon-web-services", "eligibleFrom": "2026-01-01T00:00:00Z"}
    book = {"name": "Book", "rules": [{"name": "Off", "percentageChange": -5}]}
    template_created = await ask("create_contract_template", **template, priceBooks=[book])
    identifiers = {"templateID": template_created["templateId"]}
    assert (await ask("get_contract_template", **identifiers))["priceBooks"][0]["rules"][0]["percentageChange"] == -5
    assert (await ask("update_contract_template", **identifiers, **template))["priceBooks"] == []
    assert (await ask("archive_contract_template", **identifiers))["status"] == "archived"
    listed = (await ask("list_contract_templates"))["templates"]
    assert identifiers["templateID"] in {row["templateId"] for row in listed}


async def test_contract_without_invoices_from_doit(ask: Ask, witness: Api) -> None:
    customer = next(iter(customer_account.child_customers(witness.tenant(ACME))))
    terms = {"customerID": customer, "name": "Resale", "startDate": "2026-11-01T00:00:00Z", "renewalPolicy": "auto"}
    template = (await ask("list_contract_templates"))["templates"][0]["templateId"]
    created = await ask("create_contract", **terms, doitInvoicingEnabled=False, templateId=template)
    contract = await ask("get_contract", customerID=customer, contractID=created["contractId"])
    assert contract["status"] == "draft" and contract["doitInvoicingEnabled"] is False
    with pytest.raises(ApiError, match="invoicesEmail"):
        await ask("create_contract", **terms)


@pytest.mark.parametrize("former", ["timeCreated", "timeModified"])
async def test_former_orders_of_annotations_still_work(ask: Ask, former: str) -> None:
    by_time = await ask("list_annotations", sortBy="timestamp", sortOrder="desc")
    assert await ask("list_annotations", sortBy=former, sortOrder="desc") == by_time and by_time["annotations"]


@pytest.mark.parametrize(
    ("layout", "stored"), [("sankey_chart", "sankey_chart"), ("csv_export", "table"), ("sheets_export", "table")]
)
async def test_layouts_of_reports(ask: Ask, layout: str, stored: str) -> None:
    config = {"metrics": [METRIC], "timeRange": {"mode": "last", "amount": 1, "unit": "month"}}
    report = await ask("create_report", name="Laid out", config={**config, "layout": layout})
    assert (await ask("get_report_config", id=report["id"]))["config"]["layout"] == stored
    changed = await ask("update_report", id=report["id"], config={"layout": layout})
    assert changed["config"]["layout"] == stored
    assert (await ask("run_query", config={**config, "layout": layout}))["rows"]
    await ask("delete_report", id=report["id"])


async def test_comments_of_tickets_state_who_sees_them(ask: Ask) -> None:
    ticket = next(row["id"] for row in (await ask("list_tickets"))["tickets"] if row["status"] == "open")
    # The API ignores private for customers, and the answer says what holds.
    reply = await ask("create_ticket_comment", ticketId=ticket, body="Only for us", private=True)
    assert reply["public"] is True
    comments = (await ask("list_ticket_comments", ticketId=ticket))["comments"]
    assert [row["public"] for row in comments if row["id"] == reply["id"]] == [True]


async def test_former_members_are_sent_as_the_current_ones(ask: Ask) -> None:
    period = {"timeRange": {"mode": "last", "amount": 1, "unit": "month"}}
    current = await ask("run_query", config={**period, "metrics": [METRIC]})
    assert (await ask("run_query", config={**period, "metric": METRIC}))["rows"] == current["rows"] != []
    allocations = (await ask("list_allocations"))["allocations"]
    single = next(row["id"] for row in allocations if row["allocationType"] == "single")
    fields = {"name": "Old", "amount": 5, "currency": "USD", "type": "recurring", "timeInterval": "month"}
    budget = await ask("create_budget", **fields, startPeriod="2026-09-01", scope=[single])
    assert [scope["values"] for scope in budget["scopes"]] == [[single]]
    with pytest.raises(ApiError, match="scope"):
        await ask("update_budget", id=budget["id"], scope=[single], scopes=budget["scopes"])
    await ask("delete_budget", id=budget["id"])


@pytest.mark.parametrize("operator", [">", ">=", "<", "<=", "between", "not_between", "gt", "b"])
async def test_former_operators_of_changes_are_sent_as_the_current_ones(ask: Ask, operator: str) -> None:
    """The sandbox checks the operator first, with those of the API document, and then refuses all such limits."""
    limit = {"metric": METRIC, "changeType": "percentage", "operator": operator, "values": [0, 5]}
    with pytest.raises(ApiError, match="limitByChange is not supported in the sandbox"):
        await ask(
            "create_report",
            name="Changes",
            config={"metrics": [METRIC], "limitByChange": {**limit, "includeIncompleteData": False}},
        )
