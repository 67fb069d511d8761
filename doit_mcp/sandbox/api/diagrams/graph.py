"""How the resources on a layer are connected: along links, and by the groups they are in."""

from __future__ import annotations

from collections.abc import Iterator

from ..responses import JsonObject

RELATED = ("node", "element", "group")  # kinds that have relations


def anchor(layer: JsonObject, identifier: str) -> JsonObject | None:
    """What the layer has by this id, as the start of a walk."""
    for kind in RELATED:
        if identifier in layer[kind]:
            return _shown(kind, layer[kind][identifier])
    return None


def along_links(layer: JsonObject, start: str, direction: str, far: bool) -> Iterator[JsonObject]:
    """What can be reached over the layer's own links, nearest first; *far*: over any number of them."""
    for relation, (one, other) in {
        "downstream": ("origin", "destination"),
        "upstream": ("destination", "origin"),
    }.items():
        if direction in (relation, "both"):
            yield from _walk(layer, start, relation, one, other, far)


def by_groups(layer: JsonObject, start: str, far: bool) -> Iterator[JsonObject]:
    """What is in the group, and the groups that it is in; *far*: groups within groups, too. All count as one hop."""
    contents = {
        identifier: [item["_id"] for item in one["items"] if item["type"] in RELATED]
        for identifier, one in layer["group"].items()
    }
    holders: dict[str, list[str]] = {}
    for group, items in contents.items():
        for item in items:
            holders.setdefault(item, []).append(group)
    for relation, steps in (("group_member", contents), ("group_parent", holders)):
        for identifier, _ in _reached(steps, start, far):
            yield _related(layer, identifier, relation, 1)


def merged(*walks: Iterator[JsonObject]) -> list[JsonObject]:
    """The relations of several walks, each resource once and by its shortest way."""
    found: dict[str, JsonObject] = {}
    for walk in walks:
        for one in walk:
            if one["id"] not in found or one["hops"] < found[one["id"]]["hops"]:
                found[one["id"]] = one
    return list(found.values())


def _walk(layer: JsonObject, start: str, relation: str, one: str, other: str, far: bool) -> Iterator[JsonObject]:
    steps: dict[str, list[str]] = {}
    for link in layer["link"].values():
        # Links lead to other diagrams as well; a walk stays in its own.
        if link[one]["ss_id"] == link[other]["ss_id"] == layer["id"]:
            steps.setdefault(link[one]["_id"], []).append(link[other]["_id"])
    for identifier, hops in _reached(steps, start, far):
        yield _related(layer, identifier, relation, hops)


def _reached(steps: dict[str, list[str]], start: str, far: bool) -> Iterator[tuple[str, int]]:
    """Whatever the steps lead to, with how many it takes; each once, whether or not they go round in circles."""
    seen, edge, hops = {start}, [start], 0
    while edge and (far or hops == 0):
        hops += 1
        following = list(dict.fromkeys(one for at in edge for one in steps.get(at, ()) if one not in seen))
        seen.update(following)
        yield from ((one, hops) for one in following)
        edge = following


def _related(layer: JsonObject, identifier: str, relation: str, hops: int) -> JsonObject:
    kind = next(kind for kind in RELATED if identifier in layer[kind])
    return {**_shown(kind, layer[kind][identifier]), "relation": relation, "hops": hops}


def _shown(kind: str, one: JsonObject) -> JsonObject:
    shown = {"id": one["_id"], "type": kind, "name": one["name"]}
    service = one.get("props", {}).get("service_type")
    return shown | ({"serviceType": service} if service else {})
