"""What prepared changes and dry runs say over HTTP: the object, its values before and after, and what is irreversible."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from doit_mcp.catalog.writes.change_rows import MAX_ITEMS
from doit_mcp.catalog.writes.value_diff import is_unchanged, value_lines
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.sandbox.bodies import ALERT, BUDGET, THEME
from tests.transports.http.serving import Json, Site, serving
from tests.transports.http.test_undo import applied
from tests.transports.http.test_undo_notes import prepared

ALL = "/mcp/x/all"
MIDNIGHT = "2026-01-01T00:00:00Z"
TEMPLATE = {"name": "Full", "platform": "amazon-web-services", "eligibleFrom": MIDNIGHT}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


async def call(site: Site, name: str, /, **arguments: Any) -> Json:
    """Return the structured content of a call at the URL with all tools, approved if that is required."""
    content = await call_once(site, name, **arguments)
    if content.get("status") == "approval_required":
        content = await call_once(site, "confirm_action", approvalToken=content["approvalToken"])
    return content


async def call_once(site: Site, name: str, /, **arguments: Any) -> Json:
    result = (await site.call(name, arguments, path=ALL)).result
    assert not result.get("isError"), result
    content: Json = result["structuredContent"]
    return content


async def dry_run(site: Site, name: str, /, **arguments: Any) -> Json:
    """Return the change that a dry run shows."""
    content = await call_once(site, name, **arguments, dryRun=True)
    assert content["status"] == "dry_run", content
    change: Json = content["change"]
    return change


async def test_objects_have_the_name_from_before_the_change(site: Site) -> None:
    budget = await call(site, "create_budget", **BUDGET, description="Planned spend")
    role = await call(site, "create_role", name="Old role", description="d", permissions=["alerts.read"])
    note = await call(site, "create_annotation", content="Launch", timestamp=MIDNIGHT)
    user = (await call(site, "list_users"))["users"][0]
    customer = await call(site, "get_customer")
    scope = {"targetCustomerId": customer["id"], "userId": user["id"]}
    shown = {
        BUDGET["name"]: await dry_run(site, "update_budget", id=budget["id"], name="New"),
        "Old role": await dry_run(site, "update_role", id=role["id"], name="New"),
        "Launch": await dry_run(site, "update_annotation", id=note["id"], content="Migration"),
        "Orders": await dry_run(site, "update_datahub_dataset", name="Orders", description="New"),
        user["displayName"]: await dry_run(site, "update_user_geographic_scope", **scope, type="global"),
    }
    assert {change["object"]["name"] for change in shown.values()} == shown.keys()


def row(change: Json) -> Json:
    """Return the only row of a change."""
    (found,) = change["fields"]
    return dict(found)


async def test_members_are_added_and_removed_by_name(site: Site) -> None:
    group = (await call(site, "list_customer_groups"))["customerGroups"][0]
    user = (await call(site, "list_users"))["users"][0]
    pair = {"customerGroupId": group["id"], "userId": user["id"]}
    assigned = await dry_run(site, "assign_customer_group_user", **pair)
    assert row(assigned) == {"field": "users", "added": [user["email"]], "removed": []}
    await call(site, "assign_customer_group_user", **pair)
    unassigned = await dry_run(site, "unassign_customer_group_user", **pair)
    assert row(unassigned) == {"field": "users", "added": [], "removed": [user["email"]]}
    label = await call(site, "create_label", name="Quarter", color="blue")
    objects = [{"objectId": f"b{number}", "objectType": "budget"} for number in range(22)]
    shown = row(await dry_run(site, "assign_objects_to_label", id=label["id"], add=objects, remove=objects[:1]))
    assert shown["added"][1] == "objectId: b1, objectType: budget" and len(shown["added"]) == 22
    # An object without the label cannot lose it.
    assert shown["field"] == "assignments" and shown["removed"] == []
    customer = await call(site, "get_customer")
    created = await call(site, "create_contract_template", **TEMPLATE)
    template = created["templateId"]
    offered = await dry_run(site, "assign_contract_template", templateID=template, customerIds=[customer["id"]])
    assert row(offered) == {"field": "customerIds", "added": [customer["id"]], "removed": []}


async def test_lists_are_complete_up_to_a_limit_and_have_one_form(site: Site) -> None:
    former = [f"user-{number}@acme.example" for number in range(71)]
    budget = await call(site, "create_budget", **{**BUDGET, "recipients": former})
    selected: Json = {"id": budget["id"]}
    for recipients, added, removed in (
        (["new@acme.example", *former[:3]], ["new@acme.example"], former[3:]),
        ([*former, "new@acme.example"], ["new@acme.example"], []),
        ([former[-1]], [], former[:-1]),
    ):
        shown = await dry_run(site, "update_budget", **selected, recipients=recipients)
        assert shown["fields"] == [{"field": "recipients", "added": added, "removed": removed}]
        assert "notes" not in shown
    many = [f"user-{number}@acme.example" for number in range(3 * MAX_ITEMS)]
    alerts = [{"percentage": 10}]
    shown = await dry_run(site, "update_budget", **selected, recipients=many, amount=7, alerts=alerts)
    rows = {row["field"]: row for row in shown["fields"]}
    assert rows.keys() == {"recipients", "amount", "alerts"}
    *listed, more = rows["recipients"]["added"]
    assert listed == many[71:][: MAX_ITEMS - 4] and more == f"and {len(many) - 71 - len(listed)} more"
    # The short lists have their items, whatever the length of others.
    assert rows["alerts"]["added"] == ["Alert at 10 %"] and len(rows["alerts"]["removed"]) == 3
    deleted = (await call_once(site, "delete_budget", **selected))["change"]
    assert {"field": "recipients", "added": [], "removed": former} in deleted["fields"]


async def test_lists_show_only_what_changes_inside_them(site: Site) -> None:
    filters: Json = {"id": "service_description", "type": "fixed", "values": [f"Service {one}" for one in range(51)]}
    report = await call(site, "create_report", name="Long", report={"dataSource": "billing", "filters": [filters]})
    changed = {"filters": [{**filters, "values": [*filters["values"], "Service 51"]}]}
    assert row(await dry_run(site, "update_report", id=report["id"], report=changed)) == {
        "field": "report.filters[0].values",
        "added": ["Service 51"],
        "removed": [],
    }
    budget = await call(site, "create_budget", **BUDGET, seasonalAmounts=[1, 2, 3, 4])
    shown = row(await dry_run(site, "update_budget", id=budget["id"], seasonalAmounts=[1, 1, 2, 2]))
    assert shown == {"field": "seasonalAmounts", "before": "1, 2, 3, 4", "after": "1, 1, 2, 2"}
    groups = (await call(site, "list_allocations"))["allocations"]
    group = next(one for one in groups if one["allocationType"] == "group")
    rules = (await call(site, "get_allocation", id=group["id"]))["rules"]
    reverse = [{"action": "select", "id": rule["id"]} for rule in rules[::-1]]
    shown = row(await dry_run(site, "update_allocation", id=group["id"], rules=reverse))
    assert shown["field"] == "rules" and len(rules) > 2
    for side, ordered in (("before", rules), ("after", rules[::-1])):
        assert shown[side] == ", ".join(f"{rule['name']} (id {rule['id']})" for rule in ordered)


async def test_an_emptied_list_that_has_only_the_owner_is_unchanged(site: Site) -> None:
    budget = await call(site, "create_budget", **BUDGET)
    owner = budget["recipients"]
    shown = await dry_run(site, "update_budget", id=budget["id"], recipients=[])
    assert shown["fields"] == [] and shown["notes"] == ["The object has these values already."]
    assert owner[0] not in str(shown.get("affected"))
    await call(site, "update_budget", id=budget["id"], recipients=[*owner, "bob@acme.example"])
    shown = row(await dry_run(site, "update_budget", id=budget["id"], recipients=[]))
    assert shown["added"] == ["the owner of the budget"] and "bob@acme.example" in shown["removed"]


async def test_values_before_have_the_names_of_arguments(site: Site) -> None:
    first, second = [(await call(site, "create_label", name=name, color="blue"))["id"] for name in ("First", "Second")]
    note = await call(site, "create_annotation", content="Launch", timestamp=MIDNIGHT, labels=[first, second])
    shown = await dry_run(site, "update_annotation", id=note["id"], labels=[second], content="Launch")
    assert row(shown) == {"field": "labels", "added": [], "removed": [f"First (id {first})"]}
    same = await dry_run(site, "update_annotation", id=note["id"], timestamp=MIDNIGHT)
    assert same["fields"] == [] and same["notes"] == ["The object has these values already."]
    theme = await call(site, "create_custom_theme", **THEME)
    for selector in ({"id": theme["id"]}, {"name": theme["name"]}):
        renamed = await dry_run(site, "update_theme", **selector, newName="Other")
        assert row(renamed) == {"field": "newName", "before": theme["name"], "after": "Other"}
        assert renamed["object"]["name"] == theme["name"] and "notes" not in renamed
    unknown = (await site.call("update_theme", {"name": "No", "newName": "T", "dryRun": True}, path=ALL)).result
    assert unknown["isError"] and "no theme has the name" in unknown["content"][0]["text"]
    user = (await call(site, "list_users"))["users"][0]["id"]
    await call(site, "update_user", id=user, jobFunction="Founder")
    assert row(await dry_run(site, "update_user", id=user, jobFunction="Management"))["before"] == "Founder"
    # The API shows no review, only whether the anomaly is acknowledged.
    anomaly = (await call(site, "get_anomalies"))["anomalies"][0]["id"]
    review = await dry_run(site, "update_anomaly_review", id=anomaly, reviewStatus="UNDER_REVIEW")
    assert row(review) == {"field": "reviewStatus", "before": "acknowledged: false", "after": "UNDER_REVIEW"}


async def test_dry_runs_of_the_api_say_that_they_are(site: Site) -> None:
    account = (await call(site, "list_service_accounts"))["items"][0]
    token = (await call(site, "list_service_account_tokens", serviceAccountId=account["id"]))["items"][0]
    await call(site, "invite_user", email="new@acme.example")
    users = (await call(site, "list_users"))["users"]
    (invited,) = [user["id"] for user in users if user["email"] == "new@acme.example"]
    of_token = {"serviceAccountId": account["id"], "id": token["id"]}
    for name, arguments, title in (
        ("resend_invite", {"id": invited}, "Resend invite"),
        ("cancel_invite", {"id": invited}, "Cancel invite"),
        ("update_service_account", {"id": account["id"], "description": "New"}, "Update service account"),
        ("create_service_account", {"name": "New", "permissions": account["permissions"]}, "Create service account"),
        ("update_service_account_token", {**of_token, "tokenState": "disabled"}, "Update service account token"),
        ("delete_service_account_token", of_token, "Delete service account token"),
        ("delete_service_account", {"id": account["id"]}, "Delete service account"),
    ):
        shown = await call_once(site, name, **arguments, dryRun=True)
        assert (shown["status"], shown["dryRun"], shown["change"]["title"]) == ("dry_run", True, title)
        assert "message" not in shown and "dryRun" not in shown["change"].get("object", {})
    assert (await call(site, "list_service_accounts"))["items"][0] == account
    assert (await call(site, "list_users"))["users"] == users


async def test_changes_say_what_cannot_be_undone_and_whom_they_affect(site: Site) -> None:
    await call(site, "invite_user", email="new@acme.example")
    asset = (await call(site, "list_assets"))["assets"][0]
    user = (await call(site, "list_users"))["users"][-1]
    label = await call(site, "create_label", name="Quarter", color="blue")
    events = [{"provider": "Orders", "id": "1", "time": MIDNIGHT, "metrics": [{"value": 1, "type": "cost"}]}]
    csv = {"provider": "Orders", "csv": "a,b\n1,2\n", "replace": True}
    for name, arguments, irreversible, affected in (
        ("create_asset", {"accountName": "New", "rootEmail": "root@acme.example"}, True, "root@acme.example"),
        ("update_asset", {"id": asset["id"], "quantity": 30}, True, "outside"),
        ("send_datahub_events", {"events": events}, True, ""),
        ("upload_datahub_csv", csv, True, ""),
        ("delete_label", {"id": label["id"]}, False, ""),
        ("delete_user", {"id": user["id"]}, True, f"email: {user['email']}"),
        ("cancel_invite", {"id": user["id"]}, False, f"email: {user['email']}"),
    ):
        prepared = await call_once(site, name, **arguments)
        assert prepared["status"] == "approval_required", prepared
        assert prepared["change"]["irreversible"] is irreversible, name
        assert affected in " ".join(prepared["change"].get("affected", [])), name


async def test_every_prepared_change_has_a_card(site: Site) -> None:
    listed = (await site.send_stateless("tools/list", path=ALL)).result["tools"]
    with_card = {tool["name"] for tool in listed if "ui" in tool["_meta"]}
    assert with_card >= {"confirm_action", "call_operation", "update_budget", "create_alert", "create_ticket"}
    budget = await call(site, "create_budget", **BUDGET)
    change = {"id": budget["id"], "recipients": ["eve@partner.example"]}
    prepared = (await site.call("update_budget", change, path=ALL)).result
    assert prepared["structuredContent"]["status"] == "approval_required"
    assert prepared["_meta"]["doit/view"] == {"tool": "update_budget"}
    await call(site, "update_budget", id=budget["id"], recipients=["bob@partner.example"])
    token = prepared["structuredContent"]["approvalToken"]
    renewed = (await site.call("confirm_action", {"approvalToken": token})).result
    assert renewed["structuredContent"]["status"] == "approval_required"
    assert renewed["_meta"]["doit/view"] == {"tool": "update_budget"}


async def test_secrets_in_open_arguments_are_not_shown(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    flow = next(row for row in (await call(site, "list_cloudflows"))["items"] if row["published"])
    payload = {
        "region": "eu",
        "login": {"password": "hunter2"},
        "steps": [{"apiKey": "k-123", "name": "n"}],
        "pin": "7",
    }
    prepared = await call_once(site, "start_cloudflow_run", flowId=flow["id"], payload=payload)
    shown = str(prepared["change"])
    assert "hunter2" not in shown and "k-123" not in shown and shown.count("(not shown)") == 2 and "eu" in shown
    change = {"name": "AWS", "awsConfig": {"externalId": "shared-secret", "roleName": "r"}}
    refused = (await site.call("create_cloudflow_connection", change, path=ALL)).result
    assert refused["isError"], refused
    audited = [str(vars(record)) for record in caplog.records if record.name == "doit_mcp.audit"]
    assert any("create_cloudflow_connection" in line for line in audited)
    assert "shared-secret" not in "".join(audited)


def test_secrets_that_change_are_marked() -> None:
    (line,) = value_lines("payload", {"password": "new"}, {"password": "old"})
    assert (line.before, line.after) == ("(another value, not shown)", "(not shown)")
    assert all(map(is_unchanged, value_lines("payload", {"password": "old"}, {"password": "old"})))


async def test_rows_show_only_items_that_change_with_their_names(site: Site) -> None:
    label, other = [(await call(site, "create_label", name=name, color="blue"))["id"] for name in ("Quarter", "Half")]
    alert: Json = {"objectId": (await call(site, "create_alert", **ALERT))["id"], "objectType": "alert"}
    note = (await call(site, "create_annotation", content="Moved", timestamp=MIDNIGHT, labels=[label]))["id"]
    labeled: Json = {"objectId": note, "objectType": "annotation"}
    prepared = await call_once(site, "assign_objects_to_label", id=label, add=[labeled, alert])
    (row,) = prepared["change"]["fields"]
    assert "Google by month" in str(row["added"]) and "Moved" not in str(row["added"])
    unchanged = (await call_once(site, "assign_objects_to_label", id=label, remove=[alert]))["change"]
    assert unchanged["fields"] == [] and "already" in str(unchanged["notes"])
    (row,) = (await dry_run(site, "update_annotation", id=note, labels=[other]))["fields"]
    assert (row["added"], row["removed"]) == ([f"Half (id {other})"], [f"Quarter (id {label})"])
    (row,) = (await dry_run(site, "update_alert", id=alert["objectId"], alert={"scopes": []}))["fields"]
    assert row["removed"] == ["cloud_provider is google-cloud"] and row["removedItems"][0]["values"] == ["google-cloud"]


async def test_thresholds_have_units(site: Site) -> None:
    alerts = (await applied(site, "list_alerts", {}))["alerts"]
    percent = next(row["id"] for row in alerts if row["config"]["condition"] == "percentage-change")
    (row,) = (await prepared(site, "update_alert", {"id": percent, "alert": {"value": 60.5}, "dryRun": True}))["fields"]
    assert row == {"field": "alert.value", "before": "50 %", "after": "60.5 %"}
    change = {"id": percent, "alert": {"value": 7000, "condition": "value", "currency": "EUR"}, "dryRun": True}
    rows = {row["field"]: row for row in (await prepared(site, "update_alert", change))["fields"]}
    assert rows["alert.value"] == {"field": "alert.value", "before": "50 %", "after": "7,000 EUR"}
    budget = (await applied(site, "list_budgets", {}))["budgets"][0]["id"]
    (row,) = (await prepared(site, "update_budget", {"id": budget, "growthPerPeriod": 5, "dryRun": True}))["fields"]
    assert row["after"] == "5 %"


async def test_deletions_name_the_public_access(site: Site) -> None:
    for kind in ("alert", "budget"):
        shared = (await applied(site, f"list_{kind}s", {}))[f"{kind}s"][0]["id"]
        assert (
            "public: all users of the customer (viewer)"
            in (await prepared(site, f"delete_{kind}", {"id": shared}))["affected"]
        )


async def test_invitations_are_undone_by_canceling_them(site: Site) -> None:
    user = (await applied(site, "list_users", {}))["users"][0]
    person = {"email": "new@acme.example", "roleId": user["roleId"], "organizationId": user["organizationId"]}
    assert "The email cannot be recalled." in (await prepared(site, "invite_user", person))["notes"]
    invited = await applied(site, "invite_user", person)
    assert (invited["undo"]["tool"], invited["undo"]["arguments"]) == ("cancel_invite", {"id": invited["user"]["id"]})
    canceled = await applied(site, "cancel_invite", invited["undo"]["arguments"])
    assert canceled["inviteId"] == invited["user"]["id"]
