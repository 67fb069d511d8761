"""Filters of reports and budget scopes: parsing, and selection of billing lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jsonschema_rs

from ..responses import JsonObject, bad_request
from .dimensions import NO_CUSTOM_DIMENSIONS, CustomDimensions, Dimension, find_dimension
from .ledger import DerivedColumn, Ledger, Selection

NOT_AVAILABLE = re.compile(r"^\[.* N/A\]$")
MAX_PATTERN_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a dimension; *accepts* tests a value that is present."""

    dimension: Dimension
    accepts: Callable[[str], bool]
    inverse: bool
    include_null: bool

    def keeps(self, value: str | None) -> bool:
        """Whether lines with this value pass; *inverse* passes exactly the others."""
        return (self.include_null if value is None else self.accepts(value)) != self.inverse


def compile_filters(
    items: Sequence[JsonObject], where: str = "filters", custom: CustomDimensions = NO_CUSTOM_DIMENSIONS
) -> tuple[Filter, ...]:
    """Filters from the API form (ExternalConfigFilter, types already validated); 400 if they are inconsistent."""
    return tuple(_compile_filter(item, f"{where}[{index}]", custom) for index, item in enumerate(items))


def select_lines(ledger: Ledger, filters: Sequence[Filter], *, credits: bool) -> Selection:
    """The lines that pass all filters."""
    return Selection(_selected_keys(ledger, filters, "series"), _selected_keys(ledger, filters, "days"), credits)


def _compile_filter(item: JsonObject, where: str, custom: CustomDimensions) -> Filter:
    found = find_dimension(item["type"], item["id"], where, custom)
    values = item.get("values") or []
    kept = [value for value in values if not NOT_AVAILABLE.match(value)]
    include_null = bool(item.get("includeNull")) or len(kept) < len(values)
    if not kept and not include_null:
        raise bad_request(f"{where}: values must not be empty", field=where)
    mode = item.get("mode") or "is"
    fits = _make_predicate(mode, kept, bool(item.get("caseInsensitive")), where)
    return Filter(found, fits, bool(item.get("inverse")), include_null)


def _make_predicate(mode: str, values: list[str], fold: bool, where: str) -> Callable[[str], bool]:
    if mode == "is":
        allowed = frozenset(values)
        return lambda value: value in allowed
    if mode == "regexp":
        return _make_pattern_predicate(values, where)
    # The API document says that caseInsensitive has no effect on other modes.
    change: Callable[[str], str] = str.lower if fold else str
    parts = tuple(change(value) for value in values)
    if mode == "starts_with":
        return lambda value: change(value).startswith(parts)
    if mode == "ends_with":
        return lambda value: change(value).endswith(parts)
    return lambda value: any(part in change(value) for part in parts)


def _make_pattern_predicate(values: list[str], where: str) -> Callable[[str], bool]:
    if len(values) != 1 or len(values[0]) > MAX_PATTERN_LENGTH:
        raise bad_request(
            f"{where}: regexp takes exactly one pattern of at most {MAX_PATTERN_LENGTH} characters", field=where
        )
    # RE2-style expressions, as in BigQuery: linear time.
    options = jsonschema_rs.RegexOptions()
    try:
        return jsonschema_rs.validator_for({"pattern": values[0]}, pattern_options=options).is_valid
    except ValueError:
        raise bad_request(f"{where}: {values[0]!r} is not a regular expression (RE2)", field=where) from None


def _selected_keys(ledger: Ledger, filters: Sequence[Filter], table: str) -> frozenset[int] | None:
    found: frozenset[int] | None = None
    for item in filters:
        if item.dimension.table == table:
            members = ledger.members(table, item.dimension.column)
            if isinstance(item.dimension.column, DerivedColumn):
                kept = _selected_series(item, item.dimension.column, members)
            else:
                kept = frozenset(key for key, value in members if item.keeps(value))
            found = kept if found is None else found & kept
    return found


def _selected_series(
    condition: Filter, column: DerivedColumn, members: Sequence[tuple[int, str | None]]
) -> frozenset[int]:
    """The series of the parts that the filter selects, by id or name; a series can be in several."""
    everything = frozenset(series for series, _ in members)
    others = everything.difference(*(part.series for part in column.parts))
    named: frozenset[int] = frozenset()
    found = named.union(
        *(part.series for part in column.parts if condition.accepts(part.id) or condition.accepts(part.name))
    )
    if condition.include_null or (column.rest is not None and condition.accepts(column.rest)):
        found |= others
    return everything - found if condition.inverse else found
