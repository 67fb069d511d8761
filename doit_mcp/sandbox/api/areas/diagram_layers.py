"""Layers of cloud diagrams: /clouddiagrams/v1/statussheet and /clouddiagrams/v1/activity.

A layer that is not there answers 403, as the document has it: nobody learns which ids exist.
"""

from __future__ import annotations

import jsonschema_rs
from aiohttp import web

from .. import listing
from ..costs.calendar_days import parse_day, rfc3339
from ..diagrams import graph, views
from ..diagrams.costs import INTERVALS, cost_snapshot
from ..diagrams.history import author, history, last_synced, layers_of
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
EXPORT_VERSION = "1.0"  # of exports
PLURALS = {kind: f"{kind}s" for kind in KINDS}


async def get_components(ask: ApiRequest) -> web.Response:
    """POST …/statussheet/{id}/get: the named components, by kind and id; what is not there is left out."""
    layer = _get_layer(ask, ask.path_parameter("id"))
    wanted, fields = await ask.read_body(COMPONENT_IDS_BODY), ask.query.get("p", "").split()
    found = views.components(ask, layer)
    return json_response(
        {
            kind: {
                one: views.select_fields(found[kind][one], fields) if fields else found[kind][one]
                for one in identifiers
                if one in found[kind]
            }
            for kind, identifiers in wanted.items()
        }
    )


async def export_layer(ask: ApiRequest) -> web.Response:
    """GET …/statussheet/{id}/export-json: all of it, and the names of what its links lead to elsewhere."""
    layer = _get_layer(ask, ask.path_parameter("id"))
    elsewhere = {
        end["_id"]: layers_of(ask.tenant)[end["ss_id"]][end["type"]][end["_id"]]["name"]
        for link in layer["link"].values()
        if (end := link["destination"])["ss_id"] != layer["id"]
    }
    about = {name: layer[name] for name in ("name", "color")} | {"updatedAt": rfc3339(last_synced(ask.tenant, layer))}
    metadata = {"user": ask.user.email, "date": rfc3339(ask.now), "version": EXPORT_VERSION, "connections": elsewhere}
    parts = {PLURALS[kind]: list(ones.values()) for kind, ones in views.components(ask, layer).items()}
    return json_response({"statussheet": about, "metadata": metadata, **parts})


async def get_costs(ask: ApiRequest) -> web.Response:
    """GET …/statussheet/{id}/costs, of whole days."""
    layer = _get_layer(ask, ask.path_parameter("id"))
    first, last = (_query_day(ask, name) for name in ("startDate", "endDate"))
    if last < first:
        raise bad_request("endDate must not be before startDate", field="endDate")
    interval = listing.query_choice(ask.query, "interval", INTERVALS, "day")
    return json_response(cost_snapshot(ask.tenant, layer, first, last, interval))


async def list_snapshots(ask: ApiRequest) -> web.Response:
    """GET …/statussheet/{id}/snapshots, the latest first unless sort says otherwise."""
    layer = _get_layer(ask, ask.path_parameter("id"))
    sort = ask.query.get("sort") or "-createdAt"
    field = sort.removeprefix("-")
    if field not in SORTS:
        raise bad_request(f"sort must be one of {', '.join(SORTS)}, with - before it for descending", field="sort")
    found = sorted(_snapshots(ask, layer), key=lambda one: str(one[field]), reverse=sort.startswith("-"))
    return json_response(_slice_rows(ask, found, 10))


async def get_snapshot(ask: ApiRequest) -> web.Response:
    """GET …/statussheet/{id}/snapshot?snapshot_id=."""
    layer = _get_layer(ask, ask.path_parameter("id"))
    wanted = _required_parameter(ask, "snapshot_id")
    found = next((one for one in _snapshots(ask, layer) if one["_id"] == wanted), None)
    if found is None:
        raise ApiError(403, "the snapshot is not there, or not yours to see")
    return json_response(found)


