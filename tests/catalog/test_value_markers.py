"""Required declarations: the kinds of numbers and dates in results, and which arguments are identifiers.

Failures name the tool, the member, and where to write which marker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypedDict, get_origin, is_typeddict

import pytest

from doit_mcp.api import AREAS
from doit_mcp.api.markers import VERBATIM, find_marked_arguments
from doit_mcp.api.value_kinds import (
    Day,
    DeclaredMember,
    Label,
    Members,
    Moment,
    Money,
    Percent,
    Quantity,
    UsDollars,
    ValueKind,
    Verbatim,
    annotation_parts,
    read_declared_members,
)
from doit_mcp.catalog.discovery.tools import AREA as DISCOVERY
from doit_mcp.catalog.employees import employee_tools
from doit_mcp.catalog.registry import all_tools, composed_tools
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from doit_mcp.protocol.json_schema import record_hints
from tests.api.recorder import Recorder

from .caller import TOOLS as NAMED
from .caller import Caller
from .conftest import Ask

COMPOSED = (
    *composed_tools(),
    *employee_tools(),
    *(tool for tool in all_tools() if tool.area == DISCOVERY),
)
FORWARDING = {"read_operation", "call_operation", "confirm_action"}
"""Their results are those of the tools that they call."""
NUMBER_KINDS = {Money, UsDollars, Percent, Quantity}
DATE_KINDS = {Day, Moment}
DATE_WORDS = frozenset(
    "from to on at since until first last day date month time timestamp start starts begin begins end ends created"
    " updated expires".split()
)
DATE_VALUE = re.compile(r"\d{4}-\d{2}(-\d{2}(T.*)?)?")
IDENTIFIER_WORDS = frozenset("id ids name names email dataset datasets handle".split())


def last_word(name: str) -> str:
    """The last word of a name in camel case or snake case: on, of breaksOn."""
    return re.findall(r"[A-Z]+$|[A-Z]?[a-z0-9]+", name)[-1].lower()


def find_undeclared(record: type, path: str = "") -> Iterator[str]:
    """The members of *record*, at all depths, whose declaration lacks a kind."""
    where = f"in {record.__module__}.{record.__qualname__}"
    for name, hint in record_hints(record).items():
        parts = list(annotation_parts(hint))
        kinds = {part for part in parts if isinstance(part, ValueKind)}
        records = [part.record for part in parts if isinstance(part, Members)]
        records += [part for part in parts if is_typeddict(part)]
        if float in parts and not kinds & NUMBER_KINDS:
            yield f"{path}{name} is a number of no kind: declare {name}: Annotated[float, Money] (or UsDollars, Percent, Quantity) {where}"
        if str in parts and last_word(name) in DATE_WORDS and not kinds & DATE_KINDS:
            yield f"{path}{name} looks like a date: declare {name}: Annotated[str, Day] (or Moment) {where}"
        is_open = any(part is Any or part is dict or get_origin(part) is dict for part in parts)
        if is_open and not records and Verbatim not in kinds:
            yield f"{path}{name} has members of no kind: add Members(a TypedDict) (or Verbatim) to its annotation {where}"
        for inner in records:
            yield from find_undeclared(inner, f"{path}{name}.")


@pytest.mark.parametrize("tool", COMPOSED, ids=lambda tool: tool.name)
def test_results_declare_kinds_of_numbers_and_dates(tool: Tool) -> None:
    if tool.name in FORWARDING:
        assert tool.result_type is None
        return
    assert tool.result_type is not None, f"{tool.name}: annotate its result with a TypedDict"
    problems = [f"{tool.name}: {problem}" for problem in find_undeclared(tool.result_type)]
    assert not problems, "\n".join(problems)


class Inner(TypedDict):
    hours: float
    breaksOn: str | None


class Sample(TypedDict, total=False):
    cost: Annotated[float | None, "Of all."]
    first: list[str]
    description: str
    count: int
    open: Annotated[list[dict[str, Any]], "Rows."]
    rows: list[list[Any]]
    inner: Annotated[dict[str, Any], Members(Inner)]
    share: Annotated[float, Percent]
    lastUpdated: Annotated[str, Moment]
    currency: Annotated[str, Label]
    cells: Annotated[list[Any], Verbatim]


def test_missing_declaration_is_named() -> None:
    values = list(find_undeclared(Sample))
    assert [problem.split()[0] for problem in values] == [
        "cost",
        "first",
        "open",
        "rows",
        "inner.hours",
        "inner.breaksOn",
    ]
    assert values[0].endswith(f"(or UsDollars, Percent, Quantity) in {__name__}.Sample")
    assert "declare breaksOn: Annotated[str, Day] (or Moment) in" in values[-1] and values[-1].endswith("Inner")


def find_unexpected(value: Any, member: DeclaredMember, path: str = "") -> Iterator[str]:
    """The numbers and dates in *value* that are not declared as such."""
    if member.kind is Verbatim:
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from find_unexpected(item, member.members.get(name, DeclaredMember()), f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from find_unexpected(item, member, path)
    elif (
        isinstance(value, float)
        and member.kind not in NUMBER_KINDS
        or isinstance(value, str)
        and DATE_VALUE.fullmatch(value)
        and member.kind not in DATE_KINDS
    ):
        yield f"{path} = {value}"


def problems_of(name: str, result: Any) -> list[str]:
    record = NAMED[name].result_type
    assert record is not None and isinstance(result, dict) and result
    return list(dict.fromkeys(find_unexpected(result, DeclaredMember(members=read_declared_members(record)), name)))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_cloud_overview", {}),
        ("cost_breakdown", {"groupBy": "service", "months": 3}),
        ("cost_trend", {"months": 3, "groupBy": "cloud"}),
        ("compare_spend", {"period2": {"from": "2026-07-01", "to": "2026-07-31"}}),
        ("explain_cost_change", {"top": 1}),
        ("forecast_spend", {}),
        ("forecast_spend", {"scenario": ["growth 10% from 2026-09-25", "one-off 90000 on 2026-09-26"]}),
        ("get_savings_summary", {"top": 50}),
        ("commitment_summary", {}),
        ("what_if_commitment", {"term": "one_year"}),
        ("allocation_coverage", {"by": "label:env"}),
        ("weekly_digest", {}),
        ("search", {"query": "budget"}),
        ("find_operation", {"query": "delete a budget"}),
    ],
)
async def test_results_have_no_undeclared_numbers_or_dates(ask: Ask, name: str, arguments: dict[str, Any]) -> None:
    """Compares the results for the sandbox's account with the declared result types."""
    problems = problems_of(name, await ask(name, **arguments))
    assert not problems, "declare their kinds in the TypedDict of the result:\n" + "\n".join(problems)


