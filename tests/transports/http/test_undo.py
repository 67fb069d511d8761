"""The undo calls in the results of updates and deletions restore the former state of the sandbox."""

from __future__ import annotations

from typing import Any

from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.writes.secret_results import has_secrets
from doit_mcp.catalog.writes.undo import find_undo
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.sandbox.bodies import ALERT, ALLOCATION, BUDGET, BY_CLOUD
from tests.transports.http.serving import ADMIN, EMPLOYEE, Json, Site, serving

CHANGING = {
    "id",
    "customRegionId",
    "createTime",
    "updateTime",
    "timeCreated",
    "timeModified",
    "lastAlerted",
    "url",
    "urlUI",
}
"""Members that the API sets."""
OBJECTS: dict[str, tuple[Json, Json, str]] = {
    "budget": (BUDGET, {"amount": 77, "alerts": [{"percentage": 30}], "recipients": ["a@b.example"]}, "get_budget"),
    "alert": (ALERT, {"name": "Another"}, "get_alert"),
    "allocation": (ALLOCATION, {"name": "Another", "description": "Another one"}, "get_allocation"),
    "annotation": ({"content": "Moved", "timestamp": "2026-01-01T00:00:00Z"}, {"content": "x"}, "get_annotation"),
    "label": ({"name": "Quarter", "color": "blue"}, {"color": "teal", "name": "Half"}, "get_label"),
    "report": ({"name": "R", "description": "d", "report": BY_CLOUD}, {"name": "S"}, "get_report_config"),
    "custom_region": ({"name": "North", "countryCodes": ["DK", "SE"]}, {"countryCodes": ["NO"]}, "get_custom_region"),
}
"""How to create each kind of object, how to change it, and what reads it."""


async def applied(site: Site, name: str, arguments: Json) -> Json:
    answer = (await site.apply(name, arguments)).result
    assert not answer.get("isError"), (name, answer)
    content: Json = answer["structuredContent"]
    return content


def as_set(state: Json) -> Json:
    return {name: value for name, value in state.items() if name not in CHANGING}


def test_deletions_that_can_be_undone() -> None:
    assert {tool.name for tool in direct_tools() if "restore_with" in tool.facts} == {
        f"delete_{kind}"
        for kind in (
            *(*OBJECTS, "customer_geographic_scope", "user_geographic_scope", "account_role"),
            *("role", "custom_theme", "customer_group", "cloudflow_connection"),
        )
    }


def test_facts_about_undo_name_arguments() -> None:
    for tool in direct_tools():
        arguments = tool.accepted_schema["properties"]
        for name, cleared in tool.facts.get("merges", {}).items():
            members = arguments[name]["properties"].keys()
            assert {*cleared, *cleared.values()} <= members, tool.name
        for path in tool.facts.get("cleared_by", {}):
            name, _, member = path.partition(".")
            assert not member or member in arguments[name]["properties"], (tool.name, path)
            assert name in arguments, (tool.name, path)
        if "replaces" in tool.facts:
            assert tool.verb == "update" and "preview_with" in tool.facts, tool.name
        assert tool.facts.get("no_undo", ".").endswith("."), tool.name


async def test_undo_calls_restore_the_former_state() -> None:
    async with serving(make=catalog_factory(), api=Api()) as site:
        for kind, (made, changes, reader) in OBJECTS.items():
            key = "customRegionId" if kind == "custom_region" else "id"
            created = await applied(site, f"create_{kind}", made)
            selected: dict[str, Any] = {key: created["id"]}
            former = await applied(site, reader, selected)
            updated = await applied(site, f"update_{kind}", {**selected, **changes})
            assert as_set(await applied(site, reader, selected)) != as_set(former), kind
            assert updated["undo"]["tool"] == f"update_{kind}", (kind, updated)
            await applied(site, f"update_{kind}", updated["undo"]["arguments"])
            assert as_set(await applied(site, reader, selected)) == as_set(former), kind
            deleted = await applied(site, f"delete_{kind}", selected)
            assert (await site.call(reader, selected)).result["isError"], kind
            undo = deleted["undo"]
            assert undo["tool"] == f"create_{kind}" and "new id" in undo["note"]
            restored = await applied(site, undo["tool"], undo["arguments"])
            assert restored["id"] != created["id"]
            assert as_set(await applied(site, reader, {key: restored["id"]})) == as_set(former), kind


