"""Checks whether a dimension, one of its values, or an allocation exists; unknown if a list is incomplete."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

from ..api.errors import ApiError
from ..api.nearest import find_nearest
from ..api.pagination import LARGE_PAGE_SIZE, Page, iterate_pages
from ..protocol.json_schema import short_json
from ..protocol.jsonrpc import JsonObject
from ..resilience.compute_thread import run_by_steps
from .call import Call
from .tables import MAX_TEXT_SEARCHES, count_searches

MAX_LISTED_PAGES = 10
"""Maximum pages of a list that are read to find a name."""
MAX_SUGGESTIONS = 5
ALLOCATIONS_FACT = "allocations"
GROUP = "group"
"""The allocationType of groups, which split costs; the others are single allocations."""
SINGLE_ALLOCATION_TYPES = frozenset({"attribution", "allocation_rule"})
"""Types of filters whose values are single allocations, by id or name."""

Name = TypeVar("Name")


class Existence(Enum):
    """Whether a name exists; *UNKNOWN* if the API does not say."""

    FOUND = "found"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KnownNames(Generic[Name]):
    """Names that exist, in the API's order. Unless *complete*, there are more."""

    names: Collection[Name]
    complete: bool

    def check(self, name: Name) -> Existence:
        """Return whether *name* exists."""
        if name in self.names:
            return Existence.FOUND
        return Existence.ABSENT if self.complete else Existence.UNKNOWN


class ValueCheck(NamedTuple):
    """Whether all values of a filter exist in the data, the first *absent* one, and the *known* ones."""

    existence: Existence
    absent: str = ""
    known: Sequence[str] = ()


async def check_known_values(details: Any, wanted: Sequence[str], mode: str, *, folds: bool) -> ValueCheck:
    """Return whether the *details* of a dimension have a match for each of the *wanted* values in a filter's *mode*.

    Case is ignored if it *folds*.
    """
    values = details.get("values") if isinstance(details, dict) else None
    count = len(values) if isinstance(values, list) else 0
    steps = count + len(wanted) if mode == "is" else count * len(wanted)
    return await run_by_steps(steps, compare_values, details, wanted, mode, folds=folds)


def compare_values(details: Any, wanted: Sequence[str], mode: str, *, folds: bool) -> ValueCheck:
    """Do the same as :func:`check_known_values`, synchronously. Unknown for patterns and for too many searches."""
    known = list_known_values(details)
    # A comprehension lets other threads run meanwhile; one call of a C function would not.
    texts = [value.casefold() for value in known] if folds else known
    has_match = frozenset(texts).__contains__ if mode == "is" else _make_value_test(texts, mode, len(wanted))
    if has_match is None:
        return ValueCheck(Existence.UNKNOWN)
    for value in wanted:
        if not has_match(value.casefold() if folds else value):
            return ValueCheck(Existence.ABSENT, value, known)
    return ValueCheck(Existence.FOUND)


def _make_value_test(texts: list[str], mode: str, count: int) -> Callable[[str], bool] | None:
    """Return the test of one value; None for patterns, or if *count* tests take too many searches."""
    if count_searches(texts) * count > MAX_TEXT_SEARCHES:
        return None
    match mode:
        case "starts_with":
            return lambda value: any(text.startswith(value) for text in texts)
        case "ends_with":
            return lambda value: any(text.endswith(value) for text in texts)
        case "contains":
            return lambda value: any(value in text for text in texts)
    return None


def list_known_values(details: Any) -> list[str]:
    """Return the values in the details of a dimension."""
    values = details.get("values") if isinstance(details, dict) else None
    return [str(item["value"]) for item in values or () if isinstance(item, dict) and item.get("value") is not None]


Dimension = tuple[str, str]
"""Type and id of a dimension."""


async def read_dimensions(call: Call) -> KnownNames[Dimension]:
    """Return all dimensions. Raise ApiError."""
    rows, complete = await _read_rows(
        iterate_pages(
            call.doit.dimensions.list_dimensions,
            max_pages=MAX_LISTED_PAGES,
            maxResults=LARGE_PAGE_SIZE,
        )
    )
    return KnownNames(list(dict.fromkeys((str(row.get("type")), str(row.get("id"))) for row in rows)), complete)


class DimensionCheck(NamedTuple):
    """Whether a dimension exists, and the *known* ones."""

    existence: Existence
    known: Collection[Dimension]


async def check_dimension(call: Call, kind: str, identifier: str) -> DimensionCheck:
    """Return ABSENT for a dimension that is not listed, otherwise UNKNOWN, because its values are. Raise ApiError."""
    known = await read_dimensions(call)
    existence = known.check((kind, identifier))
    return DimensionCheck(Existence.UNKNOWN if existence is Existence.FOUND else existence, known.names)


