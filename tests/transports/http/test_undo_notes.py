"""Receipts and changes say for which customer an undo call is, what it cannot restore, and what a write affects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from doit_mcp.catalog.writes.reversibility import STATE_UNKNOWN
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.faults import Fault
from doit_mcp.server.catalog import catalog_factory
from tests.sandbox.bodies import ALERT, ALLOCATION, BUDGET, BY_CLOUD, METRIC, THEME
from tests.transports.http.serving import ADMIN, EMPLOYEE, OTHER_USER, Json, Site, serving
from tests.transports.http.test_undo import applied, as_set

ALL = "/mcp/x/all"
OWN_DOMAIN = ADMIN.email.partition("@")[2]
CHILD = "U6eAmQoRzZ"
LABEL, ONE_BUDGET = "/analytics/v1/labels/{id}", "/analytics/v1/budgets/{id}"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


async def prepared(site: Site, name: str, arguments: Json, **options: Any) -> Json:
    """Return the change that a call prepares, or that a dry run shows."""
    answer = (await site.call(name, arguments, path=ALL, **options)).result
    assert not answer.get("isError"), answer
    content: Json = answer["structuredContent"]
    assert content["status"] in ("approval_required", "dry_run"), content
    change: Json = content["change"]
    return change


async def test_undo_calls_of_employees_name_the_customer(site: Site) -> None:
    customer = {"customerContext": OTHER_USER.customer}

    async def done(name: str, arguments: Json) -> Json:
        result = (await site.apply(name, {**arguments, **customer}, user=EMPLOYEE)).result
        assert not result.get("isError"), result
        content: Json = result["structuredContent"]
        return content

    label = await done("create_label", {"name": "Secret project", "color": "teal"})
    changed = await done("update_label", {"id": label["id"], "color": "blue"})
    deleted = await done("delete_label", {"id": label["id"]})
    for receipt in (changed, deleted):
        assert receipt["undo"]["arguments"]["customerContext"] == OTHER_USER.customer
    # The call is complete: the employee acts for another customer without it.
    undo = deleted["undo"]
    restored = (await site.apply(undo["tool"], undo["arguments"], user=EMPLOYEE)).result["structuredContent"]
    assert restored["name"] == "Secret project"
    budget = await done("create_budget", {**BUDGET, "name": "Secret budget"})
    shared = (await done("update_budget", {"id": budget["id"], "public": "viewer"}))["undo"]["note"]
    assert f"customerContext {OTHER_USER.customer}" in shared
    names = [row["name"] for row in (await done("list_labels", {}))["labels"]]
    own = [row["name"] for row in (await applied(site, "list_labels", {}))["labels"]]
    assert "Secret project" in names and "Secret project" not in own


async def test_a_session_of_an_employee_names_the_customer_that_it_chose(site: Site) -> None:
    session = await site.initialize(user=EMPLOYEE)
    await session.call("change_customer", {"customerContext": OTHER_USER.customer})
    made = (await session.call("create_label", {"name": "Quarter", "color": "teal"})).result["structuredContent"]
    changed = (await session.call("update_label", {"id": made["id"], "color": "blue"})).result["structuredContent"]
    assert changed["undo"]["arguments"]["customerContext"] == OTHER_USER.customer
    own = await applied(site, "create_label", {"name": "Own", "color": "teal"})
    mine = await applied(site, "update_label", {"id": own["id"], "color": "blue"})
    assert mine["undo"]["arguments"] == {"id": own["id"], "color": "teal"}


async def test_undo_restores_what_it_can_and_names_the_rest(site: Site) -> None:
    alert = await applied(site, "create_alert", ALERT)
    selected = {"id": alert["id"]}
    config = {"value": 77, "evaluateForEach": "fixed:service_description"}
    done = await applied(site, "update_alert", {**selected, "name": "Other", "alert": config})
    undo = done["undo"]
    assert (
        undo["arguments"]["name"] == ALERT["name"] and undo["arguments"]["alert"]["value"] == ALERT["config"]["value"]
    )
    user = next(row for row in (await applied(site, "list_users", {}))["users"] if row["email"] != ADMIN.email)
    roles = (await applied(site, "list_roles", {}))["roles"]
    role = next(role["id"] for role in roles if role["id"] != user["roleId"])
    done = await applied(site, "update_user", {"id": user["id"], "roleId": role, "phone": "+44"})
    assert done["undo"]["arguments"] == {"id": user["id"], "roleId": user["roleId"]} and "phone" in done["undo"]["note"]


async def test_undo_clears_lists_that_were_empty(site: Site) -> None:
    report = await applied(site, "create_report", {"name": "R", "description": "d", "report": BY_CLOUD})
    selected = {"id": report["id"]}
    former = await applied(site, "get_report_config", selected)
    aws = [{"id": "cloud_provider", "type": "fixed", "values": ["amazon-web-services"]}]
    limit = {"metric": METRIC, "operator": "gt", "values": [1]}
    changes = {"name": "S", "report": {"filters": aws, "metricFilter": limit}}
    done = await applied(site, "update_report", {**selected, **changes})
    assert done["undo"]["arguments"] == {**selected, "name": "R", "report": {"filters": []}}
    assert "report.metricFilter" in done["undo"]["note"]
    await applied(site, done["undo"]["tool"], done["undo"]["arguments"])
    restored = await applied(site, "get_report_config", selected)
    assert restored["name"] == "R" and restored["config"].get("filters", []) == former["config"].get("filters", [])


async def test_undo_of_a_budget_names_the_tool_for_public_access(site: Site) -> None:
    budget = await applied(site, "create_budget", BUDGET)
    selected = {"id": budget["id"]}
    former = await applied(site, "get_budget", selected)
    done = await applied(site, "update_budget", {**selected, "name": "Other", "public": "viewer", "description": "d"})
    undo = done["undo"]
    assert undo["arguments"]["name"] == BUDGET["name"]
    assert f"update_resource_permissions with resourceType budgets, resourceId {budget['id']}" in undo["note"]
    await applied(site, undo["tool"], undo["arguments"])
    resource = {"resourceType": "budgets", "resourceId": budget["id"], "public": "no_access"}
    await applied(site, "update_resource_permissions", resource)
    restored = await applied(site, "get_budget", selected)
    assert as_set(restored)["name"] == as_set(former)["name"] and restored.get("public") == former.get("public")
    fixed = {"type": "fixed", "startPeriod": "2026-11-01", "endPeriod": "2026-12-31"}
    done = await applied(site, "update_budget", {**selected, **fixed})
    undo = done["undo"]
    assert undo["arguments"]["type"] == former["type"] and undo["arguments"]["startPeriod"] == former["startPeriod"]
    assert "endPeriod" in undo["note"]
    await applied(site, undo["tool"], undo["arguments"])
    assert (await applied(site, "get_budget", selected))["type"] == former["type"]


async def test_deletions_of_settings_and_access_are_restored(site: Site) -> None:
    role = await applied(site, "create_role", {"name": "Readers", "permissions": ["alerts.read"]})
    theme = await applied(site, "create_custom_theme", THEME)
    connections = (await applied(site, "list_cloudflow_connections", {}))["items"]
    member = (await applied(site, "get_customer", {}))["id"]
    group = await applied(site, "create_customer_group", {"name": "North", "memberCustomerIds": [member]})
    for name, selected, reader in (
        ("delete_role", {"id": role["id"]}, "get_role"),
        ("delete_custom_theme", {"id": theme["id"]}, "get_theme"),
        ("delete_customer_group", {"customerGroupId": group["id"]}, "get_customer_group"),
        *(
            ("delete_cloudflow_connection", {"connectionId": row["connectionId"]}, "get_cloudflow_connection")
            for row in connections[-1:]
        ),
    ):
        former = await applied(site, reader, selected)
        change = await prepared(site, name, selected)
        assert change["irreversible"] is False and "how to create it again" in str(change["notes"]), change
        deleted = await applied(site, name, selected)
        restored = await applied(site, deleted["undo"]["tool"], deleted["undo"]["arguments"])
        key = next(iter(selected))
        shown = await applied(site, reader, {key: restored.get(key, restored.get("id"))})
        ignored = {key, "id", "etag", "createdAt", "updatedAt", "createdBy"}
        assert {k: v for k, v in as_set(shown).items() if k not in ignored} == {
            k: v for k, v in as_set(former).items() if k not in ignored
        }, name


async def test_memberships_are_undone_as_far_as_they_changed(site: Site) -> None:
    label = await applied(site, "create_label", {"name": "Quarter", "color": "blue"})
    first, second = [await applied(site, "create_budget", {**BUDGET, "name": name}) for name in ("First", "Second")]
    objects = [{"objectId": row["id"], "objectType": "budget"} for row in (first, second)]
    change = await prepared(site, "assign_objects_to_label", {"id": label["id"], "add": objects})
    assert "First" in change["fields"][0]["added"][0]
    await applied(site, "assign_objects_to_label", {"id": label["id"], "add": objects[:1]})
    moved = {"id": label["id"], "add": objects}
    done = await applied(site, "assign_objects_to_label", moved)
    assert done["undo"] == {
        "tool": "assign_objects_to_label",
        "arguments": {"id": label["id"], "remove": objects[1:]},
    }
    await applied(site, done["undo"]["tool"], done["undo"]["arguments"])
    assigned = (await applied(site, "get_label_assignments", {"id": label["id"]}))["assignments"]
    assert assigned == objects[:1]
    deletion = await prepared(site, "delete_label", {"id": label["id"]})
    assert f"object with it: budget First (id {first['id']})" in deletion["affected"]
    ticket = (await applied(site, "list_tickets", {}))["tickets"][0]["id"]
    await applied(site, "add_ticket_tags", {"ticketId": ticket, "tags": ["urgent"]})
    done = await applied(site, "add_ticket_tags", {"ticketId": ticket, "tags": ["urgent", "Later"]})
    assert done["undo"] == {"tool": "remove_ticket_tags", "arguments": {"ticketId": ticket, "tags": ["Later"]}}
    await applied(site, done["undo"]["tool"], done["undo"]["arguments"])
    tags = (await applied(site, "list_ticket_tags", {"ticketId": ticket}))["tags"]
    assert "urgent" in tags and "later" not in tags
    done = await applied(site, "remove_ticket_tags", {"ticketId": ticket, "tags": ["urgent", "other"]})
    assert done["undo"]["arguments"]["tags"] == ["urgent"] and done["undo"]["tool"] == "add_ticket_tags"
    group = (await applied(site, "list_customer_groups", {}))["customerGroups"][0]["id"]
    user = (await applied(site, "list_users", {}))["users"][0]
    pair = {"customerGroupId": group, "userId": user["id"]}
    done = await applied(site, "assign_customer_group_user", pair)
    assert done["undo"] == {"tool": "unassign_customer_group_user", "arguments": pair}
    change = await prepared(site, "update_customer_group", {"customerGroupId": group, "name": "New"})
    assert f"user of the group: {user['email']}" in change["affected"]
    done = await applied(site, "unassign_customer_group_user", pair)
    assert done["undo"] == {"tool": "assign_customer_group_user", "arguments": pair}


async def test_first_geographic_scope_is_removed_again(site: Site) -> None:
    target = {"targetCustomerId": CHILD}
    assert (await applied(site, "get_customer_geographic_scope", target))["type"] == "unassigned"
    done = await applied(site, "update_customer_geographic_scope", {**target, "type": "global"})
    assert done["undo"] == {"tool": "delete_customer_geographic_scope", "arguments": target}


async def test_folder_deletions_say_what_is_lost(site: Site) -> None:
    top = (await applied(site, "create_folder", {"name": "Finance"}))["id"]
    inner = (await applied(site, "create_folder", {"name": "Archive", "parentFolderId": top}))["id"]
    deepest = (await applied(site, "create_folder", {"name": "2019", "parentFolderId": inner}))["id"]
    report = {"name": "Old report", "description": "d", "report": BY_CLOUD, "folderId": deepest}
    await applied(site, "create_report", report)
    change = await prepared(site, "delete_folder", {"id": top})
    affected = "\n".join(change["affected"])
    assert f"folder in it, deleted: Archive (id {inner})" in affected and "deleted: 2019" in affected
    assert "report that moves: Old report" in affected
    assert "deleted with it" in str(change["notes"]) and "cannot be restored" in str(change["notes"])


async def test_role_changes_name_their_users_and_roles(site: Site) -> None:
    role = await applied(site, "create_role", {"name": "Readers", "permissions": ["alerts.read"]})
    user = next(row for row in (await applied(site, "list_users", {}))["users"] if row["email"] != ADMIN.email)
    change = await prepared(site, "update_user", {"id": user["id"], "roleId": role["id"]})
    former = next(row for row in (await applied(site, "list_roles", {}))["roles"] if row["id"] == user["roleId"])
    (row,) = change["fields"]
    assert row["after"] == f"Readers (id {role['id']})" and row["before"] == f"{former['name']} (id {former['id']})"
    assert change["object"]["email"] == user["email"]
    assert any("Readers" in line for line in change["affected"])
    await applied(site, "update_user", {"id": user["id"], "roleId": role["id"]})
    shown = await prepared(site, "update_role", {"id": role["id"], "permissions": []})
    assert f"user with it: {user['email']}" in "\n".join(shown["affected"]), shown
    invited = await prepared(site, "invite_user", {"email": "new@acme.example", "roleId": role["id"]})
    assert any("Readers" in str(row.get("after")) for row in invited["fields"])


async def test_unreadable_state_is_said_before_and_after_the_change() -> None:
    api = Api()
    async with serving(make=catalog_factory(), api=api) as site:
        label = await applied(site, "create_label", {"name": "Quarter", "color": "blue"})
        budget = await applied(site, "create_budget", BUDGET)
        for path in (LABEL, ONE_BUDGET):
            api.faults.append(Fault(path.removesuffix("{id}"), 500, times=None, operation=f"GET {path}"))
        change = await prepared(site, "delete_label", {"id": label["id"]})
        assert change["irreversible"] is True and STATE_UNKNOWN in change["notes"]
        assert "how to create it again" not in str(change["notes"])
        assert (await applied(site, "delete_label", {"id": label["id"]}))["undo"] == {"note": STATE_UNKNOWN}
        changed = await applied(site, "update_budget", {"id": budget["id"], "amount": 5})
        assert changed["undo"] == {"note": STATE_UNKNOWN}


async def test_no_grant_is_hidden_among_many(site: Site) -> None:
    budget = await applied(site, "create_budget", BUDGET)
    many = [f"user{number:02}@{OWN_DOMAIN}" for number in range(60)]
    recipients = [*many, "attacker@evil.example"]
    change = await prepared(site, "update_budget", {"id": budget["id"], "recipients": recipients})
    affected = change["affected"]
    assert affected[0] == "recipients: add attacker@evil.example (outside the customer's domains)"
    assert all(any(address in line for line in affected) for address in many)
    assert any(line.startswith("recipients: remove") for line in affected)
    assert any(line.startswith("The customer's domains:") and OWN_DOMAIN in line for line in affected)
    sharing = {"resourceType": "budgets", "resourceId": budget["id"]}
    users = [{"user": ADMIN.email, "role": "owner"}]
    users += [{"user": address, "role": "viewer"} for address in recipients]
    shared = await prepared(site, "update_resource_permissions", {**sharing, "permissions": users})
    assert "attacker@evil.example (viewer) (outside" in shared["affected"][0]
    assert "url" in shared["object"] and budget["id"] in shared["object"]["url"]
    roles = [f"roles/viewer{number}" for number in range(40)] + ["roles/iam.admin"]
    connection = {"name": "C", "gcpConfig": {"projectId": "p", "level": "project", "predefinedRoles": roles}}
    granted = await prepared(site, "create_cloudflow_connection", connection)
    assert all(any(line.endswith(f": {role}") for line in granted["affected"]) for role in roles)
    end = "roles/owner on the whole organization"
    policy = {"roleName": "r", "permissions": {"statement": "a" * 2_000 + end}}
    granted = await prepared(site, "create_cloudflow_connection", {"name": "C", "awsConfig": policy})
    assert any(line.endswith(end) for line in granted["affected"])
    huge = [f"{'x' * 140}{number:04}@evil.example" for number in range(500)]
    refused = (await site.call("update_budget", {"id": budget["id"], "recipients": huge}, path=ALL)).result
    assert refused["isError"] and "Split it" in refused["content"][0]["text"]


async def test_objects_of_changes_have_their_page(site: Site) -> None:
    assets = (await applied(site, "list_assets", {"filter": "type:g-suite"}))["assets"]
    seats = next(asset for asset in assets if asset.get("quantity"))
    ticket = (await applied(site, "list_tickets", {}))["tickets"][0]
    for name, arguments in (
        ("update_asset", {"id": seats["id"], "quantity": seats["quantity"] + 1, "dryRun": True}),
        ("update_ticket", {"ticketId": ticket["id"], "status": "solved", "dryRun": True}),
    ):
        assert "/" in (await prepared(site, name, arguments))["object"]["url"], name


async def test_empty_values_are_shown_and_reviews_say_what_is_known(site: Site) -> None:
    budget = await applied(site, "create_budget", BUDGET)
    channels = [{"id": "C1", "name": "general"}]
    change = await prepared(
        site,
        "update_budget",
        {"id": budget["id"], "description": "New", "recipientsSlackChannels": channels, "dryRun": True},
    )
    rows = {row["field"]: row for row in change["fields"]}
    assert rows["description"] == {"field": "description", "before": "", "after": "New"}
    assert rows["recipientsSlackChannels"]["added"] and rows["recipientsSlackChannels"]["removed"] == []
    anomaly = (await applied(site, "get_anomalies", {}))["anomalies"][0]["id"]
    review = {"id": anomaly, "reviewStatus": "UNDER_REVIEW", "comment": "Known", "dryRun": True}
    rows = {row["field"]: row for row in (await prepared(site, "update_anomaly_review", review))["fields"]}
    assert rows["reviewStatus"] == {
        "field": "reviewStatus",
        "before": "acknowledged: false",
        "after": "UNDER_REVIEW",
    }
    assert rows["comment"] == {"field": "comment", "after": "Known"}


async def test_outdated_and_repeated_approvals_say_what_happened(site: Site) -> None:
    label = await applied(site, "create_label", {"name": "Quarter", "color": "blue"})
    selected = {"id": label["id"]}
    first = (await site.call("delete_label", selected)).result["structuredContent"]
    await applied(site, "update_label", {**selected, "name": "Half"})
    token = {"approvalToken": first["approvalToken"]}
    renewed = (await site.call("confirm_action", token)).result["structuredContent"]
    assert (
        renewed["status"] == "approval_required"
        and "has changed since the user saw it" in renewed["change"]["notes"][0]
    )
    old = (await site.call("confirm_action", token)).result["content"][0]["text"]
    assert "prepared again with a new token" in old
    token = {"approvalToken": renewed["approvalToken"]}
    done = (await site.call("confirm_action", token)).result["structuredContent"]
    assert done["deleted"] is True
    repeated = (await site.call("confirm_action", token)).result["structuredContent"]
    assert "call delete_label again in" in repeated["alreadyDone"]


async def test_read_only_mode_says_so(site: Site) -> None:
    path = "/mcp/readonly"
    for name in ("delete_budget", "confirm_action", "call_operation"):
        refused = await site.call(name, {"id": "x"}, path=path)
        assert "read-only" in refused.error["message"], refused
    unknown = await site.call("no_such_tool", {}, path=path)
    assert unknown.error["message"] == "Unknown tool: no_such_tool"
    found = (await site.call("read_operation", {"name": "delete_budget"}, path=path)).result
    assert found["isError"] and "read-only" in found["content"][0]["text"]
    own = (await site.call("call_operation", {"name": "confirm_action"})).result["content"][0]["text"]
    assert "call the tool confirm_action itself" in own


async def test_values_that_are_too_long_are_refused_with_the_reason(site: Site) -> None:
    new = {"name": "Long", "description": "x" * 17_000, "rule": ALLOCATION["rule"]}
    refused = (await site.call("create_allocation", new)).result
    assert refused["isError"] and "longer than" in refused["content"][0]["text"], refused


async def test_assignments_tokens_and_connected_accounts_are_restored(site: Site) -> None:
    account = (await applied(site, "list_shared_payer_account_mappings", {}))["items"][0]
    target = next(id for id in (CHILD, ADMIN.customer) if id != account["customerId"])
    moved = {"assetId": account["assetId"], "toCustomerId": target}
    undo = (await applied(site, "reassign_shared_payer_account", moved))["undo"]
    assert undo["arguments"] == {"assetId": account["assetId"], "toCustomerId": account["customerId"]}
    await applied(site, undo["tool"], undo["arguments"])
    assert (await applied(site, "list_shared_payer_account_mappings", {}))["items"][0] == account
    service = (await applied(site, "list_service_accounts", {}))["items"][0]["id"]
    token = (await applied(site, "list_service_account_tokens", {"serviceAccountId": service}))["items"][0]
    selected = {"serviceAccountId": service, "id": token["id"]}
    disabled = await applied(site, "update_service_account_token", {**selected, "tokenState": "disabled"})
    await applied(site, disabled["undo"]["tool"], disabled["undo"]["arguments"])
    assert (await applied(site, "get_service_account_token", selected))["state"] == token["state"]
    deletion = await prepared(site, "delete_service_account", {"id": service})
    assert any(line.startswith("API token that stops: ") for line in deletion["affected"])
    role = {"accountID": "123456789012", "roleArn": "arn:aws:iam::123456789012:role/DoiTRole"}
    await applied(site, "create_account_role", {**role, "enabledFeatures": ["quotas"]})
    former = await applied(site, "get_aws_account", {"accountID": role["accountID"]})
    deleted = await applied(site, "delete_account_role", {"accountID": role["accountID"]})
    assert "note" not in deleted["undo"]
    await applied(site, deleted["undo"]["tool"], deleted["undo"]["arguments"])
    restored = await applied(site, "get_aws_account", {"accountID": role["accountID"]})
    assert {**restored, "timeLinked": ""} == {**former, "timeLinked": ""}
    invited = await applied(site, "invite_user", {"email": "new@acme.example"})
    assert "cancel_invite" in invited["undo"]["note"]
    users = (await applied(site, "list_users", {"email": "new@acme.example"}))["users"]
    canceled = await applied(site, "cancel_invite", {"id": users[0]["id"]})
    assert canceled["undo"]["arguments"] == {"id": users[0]["id"]}
    assert canceled["undo"]["tool"] == "resend_invite" and "another email" in canceled["undo"]["note"]
