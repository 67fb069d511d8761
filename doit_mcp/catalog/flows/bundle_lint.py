"""Checks a bundle before its import for mistakes that the API accepts but that do not work."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, TypedDict

import orjson

from ...api.areas.cloudflow_types import SECTIONS
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import JsonObject
from .code_lint import MAX_CODE_CHARACTERS, Language, lint_code

MAX_FLOWS, MAX_NODES = 20, 150
"""Maximum number of flows of a bundle, and of nodes of a flow (limits of the API)."""
MAX_WARNINGS = 50
MAX_NAME_CHARACTERS = 200
MAX_VALUES = 20_000
"""Maximum number of values in the parameters of a node to search for references."""
MAX_LINTED_CHARACTERS = 300_000
"""Maximum number of characters of code in a bundle to check."""
CODE_NODE, ACTION_NODE = "codeNode", "actionNode"
CODE_NAMES = ("code", "script", "source", "sourceCode")
LANGUAGE_NAMES = ("language", "runtime")
DESTRUCTIVE = re.compile(r"delete|terminate|remove|destroy|purge|stop|detach|revoke|release|modify", re.IGNORECASE)
SECRET_NAME = re.compile(
    r"password|passphrase|client_?secret|api_?key|private_?key|secret_?(?:key|access)|(?:auth|access|bearer|refresh)_?token",
    re.IGNORECASE,
)
REFERENCE = re.compile(r"\$(req|bundle):([A-Za-z]{1,30})/(.{1,300})")


class BundleWarning(TypedDict, total=False):
    """A probable mistake in a bundle."""

    flow: str
    node: str
    problem: str


class _Node(NamedTuple):
    key: str
    name: str
    type: str
    parameters: JsonObject
    approval: Any


def lint_bundle(bundle: Mapping[str, Any]) -> list[BundleWarning]:
    """Return the probable mistakes in a *bundle*, at most MAX_WARNINGS. Only the API checks its form."""
    return list(islice(_lint(bundle), MAX_WARNINGS))


def _lint(bundle: Mapping[str, Any]) -> Iterator[BundleWarning]:
    flows = select_objects(bundle.get("flows"))[:MAX_FLOWS]
    required = bundle.get("requirements")
    requirements = required if isinstance(required, dict) else {}
    known = {f"req:{name}/{row.get('key')}" for name in SECTIONS for row in select_objects(requirements.get(name))}
    known |= {f"bundle:flows/{flow.get('key')}" for flow in flows}
    budget = MAX_LINTED_CHARACTERS
    for flow in flows:
        name = str(flow.get("name") or flow.get("key") or "")
        nodes = [_read_node(node) for node in select_objects(flow.get("nodes"))[:MAX_NODES]]
        yield from _lint_flow(name, flow, nodes)
        for node in nodes:
            for problem in _lint_node(node, nodes, known, budget):
                yield {"flow": name, "node": node.name, "problem": problem}
            budget -= len(_find_code(node)) if node.type == CODE_NODE else 0


def _lint_flow(name: str, flow: JsonObject, nodes: list[_Node]) -> Iterator[BundleWarning]:
    for node_name, count in Counter(node.name for node in nodes).items():
        if count > 1:
            problem = (
                f"{count} nodes have the name {short_json(node_name)}: code and results find nodes by their names."
            )
            yield {"flow": name, "problem": problem}
    for reference in select_objects(flow.get("unsupportedReferences")):
        node = next((node.name for node in nodes if node.key == reference.get("nodeKey")), "")
        problem = f"A bundle cannot contain its {reference.get('kind')}: set it again in the console."
        yield {"flow": name, "node": node, "problem": problem}


def _lint_node(node: _Node, nodes: list[_Node], known: set[str], budget: int) -> Iterator[str]:
    if node.type == CODE_NODE:
        yield from _lint_code_node(node, [other.name for other in nodes], budget)
    if node.type == ACTION_NODE:
        yield from _lint_action(node)
    yield from _lint_references(node.parameters, {other.key for other in nodes}, known)


def _lint_code_node(node: _Node, node_names: list[str], budget: int) -> Iterator[str]:
    schema, code = node.parameters.get("schema"), _find_code(node)
    if not isinstance(schema, str) or not schema.strip():
        yield "The node needs a schema: the JSON Schema of its result, as text."
    elif not _is_json_object(schema):
        yield "The schema is not a JSON object as text."
    if not code:
        return
    if len(code) > min(budget, MAX_CODE_CHARACTERS):
        yield "The code is too long to be checked."
        return
    yield from lint_code(code, _language_of(node), node_names)


def _lint_action(node: _Node) -> Iterator[str]:
    operation = node.parameters.get("operation")
    identifier = str(operation.get("id") or "") if isinstance(operation, dict) else ""
    approval = node.approval if isinstance(node.approval, dict) else {}
    if DESTRUCTIVE.search(identifier[:300]) and approval.get("required") is not True:
        yield f"{short_json(identifier)} may change or delete something, and needs no approval (approval.required)."


def _lint_references(parameters: JsonObject, keys: set[str], known: set[str]) -> Iterator[str]:
    for value in _walk(parameters):
        for name in _secret_names(value):
            yield f"{short_json(name)} looks like a secret: use a connection or a variable of the console instead."
        if isinstance(value, dict) and "referencedNodeId" in value:
            key = value["referencedNodeId"]
            if not isinstance(key, str) or key not in keys:
                yield f"The parameters refer to the node {short_json(key)}, which the flow does not have."
        elif isinstance(value, str) and value.startswith("$") and (found := REFERENCE.fullmatch(value)):
            if f"{found[1]}:{found[2]}/{found[3]}" not in known:
                yield f"The parameters refer to {short_json(value)}, which the bundle does not have."


def _secret_names(value: Any) -> list[str]:
    """Return the names of the members of an object that look like secrets and whose values are texts."""
    if not isinstance(value, dict):
        return []
    texts = (name for name, member in value.items() if isinstance(member, str) and member and member[0] != "$")
    return [name for name in texts if SECRET_NAME.search(name[:MAX_NAME_CHARACTERS])]


def _walk(value: Any) -> Iterator[Any]:
    """Yield the values in *value* at any depth, at most MAX_VALUES."""
    pending, count = [value], 0
    while pending and count < MAX_VALUES:
        current = pending.pop()
        count += 1
        yield current
        if isinstance(current, dict):
            pending += reversed(list(current.values()))
        elif isinstance(current, list):
            pending += reversed(current)


def _read_node(node: JsonObject) -> _Node:
    parameters = node.get("parameters")
    return _Node(
        str(node.get("key") or ""),
        str(node.get("name") or ""),
        str(node.get("type") or ""),
        parameters if isinstance(parameters, dict) else {},
        node.get("approval"),
    )


def _find_code(node: _Node) -> str:
    """Return the code of a node; "" if none of its parameters looks like code."""
    texts = {name: value for name, value in node.parameters.items() if isinstance(value, str)}
    named = next((texts[name] for name in CODE_NAMES if texts.get(name)), "")
    lines = (value for name, value in texts.items() if name != "schema" and "\n" in value)
    return named or max(lines, key=len, default="")


def _language_of(node: _Node) -> Language:
    names = (node.parameters.get(name) for name in LANGUAGE_NAMES)
    return "python" if any(isinstance(name, str) and "python" in name.lower() for name in names) else "javascript"


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def select_objects(value: Any) -> list[JsonObject]:
    """Return the objects in a list; an empty list for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
