"""Filters of reports and budget scopes: from the document's form to a selection of the ledger's lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jsonschema_rs

from ..responses import JsonObject, bad
from .dimensions import NONE_MADE, Dimension, Made, dimension
from .ledger import Ledger, Parts, Selection

NOT_AVAILABLE = re.compile(r"^\[.* N/A\]$")
PATTERN_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a dimension; *fits* judges a value that is there."""

    dimension: Dimension
    fits: Callable[[str], bool]
    inverse: bool
    include_null: bool

    def keeps(self, value: str | None) -> bool:
        """Whether lines with this value stay; the inverse keeps exactly the others."""
        return (self.include_null if value is None else self.fits(value)) != self.inverse


def compiled(items: Sequence[JsonObject], where: str = "filters", made: Made = NONE_MADE) -> tuple[Filter, ...]:
    """Filters as the API takes them (ExternalConfigFilter, already of the right types); 400 if they make no sense."""
    return tuple(_filter(item, f"{where}[{index}]", made) for index, item in enumerate(items))


def selection(ledger: Ledger, filters: Sequence[Filter], *, credits: bool) -> Selection:
    """The lines that pass all filters."""
    return Selection(_kept(ledger, filters, "series"), _kept(ledger, filters, "days"), credits)


def _filter(item: JsonObject, where: str, made: Made) -> Filter:
    found = dimension(item["type"], item["id"], where, made)
    values = item.get("values") or []
    kept = [value for value in values if not NOT_AVAILABLE.match(value)]
    include_null = bool(item.get("includeNull")) or len(kept) < len(values)
    if not kept and not include_null:
        raise bad(f"{where}: values must not be empty", field=where)
    mode = item.get("mode") or "is"
    fits = _fits(mode, kept, bool(item.get("caseInsensitive")), where)
    return Filter(found, fits, bool(item.get("inverse")), include_null)


def _fits(mode: str, values: list[str], fold: bool, where: str) -> Callable[[str], bool]:
    if mode == "is":
        wanted = frozenset(values)
        return lambda value: value in wanted
    if mode == "regexp":
        return _pattern(values, where)
    # caseInsensitive has no effect on the other modes, says the document.
    change: Callable[[str], str] = str.lower if fold else str
    parts = tuple(change(value) for value in values)
    if mode == "starts_with":
        return lambda value: change(value).startswith(parts)
    if mode == "ends_with":
        return lambda value: change(value).endswith(parts)
    return lambda value: any(part in change(value) for part in parts)


def _pattern(values: list[str], where: str) -> Callable[[str], bool]:
    if len(values) != 1 or len(values[0]) > PATTERN_LIMIT:
        raise bad(f"{where}: regexp takes exactly one pattern of at most {PATTERN_LIMIT} characters", field=where)
    # Expressions of the RE2 kind, as in BigQuery: none of them takes for ever.
    options = jsonschema_rs.RegexOptions()
    try:
        return jsonschema_rs.validator_for({"pattern": values[0]}, pattern_options=options).is_valid
    except ValueError:
        raise bad(f"{where}: {values[0]!r} is not a regular expression (RE2)", field=where) from None


def _kept(ledger: Ledger, filters: Sequence[Filter], table: str) -> frozenset[int] | None:
    found: frozenset[int] | None = None
    for one in filters:
        if one.dimension.table == table:
            members = ledger.members(table, one.dimension.column)
            if isinstance(one.dimension.column, Parts):
                kept = _allotted(one, one.dimension.column, members)
            else:
                kept = frozenset(key for key, value in members if one.keeps(value))
            found = kept if found is None else found & kept
    return found


def _allotted(one: Filter, column: Parts, members: Sequence[tuple[int, str | None]]) -> frozenset[int]:
    """Series of the parts that the filter names, by id or name; a series may be in several."""
    everything = frozenset(series for series, _ in members)
    others = everything.difference(*(part.series for part in column.parts))
    named: frozenset[int] = frozenset()
    found = named.union(*(part.series for part in column.parts if one.fits(part.id) or one.fits(part.name)))
    if one.include_null or (column.rest is not None and one.fits(column.rest)):
        found |= others
    return everything - found if one.inverse else found
