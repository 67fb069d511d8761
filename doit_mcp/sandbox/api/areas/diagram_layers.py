"""Layers of cloud diagrams: /clouddiagrams/v1/statussheet and /clouddiagrams/v1/activity.

A layer that is not there answers 403, as the document has it: nobody learns which ids exist.
"""

from __future__ import annotations

import jsonschema_rs
from aiohttp import web

from .. import listing
from ..costs.calendar_days import parse_day, rfc3339
from ..diagrams import graph, views
from ..diagrams.costs import INTERVALS, snapshot
from ..diagrams.history import author, history, layers_of, synced
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..schemas import record, text
from ..seeds.diagrams import KINDS
from ..tenants import Ask

SHEET = "/clouddiagrams/v1/statussheet/{id}"
ACTIVITY = "/clouddiagrams/v1/activity"
IDS: JsonObject = {"type": "array", "items": text(500), "minItems": 1, "maxItems": 500}
SOME = jsonschema_rs.validator_for({**record("", **dict.fromkeys(KINDS, IDS)), "minProperties": 1})
RELATIONS, MOST = 200, 10_000
SORTS = ("createdAt", "name", "_id")
VERSION = "1.0"  # of exports
PLURALS = {kind: f"{kind}s" for kind in KINDS}


async def get_components(ask: Ask) -> web.Response:
    """POST …/statussheet/{id}/get: the named components, by kind and id; what is not there is left out."""
    layer = _layer(ask, ask.part("id"))
    wanted, fields = await ask.body(SOME), ask.query.get("p", "").split()
    found = views.components(ask, layer)
    return answer(
        {
            kind: {
                one: views.projected(found[kind][one], fields) if fields else found[kind][one]
                for one in identifiers
                if one in found[kind]
            }
            for kind, identifiers in wanted.items()
        }
    )


async def export_layer(ask: Ask) -> web.Response:
    """GET …/statussheet/{id}/export-json: all of it, and the names of what its links lead to elsewhere."""
    layer = _layer(ask, ask.part("id"))
    elsewhere = {
        end["_id"]: layers_of(ask.tenant)[end["ss_id"]][end["type"]][end["_id"]]["name"]
        for link in layer["link"].values()
        if (end := link["destination"])["ss_id"] != layer["id"]
    }
    about = {name: layer[name] for name in ("name", "color")} | {"updatedAt": rfc3339(synced(ask.tenant, layer))}
    metadata = {"user": ask.user.email, "date": rfc3339(ask.now), "version": VERSION, "connections": elsewhere}
    parts = {PLURALS[kind]: list(ones.values()) for kind, ones in views.components(ask, layer).items()}
    return answer({"statussheet": about, "metadata": metadata, **parts})


async def get_costs(ask: Ask) -> web.Response:
    """GET …/statussheet/{id}/costs, of whole days."""
    layer = _layer(ask, ask.part("id"))
    first, last = (_day(ask, name) for name in ("startDate", "endDate"))
    if last < first:
        raise bad("endDate must not be before startDate", field="endDate")
    interval = listing.chosen(ask.query, "interval", INTERVALS, "day")
    return answer(snapshot(ask.tenant, layer, first, last, interval))


async def list_snapshots(ask: Ask) -> web.Response:
    """GET …/statussheet/{id}/snapshots, the latest first unless sort says otherwise."""
    layer = _layer(ask, ask.part("id"))
    sort = ask.query.get("sort") or "-createdAt"
    field = sort.removeprefix("-")
    if field not in SORTS:
        raise bad(f"sort must be one of {', '.join(SORTS)}, with - before it for descending", field="sort")
    found = sorted(_snapshots(ask, layer), key=lambda one: str(one[field]), reverse=sort.startswith("-"))
    return answer(_part(ask, found, 10))


async def get_snapshot(ask: Ask) -> web.Response:
    """GET …/statussheet/{id}/snapshot?snapshot_id=."""
    layer = _layer(ask, ask.part("id"))
    wanted = _needed(ask, "snapshot_id")
    found = next((one for one in _snapshots(ask, layer) if one["_id"] == wanted), None)
    if found is None:
        raise Refusal(403, "the snapshot is not there, or not yours to see")
    return answer(found)


