"""Allocation rules of create and update requests, and the resources that use an allocation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .analytics_objects import find_owner, find_role, list_records
from .costs.allocations import check_rule, list_nested_rules
from .costs.dimensions import GROUP, RULE, TYPES, make_response_form
from .responses import JsonObject, bad_request
from .schemas import BOOLEAN, TEXT, array_schema, enum_schema, nullable_schema, object_schema, text_schema
from .tenants import ApiRequest, Records, get_existing

EXCLUDED_TYPES = ("attribution", "attribution_group", "allocation")  # types that components do not support
COMPONENT = object_schema(
    "key type values mode",
    key=TEXT,
    type=enum_schema(*(item for item in TYPES if item not in EXCLUDED_TYPES)),
    values={"type": "array", "items": TEXT, "maxItems": 100},
    inverse=BOOLEAN,
    includeNull=BOOLEAN,
    caseInsensitive=BOOLEAN,
    mode=enum_schema("is", "starts_with", "ends_with", "contains", "regexp"),
)
COMPONENTS = array_schema(COMPONENT, maxItems=26)
DAY: JsonObject = nullable_schema({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"})
PERIODS = array_schema(object_schema("", startDate=DAY, endDate=DAY), maxItems=100)
EXTRACTION_SOURCE = object_schema(
    "type key",
    type=enum_schema("label", "tag", "project_label", "system_label", "gke_label", "fixed"),
    key=text_schema(500, minLength=1),
    providers=array_schema(TEXT, maxItems=100),
)
EXTRACTION = nullable_schema(
    object_schema(
        "sources",
        sources={"type": "array", "items": EXTRACTION_SOURCE, "minItems": 1, "maxItems": 5},
        onMissing=enum_schema("useFallback", "nextRule"),
        fallback=nullable_schema(text_schema(500)),
    )
)
SINGLE = object_schema("components formula", components=COMPONENTS, formula=text_schema(500), validityPeriods=PERIODS)
MEMBER = object_schema(
    "action",
    name=text_schema(500),
    description=text_schema(5000),
    action=enum_schema("create", "update", "select"),
    id=TEXT,
    components=COMPONENTS,
    formula=text_schema(500),
    validityPeriods=PERIODS,
    valueExtraction=EXTRACTION,
)
RULES = array_schema(nullable_schema(MEMBER), maxItems=100)


def make_rule(rule: JsonObject) -> JsonObject:
    """The form of a rule in responses, with all members. Costs in the sandbox do not depend on the optional ones."""
    optional = {name: rule[name] for name in ("validityPeriods", "valueExtraction") if rule.get(name)}
    components = [_make_component(item) for item in rule["components"] or []]
    return {"components": components, "formula": rule["formula"], **optional}


def check_optional_members(rule: JsonObject, where: str) -> None:
    """Raise 400 for periods that overlap or have a gap in their bounds, and for a fallback that does not fit."""
    periods = rule.get("validityPeriods") or []
    place = f"{where}.validityPeriods"
    for index, period in enumerate(periods):
        start, end = period.get("startDate"), period.get("endDate")
        if (start is None and index > 0) or (end is None and index < len(periods) - 1):
            raise bad_request(
                f"{place}[{index}]: only the first can lack startDate, only the last endDate", field=place
            )
        if start is not None and end is not None and end < start:
            raise bad_request(f"{place}[{index}].endDate is before startDate", field=place)
        if index > 0 and start is not None and start <= periods[index - 1]["endDate"]:
            raise bad_request(f"{place}[{index}] overlaps the period before it", field=place)
    extraction = rule.get("valueExtraction")
    if extraction and (extraction.get("onMissing") == "nextRule") == bool(extraction.get("fallback")):
        field = f"{where}.valueExtraction.fallback"
        raise bad_request(f"{field} is required with useFallback and not allowed with nextRule", field=field)


def _make_component(component: JsonObject) -> JsonObject:
    return {"includeNull": False, "caseInsensitive": False, "inverse": False, **component}


def resolve_members(request: ApiRequest, members: list[JsonObject | None]) -> list[JsonObject]:
    """The single allocations that a group's rules create, change or select, in order. Stores nothing."""
    new_members = [item for item in members if item is not None]
    if not new_members:
        raise bad_request("rules must not be empty", field="rules")
    allocations = dict(list_records(request.tenant, "allocation"))
    resolved: list[JsonObject] = []
    for index, member in enumerate(new_members):
        where = f"rules[{index}]"
        item = (
            _select_member(allocations, member, where)
            if member["action"] == "select"
            else _write_member(request, allocations, member, where)
        )
        if any(item["id"] == other["id"] for other in resolved):
            raise bad_request(f"{where}.id is duplicated", field=f"{where}.id")
        allocations[item["id"]] = item
        resolved.append(item)
    return resolved


