"""Layers of cloud diagrams: /clouddiagrams/v1/statussheet and /clouddiagrams/v1/activity.

As in the API document, an unknown layer returns 403, so that callers cannot probe ids.
"""

from __future__ import annotations

import jsonschema_rs
from aiohttp import web

from .. import listing
from ..costs.calendar_days import format_rfc3339, parse_day
from ..diagrams import graph, views
from ..diagrams.costs import INTERVALS, cost_snapshot
from ..diagrams.history import activity_history, find_author, last_sync_time, layers_of
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import object_schema, text_schema
from ..seeds.diagrams import KINDS
from ..tenants import ApiRequest

LAYER_PATH = "/clouddiagrams/v1/statussheet/{id}"
ACTIVITY_PATH = "/clouddiagrams/v1/activity"
IDS: JsonObject = {"type": "array", "items": text_schema(500), "minItems": 1, "maxItems": 500}
COMPONENT_IDS_BODY = jsonschema_rs.validator_for({**object_schema("", **dict.fromkeys(KINDS, IDS)), "minProperties": 1})
DEFAULT_RELATIONSHIPS, MAX_RESULTS = 200, 10_000
SORTS = ("createdAt", "name", "_id")
EXPORT_VERSION = "1.0"
PLURALS = {kind: f"{kind}s" for kind in KINDS}


async def get_components(request: ApiRequest) -> web.Response:
    """POST …/statussheet/{id}/get: the named components, by kind and id; unknown ones are left out."""
    layer = _get_layer(request, request.path_parameter("id"))
    identifiers_by_kind, fields = await request.read_body(COMPONENT_IDS_BODY), request.query.get("p", "").split()
    components = views.current_components(request, layer)
    return json_response(
        {
            kind: {
                item: views.select_fields(components[kind][item], fields) if fields else components[kind][item]
                for item in identifiers
                if item in components[kind]
            }
            for kind, identifiers in identifiers_by_kind.items()
        }
    )


async def export_layer(request: ApiRequest) -> web.Response:
    """GET …/statussheet/{id}/export-json: the whole layer, and the names of link targets on other layers."""
    layer = _get_layer(request, request.path_parameter("id"))
    external_names = {
        end["_id"]: layers_of(request.tenant)[end["ss_id"]][end["type"]][end["_id"]]["name"]
        for link in layer["link"].values()
        if (end := link["destination"])["ss_id"] != layer["id"]
    }
    summary = {name: layer[name] for name in ("name", "color")} | {
        "updatedAt": format_rfc3339(last_sync_time(request.tenant, layer))
    }
    metadata = {
        "user": request.user.email,
        "date": format_rfc3339(request.now),
        "version": EXPORT_VERSION,
        "connections": external_names,
    }
    parts = {
        PLURALS[kind]: list(records.values()) for kind, records in views.current_components(request, layer).items()
    }
    return json_response({"statussheet": summary, "metadata": metadata, **parts})


async def get_costs(request: ApiRequest) -> web.Response:
    """GET …/statussheet/{id}/costs, for whole days."""
    layer = _get_layer(request, request.path_parameter("id"))
    first, last = (_query_day(request, name) for name in ("startDate", "endDate"))
    if last < first:
        raise bad_request("endDate must not be before startDate", field="endDate")
    interval = listing.query_choice(request.query, "interval", INTERVALS, "day")
    return json_response(cost_snapshot(request.tenant, layer, first, last, interval))


async def list_snapshots(request: ApiRequest) -> web.Response:
    """GET …/statussheet/{id}/snapshots, latest first by default."""
    layer = _get_layer(request, request.path_parameter("id"))
    sort = request.query.get("sort") or "-createdAt"
    field = sort.removeprefix("-")
    if field not in SORTS:
        raise bad_request(f"sort must be one of {', '.join(SORTS)}, with - before it for descending", field="sort")
    snapshots = sorted(_list_snapshots(request, layer), key=lambda item: str(item[field]), reverse=sort.startswith("-"))
    return json_response(_slice_rows(request, snapshots, 10))


async def get_snapshot(request: ApiRequest) -> web.Response:
    """GET …/statussheet/{id}/snapshot?snapshot_id=."""
    layer = _get_layer(request, request.path_parameter("id"))
    snapshot_id = _required_parameter(request, "snapshot_id")
    snapshot = next((item for item in _list_snapshots(request, layer) if item["_id"] == snapshot_id), None)
    if snapshot is None:
        raise ApiError(403, "the snapshot does not exist or is not accessible")
    return json_response(snapshot)


