"""Rules of allocations as requests carry them, and what else uses an allocation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .analytics_objects import owner_of, records, role_of
from .costs.allocations import check, nested
from .costs.dimensions import GROUP, RULE, TYPES, answered
from .responses import JsonObject, bad
from .schemas import FLAG, TEXT, items, one_of, or_null, record, text
from .tenants import Ask, Records, existing

WITHOUT = ("attribution", "attribution_group", "allocation")  # types that components do not take
COMPONENT = record(
    "key type values mode",
    key=TEXT,
    type=one_of(*(one for one in TYPES if one not in WITHOUT)),
    values={"type": "array", "items": TEXT, "maxItems": 100},
    inverse=FLAG,
    inverse_selection=FLAG,
    includeNull=FLAG,
    caseInsensitive=FLAG,
    mode=one_of("is", "starts_with", "ends_with", "contains", "regexp"),
)
COMPONENTS = items(COMPONENT, maxItems=26)
SINGLE = record("components formula", components=COMPONENTS, formula=text(500))
MEMBER = record(
    "action",
    name=text(500),
    description=text(5000),
    action=one_of("create", "update", "select"),
    id=TEXT,
    components=COMPONENTS,
    formula=text(500),
)
RULES = items(or_null(MEMBER), maxItems=100)


def rule_of(found: JsonObject) -> JsonObject:
    """A rule as answers show it: ``inverse`` in place of ``inverse_selection``."""
    return {"components": [_component(one) for one in found["components"] or []], "formula": found["formula"]}


def _component(found: JsonObject) -> JsonObject:
    kept = {name: value for name, value in found.items() if name != "inverse_selection"}
    inverse = bool(found.get("inverse") or found.get("inverse_selection"))
    return {"includeNull": False, "caseInsensitive": False, **kept, "inverse": inverse}


def grouped(ask: Ask, members: list[JsonObject | None]) -> list[JsonObject]:
    """The single allocations that a group's rules make, alter or choose, in their order; nothing is stored yet."""
    wanted = [one for one in members if one is not None]
    if not wanted:
        raise bad("rules must not be empty", field="rules")
    known = dict(records(ask.tenant, "allocation"))
    found: list[JsonObject] = []
    for index, member in enumerate(wanted):
        where = f"rules[{index}]"
        one = _chosen(known, member, where) if member["action"] == "select" else _written(ask, known, member, where)
        if any(one["id"] == other["id"] for other in found):
            raise bad(f"{where}.id is there twice", field=f"{where}.id")
        known[one["id"]] = one
        found.append(one)
    return found


def _chosen(known: Records, member: JsonObject, where: str) -> JsonObject:
    found = known.get(member.get("id") or "")
    if found is None or found["allocationType"] != "single":
        raise bad(f"{where}.id: action {member['action']} needs the id of a single allocation", field=f"{where}.id")
    return found


def _written(ask: Ask, known: Records, member: JsonObject, where: str) -> JsonObject:
    for name in ("name", "components", "formula"):
        if not member.get(name):
            raise bad(f"{where}.{name} is required with action {member['action']}", field=f"{where}.{name}")
    before: JsonObject
    if member["action"] == "update":
        before = _chosen(known, member, where)
    else:
        before = {
            "id": ask.tenant.new_id(),
            "description": "",
            "type": "custom",
            "allocationType": "single",
            "anomalyDetection": False,
            "folderId": "root",
            "owner": ask.user.email,
            "createTime": ask.millis,
        }
    changes: JsonObject = {name: member[name] for name in ("name", "description") if name in member}
    written: JsonObject = {**before, **changes, "rule": rule_of(member), "updateTime": ask.millis}
    check(written["rule"], {**known, written["id"]: written}, where, written["id"])
    return written


def shown_rules(known: Records, identifiers: Iterable[str]) -> list[JsonObject]:
    """The rules of a group (GroupAllocationRule)."""
    found = (existing(known, identifier, "allocation") for identifier in identifiers)
    return [
        {**{name: one[name] for name in ("id", "name", "description")}, "action": "select", **one["rule"]}
        for one in found
    ]


def _filtered_by(filters: Iterable[JsonObject], allocation: JsonObject) -> bool:
    """Whether filters or groups speak of the allocation."""
    for one in map(answered, filters):
        if one["type"] == RULE and allocation["id"] in (one.get("values") or ()):
            return True
        if one["type"] == GROUP and one["id"] == allocation["id"]:
            return True
    return False


def _references(ask: Ask, found: Iterable[JsonObject]) -> list[JsonObject]:
    """ResourceReference: whoever has no access is told whom to ask."""
    return [
        {"id": one["id"], "name": one["name"]} | ({} if role_of(ask.user, one) else {"owner": owner_of(one)})
        for one in found
    ]


def _allocations(ask: Ask, allocation: JsonObject) -> list[JsonObject]:
    return _references(
        ask,
        (
            one
            for one in records(ask.tenant, "allocation").values()
            if allocation["id"] in (one["rules"] if one["allocationType"] == "group" else nested(one["rule"]))
        ),
    )


def _alerts(ask: Ask, allocation: JsonObject) -> list[JsonObject]:
    return _references(
        ask,
        (
            one
            for one in records(ask.tenant, "alert").values()
            if _filtered_by(one["config"]["scopes"], allocation)
            or allocation["id"] in (one["config"].get("attributions") or ())
        ),
    )


def _budgets(ask: Ask, allocation: JsonObject) -> list[JsonObject]:
    return _references(
        ask,
        (
            one
            for one in records(ask.tenant, "budget").values()
            if allocation["id"] in one["scope"] or _filtered_by(one["scopes"], allocation)
        ),
    )


def _reports(ask: Ask, allocation: JsonObject) -> list[JsonObject]:
    parts = ("filters", "group", "dimensions")
    return _references(
        ask,
        (
            one
            for one in records(ask.tenant, "report").values()
            if any(_filtered_by(one["config"].get(part) or (), allocation) for part in parts)
        ),
    )


BLOCKERS: dict[str, Callable[[Ask, JsonObject], list[JsonObject]]] = {
    "alerts": _alerts,
    "allocations": _allocations,
    "budgets": _budgets,
    "reports": _reports,
}
"""What uses an allocation, by the type of the resources."""