def _select_member(allocations: Records, member: JsonObject, where: str) -> JsonObject:
    allocation = allocations.get(member.get("id") or "")
    if allocation is None or allocation["allocationType"] != "single":
        raise bad_request(
            f"{where}.id: action {member['action']} needs the id of a single allocation", field=f"{where}.id"
        )
    return allocation


def _write_member(request: ApiRequest, allocations: Records, member: JsonObject, where: str) -> JsonObject:
    for name in ("name", "components", "formula"):
        if not member.get(name):
            raise bad_request(f"{where}.{name} is required with action {member['action']}", field=f"{where}.{name}")
    before: JsonObject
    if member["action"] == "update":
        before = _select_member(allocations, member, where)
    else:
        before = {
            "id": request.tenant.new_id(),
            "description": "",
            "type": "custom",
            "allocationType": "single",
            "anomalyDetection": False,
            "folderId": "root",
            "owner": request.user.email,
            "createTime": request.now_milliseconds,
        }
    changes: JsonObject = {name: member[name] for name in ("name", "description") if name in member}
    allocation: JsonObject = {**before, **changes, "rule": make_rule(member), "updateTime": request.now_milliseconds}
    check_rule(allocation["rule"], {**allocations, allocation["id"]: allocation}, where, allocation["id"])
    check_optional_members(allocation["rule"], where)
    return allocation


def group_rules(allocations: Records, identifiers: Iterable[str]) -> list[JsonObject]:
    """The rules of a group (GroupAllocationRule)."""
    members = (get_existing(allocations, identifier, "allocation") for identifier in identifiers)
    return [
        {**{name: item[name] for name in ("id", "name", "description")}, "action": "select", **item["rule"]}
        for item in members
    ]


def _is_filtered_by(filters: Iterable[JsonObject], allocation: JsonObject) -> bool:
    """Whether the filters or groups refer to the allocation."""
    for item in map(make_response_form, filters):
        if item["type"] == RULE and allocation["id"] in (item.get("values") or ()):
            return True
        if item["type"] == GROUP and item["id"] == allocation["id"]:
            return True
    return False


def _references(request: ApiRequest, resources: Iterable[JsonObject]) -> list[JsonObject]:
    """References to resources (ResourceReference); without access, they name the owner to contact."""
    return [
        {"id": item["id"], "name": item["name"]}
        | ({} if find_role(request.user, item) else {"owner": find_owner(item)})
        for item in resources
    ]


def _find_allocations(request: ApiRequest, allocation: JsonObject) -> list[JsonObject]:
    return _references(
        request,
        (
            item
            for item in list_records(request.tenant, "allocation").values()
            if allocation["id"]
            in (item["rules"] if item["allocationType"] == "group" else list_nested_rules(item["rule"]))
        ),
    )


def _find_alerts(request: ApiRequest, allocation: JsonObject) -> list[JsonObject]:
    return _references(
        request,
        (
            item
            for item in list_records(request.tenant, "alert").values()
            if _is_filtered_by(item["config"]["scopes"], allocation)
        ),
    )


def _find_budgets(request: ApiRequest, allocation: JsonObject) -> list[JsonObject]:
    return _references(
        request,
        (
            item
            for item in list_records(request.tenant, "budget").values()
            if _is_filtered_by(item["scopes"], allocation)
        ),
    )


def _find_reports(request: ApiRequest, allocation: JsonObject) -> list[JsonObject]:
    parts = ("filters", "group", "dimensions")
    return _references(
        request,
        (
            item
            for item in list_records(request.tenant, "report").values()
            if any(_is_filtered_by(item["config"].get(part) or (), allocation) for part in parts)
        ),
    )


BLOCKERS: dict[str, Callable[[ApiRequest, JsonObject], list[JsonObject]]] = {
    "alerts": _find_alerts,
    "allocations": _find_allocations,
    "budgets": _find_budgets,
    "reports": _find_reports,
}
"""Functions that find the resources using an allocation, by resource type."""