async def list_relationships(ask: ApiRequest) -> web.Response:
    """GET …/statussheet/{id}/resources/{rid}/relationships."""
    layer, start = _get_layer(ask, ask.path_parameter("id")), ask.path_parameter("rid")
    chosen = {
        "direction": listing.query_choice(ask.query, "direction", ("downstream", "upstream", "both"), "both"),
        "depth": listing.query_choice(ask.query, "depth", ("direct", "transitive"), "direct"),
        "kind": listing.query_choice(ask.query, "kind", ("edges", "group_members", "both"), "edges"),
    }
    anchor = graph.find_start(layer, start)
    if anchor is None:
        raise ApiError(404, "no node, element or group of this id is on the diagram")
    far = chosen["depth"] == "transitive"
    walks = {
        "edges": graph.linked_resources(layer, start, chosen["direction"], far),
        "group_members": graph.grouped_resources(layer, start, far),
    }
    found = graph.merge_relations(*(walk for kind, walk in walks.items() if chosen["kind"] in (kind, "both")))
    shown = {"relations": found[:DEFAULT_RELATIONSHIPS], "truncated": len(found) > DEFAULT_RELATIONSHIPS}
    return json_response({"anchor": anchor, **chosen, **shown})


async def list_activity(ask: ApiRequest) -> web.Response:
    """GET /clouddiagrams/v1/activity, the latest first; tags: groups with any of them."""
    layer = _get_layer(ask, _required_parameter(ask, "ss_id"))
    tags = set(ask.http_request.query.getall("tags", []))
    found = [one for one in reversed(history(ask.tenant, layer)) if not tags or tags & set(one["tags"])]
    return json_response(_slice_rows(ask, found, 10))


async def list_node_activity(ask: ApiRequest) -> web.Response:
    """GET /clouddiagrams/v1/activity/node-activities, the latest first."""
    layer, node = _get_layer(ask, _required_parameter(ask, "ss_id")), _required_parameter(ask, "nodeId")
    found = [
        {name: one[name] for name in ("_id", "activity", "metadata", "timestamp")}
        | {"user": author(ask.tenant), "statussheet": layer["id"]}
        for group in reversed(history(ask.tenant, layer))
        for one in group["items"]
        if one["metadata"]["_id"] == node and one["activity"].startswith("NODE_")
    ]
    return json_response(_slice_rows(ask, found, 50))


def _get_layer(ask: ApiRequest, identifier: str) -> JsonObject:
    found = layers_of(ask.tenant).get(identifier)
    if found is None:
        raise ApiError(403, "the layer is not there, or not yours to see")
    return found


def _required_parameter(ask: ApiRequest, name: str) -> str:
    found = ask.query.get(name, "")
    if not found:
        raise bad_request(f"{name} is required", field=name)
    return found


def _query_day(ask: ApiRequest, name: str) -> int:
    try:
        return parse_day(ask.query.get(name, ""))
    except ValueError:
        raise bad_request(f"{name} must be a day, YYYY-MM-DD", field=name) from None


def _slice_rows(ask: ApiRequest, rows: list[JsonObject], default: int) -> list[JsonObject]:
    """As many rows as limit says, after offset of them."""
    start = listing.query_integer(ask.query, "offset", 0) or 0
    return rows[start : start + (listing.query_integer(ask.query, "limit", 1, MAX_RESULTS) or default)]


def _snapshots(ask: ApiRequest, layer: JsonObject) -> list[JsonObject]:
    """What the layer was like after each change, the first one first."""
    found: list[JsonObject] = []
    for group in history(ask.tenant, layer):
        before = {"prevState": found[-1]["_id"]} if found else {}
        day, tag = group["timestamp"][:10], group["tags"][0]
        shown = {"_id": group["_id"], "name": f"{day} {tag}", "createdAt": group["timestamp"]}
        found.append(shown | before)
    return found


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
