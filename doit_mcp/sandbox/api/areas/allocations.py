"""Allocations: /analytics/v1/allocations. The module costs.allocations selects their lines."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..allocation_rules import BLOCKERS, RULES, SINGLE, check_optional_members, group_rules, make_rule, resolve_members
from ..analytics_objects import check_folder, find_owner, get_record, list_records, list_visible_records, remove_object
from ..costs.allocations import check_rule
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import BOOLEAN, TEXT, compile_object, nullable_schema, text_schema
from ..seeds import analytics_core
from ..tenants import ApiRequest, Records, check_capacity, newest_first

SORTS = ("id", "name", "owner", "description", "type", "createTime", "updateTime")
LIST_FIELDS = ("id", "name", "description", "type", "allocationType", "createTime", "updateTime")
NAME, DESCRIPTION = text_schema(500, minLength=1), text_schema(5000)
MEMBERS: dict[str, JsonObject] = {
    "anomalyDetection": nullable_schema(BOOLEAN),
    "rule": nullable_schema(SINGLE),
    "rules": RULES,
    "unallocatedCosts": nullable_schema(text_schema(200)),
    "folderId": nullable_schema(TEXT),
}
NEW_ALLOCATION = compile_object("name description", name=NAME, description=DESCRIPTION, **MEMBERS)
ALLOCATION_CHANGES = compile_object("", name=nullable_schema(NAME), description=nullable_schema(DESCRIPTION), **MEMBERS)


async def list_allocations(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/allocations, latest first."""
    criteria = listing.parse_filter(request.query.get("filter", ""), ("type", "owner", "name", "folderId"))
    allocations = listing.filter_by_name(
        request.query, newest_first(list_visible_records(request, "allocation")), "name"
    )
    allocations = listing.filter_rows(allocations, criteria, _sort_text)
    allocations = listing.sort_rows(request.query, allocations, SORTS, _sort_value)
    page = request.paginate([_list_item(request, item) for item in allocations])
    return json_response(request.list_body("allocations", page))


async def get_allocation(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/allocations/{id}."""
    return json_response(_serialize(request, _get_allocation(request)))


async def create_allocation(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/allocations: a single allocation has a rule, a group has rules. The status is 200."""
    body = {name: value for name, value in (await request.read_body(NEW_ALLOCATION)).items() if value is not None}
    if ("rule" in body) == ("rules" in body):
        raise bad_request("one of rule (a single allocation) and rules (a group) is needed, not both", field="rule")
    allocation: JsonObject = {
        "id": request.tenant.new_id(),
        "type": "custom",
        "allocationType": "single" if "rule" in body else "group",
        "anomalyDetection": False,
        "unallocatedCosts": "",
        "folderId": "root",
        "owner": request.user.email,
        "createTime": request.now_milliseconds,
    }
    changed = _apply_changes(request, allocation, body)
    _store_allocations(request, changed)
    return json_response(_serialize(request, changed[-1]))


async def update_allocation(request: ApiRequest) -> web.Response:
    """PATCH /analytics/v1/allocations/{id}: omitted or null members stay unchanged; a group stays a group."""
    allocation = _require_custom(_get_allocation(request, "editor"))
    body = {name: value for name, value in (await request.read_body(ALLOCATION_CHANGES)).items() if value is not None}
    forbidden = "rules" if allocation["allocationType"] == "single" else "rule"
    if forbidden in body:
        raise bad_request(
            f"{forbidden}: an allocation of type {allocation['allocationType']} stays one", field=forbidden
        )
    changed = _apply_changes(request, allocation, body)
    _store_allocations(request, changed)
    return json_response(_serialize(request, changed[-1]))


async def delete_allocation(request: ApiRequest) -> web.Response:
    """DELETE /analytics/v1/allocations/{id}; 409 with the resources that use it (AllocationDeleteValidation)."""
    allocation = _require_custom(_get_allocation(request, "editor"))
    dependents = {name: resources for name, find in BLOCKERS.items() if (resources := find(request, allocation))}
    if dependents:
        blocker = {
            "id": allocation["id"],
            "type": allocation["allocationType"],
            "error": f"{allocation['name']} is in use",
            "resources": dependents,
        }
        return json_response([blocker], 409)
    remove_object(request.tenant, "allocation", allocation["id"])
    return json_response({})


def _allocation_records(request: ApiRequest) -> Records:
    return list_records(request.tenant, "allocation")


def _get_allocation(request: ApiRequest, role: str = "viewer") -> JsonObject:
    return get_record(request, "allocation", request.path_parameter("id"), role)


def _store_allocations(request: ApiRequest, allocations: list[JsonObject]) -> None:
    by_id = {item["id"]: item for item in allocations}
    check_capacity(_allocation_records(request), len(by_id.keys() - _allocation_records(request).keys()))
    _allocation_records(request).update(by_id)


def _require_custom(allocation: JsonObject) -> JsonObject:
    if allocation["type"] != "custom":
        raise ApiError(403, "a preset allocation cannot be changed or deleted")
    return allocation


def _apply_changes(request: ApiRequest, before: JsonObject, body: JsonObject) -> list[JsonObject]:
    """The allocations that a change creates or updates, the changed one last; 400 if it is invalid."""
    changed: JsonObject = {**before, **body, "updateTime": request.now_milliseconds}
    changed["folderId"] = check_folder(request.tenant, changed["folderId"])
    if changed["allocationType"] == "single":
        changed["rule"] = make_rule(changed["rule"])
        allocations = {**_allocation_records(request), changed["id"]: changed}
        check_rule(changed["rule"], allocations, "rule", changed["id"])
        check_optional_members(changed["rule"], "rule")
        return [changed]
    if "anomalyDetection" in body:
        raise bad_request("anomalyDetection requires a single allocation", field="anomalyDetection")
    if not changed["unallocatedCosts"]:
        raise bad_request("unallocatedCosts is required for a group", field="unallocatedCosts")
    if "rules" not in body:
        return [changed]
    members = resolve_members(request, body["rules"])
    changed["rules"] = [item["id"] for item in members]
    return [*members, changed]


def _serialize(request: ApiRequest, allocation: JsonObject) -> JsonObject:
    response = {name: allocation[name] for name in (*LIST_FIELDS, "folderId")}
    if allocation["allocationType"] == "single":
        return response | {"anomalyDetection": allocation["anomalyDetection"], "rule": allocation["rule"]}
    rules = group_rules(_allocation_records(request), allocation["rules"])
    return response | {"rules": rules, "unallocatedCosts": allocation["unallocatedCosts"]}


def _list_item(request: ApiRequest, allocation: JsonObject) -> JsonObject:
    url = analytics_core.console_url(request.tenant.customer, "analytics/allocations", allocation["id"])
    return {name: allocation[name] for name in LIST_FIELDS} | {"owner": find_owner(allocation), "urlUI": url}


def _sort_text(allocation: JsonObject, key: str) -> str:
    return str(_sort_value(allocation, key))


def _sort_value(allocation: JsonObject, key: str) -> object:
    return find_owner(allocation) if key == "owner" else allocation[key]


ROUTES = (
    Route("GET", "/analytics/v1/allocations", list_allocations, "allocations.read"),
    Route("POST", "/analytics/v1/allocations", create_allocation, "allocations.write"),
    Route("GET", "/analytics/v1/allocations/{id}", get_allocation, "allocations.read"),
    Route("PATCH", "/analytics/v1/allocations/{id}", update_allocation, "allocations.write"),
    Route("DELETE", "/analytics/v1/allocations/{id}", delete_allocation, "allocations.write"),
)
