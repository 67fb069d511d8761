"""Cloud diagrams: /clouddiagrams/v1/scheme. All operations read, some with POST."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import jsonschema_rs
from aiohttp import web

from .. import listing
from ..costs.calendar_days import format_rfc3339, parse_seconds
from ..diagrams import views
from ..diagrams.history import activity_history, last_sync_time, layers_of
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import INTEGER, compile_object, object_schema, text_schema
from ..seeds.analytics_core import console_url
from ..seeds.diagrams import KINDS, seed_diagrams
from ..tenants import ApiRequest, Records

PATH = "/clouddiagrams/v1/scheme"
TYPES = ("application", "infrastructure", "network", "template")
NODE_TYPES = ("app_component", "app_group", "app_link", "attachment", "group", "host", "link", "service")
TEMPLATES = ("component", "statussheet")
SELECTABLE_KINDS = ("element", "link", "group", "note", "combiner")  # kinds that the query can include or exclude
IDS: JsonObject = {"type": "array", "items": text_schema(500), "maxItems": 500}
FIND_BODY = compile_object("resources", resources=IDS)
LOAD_BODY = jsonschema_rs.validator_for(
    object_schema(
        "",
        scheme=IDS,
        statussheet=IDS,
        template={"anyOf": [{"type": "string", "enum": list(TEMPLATES)}, IDS]},
    )
)
SEARCH_BODY = compile_object(
    "query",
    query=text_schema(1000),
    ss_id=text_schema(500),
    **{
        "from": {**INTEGER, "minimum": 0},
        "size": {**INTEGER, "minimum": 1, "maximum": 10_000},
    },
)
NODE_CHANGES = ("NODE_CREATE", "NODE_UPDATE", "NODE_DELETE")


@dataclass(frozen=True, slots=True)
class LayerOptions:
    """The requested components of layers, and their fields; *node_type* "" means all."""

    kinds: tuple[str, ...]
    node_type: str
    external: bool
    issues: bool
    default_vpc: bool
    empty_subnets: bool


async def find_diagrams(request: ApiRequest) -> web.Response:
    """POST /clouddiagrams/v1/scheme/find: by ids of components, or of resources in their cloud."""
    resource_ids = set((await request.read_body(FIND_BODY))["resources"])
    layers = [
        layer
        for layer in layers_of(request.tenant).values()
        if any(resource_ids & {item["_id"], item.get("cld_id")} for kind in KINDS for item in layer[kind].values())
    ]
    urls = (
        f"{console_url(request.tenant.customer, 'cloud-diagrams', item['diagram'])}/{item['id']}" for item in layers
    )
    return json_response([{"diagramUrl": url, "imageUrl": f"{url}/image"} for url in urls])


async def list_stats(request: ApiRequest) -> web.Response:
    """GET /clouddiagrams/v1/scheme/stats: changes on every layer from start to end, by service."""
    start, end = (_query_time(request, name) for name in ("start", "end"))
    if end < start:
        raise bad_request("end must not be before start", field="end")
    return json_response([_count_changes(request, layer, start, end) for layer in layers_of(request.tenant).values()])


async def get_diagrams(request: ApiRequest) -> web.Response:
    """POST /clouddiagrams/v1/scheme/get: all diagrams, or the ones named in the body with their components."""
    types = request.http_request.query.getall("type", [])
    if set(types) - set(TYPES):
        raise bad_request(f"type must be one of {', '.join(TYPES)}", field="type")
    options = _read_options(request)
    body = await request.read_body(LOAD_BODY) if await request.http_request.read() else {}
    layers = [
        item for item in layers_of(request.tenant).values() if not types or _get_diagram(request, item)["type"] in types
    ]
    if listing.query_flag(request.query, "skip_empty"):
        non_empty = {item["diagram"] for item in layers if any(item[kind] for kind in KINDS)}
        layers = [item for item in layers if item["diagram"] in non_empty]
    if not body:
        return json_response({"scheme": _group_by_diagram(request, layers)})
    selected = [
        item
        for item in layers
        if item["diagram"] in body.get("scheme", ()) or item["id"] in body.get("statussheet", ())
    ]
    response = {
        "scheme": _group_by_diagram(
            request, [item for item in layers if item["diagram"] in {layer["diagram"] for layer in selected}]
        ),
        "statussheet": {layer["id"]: _load_layer(request, layer, options) for layer in selected},
    }
    if "template" in body:
        response["template"] = {
            layer["id"]: _load_layer(request, layer, options) for layer in _select_templates(layers, body["template"])
        }
    return json_response(response)


async def search_diagrams(request: ApiRequest) -> web.Response:
    """POST /clouddiagrams/v1/scheme/search: all words must match (case-insensitive); each category is paginated
    separately.
    """
    body = await request.read_body(SEARCH_BODY)
    words = body["query"].lower().split()
    layers = [item for item in layers_of(request.tenant).values() if body.get("ss_id", item["id"]) == item["id"]]
    layer_components = [(layer, views.current_components(request, layer)) for layer in layers if words]
    hits: dict[str, list[JsonObject]] = {
        "scheme": [
            _layer_search_hit(request, layer)
            for layer, _ in layer_components
            if views.layer_matches(_get_diagram(request, layer), layer, words)
        ],
        "component": [
            hit for layer, components in layer_components for hit in views.search_names(layer, components, words)
        ],
        "prop": [
            hit for layer, components in layer_components for hit in views.search_properties(layer, components, words)
        ],
    }
    start, size = body.get("from", 0), body.get("size", 20)
    return json_response({name: rows[start : start + size] for name, rows in hits.items()})


def _diagram_records(request: ApiRequest) -> Records:
    return request.tenant.collection("diagrams", seed_diagrams)


def _get_diagram(request: ApiRequest, layer: JsonObject) -> JsonObject:
    return _diagram_records(request)[layer["diagram"]]


def _query_time(request: ApiRequest, name: str) -> float:
    try:
        return parse_seconds(request.query.get(name, ""))
    except ValueError:
        raise bad_request(f"{name} must be an RFC 3339 time", field=name) from None


def _count_changes(request: ApiRequest, layer: JsonObject, start: float, end: float) -> JsonObject:
    counts: dict[tuple[str, str], int] = {}
    for group in activity_history(request.tenant, layer):
        for item in group["items"] if start <= parse_seconds(group["timestamp"]) <= end else ():
            if item["activity"] in NODE_CHANGES:
                key = (item["activity"], item.get("service_type", ""))
                counts[key] = counts.get(key, 0) + 1
    diagram, state = _get_diagram(request, layer), views.import_state(request, layer)
    stats: JsonObject = {
        "_id": diagram["id"],
        "ss_id": layer["id"],
        "name": diagram["name"],
        "type": diagram["type"],
        "changes": [{"type": type_, "service": service, "count": count} for (type_, service), count in counts.items()],
    }
    if state is None:
        return stats
    account = {"account_name": layer["name"], "account_id": layer["account"], "account_type": layer["cloud"]}
    return stats | account | {"import": state}


def _group_by_diagram(request: ApiRequest, layers: list[JsonObject]) -> JsonObject:
    """Diagrams with their layers, by id."""
    with_alarms = listing.query_flag(request.query, "alarms_count", True)
    by_id: JsonObject = {}
    for layer in layers:
        diagram = _get_diagram(request, layer)
        summary = {
            "_id": diagram["id"],
            **{name: diagram[name] for name in ("name", "type", "color")},
            "statussheet": [],
        }
        by_id.setdefault(diagram["id"], summary)["statussheet"].append(
            {
                "ssid": layer["id"],
                "name": layer["name"],
                "account_name": layer["name"] if layer["account"] else "",
                "alarms_count": views.count_incidents(request, layer) if with_alarms else 0,
                "empty": not any(layer[kind] for kind in KINDS),
                "color": layer["color"],
            }
        )
    return by_id


def _read_options(request: ApiRequest) -> LayerOptions:
    """The layer options of the query, by default all kinds of components; 400 for an invalid value."""
    default = listing.query_flag(request.query, "components", True)
    return LayerOptions(
        kinds=tuple(
            kind
            for kind in KINDS
            if (listing.query_flag(request.query, kind, default) if kind in SELECTABLE_KINDS else default)
        ),
        node_type=listing.optional_choice(request.query, "node_type", NODE_TYPES),
        external=listing.query_flag(request.query, "external"),
        issues=listing.query_flag(request.query, "issues_count"),
        default_vpc=not listing.query_flag(request.query, "exclude_default_vpc", True),
        empty_subnets=not listing.query_flag(request.query, "exclude_empty_subnets", True),
    )


def _load_layer(request: ApiRequest, layer: JsonObject, options: LayerOptions) -> JsonObject:
    """A layer with the requested components, without their properties."""
    components = views.current_components(request, layer)
    hidden = set() if options.default_vpc else views.default_groups(components)
    hidden |= set() if options.empty_subnets else views.empty_subnets(components)
    components = views.without_groups(components, hidden)
    for kind, item in _external_components(request, layer) if options.external else ():
        components[kind][item["_id"]] = item
    omitted = {"props"} if options.issues else {"props", "issues"}
    state = views.import_state(request, layer)
    meta = {
        "_id": layer["id"],
        "updatedAt": format_rfc3339(last_sync_time(request.tenant, layer)),
        "linksVersion": len(layer["link"]),
        **({"import": state} if state is not None else {}),
    }
    return {"statussheet": meta} | {
        kind: {
            identifier: {name: value for name, value in item.items() if name not in omitted}
            for identifier, item in components[kind].items()
            if options.node_type in ("", views.node_type(layer, kind, item))
        }
        for kind in options.kinds
    }


def _external_components(request: ApiRequest, layer: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Components of other layers that this layer's links lead to."""
    for link in layer["link"].values():
        end = link["destination"]
        if end["ss_id"] != layer["id"]:
            components = views.current_components(request, layers_of(request.tenant)[end["ss_id"]])
            yield end["type"], components[end["type"]][end["_id"]]


def _select_templates(layers: list[JsonObject], selection: str | list[str]) -> list[JsonObject]:
    """The templates of a kind, or with these ids."""
    if isinstance(selection, str):
        return [item for item in layers if item["template"] == selection]
    return [item for item in layers if item["template"] and item["id"] in selection]


def _layer_search_hit(request: ApiRequest, layer: JsonObject) -> JsonObject:
    state = views.import_state(request, layer)
    return {
        "_id": layer["id"],
        "ss_id": layer["id"],
        "type": "statussheet",
        "name": layer["name"],
        "scheme_id": layer["diagram"],
        "scheme": _get_diagram(request, layer)["name"],
        **({"account_name": layer["name"], "status": state["status"]} if state is not None else {}),
    }


ROUTES = (
    Route("POST", PATH + "/find", find_diagrams, "costs.read"),
    Route("GET", PATH + "/stats", list_stats, "costs.read"),
    Route("POST", PATH + "/get", get_diagrams, "costs.read"),
    Route("POST", PATH + "/search", search_diagrams, "costs.read"),
)
