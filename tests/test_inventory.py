"""Every operation in the DoiT API's document is declared exactly once, with the names of the document.

Failures say what is missing or wrong. scripts/spec stores the document in ``tests/data/doit-api.json``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, get_args, get_type_hints

import pytest

from doit_mcp.api import AREAS
from doit_mcp.api.declaration_checks import source_file
from doit_mcp.api.operation import Operation
from doit_mcp.api.request_bodies import MULTIPART
from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.tools.result_shapes import result_record
from doit_mcp.protocol.json_schema import function_hints, schema_of_function, schema_of_type
from scripts.published_facts import read_document
from scripts.spec_digest import make_digest, schema_fields
from tests.api_document import DOCUMENT

Facts = dict[str, dict[str, Any]]
DIGEST = make_digest(read_document(DOCUMENT))
ROWS = {(row["method"], row["path"]): row for row in DIGEST}
OF_THE_CLIENT = {
    "X-Tenant-Id": "the tenant of the call",
    "Idempotency-Key": "made by the client",
    "If-Match": "the object's etag",
}
"""Headers that are not arguments, and where their values come from."""
COMPOSED = {
    ("GET", "/insights/v1/results"): "list_optimization_recommendations",
    ("POST", "/ava/v1/ask"): "ask_ava_streaming",
    ("POST", "/cloudflow/v1/flows/actions/build"): "build_cloud_flow",
    ("POST", "/cloudflow/v1/flows/{flowId}/actions/refine"): "refine_cloudflow",
}
"""Operations that are offered by functions of the catalog."""
PASSED_ON = {
    "assign_objects_to_label": "the previous server passed on what the API answers, which the document does not describe",
    "update_customer": "the previous server passed on what the API answers, which the document does not describe",
}
"""Writes that return an object although the document describes no content of their responses."""
DIFFERENT = {
    "* rule.components[].include_null": "the previous server's name of includeNull, as which it is sent",
    "* rule.components[].type": "attribution and attribution_group, old names that the previous server took",
    "* rules[].components[].include_null": "the previous server's name of includeNull, as which it is sent",
    "* rules[].components[].type": "attribution and attribution_group, old names that the previous server took",
    "* rule.components[].inverse_selection": "the previous server's name of inverse, as which it is sent",
    "* rules[].components[].inverse_selection": "the previous server's name of inverse, as which it is sent",
    "* scope": "an old form of scopes, as which it is sent",
    "* config.metric": "the old form of metrics, as which it is sent; the metric of an alert is another field",
    "* config.attributions": "an old form of scopes, as which it is sent",
    "createAlert config.operator": "the previous server did not require it; gt is sent",
    "createTicket ticket.platform": "names of the previous server are taken too, and sent as what the document has",
    "* config.dimensions[].type": "the values are those of filters: listed there only, the schemas have to stay small",
    "* config.group[].type": "the values are those of filters: listed there only, the schemas have to stay small",
    "* config.layout": "the previous server took csv_export and sheets_export as well; they are sent as table",
    "* config.timeRange.customTimeRange": "the previous server's place for it; it is sent as config.customTimeRange",
    "* config.limitByChange.operator": "the previous server's signs are taken as well; they are sent as gt, b and so on",
    "* config.forecastSettings.mode": "none is a word of arguments, and sent as null",
    "updateResourcePermission public": "no_access is a word of arguments, and sent as null",
    **dict.fromkeys(
        (
            *("* config.count.id", "* config.count.type", "* config.group[].limit.metric"),
            *("* config.limitByChange.metric.type", "* config.limitByChange.metric.value"),
            *("* config.metricFilter.metric", "* config.metricFilter.operator", "* config.metricFilter.values"),
            *("* config.splits[].type", "* config.splits[].origin.type", "* config.splits[].targets[].type"),
        ),
        "the API says what is missing or wrong: the schemas have to stay small",
    ),
    **dict.fromkeys(
        (
            *(f"* billingProfile.{name}" for name in ("name", "country", "state", "city", "address", "zip")),
            *(f"* billingRules[].{name}" for name in ("name", "managementAccounts", "filters", "formula")),
            *(f"* priceBooks[].{name}" for name in ("name", "managementAccounts", "rules")),
        ),
        "the document has an object without members, which clients would drop",
    ),
    "listAnnotations sortBy": "the previous server took timeCreated and timeModified as well; they are sent as timestamp",
    **dict.fromkeys(
        ("triggerCloudflowWebhook payload", "triggerCloudflowFlow payload", "testRunCloudflowFlow payload"),
        "the body as a whole, whose members are the flow's",
    ),
    "updateAlert config.ignoreValuesRange": "none is a word of arguments, and sent as null",
    "updateDatahubDataset name": "is in the path; in the body it may only be the same",
    "updateUser language": "the previous server took es as well",
}
"""Known differences between a declaration and the document, with the reason. The keys are the operationId (* for any)
and the parameter or field, including everything nested in it.
"""
PENDING: dict[str, int] = {}
"""How many operations of an area are not declared yet. The number is exact."""
MILLISECONDS = ("minCreationTime", "maxCreationTime")
"""Parameters compared as integers even where the document types them as strings: a query contains only text."""


def members(kind: type) -> Iterator[Any]:
    """Yield the methods of an area that declare or offer an operation."""
    yield from (member for member in vars(kind).values() if isinstance(getattr(member, "operation", None), Operation))


METHODS = [member for kind in AREAS.values() for member in members(kind)]
# A method that offers another's operation is the function of its row; a declaring method is wrapped.
DECLARED: list[Operation] = [one.operation for one in METHODS if one.operation.function is not one]
OFFERED: list[Operation] = [one.operation for one in METHODS if not one.__name__.startswith("_")]
EACH = pytest.mark.parametrize("declared", DECLARED, ids=lambda row: f"{row.method} {row.path}")


def key(row: Operation) -> tuple[str, str]:
    """Return the key of an operation in the digest."""
    return row.method, row.path


def test_every_operation_is_declared() -> None:
    missing = ROWS.keys() - {key(row) for row in DECLARED}
    found = Counter(ROWS[one]["tag"] for one in missing)
    assert found == PENDING, join_lines(
        f"declare {' '.join(one)} in doit_mcp/api/areas (area {ROWS[one]['tag']} of the document)" for one in missing
    )


def test_no_undocumented_operation_is_declared() -> None:
    unknown = {key(row) for row in DECLARED} - ROWS.keys()
    assert not unknown, join_lines(f"not in the document: {' '.join(operation)}" for operation in unknown)


def test_no_operation_is_declared_twice() -> None:
    again = [operation for operation, times in Counter(key(row) for row in DECLARED).items() if times > 1]
    assert not again, join_lines(f"declared more than once: {' '.join(operation)}" for operation in again)


def test_every_declared_operation_is_a_tool() -> None:
    tools = {tool.name for tool in all_tools()}
    offered = {key(row) for row in OFFERED if row.name in tools}
    offered |= {operation for operation, name in COMPOSED.items() if name in tools}
    silent = {key(row) for row in DECLARED} - offered
    assert not silent, join_lines(f"no tool offers it: {' '.join(operation)}" for operation in silent)


@EACH
def test_parameters_match_the_document(declared: Operation) -> None:
    row = ROWS[key(declared)]
    places = {name: facts["in"] for name, facts in row["parameters"].items() if facts["in"] != "header"}
    placed = dict.fromkeys(declared.placeholders, "path") | dict.fromkeys(declared.parameters, "query")
    assert places == placed, (
        f"{place(declared)} has the parameters {placed}; the document has {places}. Fields of the body are unpacked from"
        " a TypedDict"
    )
    needs_key = "Idempotency-Key" in row["parameters"]
    assert declared.needs_idempotency_key == needs_key, f"{place(declared)} needs needs_idempotency_key={needs_key}"
    needs_tag = "If-Match" in row["parameters"]
    assert declared.needs_if_match == needs_tag, f"{place(declared)} needs needs_if_match={needs_tag}"
    problems = list(mistakes(row["operationId"], *parameters_of(declared)))
    assert not problems, f"{place(declared)}: {join_lines(problems)}"


@EACH
def test_body_matches_the_document(declared: Operation) -> None:
    row = ROWS[key(declared)]
    problems = list(mistakes(row["operationId"], *fields_in(declared)))
    if row.get("body", {}).get("fields"):
        media = row["body"]["media"]
        has_body = declared.has_body or declared.body_argument
        assert has_body, f"{place(declared)} needs **body: Unpack[...] with the fields of the body"
        assert declared.content_type == media, f"{place(declared)} needs content_type={media!r} in its decorator"
    else:
        assert not declared.has_body, f"{place(declared)} has a body, but the document has none"
    assert not problems, f"{place(declared)}: {join_lines(problems)}"


@EACH
def test_documented_streams_are_streamed(declared: Operation) -> None:
    success = [media for types in ROWS[key(declared)]["success"].values() for media in types]
    streams = "text/event-stream" in success
    assert declared.stream == streams, f"{place(declared)} needs stream={streams} in its decorator"


@EACH
def test_documented_permissions_are_declared(declared: Operation) -> None:
    permission = letters(str(declared.facts.get("permission") or ""))
    missing = [name for name in ROWS[key(declared)].get("permissions", ()) if letters(name) not in permission]
    assert not missing, (
        f"{place(declared)} needs permission= in its decorator: the document asks for {', '.join(missing)}"
    )


@pytest.mark.parametrize(
    "offered", [one for area in AREAS.values() for one in area.operations], ids=lambda one: one.name
)
def test_documented_answers_are_described(offered: Operation) -> None:
    """Models read the members of a result from its TypedDict."""
    row = ROWS[key(offered)]
    if offered.stream or COMPOSED.get((row["method"], row["path"])) == offered.name:
        return
    hint = function_hints(offered.function)["return"]
    if row.get("answer"):
        assert result_record(offered.function), (
            f"{place(offered)} needs a return annotation with the members of its response, such as"
            f" Annotated[JsonObject, Details] with a TypedDict that has {', '.join(list(row['answer'])[:5])}"
        )
    elif not result_record(offered.function) and offered.name not in PASSED_ON:
        assert hint is type(None), f"{place(offered)} needs the return annotation None: its response has no content"


@EACH
def test_only_operations_with_a_guessed_path_are_untested(declared: Operation) -> None:
    is_guess = ROWS[key(declared)].get("path_evidence") == "guess"
    assert bool(declared.facts.get("untested")) == is_guess, f"{place(declared)} needs untested= if its path is a guess"


def place(declared: Operation) -> str:
    """Return the file and the name of a declaration."""
    return f"{source_file(declared.function)}: {declared.name}"


def letters(text: str) -> str:
    """Return the letters of *text* in lowercase: names of permissions vary in spaces and capitals."""
    return re.sub("[^a-z]", "", text.lower())


def test_difference_table_has_no_unused_entry() -> None:
    differing = {
        f"{operation} {problem.partition(':')[0]}"
        for declared in DECLARED
        for compared in (parameters_of(declared), fields_in(declared))
        for problem in mistakes("", *compared)
        for operation in ("*", ROWS[key(declared)]["operationId"])
    }
    assert not DIFFERENT.keys() - differing, join_lines(DIFFERENT.keys() - differing)


def parameters_of(declared: Operation) -> tuple[Facts, Facts]:
    """Return the parameters in the document and in the declaration."""
    expected = {name: facts for name, facts in ROWS[key(declared)]["parameters"].items() if name not in OF_THE_CLIENT}
    for name in MILLISECONDS:
        if name in expected:
            expected[name] = {**expected[name], "type": "integer"}
    placed = {*declared.placeholders, *declared.parameters}
    return expected, {name: facts for name, facts in describe(declared).items() if name in placed}


def fields_in(declared: Operation) -> tuple[Facts, Facts]:
    """Return the body fields in the document and in the declaration."""
    placed = {*declared.placeholders, *declared.parameters}
    fields: Facts = ROWS[key(declared)].get("body", {}).get("fields", {})
    described = {name: facts for name, facts in describe(declared).items() if name not in placed}
    whole = f"{declared.body_argument}."
    if declared.body_argument and any(name.startswith(whole) for name in described):
        # The members of the argument that is the whole body are the fields.
        return fields, {name.removeprefix(whole): facts for name, facts in described.items() if name.startswith(whole)}
    return fields, described


@cache
def describe(declared: Operation) -> Facts:
    """Return all arguments of a declaration, with enum values that only the offering method lists."""
    fields = dict(schema_fields(schema_of(declared)))
    for row in OFFERED:
        if key(row) == key(declared) and row.function is not declared.function:
            for name, facts in schema_fields(schema_of_function(row.function)):
                if name in fields and "enum" in facts:
                    fields[name] = {"enum": facts["enum"], **fields[name]}
    return fields


def schema_of(declared: Operation) -> dict[str, Any]:
    """Return the schema of a declaration's arguments. In a form, bytes are strings."""
    if declared.content_type != MULTIPART:
        return schema_of_function(declared.function)
    (form,) = get_args(get_type_hints(declared.function)["form"])
    hints = get_type_hints(form)
    fields = {name: {"type": "string"} if hint is bytes else schema_of_type(hint) for name, hint in hints.items()}
    return {"properties": fields}


