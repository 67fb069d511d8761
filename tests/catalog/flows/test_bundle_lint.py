"""Checks of bundles before an import."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.flows.bundle_lint import MAX_LINTED_CHARACTERS, MAX_WARNINGS, lint_bundle

SCHEMA = '{"type": "object"}'


def node(key: str, type: str = "codeNode", **parameters: Any) -> dict[str, Any]:
    return {"key": key, "name": key.title(), "type": type, "parameters": parameters}


def bundle(*nodes: dict[str, Any], **members: Any) -> dict[str, Any]:
    flow = {"key": "main", "name": "Main", "firstNode": "a", "nodes": list(nodes)}
    return {"flows": [flow | members.pop("flow", {})], **members}


def problems(*nodes: dict[str, Any], **members: Any) -> list[str]:
    return [warning["problem"] for warning in lint_bundle(bundle(*nodes, **members))]


def test_correct_flow_has_no_warning() -> None:
    needs = {"connections": [{"key": "aws"}], "globalVariables": [{"key": "team"}]}
    stop = node("stop", "actionNode", operation={"id": "StopInstances"}, connection="$req:connections/aws")
    nodes = (
        node("start", "manualTrigger"),
        node("code", code="return $nodes['Start'][0]", schema=SCHEMA, team="$req:globalVariables/team"),
        stop | {"approval": {"required": True}},
        node("sub", "subflow", flow="$bundle:flows/main", rows={"referencedNodeId": "code", "type": "output"}),
    )
    assert problems(*nodes, requirements=needs) == []
    safe = {"password": "", "apiKey": "$req:globalVariables/team", "accessToken": None, "tokens": "5", "pageToken": "x"}
    assert problems(node("a", "httpNode", **safe), requirements=needs) == []


def test_warnings_name_flow_and_node() -> None:
    (warning,) = lint_bundle(bundle(node("code", code="f()", schema=SCHEMA)))
    assert (warning["flow"], warning["node"]) == ("Main", "Code") and "no return" in warning["problem"]


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"code": "return 1"}, "needs a schema"),
        ({"code": "return 1", "schema": {}}, "needs a schema"),
        ({"code": "return 1", "schema": "[]"}, "not a JSON object"),
        ({"code": "return 1", "schema": "x"}, "not a JSON object"),
        ({"script": "f()\n", "schema": SCHEMA}, "no return"),
        ({"anything": "first()\nsecond()", "schema": SCHEMA}, "no return"),
        ({"code": "def f():\n  return 1\nf()", "language": "Python 3", "schema": SCHEMA}, "{message: null}"),
        ({"code": "return 1", "schema": SCHEMA, "x": {"referencedNodeId": "gone"}}, 'the node "gone"'),
        ({"code": "return 1", "schema": SCHEMA, "x": ["$req:connections/gone"]}, "$req:connections/gone"),
        ({"code": "return 1", "schema": SCHEMA, "x": "$bundle:flows/gone"}, "$bundle:flows/gone"),
        ({"code": "return 1", "schema": SCHEMA, "x": {"referencedNodeId": ["a"]}}, "which the flow does not have"),
        ({"code": "return 1", "schema": SCHEMA, "auth": {"apiKey": "abc"}}, '"apiKey" looks like a secret'),
    ],
)
def test_mistakes_in_a_node(parameters: Any, problem: str) -> None:
    (found,) = problems(node("a", **parameters))
    assert problem in found


def test_mistakes_in_a_flow() -> None:
    twins = [node("a", "filterNode"), node("b", "filterNode") | {"name": "A"}]
    assert "2 nodes have the name" in problems(*twins)[0]
    lost = {"unsupportedReferences": [{"nodeKey": "a", "kind": "slackChannel"}]}
    (warning,) = lint_bundle(bundle(node("a", "filterNode"), flow=lost))
    assert warning["node"] == "A" and "slackChannel" in warning["problem"]


@pytest.mark.parametrize("operation", ["TerminateInstances", "deleteBucket", "StopInstances"])
def test_destructive_actions_need_approval(operation: str) -> None:
    action = node("a", "actionNode", operation={"id": operation})
    (found,) = problems(action | {"approval": {"required": False}})
    assert "approval" in found
    assert (
        problems(action | {"approval": {"required": True}})
        == problems(node("b", "actionNode", operation={"id": "List"}))
        == []
    )


def test_warnings_and_work_are_limited() -> None:
    many = [node(f"n{number}", code="f()") for number in range(120)]
    assert len(problems(*many)) == MAX_WARNINGS
    long = [node(f"n{number}", code="x" * 40_000, schema=SCHEMA) for number in range(20)]
    found = problems(*long)
    checked = sum("no return" in problem for problem in found)
    assert checked == MAX_LINTED_CHARACTERS // 40_000 and len(found) == 20
    deep: Any = "x"
    for _ in range(10_000):
        deep = [deep]
    assert problems(node("a", "filterNode", deep=deep)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
PARTS = st.sampled_from(
    [
        "flows",
        "nodes",
        "parameters",
        "key",
        "name",
        "type",
        "requirements",
        "connections",
        "approval",
        "referencedNodeId",
    ]
)
BUNDLES = st.recursive(
    JSON | st.sampled_from(["codeNode", "actionNode", "$req:connections/a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PARTS, inner, max_size=6),
    max_leaves=30,
)


@given(st.dictionaries(PARTS, BUNDLES))
def test_any_object_is_checked(value: dict[str, Any]) -> None:
    for warning in lint_bundle(value):
        assert warning["problem"] and warning.keys() <= {"flow", "node", "problem"}
