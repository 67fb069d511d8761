"""Bundles of flows: their validation, and the plan of an import."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from .responses import JsonObject

KIND = "cloudflow.doit.com/FlowBundle"
SECTIONS = ("connections", "datastoreTables", "globalVariables")
MAX_FLOWS, MAX_NODES, MAX_VARIABLES = 20, 150, 50
TEXT_MEMBERS = {"flow": ("key", "name", "firstNode"), "node": ("key", "name", "type")}
CLEARED = {"connections": "connection_cleared", "datastoreTables": "datastore_table_cleared"}
CONSEQUENCES = {
    "connections": "Nodes that use it stay incomplete.",
    "datastoreTables": "Nodes that use it stay incomplete.",
    "globalVariables": "It is created.",
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle to import, the ids to which its requirements are bound, and the connections of the tenant."""

    content: JsonObject
    bindings: JsonObject
    options: JsonObject
    connections: list[JsonObject]

    @classmethod
    def from_body(cls, body: JsonObject, connections: list[JsonObject]) -> Bundle:
        """The bundle in the body of a request."""
        return cls(body["bundle"], body.get("bindings", {}), body.get("options", {}), connections)

    @property
    def flows(self) -> list[JsonObject]:
        """The flows of the bundle."""
        return _select_objects(self.content.get("flows"))

    @property
    def requirements(self) -> JsonObject:
        """The requirements of the bundle by section."""
        found = self.content.get("requirements")
        return {name: _select_objects(found.get(name) if isinstance(found, dict) else None) for name in SECTIONS}

    @property
    def name_prefix(self) -> str:
        """What the names of new flows begin with."""
        return str(self.options.get("namePrefix", ""))

    def list_unbound(self, section: str) -> list[JsonObject]:
        """The requirements of a section without a binding."""
        return [item for item in self.requirements[section] if item.get("key") not in self.bindings.get(section, {})]

    def find_candidates(self, requirement: JsonObject) -> list[JsonObject]:
        """The connections that fit a requirement."""
        return [item for item in self.connections if item["provider"] == requirement.get("provider")]

    def incomplete_nodes(self, flow: JsonObject) -> list[JsonObject]:
        """The nodes of a flow that refer to something unbound."""
        found = []
        for node in flow["nodes"]:
            text = orjson.dumps(node.get("parameters", {})).decode()
            for section, reason in CLEARED.items():
                if any(f'"$req:{section}/{item["key"]}"' in text for item in self.list_unbound(section)):
                    found.append({"id": node["key"], "name": node["name"], "reason": reason})
        return found


def _select_objects(value: Any) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def find_errors(bundle: Bundle) -> list[JsonObject]:
    """All errors of a bundle and its bindings."""
    return [{"code": code, "field": field, "message": message} for code, field, message in _find_errors(bundle)]


def _find_errors(bundle: Bundle) -> Iterator[tuple[str, str, str]]:
    content = bundle.content
    if content.get("kind") != KIND:
        yield "bundle_schema_invalid", "kind", f"kind must be {KIND}"
    if content.get("schemaVersion") != 1:
        yield "bundle_version_unsupported", "schemaVersion", "schemaVersion must be 1"
    if len(bundle.flows) > MAX_FLOWS:
        yield "bundle_limits_exceeded", "flows", f"a bundle has at most {MAX_FLOWS} flows"
    if content.get("rootFlow") not in [flow.get("key") for flow in bundle.flows]:
        yield "bundle_schema_invalid", "rootFlow", "rootFlow must be the key of a flow"
    for at, flow in enumerate(bundle.flows):
        yield from _flow_errors(flow, f"flows[{at}]")
    for section in SECTIONS:
        for key, identifier in bundle.bindings.get(section, {}).items():
            yield from _binding_errors(bundle, section, key, identifier)


def _flow_errors(flow: JsonObject, place: str) -> Iterator[tuple[str, str, str]]:
    nodes = _select_objects(flow.get("nodes"))
    for name in TEXT_MEMBERS["flow"]:
        if not isinstance(flow.get(name), str):
            yield "bundle_schema_invalid", f"{place}.{name}", f"{name} is required"
    if len(nodes) > MAX_NODES or len(_select_objects(flow.get("localVariables"))) > MAX_VARIABLES:
        message = f"a flow has at most {MAX_NODES} nodes and {MAX_VARIABLES} variables"
        yield "bundle_limits_exceeded", f"{place}.nodes", message
    keys = [node.get("key") for node in nodes]
    if flow.get("firstNode") not in keys:
        yield "bundle_schema_invalid", f"{place}.firstNode", "firstNode must be the key of a node"
    for at, node in enumerate(nodes):
        for name in TEXT_MEMBERS["node"]:
            if not isinstance(node.get(name), str):
                yield "bundle_schema_invalid", f"{place}.nodes[{at}].{name}", f"{name} is required"
        if "connectionId" in (node.get("parameters") or {}):
            yield (
                "internal_field_rejected",
                f"{place}.nodes[{at}].parameters.connectionId",
                "use $req:connections/<key>",
            )
        for transition in _select_objects(node.get("transitions")):
            if transition.get("target") not in keys:
                yield "bundle_schema_invalid", f"{place}.nodes[{at}].transitions", "target must be the key of a node"


def _binding_errors(bundle: Bundle, section: str, key: str, identifier: str) -> Iterator[tuple[str, str, str]]:
    field = f"bindings.{section}.{key}"
    requirement = next((item for item in bundle.requirements[section] if item.get("key") == key), None)
    # Only connections exist in the sandbox: no table or global variable can be bound.
    known = next((item for item in bundle.connections if item["id"] == identifier), None)
    if requirement is None or section != "connections" or known is None:
        yield "binding_not_found", field, "the bundle or the customer has no such object"
    elif known["provider"] != requirement.get("provider"):
        yield "binding_provider_mismatch", field, f"the connection is for {known['provider']}"


def plan_import(bundle: Bundle) -> JsonObject:
    """CloudflowImportPlan."""
    errors = find_errors(bundle)
    flows = [] if errors else bundle.flows
    return {
        "valid": not errors,
        "requirements": [
            _plan_requirement(bundle, section, item) for section in SECTIONS for item in bundle.requirements[section]
        ],
        "flowsToCreate": [
            {
                "key": flow["key"],
                "name": f"{bundle.name_prefix}{flow['name']}",
                "nodeCount": len(flow["nodes"]),
                "incompleteNodeCount": len(bundle.incomplete_nodes(flow)),
            }
            for flow in flows
        ],
        "errors": errors,
    }


def _plan_requirement(bundle: Bundle, section: str, item: JsonObject) -> JsonObject:
    row: JsonObject = {"section": section, "key": str(item.get("key"))}
    if bound := bundle.bindings.get(section, {}).get(item.get("key")):
        return {**row, "resolution": "bound", "boundTo": bound}
    candidates = bundle.find_candidates(item) if section == "connections" else []
    will_create = section == "globalVariables" or (
        section == "datastoreTables" and bool(bundle.options.get("createMissingTables"))
    )
    resolution = "willCreate" if will_create else "suggested" if candidates else "unbound"
    return {
        **row,
        "resolution": resolution,
        "candidates": candidates,
        "consequenceIfUnbound": CONSEQUENCES[section],
    }