def mistakes(operation: str, documented: Facts, declared_facts: Facts) -> Iterator[str]:
    """Yield what is missing, unknown or of another type, except known differences."""
    exceptions = [field for pattern, field in map(str.split, DIFFERENT) if operation and pattern in (operation, "*")]
    for name in documented.keys() | declared_facts.keys():
        if any(name == pattern or name.startswith((f"{pattern}.", f"{pattern}[")) for pattern in exceptions):
            continue
        if name not in documented:
            yield f"{name}: is not in the document"
        elif name not in declared_facts:
            if not anything_goes(name, declared_facts):
                yield f"{name}: is missing ({documented[name]})"
        elif wrong := difference(documented[name], declared_facts[name]):
            yield f"{name}: {wrong}"


def anything_goes(name: str, declared_facts: Facts) -> bool:
    """Return whether a field is nested in one whose members the declaration leaves open."""
    above = name.rpartition(".")[0]
    while above:
        holder = above.removesuffix(".*").removesuffix("[]")
        if holder in declared_facts:
            return not any(other.startswith((f"{holder}.", f"{holder}[]")) for other in declared_facts)
        above = above.rpartition(".")[0]
    return False


def difference(documented: dict[str, Any], declared_facts: dict[str, Any]) -> str:
    """Describe how a declaration accepts other values than the document; "" if it does not.

    A declaration may require what the document does not (the compatibility tests limit that), and may list values that
    the document only mentions in prose.
    """
    if declared_facts["type"] != documented["type"]:
        return f"is {declared_facts['type']}, not {documented['type']}"
    if documented.get("required") and not declared_facts.get("required"):
        return "is required"
    values, actual = set(documented.get("enum", ())), set(declared_facts.get("enum", ()))
    if values and values != actual:
        return f"has the values {sorted(actual)}, not {sorted(values)}"
    return ""


def join_lines(lines: Iterable[str]) -> str:
    """Return one line each, as pytest shows them."""
    return "\n".join(["", *sorted(lines)])