async def list_relationships(request: ApiRequest) -> web.Response:
    """GET …/statussheet/{id}/resources/{rid}/relationships."""
    layer, start = _get_layer(request, request.path_parameter("id")), request.path_parameter("rid")
    options = {
        "direction": listing.query_choice(request.query, "direction", ("downstream", "upstream", "both"), "both"),
        "depth": listing.query_choice(request.query, "depth", ("direct", "transitive"), "direct"),
        "kind": listing.query_choice(request.query, "kind", ("edges", "group_members", "both"), "edges"),
    }
    anchor = graph.find_resource(layer, start)
    if anchor is None:
        raise ApiError(404, "the diagram has no node, element or group with this id")
    is_transitive = options["depth"] == "transitive"
    traversals = {
        "edges": graph.find_linked_resources(layer, start, options["direction"], is_transitive),
        "group_members": graph.find_grouped_resources(layer, start, is_transitive),
    }
    relations = graph.merge_relations(
        *(traversal for kind, traversal in traversals.items() if options["kind"] in (kind, "both"))
    )
    page = {"relations": relations[:DEFAULT_RELATIONSHIPS], "truncated": len(relations) > DEFAULT_RELATIONSHIPS}
    return json_response({"anchor": anchor, **options, **page})


async def list_activity(request: ApiRequest) -> web.Response:
    """GET /clouddiagrams/v1/activity, latest first; tags: groups with any of them."""
    layer = _get_layer(request, _required_parameter(request, "ss_id"))
    tags = set(request.http_request.query.getall("tags", []))
    groups = [
        item for item in reversed(activity_history(request.tenant, layer)) if not tags or tags & set(item["tags"])
    ]
    return json_response(_slice_rows(request, groups, 10))


async def list_node_activity(request: ApiRequest) -> web.Response:
    """GET /clouddiagrams/v1/activity/node-activities, latest first."""
    layer, node = _get_layer(request, _required_parameter(request, "ss_id")), _required_parameter(request, "nodeId")
    activities = [
        {name: item[name] for name in ("_id", "activity", "metadata", "timestamp")}
        | {"user": find_author(request.tenant), "statussheet": layer["id"]}
        for group in reversed(activity_history(request.tenant, layer))
        for item in group["items"]
        if item["metadata"]["_id"] == node and item["activity"].startswith("NODE_")
    ]
    return json_response(_slice_rows(request, activities, 50))


def _get_layer(request: ApiRequest, identifier: str) -> JsonObject:
    layer = layers_of(request.tenant).get(identifier)
    if layer is None:
        raise ApiError(403, "the layer does not exist or is not accessible")
    return layer


def _required_parameter(request: ApiRequest, name: str) -> str:
    value = request.query.get(name, "")
    if not value:
        raise bad_request(f"{name} is required", field=name)
    return value


def _query_day(request: ApiRequest, name: str) -> int:
    try:
        return parse_day(request.query.get(name, ""))
    except ValueError:
        raise bad_request(f"{name} must be a day, YYYY-MM-DD", field=name) from None


def _slice_rows(request: ApiRequest, rows: list[JsonObject], default: int) -> list[JsonObject]:
    """The rows selected by limit and offset."""
    start = listing.query_integer(request.query, "offset", 0) or 0
    return rows[start : start + (listing.query_integer(request.query, "limit", 1, MAX_RESULTS) or default)]


def _list_snapshots(request: ApiRequest, layer: JsonObject) -> list[JsonObject]:
    """The states of the layer after each change, oldest first."""
    snapshots: list[JsonObject] = []
    for group in activity_history(request.tenant, layer):
        previous = {"prevState": snapshots[-1]["_id"]} if snapshots else {}
        day, tag = group["timestamp"][:10], group["tags"][0]
        snapshot = {"_id": group["_id"], "name": f"{day} {tag}", "createdAt": group["timestamp"]}
        snapshots.append(snapshot | previous)
    return snapshots


ROUTES = (
    Route("POST", LAYER_PATH + "/get", get_components, "costs.read"),
    Route("GET", LAYER_PATH + "/export-json", export_layer, "costs.read"),
    Route("GET", LAYER_PATH + "/costs", get_costs, "costs.read"),
    Route("GET", LAYER_PATH + "/snapshots", list_snapshots, "costs.read"),
    Route("GET", LAYER_PATH + "/snapshot", get_snapshot, "costs.read"),
    Route("GET", LAYER_PATH + "/resources/{rid}/relationships", list_relationships, "costs.read"),
    Route("GET", ACTIVITY_PATH, list_activity, "costs.read"),
    Route("GET", ACTIVITY_PATH + "/node-activities", list_node_activity, "costs.read"),
)
