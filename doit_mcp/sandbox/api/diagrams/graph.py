"""Relations of resources on a layer: links and group membership."""

from __future__ import annotations

from collections.abc import Iterator

from ..responses import JsonObject

RELATED_KINDS = ("node", "element", "group")  # kinds that have relations


def find_resource(layer: JsonObject, identifier: str) -> JsonObject | None:
    """The node, element or group of the layer with this id, or None."""
    for kind in RELATED_KINDS:
        if identifier in layer[kind]:
            return _make_resource(kind, layer[kind][identifier])
    return None


def find_linked_resources(layer: JsonObject, start: str, direction: str, transitive: bool) -> Iterator[JsonObject]:
    """The resources reachable over the layer's links, nearest first; *transitive*: over any number of them."""
    for relation, (source_end, target_end) in {
        "downstream": ("origin", "destination"),
        "upstream": ("destination", "origin"),
    }.items():
        if direction in (relation, "both"):
            yield from _walk_links(layer, start, relation, source_end, target_end, transitive)


def find_grouped_resources(layer: JsonObject, start: str, transitive: bool) -> Iterator[JsonObject]:
    """The members of the group and the groups that contain it; *transitive*: nested groups, too. All count as one hop."""
    members = {
        identifier: [item["_id"] for item in group_record["items"] if item["type"] in RELATED_KINDS]
        for identifier, group_record in layer["group"].items()
    }
    parents: dict[str, list[str]] = {}
    for group, items in members.items():
        for item in items:
            parents.setdefault(item, []).append(group)
    for relation, steps in (("group_member", members), ("group_parent", parents)):
        for identifier, _ in _find_reachable(steps, start, transitive):
            yield _make_relation(layer, identifier, relation, 1)


def merge_relations(*traversals: Iterator[JsonObject]) -> list[JsonObject]:
    """The relations of several traversals, each resource once, by its shortest path."""
    relations: dict[str, JsonObject] = {}
    for traversal in traversals:
        for item in traversal:
            if item["id"] not in relations or item["hops"] < relations[item["id"]]["hops"]:
                relations[item["id"]] = item
    return list(relations.values())


def _walk_links(
    layer: JsonObject, start: str, relation: str, source_end: str, target_end: str, transitive: bool
) -> Iterator[JsonObject]:
    steps: dict[str, list[str]] = {}
    for link in layer["link"].values():
        # Links can lead to other diagrams; a traversal stays in one.
        if link[source_end]["ss_id"] == link[target_end]["ss_id"] == layer["id"]:
            steps.setdefault(link[source_end]["_id"], []).append(link[target_end]["_id"])
    for identifier, hops in _find_reachable(steps, start, transitive):
        yield _make_relation(layer, identifier, relation, hops)


def _find_reachable(steps: dict[str, list[str]], start: str, transitive: bool) -> Iterator[tuple[str, int]]:
    """All nodes reachable from *start* with their distance, each once, even in cycles."""
    seen, frontier, hops = {start}, [start], 0
    while frontier and (transitive or hops == 0):
        hops += 1
        following = list(dict.fromkeys(item for node in frontier for item in steps.get(node, ()) if item not in seen))
        seen.update(following)
        yield from ((item, hops) for item in following)
        frontier = following


def _make_relation(layer: JsonObject, identifier: str, relation: str, hops: int) -> JsonObject:
    kind = next(kind for kind in RELATED_KINDS if identifier in layer[kind])
    return {**_make_resource(kind, layer[kind][identifier]), "relation": relation, "hops": hops}


def _make_resource(kind: str, record: JsonObject) -> JsonObject:
    resource = {"id": record["_id"], "type": kind, "name": record["name"]}
    service = record.get("props", {}).get("service_type")
    return resource | ({"serviceType": service} if service else {})
