"""Markers for members of results: what a number or text means beyond its JSON type, and how to find them.

A member is marked where it is declared::

    class MonthCost(TypedDict):
        month: Annotated[str, Day]
        cost: Annotated[float, Money]
        changePercent: Annotated[float | None, Percent]

Markers do not change the published schema. An object that is published without its members (JsonObject) declares them
with Members: ``months: Annotated[list[JsonObject], "...", Members(MonthCost)]``. Values that come from the API as they
are, or cells of a table, are Verbatim.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin, is_typeddict

from ..protocol.json_schema import record_hints


class ValueKind(Enum):
    """What a member means."""

    MONEY = auto()
    """An amount in the currency of the nearest CurrencyCode, in the same object or in an enclosing one."""
    US_DOLLARS = auto()
    """An amount that is always in US dollars, whatever currency the result states."""
    PERCENT = auto()
    """A share or a change, in percent."""
    QUANTITY = auto()
    """Any other number that is not an integer: usage, hours, a ratio."""
    DAY = auto()
    """A day (2026-08-31) or a month (2026-08)."""
    MOMENT = auto()
    """A date and time, with or without a zone."""
    LABEL = auto()
    """A text that identifies an object to users, such as a name or a title."""
    CURRENCY_CODE = auto()
    """The ISO code of the currency of the amounts in the same object and below."""
    VERBATIM = auto()
    """A value whose members are not declared here: an object of the API, or the cells of a table."""


Money, UsDollars, Percent, Quantity = ValueKind.MONEY, ValueKind.US_DOLLARS, ValueKind.PERCENT, ValueKind.QUANTITY
Day, Moment = ValueKind.DAY, ValueKind.MOMENT
Label, CurrencyCode, Verbatim = ValueKind.LABEL, ValueKind.CURRENCY_CODE, ValueKind.VERBATIM


@dataclass(frozen=True, slots=True)
class Members:
    """Declares the members of an object, or of the objects of a list, whose published schema leaves them open."""

    record: type


@dataclass(frozen=True, slots=True)
class DeclaredMember:
    """One member of a result: its *kind*, or the *members* of an object or of the objects in a list."""

    kind: ValueKind | None = None
    members: Mapping[str, DeclaredMember] = field(default_factory=dict)


@lru_cache(maxsize=1024)
def read_declared_members(record: type) -> Mapping[str, DeclaredMember]:
    """Return the members that a TypedDict declares, at all depths. Cached, because many results share records."""
    return {name: _read_declared_member(hint) for name, hint in record_hints(record).items()}


def _read_declared_member(annotation: Any) -> DeclaredMember:
    kind: ValueKind | None = None
    members: dict[str, DeclaredMember] = {}
    for part in annotation_parts(annotation):
        if isinstance(part, ValueKind):
            kind = part
        elif isinstance(part, Members):
            members |= read_declared_members(part.record)
        elif is_typeddict(part):
            members |= read_declared_members(part)
    return DeclaredMember(kind, members)


def annotation_parts(annotation: Any) -> Iterator[Any]:
    """Yield the types and markers of *annotation*, including those of its alternatives and of the items of lists."""
    origin = get_origin(annotation)
    if origin in (Required, NotRequired):
        yield from annotation_parts(get_args(annotation)[0])
    elif origin is Annotated:
        inner, *markers = get_args(annotation)
        yield from annotation_parts(inner)
        yield from markers
    elif origin is not None and origin is not dict:
        for part in get_args(annotation):
            yield from annotation_parts(part)
    else:
        yield annotation
