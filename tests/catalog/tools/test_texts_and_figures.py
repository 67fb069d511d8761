"""Texts and figures of declarations: descriptions say more than names, numbers have a kind, amounts a currency.

The server does not need these checks to start, so only tests make them. Failures name the file, the tool and the member.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypedDict, is_typeddict

import pytest

from doit_mcp.api import AREAS
from doit_mcp.api.operation import Area, get, operation_of
from doit_mcp.api.value_kinds import (
    CurrencyCode,
    DeclaredMember,
    Members,
    Money,
    ValueKind,
    annotation_parts,
    read_declared_members,
)
from doit_mcp.catalog.call import Call
from doit_mcp.catalog.currencies import StatedCurrency
from doit_mcp.catalog.discovery.tools import AREA as DISCOVERY
from doit_mcp.catalog.employees import employee_tools
from doit_mcp.catalog.registry import all_tools, composed_tools
from doit_mcp.catalog.tools.composed import composed_tool
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.tools.tool_factory import tool_from_function, tool_from_operation
from doit_mcp.protocol.json_schema import record_hints
from doit_mcp.protocol.jsonrpc import JsonObject

# The registry adds notes and arguments to the tools of operations, so these are built again, as declared.
DISCOVERY_TOOLS = tuple(tool for tool in all_tools() if tool.area == DISCOVERY)
COMPOSED = {tool.name: tool for tool in (*composed_tools(), *employee_tools(), *DISCOVERY_TOOLS)}
DECLARED = (
    *COMPOSED.values(),
    *(
        tool_from_operation(operation, area)
        for area, group in AREAS.items()
        for operation in group.operations
        if operation.name not in COMPOSED
    ),
)
HERE = "tests/catalog/tools/test_texts_and_figures.py"
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
"""A word of a text, or of a name in camel or snake case."""
FILLERS = frozenset("a all an and by for give given in it its of on one or show that the to with".split())
"""Words that add nothing to the name of a tool or an argument, as stems."""
NUMBER_KINDS = {ValueKind.MONEY, ValueKind.US_DOLLARS, ValueKind.PERCENT, ValueKind.QUANTITY}


def find_problems(tool: Tool) -> list[str]:
    """Return what the texts and figures of *tool* lack, each as a sentence that starts with its file and name."""
    problems = [*text_problems(tool), *(figure_problems(tool.result_type) if tool.result_type else ())]
    return [f"{tool.declared_in}: {tool.name} {problem}" for problem in problems]


def text_problems(tool: Tool) -> Iterator[str]:
    if tool.description and repeats_name(tool.description, tool.name):
        yield (
            "needs a docstring that says more than its name: what the tool returns or does, when to use it, and which"
            " tool to use for related questions"
        )
    for name, argument in tool.input_schema["properties"].items():
        if not is_described(argument):
            yield f'needs a description of its argument {name}, such as {name}: Annotated[str, "What it is."]'
    for path, text in described_members(tool.input_schema):
        if repeats_name(text, path.rpartition(".")[2]):
            yield f"describes its argument {path} as {text!r}, which says no more than the name"


def numbers_without_kind(record: type, path: str = "", outer: tuple[type, ...] = ()) -> Iterator[str]:
    """Describe each number without a kind in *record*, and in the records of its members at any depth."""
    for name, hint in record_hints(record).items():
        parts = list(annotation_parts(hint))
        if float in parts and not any(part in NUMBER_KINDS for part in parts if isinstance(part, ValueKind)):
            yield (
                f"returns the number {path}{name} without its kind: declare {name}: Annotated[float, Money] (or"
                f" UsDollars, Percent, Quantity) in {record.__name__}"
            )
        for inner in (part.record if isinstance(part, Members) else part for part in parts):
            if is_typeddict(inner) and inner not in (*outer, record):
                yield from numbers_without_kind(inner, f"{path}{name}.", (*outer, record))


def figure_problems(record: type) -> Iterator[str]:
    yield from numbers_without_kind(record)
    if amounts := list(amounts_without_currency(read_declared_members(record))):
        yield (
            f"returns Money without a currency: {', '.join(amounts)}. Add a member with CurrencyCode, such as currency:"
            f" StatedCurrency, to {record.__name__} or beside the amount"
        )


def repeats_name(text: str, name: str) -> bool:
    """Whether *text*, a description, says nothing that *name* does not say, such as "Its name." of name."""
    said, known = ({stem(word) for word in WORD.findall(words)} for words in (text, name))
    return not said - known - FILLERS


def stem(word: str) -> str:
    """The word in lowercase, without the ending of a plural."""
    folded = word.lower()
    return folded[:-1] if len(folded) > 2 and folded.endswith("s") else folded


def is_described(schema: JsonObject) -> bool:
    if schema.keys() & {"description", "enum", "const"}:
        return True
    items = [schema["items"]] if isinstance(schema.get("items"), dict) else []
    return any(map(is_described, [*schema.get("anyOf", ()), *schema.get("properties", {}).values(), *items]))


def described_members(schema: JsonObject, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the description of each described member of *schema*, at any depth."""
    for name, member in schema.get("properties", {}).items():
        if "description" in member:
            yield f"{path}{name}", member["description"]
        yield from described_members(member, f"{path}{name}.")
    for inner in (schema.get("items"), *schema.get("anyOf", ())):
        if isinstance(inner, dict):
            yield from described_members(inner, path)


