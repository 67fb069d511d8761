"""Relations of resources on a layer: links and group membership."""

from __future__ import annotations

from collections.abc import Iterator

from ..responses import JsonObject

RELATED_KINDS = ("node", "element", "group")  # kinds that have relations


def find_start(layer: JsonObject, identifier: str) -> JsonObject | None:
    """The layer's resource with this id, as the start of a traversal."""
    for kind in RELATED_KINDS:
        if identifier in layer[kind]:
            return _resource(kind, layer[kind][identifier])
    return None


def linked_resources(layer: JsonObject, start: str, direction: str, transitive: bool) -> Iterator[JsonObject]:
    """The resources reachable over the layer's links, nearest first; *transitive*: over any number of them."""
    for relation, (item, other) in {
        "downstream": ("origin", "destination"),
        "upstream": ("destination", "origin"),
    }.items():
        if direction in (relation, "both"):
            yield from _walk_links(layer, start, relation, item, other, transitive)


def grouped_resources(layer: JsonObject, start: str, transitive: bool) -> Iterator[JsonObject]:
    """The members of the group and the groups that contain it; *transitive*: nested groups, too. All count as one hop."""
    contents = {
        identifier: [item["_id"] for item in one["items"] if item["type"] in RELATED_KINDS]
        for identifier, one in layer["group"].items()
    }
    holders: dict[str, list[str]] = {}
    for group, items in contents.items():
        for item in items:
            holders.setdefault(item, []).append(group)
    for relation, steps in (("group_member", contents), ("group_parent", holders)):
        for identifier, _ in _reachable(steps, start, transitive):
            yield _relation(layer, identifier, relation, 1)


def merge_relations(*walks: Iterator[JsonObject]) -> list[JsonObject]:
    """The relations of several traversals, each resource once, by its shortest path."""
    found: dict[str, JsonObject] = {}
    for walk in walks:
        for item in walk:
            if item["id"] not in found or item["hops"] < found[item["id"]]["hops"]:
                found[item["id"]] = item
    return list(found.values())


def _walk_links(
    layer: JsonObject, start: str, relation: str, source_end: str, target_end: str, transitive: bool
) -> Iterator[JsonObject]:
    steps: dict[str, list[str]] = {}
    for link in layer["link"].values():
        # Links can lead to other diagrams; a traversal stays in one.
        if link[source_end]["ss_id"] == link[target_end]["ss_id"] == layer["id"]:
            steps.setdefault(link[source_end]["_id"], []).append(link[target_end]["_id"])
    for identifier, hops in _reachable(steps, start, transitive):
        yield _relation(layer, identifier, relation, hops)


def _reachable(steps: dict[str, list[str]], start: str, transitive: bool) -> Iterator[tuple[str, int]]:
    """All nodes reachable from *start* with their distance, each once, even in cycles."""
    seen, edge, hops = {start}, [start], 0
    while edge and (transitive or hops == 0):
        hops += 1
        following = list(dict.fromkeys(item for at in edge for item in steps.get(at, ()) if item not in seen))
        seen.update(following)
        yield from ((item, hops) for item in following)
        edge = following


def _relation(layer: JsonObject, identifier: str, relation: str, hops: int) -> JsonObject:
    kind = next(kind for kind in RELATED_KINDS if identifier in layer[kind])
    return {**_resource(kind, layer[kind][identifier]), "relation": relation, "hops": hops}


def _resource(kind: str, one: JsonObject) -> JsonObject:
    shown = {"id": one["_id"], "type": kind, "name": one["name"]}
    service = one.get("props", {}).get("service_type")
    return shown | ({"serviceType": service} if service else {})
