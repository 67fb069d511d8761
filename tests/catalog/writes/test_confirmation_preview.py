"""Confirmation: what the preview of a write shows."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from doit_mcp.catalog.writes.confirmation import (
    confirmation_question,
)
from doit_mcp.catalog.writes.external_addresses import OUTSIDE
from doit_mcp.catalog.writes.preview import ACCEPT_INSTRUCTION, preview_message
from doit_mcp.catalog.writes.snapshot import Snapshot
from doit_mcp.catalog.writes.state_reader import StateReader
from doit_mcp.protocol.jsonrpc import JsonObject
from tests.api.recorder import pages_of

from ..caller import TOOLS, Caller
from .confirming import (
    ACCOUNT,
    BUDGET,
    EDITOR,
    OWNER,
    RESOURCE,
    SHARED,
    ConfirmingCaller,
    Recorder,
    methods,
    run,
    text_for,
)


async def test_update_preview_shows_the_difference() -> None:
    users = {"users": [{"id": "u2"}, {"id": "u1", "email": "ann@acme.example", "roleId": "viewer"}]}
    roles = {"roles": [{"id": "viewer", "name": "Viewer"}, {"id": "admin"}]}
    api = Recorder(users, roles, {})
    caller = ConfirmingCaller(api)
    await run("update_user", caller, id="u1", roleId="admin", firstName="Ann")
    assert "- email: ann@acme.example" in caller.text
    assert "access:\n- roleId: Viewer (id viewer) → admin\nDetails:\n- firstName: Ann" in caller.text
    # The second request reads the names of roles.
    assert methods(api) == ["GET", "GET", "PATCH"]


async def test_connected_account_is_shown_before_its_features_change() -> None:
    caller = ConfirmingCaller(Recorder(ACCOUNT))
    await run("update_aws_feature", caller, accountID="1", enabledFeatures=["quotas"])
    assert caller.text.splitlines()[1:-1] == [
        *("About:", "- accountID: 1", "- roleArn: arn:old"),
        *("Changes:", '- enabledFeatures: ["sandbox"] → ["quotas"]'),
    ]


async def test_role_of_a_connected_account_is_shown_before_replacement() -> None:
    api = Recorder(ACCOUNT)
    caller = ConfirmingCaller(api)
    await run("create_account_role", caller, accountID="1", roleArn="arn:new", enabledFeatures=["sandbox"])
    assert "About:\n- accountID: 1\nRecipients and access:\n- roleArn: arn:old → arn:new\n" in caller.text
    assert methods(api) == ["GET", "POST"]


async def test_unconnected_account_can_be_connected() -> None:
    api = Recorder(ApiError("no such account", kind="missing", status=404), ACCOUNT)
    caller = ConfirmingCaller(api)
    await run("create_account_role", caller, accountID="1", roleArn="arn:new", enabledFeatures=[])
    assert "About:\n- accountID: 1\nRecipients and access:\n- roleArn: arn:new\n" in caller.text
    assert methods(api) == ["GET", "POST"]


@pytest.mark.parametrize("name", ["update_aws_feature", "delete_account_role"])
async def test_unconnected_account_is_not_confirmed(name: str) -> None:
    caller = ConfirmingCaller(Recorder(ApiError("no such account", kind="missing", status=404)))
    with pytest.raises(ApiError):
        await run(name, caller, accountID="1", **({"enabledFeatures": []} if name.startswith("update") else {}))
    assert caller.questions == []


async def test_disconnect_preview_shows_the_role_and_the_effects() -> None:
    caller = ConfirmingCaller(Recorder(ACCOUNT, None))
    result = await run("delete_account_role", caller, accountID="1")
    restored = {"accountID": "1", "roleArn": "arn:old", "enabledFeatures": ["sandbox"]}
    undo = {"tool": "create_account_role", "arguments": restored}
    assert result == {"status": "completed", "deleted": True, "accountID": "1", "undo": undo}
    assert '- accountID: 1\n- roleArn: arn:old\n- enabledFeatures: ["sandbox"]\nAccept' in caller.text


async def test_flow_confirmation_shows_its_name() -> None:
    flows = {"items": [{"id": "f0", "name": "Other"}, {"id": "f1", "name": "Stop idle machines"}]}
    caller = ConfirmingCaller(Recorder(flows, {"executionLink": "l"}))
    await run("trigger_cloud_flow", caller, flowID="f1", requestBodyJson={"zone": "a"})
    expected = "About:\n- flowID: f1\n- name: Stop idle machines\nDetails:\n- requestBodyJson.zone: a\n"
    assert expected in caller.text


async def test_flow_given_by_url_is_confirmed_by_id() -> None:
    caller = ConfirmingCaller(Recorder({"items": [{"id": "f1", "name": "Stop idle machines"}]}, {"executionLink": "l"}))
    await run("trigger_cloud_flow", caller, flowID="https://somewhere.example/cloudflow/v1/trigger/f1")
    assert "About:\n- flowID: f1\n- name: Stop idle machines\n" in caller.text and "somewhere" not in caller.text
    again = await run("trigger_cloud_flow", caller, flowID="f1")
    assert "alreadyDone" in again


async def test_label_preview_shows_its_assignments() -> None:
    api = Recorder({"id": "l1", "name": "Prod"}, {})
    caller = ConfirmingCaller(api)
    await run("assign_objects_to_label", caller, id="l1", add=[{"objectId": "b1", "objectType": "budget"}])
    assert "About:\n- id: l1\n- name: Prod\nDetails:\n- add: " in caller.text and "b1" in caller.text
    # Also read: the budget's name, and the assignments before, for the question and again for the undo call.
    assert methods(api) == ["GET", "GET", "GET", "GET", "POST"]


async def test_insight_preview_uses_other_argument_names() -> None:
    api = Recorder({"title": "Idle things"}, None)
    caller = ConfirmingCaller(api)
    await run("delete_insight_result", caller, sourceID="public-api", insightKey="k")
    assert "- insightKey: k\n- title: Idle things\n" in caller.text
    assert {request.path for request in api.requests} == {"/insights/v1/results/source/public-api/insight/k"}


async def test_account_to_reassign_is_found_by_its_own_id() -> None:
    rows = [{"assetId": "a1", "accountName": "pilot", "customerId": "p"}, {"assetId": "a2", "customerId": "p"}]
    api = Recorder({"items": rows}, {"items": rows}, {"assetId": "a1", "customerId": "c"})
    caller = ConfirmingCaller(api)
    await run("reassign_shared_payer_account", caller, assetId="a1", toCustomerId="c", partnerId="p")
    assert "- assetId: a1\n- accountName: pilot\n" in caller.text and "- toCustomerId: p → c\n" in caller.text
    assert (api.requests[-1].path, api.requests[-1].body) == (
        "/customers/v1/customers/p/shared-payer-accounts/a1",
        {"customerId": "c"},
    )


async def test_every_deletion_preview_names_the_target() -> None:
    caller = ConfirmingCaller(Recorder({"message": "Deleted"}))
    await run("delete_datahub_datasets", caller, datasets=["a", "b"])
    assert 'About:\n- datasets: ["a","b"]\nAffected:\n- dataset deleted with all its events: a' in caller.text


async def test_external_effects_are_stated() -> None:
    caller = ConfirmingCaller(Recorder({}))
    await run("invite_user", caller, email="bob@acme.example")
    assert "outside your DoiT account" in caller.text and "access:\n- email: bob@acme.example" in caller.text


async def test_preview_is_short_and_visible() -> None:
    tool = TOOLS["create_contract"]
    preview = preview_message(
        tool, {f"field{n}": "x\u202e\n y" * 500 for n in range(50)} | {"rows": [{}] * 9}, Snapshot(None)
    )
    assert len(preview) < 5_000 and "\u202e" not in preview and "- and 31 more" in preview
    assert "- and 31 more: field20 (1), field21 (1)" in preview and " more characters)\n" in preview


async def test_volatile_fields_are_not_in_the_preview() -> None:
    """The question is the same when the request is repeated with the answer."""
    first, second = (
        preview_message(TOOLS["delete_budget"], {"id": "b1"}, Snapshot({**BUDGET, "currentUtilization": used}))
        for used in (1, 2)
    )
    assert first == second and confirmation_question(first).digest == confirmation_question(second).digest
    assert (
        confirmation_question(first).digest
        != confirmation_question(preview_message(TOOLS["delete_budget"], {"id": "b2"}, Snapshot(BUDGET))).digest
    )


async def test_ambiguous_or_non_object_targets_are_not_shown() -> None:
    async def blocks(call: Any, arguments: JsonObject) -> ContentResult:
        return ContentResult([{"type": "text", "text": "x"}])

    api = Recorder()
    assert await StateReader(TOOLS["get_datahub_dataset"]).read_state(Caller(api), {"id": "x"}) is None
    assert api.requests == []
    picture = Tool("get_picture", "Get picture", "Shows.", {"type": "object", "properties": {}}, blocks)
    assert await StateReader(picture).read_state(Caller(api), {}) is None


@pytest.mark.requirement("N12")
async def test_n12_every_user_whose_access_changes_is_named() -> None:
    caller = ConfirmingCaller(Recorder(SHARED, {}))
    entries = [{**OWNER, "user": "ANN@acme.example"}, {**EDITOR, "role": "viewer"}]
    await run(
        "update_resource_permissions",
        caller,
        **RESOURCE,
        permissions=[*entries, {"user": "eve@evil.example", "role": "editor"}],
        public="viewer",
    )
    assert caller.text.splitlines()[-6:-1] == [
        "Recipients and access:",
        f"- permissions: add eve@evil.example (editor) ({OUTSIDE})",
        "- permissions: change bob@acme.example: editor → viewer",
        "- public: no access → viewer",
        "- The customer's domains: acme.example",
    ]


@pytest.mark.requirement("N12")
async def test_n12_users_losing_access_and_current_users_are_named() -> None:
    caller = ConfirmingCaller(Recorder(SHARED, {}))
    await run("update_resource_permissions", caller, **RESOURCE, permissions=[OWNER])
    assert "- permissions: remove bob@acme.example (editor)\n" in caller.text
    caller = ConfirmingCaller(Recorder({**SHARED, "permissions": [OWNER, EDITOR] * 2}, {}))
    await run("update_resource_permissions", caller, **RESOURCE, public="viewer")
    assert "- permissions: ann@acme.example (owner), bob@acme.example (editor), ann" in caller.text


@pytest.mark.requirement("N12")
async def test_n12_duplicate_entries_are_shown_twice_and_equal_lists_are_unchanged() -> None:
    caller = ConfirmingCaller(Recorder(SHARED, {}))
    entries = [OWNER, {**EDITOR, "role": "viewer"}, {"user": "Bob@acme.example", "role": "owner"}]
    await run("update_resource_permissions", caller, **RESOURCE, permissions=entries)
    assert "bob@acme.example: editor → viewer\n- permissions: change Bob@acme.example: editor → owner\n" in caller.text
    caller = ConfirmingCaller(Recorder(SHARED, {}))
    await run("update_resource_permissions", caller, **RESOURCE, permissions=[EDITOR, OWNER])
    assert "- permissions: unchanged\n" in caller.text


@pytest.mark.requirement("N12")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("jess@acme.example", "jeſs@acme.example"),
        ("ann@strasse.example", "ann@straße.example"),
        ("kim@acme.example", "\u212aim@acme.example"),
        ("ann@acme.example", "ann@acme.example\u00a0"),
    ],
)
async def test_n12_addresses_that_unicode_folds_together_are_distinct(old: str, new: str) -> None:
    caller = ConfirmingCaller(Recorder({**BUDGET, "recipients": [old]}, {}))
    await run("update_budget", caller, id="b1", recipients=[new])
    assert "recipients: add " in caller.text and f"recipients: remove {old}\n" in caller.text
    assert "unchanged" not in caller.text.splitlines()[:-1][-1]


@pytest.mark.requirement("N12")
async def test_n12_all_entries_are_shown() -> None:
    caller = ConfirmingCaller(Recorder(SHARED, {}))
    permissions = [{"user": f"p{n}@acme.example", "role": "viewer"} for n in range(30)]
    await run("update_resource_permissions", caller, **RESOURCE, permissions=[OWNER, *permissions], public="editor")
    assert all(f"- permissions: add p{n}@acme.example (viewer)\n" in caller.text for n in range(30))
    assert "- permissions: remove bob@acme.example (editor)\n" in caller.text
    assert "- public: no access → editor" in caller.text


@pytest.mark.requirement("N12")
async def test_n12_unreadable_list_is_reported_as_replaced() -> None:
    caller = ConfirmingCaller(Recorder(ApiError("", kind="forbidden"), {}))
    await run("update_budget", caller, id="b1", recipients=["bob@acme.example"])
    assert "- recipients: bob@acme.example\n- recipients: anyone not listed here is removed" in caller.text


@pytest.mark.requirement("N12")
async def test_n12_nested_addresses_and_granted_roles_are_compared() -> None:
    current = {"settings": {"allowedInviteDomains": ["acme.example"], "mfaRequired": True}, "contact": None}
    caller = ConfirmingCaller(Recorder(current, {}))
    settings = {"allowedInviteDomains": ["acme.example", "evil.example"], "mfaRequired": False}
    await run("update_customer", caller, customerId="c", settings=settings)
    assert "- settings.allowedInviteDomains: add evil.example (outside the customer's domains)\n" in caller.text
    assert "- settings.mfaRequired: true → false\n" in caller.text
    caller = ConfirmingCaller(Recorder({"connectionId": "x", "gcpConfig": {"predefinedRoles": ["roles/viewer"]}}, {}))
    roles = {"predefinedRoles": ["roles/owner"]}
    await run("update_cloudflow_connection", caller, connectionId="x", gcpConfig=roles)
    assert "Roles: add roles/owner\n- gcpConfig.predefinedRoles: remove roles/viewer\nAccept" in caller.text


@pytest.mark.requirement("N12")
async def test_n12_every_list_item_is_shown_or_counted() -> None:
    def items(count: int) -> list[JsonObject]:
        return [{"resellerCustomerId": f"c{n}", "resellerPmaAccountId": f"{n:012}"} for n in range(count)]

    text = await text_for("create_billing_transfer_handshakes", {}, dpmaId="d", items=items(5))
    for item in items(5):
        assert f'{{"resellerCustomerId":"{item["resellerCustomerId"]}","resellerPmaAccountId":"' in text
    text = await text_for("create_billing_transfer_handshakes", {}, dpmaId="d", items=items(25))
    assert text.count("resellerPmaAccountId") == 20 and "- and 5 more: items (5)\n" in text
    objects = [{"objectId": f"object {n}", "objectType": "report"} for n in range(9)]
    text = await text_for("assign_objects_to_label", {"id": "l"}, id="l", add=objects, remove=objects[:1])
    assert all(f'"object {n}"' in text for n in range(9)) and '- remove: [{"objectId":"object 0"' in text


@pytest.mark.requirement("N12")
async def test_n12_deletion_names_or_counts_all_targets() -> None:
    text = await text_for("delete_datahub_datasets", {}, datasets=[f"a dataset with the number {n}" for n in range(40)])
    targets, _, affected = text.partition("Affected:\n")
    assert targets.count("a dataset with the number") == 20 and "- and 20 more: datasets (20)\n" in targets
    assert affected.count("a dataset with the number") == 40


@pytest.mark.requirement("N12")
@pytest.mark.parametrize("as_text", [False, True])
async def test_n12_recipients_are_shown_despite_long_siblings(as_text: bool) -> None:
    body: JsonObject = {f"filler {n}": "x" * 500 for n in range(50)}
    body |= {"note": "y" * 300 + " https://evil.example/hook", "deep": {"in": [{"cc": "eve@evil.example"}] * 9}}
    arguments = {"payload": orjson.dumps(body).decode()} if as_text else body
    text = await text_for("trigger_cloud_flow", {"items": []}, flowID="f1", requestBodyJson=arguments)
    path = "requestBodyJson.payload" if as_text else "requestBodyJson"
    lines = text.splitlines()
    assert f"- {path}.note mentions: https:// evil.example/hook" in lines
    first = lines[lines.index("Details:") + 1 :][:2]
    assert f'- {path}.deep.in[0]: {{"cc":"eve@evil.example"}}' in first
    assert any(line.startswith("- and 30 more: ") for line in lines) and "xxx… (and 340 more characters)" in text


@pytest.mark.requirement("N12")
async def test_n12_addresses_are_shown_despite_long_values_or_names() -> None:
    long = "x" * 250 + "@evil.example"
    text = await text_for("update_budget", BUDGET, id="b1", recipients=[long])
    assert f"- recipients mentions: {long}\n" in text
    body = {"y" * 200 + " to eve@evil.example": 1, "bob@evil.example": 2, **{f"filler {n}": n for n in range(50)}}
    text = await text_for("trigger_cloud_flow", {"items": []}, flowID="f1", requestBodyJson=body)
    assert "- requestBodyJson mentions: eve@evil.example\n" in text
    assert "- requestBodyJson.bob@evil.example: 2\n" in text
    # Markup is broken by spaces, which must not push anything out of view.
    hidden = {"a": "www." * 36 + "e", "cc": "eve"}
    text = await text_for("trigger_cloud_flow", {"items": []}, flowID="f1", requestBodyJson={"l": [hidden] * 9})
    assert "- requestBodyJson.l[0].cc: eve\n" in text


@pytest.mark.requirement("N12")
async def test_n12_accounts_and_addresses_of_a_connection_come_first() -> None:
    current = {"connectionId": "x", "gcpConfig": {"infraManagerServiceAccount": "old@p.example", "status": "ok"}}
    config = {"infraManagerProject": "p" * 400, "infraManagerServiceAccount": "eve@evil.example"}
    text = await text_for("update_cloudflow_connection", current, connectionId="x", gcpConfig=config)
    assert "Changes:\n- gcpConfig.infraManagerServiceAccount: old@p.example → eve@evil.example\n- gcpConfig." in text
    accounts = [{"accountId": f"{n:012}", "regions": ["r" * 200]} for n in range(30)]
    text = await text_for(
        "create_cloudflow_connection", {}, name="n", awsConfig={"context": accounts, "managementAccount": "9" * 12}
    )
    assert "- awsConfig.managementAccount: 999999999999\n" in text and text.count("accountId: ") == 19
    assert "awsConfig.context.accountId (11)" in text


@pytest.mark.requirement("N12")
async def test_n12_list_whose_items_lost_a_member_is_shown_again() -> None:
    books = [{"name": f"Book {n} " + "x" * 40, "rules": [{"name": "r"}]} for n in range(5)]
    tool, current = TOOLS["update_contract_template"], {"id": "t", "priceBooks": books}
    text = preview_message(tool, {"templateID": "t", "priceBooks": books[:2]}, Snapshot(current))
    assert "Changes:\n" in text and text.count("- priceBooks: remove ") == 3 and "[0]" not in text
    bare = [{"name": book["name"]} for book in books]
    text = preview_message(tool, {"templateID": "t", "priceBooks": bare}, Snapshot(current))
    assert text.count("- priceBooks[") == 5 and "remove" not in text


@pytest.mark.requirement("N12")
async def test_n12_contract_is_compared_with_its_latest_version() -> None:
    version = {"invoicesEmail": "ann@acme.example", "contractUpdatesEmail": "ann@acme.example", "version": 2}
    old = {**version, "invoicesEmail": "former@acme.example", "version": 1}
    current = {"id": "k", "name": "Deal", "versions": [old, version]}
    terms = {"name": "Deal", "startDate": "2026-01-01T00:00:00Z", "renewalPolicy": "auto", "billingProfile": {}}
    text = await text_for(
        "update_contract",
        current,
        customerID="c",
        contractID="k",
        **terms,
        invoicesEmail="eve@evil.example",
        contractUpdatesEmail="ann@acme.example",
    )
    assert f"- invoicesEmail: ann@acme.example → eve@evil.example ({OUTSIDE})\n" in text


@pytest.mark.requirement("N12")
async def test_n12_preview_pages_through_lists_to_find_the_target() -> None:
    flows = [[{"id": f"f{page} {n}", "name": f"Flow {page} {n}"} for n in range(50)] for page in range(30)]
    api = pages_of("items", *flows)
    assert "- flowID: f9 7\n- name: Flow 9 7\n" in await text_for("trigger_cloud_flow", api, flowID="f9 7")
    text = await text_for("trigger_cloud_flow", api, flowID="f10 0")
    assert "\nThe first 10 pages of list_cloudflows show no object with this id.\nAbout:\n- flowID: f10 0\n" in text
    text = await text_for("trigger_cloud_flow", pages_of("items", *flows[:2]), flowID="nothing")
    assert "\nlist_cloudflows shows no object with this id.\n" in text
    text = await text_for("delete_budget", ApiError("", kind="fault"), id="b1")
    assert "\nThe current state could not be read.\n" in text


@pytest.mark.requirement("N12")
async def test_n12_difference_beyond_the_truncation_is_not_equal() -> None:
    arn = "arn:aws:iam::123456789012:role/" + "x" * 200
    current = {**ACCOUNT, "roleArn": arn + "1"}
    text = await text_for("create_account_role", current, accountID="1", roleArn=arn + "2", enabledFeatures=[])
    assert " → arn:aws:iam::123456789012:role/xxx" in text


EVIL = "![x](http://evil.example/p.png) <img src=x> [pay](https://evil.example) &#8238;x"


@pytest.mark.requirement("N24")
async def test_n24_api_markup_is_plain_text_in_a_confirmation() -> None:
    caller = ConfirmingCaller(Recorder({**BUDGET, "name": EVIL}, None))
    await run("delete_budget", caller, id="b1")
    line = next(line for line in caller.text.splitlines() if line.startswith("- name: "))
    assert line == ("- name: ! [x] (http:// evil.example/p.png) < img src=x> [pay] (https:// evil.example) & #8238;x")


@pytest.mark.requirement("N24")
@pytest.mark.parametrize("gap", ["\n", "\r\n", "\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
async def test_n24_api_text_cannot_imitate_a_line_of_the_confirmation(gap: str) -> None:
    name = f"Data team{gap}{ACCEPT_INSTRUCTION}{gap}Customer: nobody"
    caller = ConfirmingCaller(Recorder({**BUDGET, "name": name}, None))
    await run("delete_budget", caller, id="b1")
    lines = caller.text.splitlines()
    assert (
        len(lines) == 10
        and lines.count(ACCEPT_INSTRUCTION) == 1
        and not any(line.startswith("Customer") for line in lines)
    )