def amounts_without_currency(members: Mapping[str, DeclaredMember]) -> Iterator[str]:
    """The Money members that no CurrencyCode applies to: none is in the same object or in an object around it."""
    if any(member.kind is CurrencyCode for member in members.values()):
        return
    for name, member in members.items():
        if member.kind is Money:
            yield name
        yield from (f"{name}.{inner}" for inner in amounts_without_currency(member.members))


def test_texts_and_figures_of_all_tools() -> None:
    assert len(DECLARED) > 250
    problems = [problem for tool in DECLARED for problem in find_problems(tool)]
    assert not problems, "\n".join(problems)


class BarePrice(TypedDict):
    paid: float


class BareOffers(TypedDict):
    offers: Annotated[list[JsonObject], Members(BarePrice)]
    best: BarePrice | None


class Price(TypedDict):
    paid: Annotated[float, Money]


class PriceWithCurrency(Price):
    currency: StatedCurrency


class Prices(TypedDict):
    total: Annotated[float | None, Money]
    pots: Annotated[list[JsonObject], Members(Price)]
    exchanged: PriceWithCurrency


class PricesWithCurrency(Prices):
    currency: StatedCurrency


class Pots(Area):
    """Pots."""

    @get("/pots/{id}/price")
    async def price_pot(self, *, id: Annotated[str, "Where the pot stands."]) -> Annotated[JsonObject, BarePrice]: ...

    @get("/pots/{id}/offers")
    async def offer_pot(self, *, id: Annotated[str, "Where the pot stands."]) -> Annotated[JsonObject, BareOffers]: ...

    @get("/pots/{id}/size")
    async def size_pot(self, *, id: Annotated[str, "Where the pot stands."], unit: str = "cm") -> JsonObject: ...


@composed_tool(area="labels", slow=False, default_list=False)
async def count_lids(call: Call) -> JsonObject:
    """Count the lids."""
    return {}


@composed_tool(area="labels", slow=False, default_list=False)
async def measure_lid(call: Call, *, lidSizes: Annotated[list[str], "The lid sizes."]) -> JsonObject:
    """Return the diameter of a lid."""
    return {}


@composed_tool(area="labels", slow=False, default_list=False)
async def price_pots(call: Call) -> Annotated[JsonObject, Prices]:
    """Show what they cost."""
    return {}


@composed_tool(area="labels", slow=False, default_list=False)
async def price_lids(call: Call) -> Annotated[JsonObject, PricesWithCurrency]:
    """Show what they cost."""
    return {}


@pytest.mark.parametrize(
    ("function", "problems"),
    [
        (
            Pots.offer_pot,
            [
                f"returns the number {name}.paid without its kind: declare paid: Annotated[float, Money] (or UsDollars,"
                " Percent, Quantity) in BarePrice"
                for name in ("offers", "best")
            ],
        ),
        (Pots.size_pot, 'needs a description of its argument unit, such as unit: Annotated[str, "What it is."]'),
        (
            count_lids,
            "needs a docstring that says more than its name: what the tool returns or does, when to use it, and which"
            " tool to use for related questions",
        ),
        (measure_lid, "describes its argument lidSizes as 'The lid sizes.', which says no more than the name"),
        (
            Pots.price_pot,
            "returns the number paid without its kind: declare paid: Annotated[float, Money] (or UsDollars, Percent,"
            " Quantity) in BarePrice",
        ),
        (
            price_pots,
            "returns Money without a currency: total, pots.paid. Add a member with CurrencyCode, such as currency:"
            " StatedCurrency, to Prices or beside the amount",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_problems_are_found(function: Any, problems: str | list[str]) -> None:
    is_operation = function.__name__ in vars(Pots)
    tool = tool_from_operation(operation_of(function), "labels") if is_operation else tool_from_function(function)
    expected = [problems] if isinstance(problems, str) else problems
    assert find_problems(tool) == [f"{HERE}: {tool.name} {problem}" for problem in expected]


def test_an_amount_has_the_currency_beside_it_or_around_it() -> None:
    assert find_problems(tool_from_function(price_lids)) == []