async def test_undo_after_a_change_of_another_user() -> None:
    """It restores only what its change set. What another user set since is in its own undo call."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        budget = await applied(site, "create_budget", BUDGET)
        selected = {"id": budget["id"]}
        undo = (await applied(site, "update_budget", {**selected, "amount": 1500}))["undo"]
        assert undo["arguments"] == {**selected, "amount": BUDGET["amount"]}
        assert (await applied(site, undo["tool"], undo["arguments"]))["amount"] == BUDGET["amount"]
        await applied(site, "update_budget", {**selected, "amount": 1500})
        theirs = {"amount": 7, "name": "Theirs"}
        colleague = (await site.apply("update_budget", {**selected, **theirs}, user=EMPLOYEE)).result
        assert not colleague.get("isError")
        shown = (await applied(site, undo["tool"], {**undo["arguments"], "dryRun": True}))["change"]["fields"]
        assert shown == [{"field": "amount", "before": 7, "after": BUDGET["amount"]}]
        # It equals an earlier call within two minutes, and is still made.
        done = await applied(site, undo["tool"], undo["arguments"])
        assert "alreadyDone" not in done and done["undo"]["arguments"] == {**selected, "amount": 7}
        current = await applied(site, "get_budget", selected)
        assert current["amount"] == BUDGET["amount"] and current["name"] == "Theirs"
        # Tools that add to a list or remove from it change nothing else in it.
        label = await applied(site, "create_label", {"name": "Quarter", "color": "blue"})
        mine, their = ({"objectId": budget["id"], "objectType": "budget"}, await _other_budget(site))
        added = await applied(site, "assign_objects_to_label", {"id": label["id"], "add": [mine]})
        await site.apply("assign_objects_to_label", {"id": label["id"], "add": [their]}, user=EMPLOYEE)
        await applied(site, added["undo"]["tool"], added["undo"]["arguments"])
        assigned = (await applied(site, "get_label_assignments", {"id": label["id"]}))["assignments"]
        assert [row["objectId"] for row in assigned] == [their["objectId"]]


async def _other_budget(site: Site) -> Json:
    listed = (await applied(site, "list_budgets", {}))["budgets"]
    return {"objectId": listed[-1]["id"], "objectType": "budget"}


async def test_created_objects_can_be_removed_again() -> None:
    """With the id from the answer, under the name that the deletion has for it."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        for kind, made in (
            ("label", {"name": "Quarter", "color": "blue"}),
            ("custom_region", {"name": "North", "countryCodes": ["DK"]}),
            ("datahub_dataset", {"name": "Sold"}),
            ("folder", {"name": "Quarter"}),
        ):
            created = await applied(site, f"create_{kind}", made)
            undo = created["undo"]
            assert undo["tool"] == f"delete_{kind}" and undo["note"] == f"delete_{kind} asks for approval first."
            prepared = (await site.call(undo["tool"], undo["arguments"])).result["structuredContent"]
            assert prepared["change"]["object"]["name"] == made["name"]
            await site.call("confirm_action", {"approvalToken": prepared["approvalToken"]})
            again = (await site.call(undo["tool"], undo["arguments"])).result
            assert again.get("isError") or again["structuredContent"].get("alreadyDone"), kind
        owned = {"customerContext": ADMIN.customer}
        made = (await site.apply("create_label", {"name": "Own", "color": "blue", **owned}, user=EMPLOYEE)).result
        assert made["structuredContent"]["undo"]["arguments"]["customerContext"] == ADMIN.customer


def test_creations_have_an_undo_where_a_deletion_takes_their_id() -> None:
    tools = {tool.name: tool for tool in direct_tools() if tool.writes}
    for name, tool in tools.items():
        kind = name.partition("_")[2]
        removing = tools.get(f"delete_{kind}")
        if tool.verb == "create" and removing is not None and "no_undo" not in tool.facts and not has_secrets(tool):
            plan = find_undo(tool, None, tools)
            assert plan is not None, name
            undo = plan.make({}, {"id": "x", removing.targets[-1]: "x"})
            assert undo == {"tool": removing.name, "arguments": {removing.targets[-1]: "x"}}, name
            assert plan.make({}, {"status": "completed"}) == {}, name