async def list_relationships(ask: Ask) -> web.Response:
    """GET …/statussheet/{id}/resources/{rid}/relationships."""
    layer, start = _layer(ask, ask.part("id")), ask.part("rid")
    chosen = {
        "direction": listing.chosen(ask.query, "direction", ("downstream", "upstream", "both"), "both"),
        "depth": listing.chosen(ask.query, "depth", ("direct", "transitive"), "direct"),
        "kind": listing.chosen(ask.query, "kind", ("edges", "group_members", "both"), "edges"),
    }
    anchor = graph.anchor(layer, start)
    if anchor is None:
        raise Refusal(404, "no node, element or group of this id is on the diagram")
    far = chosen["depth"] == "transitive"
    walks = {
        "edges": graph.along_links(layer, start, chosen["direction"], far),
        "group_members": graph.by_groups(layer, start, far),
    }
    found = graph.merged(*(walk for kind, walk in walks.items() if chosen["kind"] in (kind, "both")))
    shown = {"relations": found[:RELATIONS], "truncated": len(found) > RELATIONS}
    return answer({"anchor": anchor, **chosen, **shown})


async def list_activity(ask: Ask) -> web.Response:
    """GET /clouddiagrams/v1/activity, the latest first; tags: groups with any of them."""
    layer = _layer(ask, _needed(ask, "ss_id"))
    tags = set(ask.request.query.getall("tags", []))
    found = [one for one in reversed(history(ask.tenant, layer)) if not tags or tags & set(one["tags"])]
    return answer(_part(ask, found, 10))


async def list_node_activity(ask: Ask) -> web.Response:
    """GET /clouddiagrams/v1/activity/node-activities, the latest first."""
    layer, node = _layer(ask, _needed(ask, "ss_id")), _needed(ask, "nodeId")
    found = [
        {name: one[name] for name in ("_id", "activity", "metadata", "timestamp")}
        | {"user": author(ask.tenant), "statussheet": layer["id"]}
        for group in reversed(history(ask.tenant, layer))
        for one in group["items"]
        if one["metadata"]["_id"] == node and one["activity"].startswith("NODE_")
    ]
    return answer(_part(ask, found, 50))


def _layer(ask: Ask, identifier: str) -> JsonObject:
    found = layers_of(ask.tenant).get(identifier)
    if found is None:
        raise Refusal(403, "the layer is not there, or not yours to see")
    return found


def _needed(ask: Ask, name: str) -> str:
    found = ask.query.get(name, "")
    if not found:
        raise bad(f"{name} is required", field=name)
    return found


def _day(ask: Ask, name: str) -> int:
    try:
        return parse_day(ask.query.get(name, ""))
    except ValueError:
        raise bad(f"{name} must be a day, YYYY-MM-DD", field=name) from None


def _part(ask: Ask, rows: list[JsonObject], default: int) -> list[JsonObject]:
    """As many rows as limit says, after offset of them."""
    start = listing.whole(ask.query, "offset", 0) or 0
    return rows[start : start + (listing.whole(ask.query, "limit", 1, MOST) or default)]


def _snapshots(ask: Ask, layer: JsonObject) -> list[JsonObject]:
    """What the layer was like after each change, the first one first."""
    found: list[JsonObject] = []
    for group in history(ask.tenant, layer):
        before = {"prevState": found[-1]["_id"]} if found else {}
        day, tag = group["timestamp"][:10], group["tags"][0]
        shown = {"_id": group["_id"], "name": f"{day} {tag}", "createdAt": group["timestamp"]}
        found.append(shown | before)
    return found


ROUTES = (
    Route("POST", SHEET + "/get", get_components, "costs.read"),
    Route("GET", SHEET + "/export-json", export_layer, "costs.read"),
    Route("GET", SHEET + "/costs", get_costs, "costs.read"),
    Route("GET", SHEET + "/snapshots", list_snapshots, "costs.read"),
    Route("GET", SHEET + "/snapshot", get_snapshot, "costs.read"),
    Route("GET", SHEET + "/resources/{rid}/relationships", list_relationships, "costs.read"),
    Route("GET", ACTIVITY, list_activity, "costs.read"),
    Route("GET", ACTIVITY + "/node-activities", list_node_activity, "costs.read"),
)
