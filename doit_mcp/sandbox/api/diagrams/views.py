"""Views of cloud diagram layers: components with issues, field selection, and search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..costs.calendar_days import format_rfc3339
from ..responses import JsonObject
from ..seeds.diagrams import KINDS
from ..seeds.insights import seed_insights
from ..tenants import ApiRequest
from .history import current_nodes, last_sync_time

CLOSED_STATUSES = ("optimized", "dismissed")  # of insights that are no longer issues
Components = dict[str, dict[str, JsonObject]]


def current_components(request: ApiRequest, layer: JsonObject) -> Components:
    """The components of a layer, by kind and id: counts as of the last sync, issues from the current insights."""
    issues = _issues_by_resource(request)
    by_kind: Components = {}
    for kind in KINDS:
        records = current_nodes(request.tenant, layer) if kind == "node" else layer[kind]
        by_kind[kind] = {
            identifier: item | ({"issues": issues[item["cld_id"]]} if item.get("cld_id") in issues else {})
            for identifier, item in records.items()
        }
    return by_kind


def node_type(layer: JsonObject, kind: str, component: JsonObject) -> str:
    """The node type of a component in the API document; "" for a note, which has none."""
    if kind == "node":
        return "host" if "instance_count" in component else "service"
    if kind == "link":
        return "link" if layer["account"] else "app_link"
    names = {"element": "app_component", "group": "group", "attachment": "attachment", "combiner": "app_group"}
    return names.get(kind, "")


def without_groups(by_kind: Components, hidden: set[str]) -> Components:
    """The components without the *hidden* groups, which are also removed from other groups."""
    groups = {
        identifier: group | {"items": [item for item in group["items"] if item["_id"] not in hidden]}
        for identifier, group in by_kind["group"].items()
        if identifier not in hidden
    }
    return {**by_kind, "group": groups}


def default_groups(by_kind: Components) -> set[str]:
    """The default groups of every account of a cloud."""
    return {identifier for identifier, item in by_kind["group"].items() if item["props"]["default"]}


def empty_subnets(by_kind: Components) -> set[str]:
    """The subnets without resources."""
    groups = by_kind["group"].items()
    return {identifier for identifier, item in groups if item["group_type"] == "subnet" and not item["items"]}


def select_fields(component: JsonObject, fields: Mapping[str, object] | list[str]) -> JsonObject:
    """The component with these fields only; its id and required fields are kept."""
    names = {"_id", "origin", "destination", *fields}
    return {name: value for name, value in component.items() if name in names}


def import_state(request: ApiRequest, layer: JsonObject) -> JsonObject | None:
    """The sync state of the layer; None for a layer drawn by users."""
    if not layer["account"]:
        return None
    return {
        "status": "success",
        "type": layer["cloud"],
        "account": layer["name"],
        "cloudId": layer["account"],
        "syncedAt": format_rfc3339(last_sync_time(request.tenant, layer)),
    }


def count_incidents(request: ApiRequest, layer: JsonObject) -> int:
    """The number of incidents of the layer's account today."""
    jumps = request.tenant.ledger.jumps
    return sum(item.first <= request.today <= item.last for item in jumps if item.incident.project == layer["account"])


def search_names(layer: JsonObject, by_kind: Components, words: list[str]) -> Iterator[JsonObject]:
    """The components whose name contains all words, as search results."""
    for kind, item in _all_components(by_kind):
        if _contains_all(words, str(item.get("name") or item.get("text") or "")):
            props = {"service_type": item["props"]["service_type"]} if "service_type" in item.get("props", {}) else {}
            yield _search_hit(layer, kind, item, props)


def search_properties(layer: JsonObject, by_kind: Components, words: list[str]) -> Iterator[JsonObject]:
    """The components with a property value that contains all words, with only the matching properties."""
    for kind, item in _all_components(by_kind):
        texts = {name: value for name, value in item.get("props", {}).items() if isinstance(value, str)}
        props = {name: value for name, value in texts.items() if _contains_all(words, value)}
        if props:
            yield _search_hit(layer, kind, item, props)


def layer_matches(diagram: JsonObject, layer: JsonObject, words: list[str]) -> bool:
    """Whether the names of a layer and its diagram, or its account number, contain all words."""
    return _contains_all(words, f"{layer['name']} {diagram['name']} {layer['account']}")


def _all_components(by_kind: Components) -> Iterator[tuple[str, JsonObject]]:
    for kind, records in by_kind.items():
        for item in records.values():
            yield kind, item


def _contains_all(words: list[str], text: str) -> bool:
    return all(word in text.lower() for word in words)


def _search_hit(layer: JsonObject, kind: str, component: JsonObject, props: JsonObject) -> JsonObject:
    hit: JsonObject = {
        "_id": component["_id"],
        "type": kind,
        "name": component.get("name") or component.get("text") or "",
        "scheme_id": layer["diagram"],
        "ss_id": layer["id"],
        "account_name": layer["name"] if layer["account"] else "",
        "node_type": node_type(layer, kind, component),
        "color": component.get("color"),
        "icon": component.get("icon"),
        "group_type": component.get("group_type"),
        "props": props,
    }
    return {name: value for name, value in hit.items() if value not in (None, "", {})}


def _issues_by_resource(request: ApiRequest) -> dict[str, list[JsonObject]]:
    """The issues that insights report, by resource id."""
    issues: dict[str, list[JsonObject]] = {}
    for insight in request.tenant.collection("insights", seed_insights).values():
        for resource in insight["resources"]:
            if insight["displayStatus"] not in CLOSED_STATUSES and not resource["resolved"]:
                issue = {"_id": insight["id"], "comment": insight["title"]}
                issues.setdefault(resource["resourceId"], []).append(issue)
    return issues
