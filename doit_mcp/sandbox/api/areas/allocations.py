"""Allocations: /analytics/v1/allocations. What they take is reckoned in costs/allocations.py."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..allocation_rules import BLOCKERS, RULES, SINGLE, grouped, rule_of, shown_rules
from ..analytics_objects import check_folder, opened, owner_of, records, removed, seen
from ..costs.allocations import check
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..schemas import FLAG, TEXT, compiled, or_null, text
from ..seeds import analytics_core
from ..tenants import Ask, Records, make_room, newest_first

SORTS = ("id", "name", "owner", "description", "type", "createTime", "updateTime")
LISTED = ("id", "name", "description", "type", "allocationType", "createTime", "updateTime")
NAME, DESCRIPTION = text(500, minLength=1), text(5000)
MEMBERS: dict[str, JsonObject] = {
    "anomalyDetection": or_null(FLAG),
    "rule": or_null(SINGLE),
    "rules": RULES,
    "unallocatedCosts": or_null(text(200)),
    "folderId": or_null(TEXT),
}
NEW = compiled("name description", name=NAME, description=DESCRIPTION, **MEMBERS)
CHANGES = compiled("", name=or_null(NAME), description=or_null(DESCRIPTION), **MEMBERS)


async def list_allocations(ask: Ask) -> web.Response:
    """GET /analytics/v1/allocations, latest first."""
    criteria = listing.filters(ask.query.get("filter", ""), ("type", "owner", "name", "folderId"))
    found = listing.named_like(ask.query, newest_first(seen(ask, "allocation")), "name")
    found = listing.matching(found, criteria, _read)
    found = listing.ordered(ask.query, found, SORTS, _read_any)
    page = listing.page(
        [_item(ask, one) for one in found], ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope
    )
    return answer(ask.listed("allocations", page))


async def get_allocation(ask: Ask) -> web.Response:
    """GET /analytics/v1/allocations/{id}."""
    return answer(_shown(ask, _allocation(ask)))


async def create_allocation(ask: Ask) -> web.Response:
    """POST /analytics/v1/allocations: a single one has a rule, a group has rules. The status is 200."""
    body = {name: value for name, value in (await ask.body(NEW)).items() if value is not None}
    if ("rule" in body) == ("rules" in body):
        raise bad("one of rule (a single allocation) and rules (a group) is needed, not both", field="rule")
    allocation: JsonObject = {
        "id": ask.tenant.new_id(),
        "type": "custom",
        "allocationType": "single" if "rule" in body else "group",
        "anomalyDetection": False,
        "unallocatedCosts": "",
        "folderId": "root",
        "owner": ask.user.email,
        "createTime": ask.millis,
    }
    after = _settled(ask, allocation, body)
    _store(ask, after)
    return answer(_shown(ask, after[-1]))


async def update_allocation(ask: Ask) -> web.Response:
    """PATCH /analytics/v1/allocations/{id}: what is left out or null stays; a group stays a group."""
    allocation = _own(_allocation(ask, "editor"))
    body = {name: value for name, value in (await ask.body(CHANGES)).items() if value is not None}
    other = "rules" if allocation["allocationType"] == "single" else "rule"
    if other in body:
        raise bad(f"{other}: an allocation of type {allocation['allocationType']} stays one", field=other)
    after = _settled(ask, allocation, body)
    _store(ask, after)
    return answer(_shown(ask, after[-1]))


async def delete_allocation(ask: Ask) -> web.Response:
    """DELETE /analytics/v1/allocations/{id}; 409 with what uses it (AllocationDeleteValidation)."""
    allocation = _own(_allocation(ask, "editor"))
    used = {name: found for name, find in BLOCKERS.items() if (found := find(ask, allocation))}
    if used:
        blocker = {
            "id": allocation["id"],
            "type": allocation["allocationType"],
            "error": f"{allocation['name']} is in use",
            "resources": used,
        }
        return answer([blocker], 409)
    removed(ask.tenant, "allocation", allocation["id"])
    return answer({})


def _records(ask: Ask) -> Records:
    return records(ask.tenant, "allocation")


def _allocation(ask: Ask, role: str = "viewer") -> JsonObject:
    return opened(ask, "allocation", ask.part("id"), role)


def _store(ask: Ask, allocations: list[JsonObject]) -> None:
    found = {one["id"]: one for one in allocations}
    make_room(_records(ask), len(found.keys() - _records(ask).keys()))
    _records(ask).update(found)


def _own(allocation: JsonObject) -> JsonObject:
    if allocation["type"] != "custom":
        raise Refusal(403, "a preset allocation cannot be changed or deleted")
    return allocation


def _settled(ask: Ask, before: JsonObject, body: JsonObject) -> list[JsonObject]:
    """The allocations that a change makes or alters, the one it is about last; 400 if it makes no sense."""
    changed: JsonObject = {**before, **body, "updateTime": ask.millis}
    changed["folderId"] = check_folder(ask.tenant, changed["folderId"])
    if changed["allocationType"] == "single":
        changed["rule"] = rule_of(changed["rule"])
        known = {**_records(ask), changed["id"]: changed}
        check(changed["rule"], known, "rule", changed["id"])
        return [changed]
    if "anomalyDetection" in body:
        raise bad("anomalyDetection goes with single allocations only", field="anomalyDetection")
    if not changed["unallocatedCosts"]:
        raise bad("unallocatedCosts is required for a group", field="unallocatedCosts")
    if "rules" not in body:
        return [changed]
    members = grouped(ask, body["rules"])
    changed["rules"] = [one["id"] for one in members]
    return [*members, changed]


def _shown(ask: Ask, allocation: JsonObject) -> JsonObject:
    shown = {name: allocation[name] for name in (*LISTED, "folderId")}
    if allocation["allocationType"] == "single":
        return shown | {"anomalyDetection": allocation["anomalyDetection"], "rule": allocation["rule"]}
    rules = shown_rules(_records(ask), allocation["rules"])
    return shown | {"rules": rules, "unallocatedCosts": allocation["unallocatedCosts"]}


def _item(ask: Ask, allocation: JsonObject) -> JsonObject:
    url = analytics_core.console_url(ask.tenant.customer, "analytics/allocations", allocation["id"])
    return {name: allocation[name] for name in LISTED} | {"owner": owner_of(allocation), "urlUI": url}


def _read(allocation: JsonObject, key: str) -> str:
    return str(_read_any(allocation, key))


def _read_any(allocation: JsonObject, key: str) -> object:
    return owner_of(allocation) if key == "owner" else allocation[key]


ROUTES = (
    Route("GET", "/analytics/v1/allocations", list_allocations, "allocations.read"),
    Route("POST", "/analytics/v1/allocations", create_allocation, "allocations.write"),
    Route("GET", "/analytics/v1/allocations/{id}", get_allocation, "allocations.read"),
    Route("PATCH", "/analytics/v1/allocations/{id}", update_allocation, "allocations.write"),
    Route("DELETE", "/analytics/v1/allocations/{id}", delete_allocation, "allocations.write"),
)