async def unknown_dimension_error(argument: str, wanted: Dimension, known: Collection[Dimension]) -> ApiError:
    """Return the error for a dimension that is not *known*, with the nearest ones, those of the same type first."""
    kind, name = wanted
    same = await find_nearest(name, [identifier for type_, identifier in known if type_ == kind])
    types = {identifier: type_ for type_, identifier in known}
    other = [value for value in await find_nearest(name, types) if value not in same]
    similar = [*((value, kind) for value in same), *((value, types[value]) for value in other)]
    listed = ", ".join(
        f'{{"id": {short_json(value)}, "type": {short_json(type_)}}}' for value, type_ in similar[:MAX_SUGGESTIONS]
    )
    hint = f"Did you mean {listed}?" if listed else "list_dimensions lists all dimensions"
    return ApiError(
        f"{argument}: unknown dimension {short_json(name)} of type {short_json(kind)[1:-1]}. {hint}",
        kind="argument",
    )


@dataclass(frozen=True, slots=True)
class Allocation:
    """An allocation; *is_group* if it splits costs."""

    id: str
    name: str
    is_group: bool


@dataclass(frozen=True, slots=True)
class KnownAllocations:
    """Allocations, newest first. Unless *complete*, there are more."""

    rows: Sequence[Allocation]
    complete: bool

    @property
    def ids(self) -> KnownNames[str]:
        """Their ids."""
        return KnownNames(dict.fromkeys(row.id for row in self.rows), self.complete)

    @property
    def ids_by_name(self) -> dict[str, str]:
        """The id of each name."""
        return {row.name: row.id for row in self.rows}

    @property
    def ids_and_names(self) -> KnownNames[str]:
        """Their ids and names."""
        return KnownNames(frozenset(text for row in self.rows for text in (row.id, row.name)), self.complete)

    def find(self, name: str, *, is_group: bool) -> Allocation | None:
        """Return the group, or the single allocation, with an id or a name, ignoring case."""
        folded = name.casefold()
        own = (row for row in self.rows if row.is_group == is_group)
        return next((row for row in own if name == row.id or folded == row.name.casefold()), None)


class AllocationCheck(NamedTuple):
    """Whether allocations exist, the first *absent* one, and the *known* ones."""

    existence: Existence
    absent: str
    known: KnownAllocations


class AllocationReader:
    """Reads the allocations at most once in a call, however many names are looked up."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._current: KnownAllocations | None = None

    async def versions(self) -> AsyncIterator[KnownAllocations]:
        """Yield the cached allocations, which may lack new ones, and then the current ones. Raise ApiError."""
        if self._current is None and (remembered := self._call.facts.get(ALLOCATIONS_FACT)) is not None:
            rows, complete = remembered
            yield KnownAllocations([Allocation(*row) for row in rows], complete)
        yield await self.read()

    async def read(self) -> KnownAllocations:
        """Return the current allocations, and cache them. Raise ApiError."""
        if self._current is None:
            self._current = current = await read_allocations(self._call)
            rows = [[row.id, row.name, row.is_group] for row in current.rows]
            self._call.facts.put(ALLOCATIONS_FACT, [rows, current.complete])
        return self._current


async def check_allocations(call: Call, wanted: Collection[str]) -> AllocationCheck:
    """Return whether there is an allocation with each of the *wanted* ids or names. Raise ApiError."""
    async for known in AllocationReader(call).versions():
        names = known.ids_and_names
        states = {value: names.check(value) for value in wanted}
        absent = next((value for value, state in states.items() if state is Existence.ABSENT), "")
        unknown = Existence.UNKNOWN if Existence.UNKNOWN in states.values() else Existence.FOUND
        check = AllocationCheck(Existence.ABSENT if absent else unknown, absent, known)
        if check.existence is Existence.FOUND:
            break
    return check


async def check_allocation_values(call: Call, check: ValueCheck, wanted: Collection[str]) -> ValueCheck:
    """Return *check* after looking for ids among the *wanted* values of a filter by allocation. Raise ApiError.

    The data has only the names of allocations, but filters accept their ids, too.
    """
    in_data = frozenset(check.known)
    values = [value for value in wanted if value not in in_data]
    async for known in AllocationReader(call).versions():
        ids = KnownNames(frozenset(row.id for row in known.rows if not row.is_group), known.complete)
        states = {value: ids.check(value) for value in values}
        absent = next((value for value, state in states.items() if state is Existence.ABSENT), "")
        if not absent:
            return ValueCheck(Existence.UNKNOWN if Existence.UNKNOWN in states.values() else Existence.FOUND)
        check = check._replace(absent=absent)
    return check


async def read_allocations(call: Call, max_pages: int = MAX_LISTED_PAGES, **arguments: str) -> KnownAllocations:
    """Return the allocations, or those whose name contains *nameContains*. Raise ApiError."""
    rows, complete = await _read_rows(
        iterate_pages(
            call.doit.allocations.list_allocations, max_pages=max_pages, maxResults=LARGE_PAGE_SIZE, **arguments
        )
    )
    known = [Allocation(str(row.get("id")), str(row.get("name")), row.get("allocationType") == GROUP) for row in rows]
    return KnownAllocations(known, complete)


async def _read_rows(pages: AsyncGenerator[Page, None]) -> tuple[list[JsonObject], bool]:
    """Return the rows of *pages*, and whether no page follows them."""
    rows: list[JsonObject] = []
    complete = True
    async for page in pages:
        rows += page.rows
        complete = not page.next_token
    return rows, complete