async def test_recommendations_have_no_undeclared_numbers_or_dates() -> None:
    """The sandbox does not serve them."""
    row = {"key": "k", "lastUpdated": "2026-08-31T00:00:00Z", "summary": {"potentialDailySavings": 2.5}}
    result = await NAMED["list_optimization_recommendations"].run(Caller(Recorder({"results": [row]})), {})
    assert not isinstance(result, ContentResult) and result["insights"][0]["potentialDailySavings"] == 2.5
    assert problems_of("list_optimization_recommendations", result) == []


def test_detects_an_undeclared_value() -> None:
    result = {"groups": [{"name": "2026-08", "cost": 1.5, "extra": [0.5]}], "rows": [[0.5]], "since": "2026-08-31"}
    assert problems_of("cost_breakdown", result) == [
        "cost_breakdown.groups.name = 2026-08",
        "cost_breakdown.groups.extra = 0.5",
        "cost_breakdown.since = 2026-08-31",
    ]


VERBATIM_ARGUMENTS = {
    operation.name: find_marked_arguments(operation.function, VERBATIM)
    for area in AREAS.values()
    for operation in area.operations
}


def unmarked_identifiers(tool: Tool) -> list[str]:
    """The arguments of *tool* that look like identifiers, and are neither marked as such nor as the customer's data."""
    decided = tool.identifiers | VERBATIM_ARGUMENTS.get(tool.name, frozenset())
    return [
        name for name in tool.input_schema["properties"] if last_word(name) in IDENTIFIER_WORDS and name not in decided
    ]


@pytest.mark.parametrize("tool", (*all_tools(), *employee_tools()), ids=lambda tool: tool.name)
def test_arguments_declare_whether_they_are_identifiers(tool: Tool) -> None:
    problems = [
        f"{tool.name}: {name} looks like an identifier: add IDENTIFIER to its annotation (or VERBATIM, where whitespace "
        "around it can be significant)"
        for name in unmarked_identifiers(tool)
    ]
    assert not problems, "\n".join(problems)
    assert tool.identifiers <= set(tool.input_schema["properties"])


def test_detects_an_unmarked_identifier() -> None:
    properties = {name: {"type": "string"} for name in ("id", "ownerID", "layer_ids", "nameContains", "email", "valid")}
    tool = Tool(
        "x", "T", "D.", {"type": "object", "properties": properties}, NAMED["search"].run, identifiers=frozenset({"id"})
    )
    assert unmarked_identifiers(tool) == ["ownerID", "layer_ids", "email"]
    assert VERBATIM_ARGUMENTS["delete_datahub_events_by_filter"] == {"eventIds"}
