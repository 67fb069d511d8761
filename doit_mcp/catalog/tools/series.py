"""Series: chart data in the ``_meta`` of a result, which views read and models do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple, Required, TypedDict

import orjson

from ...protocol.jsonrpc import JsonObject
from .sanitize import sanitize_json

SERIES_META_KEY = "doit/series"
"""Member of ``_meta`` of a CallToolResult."""


class SeriesLimits(NamedTuple):
    """Maximum size of all series of one result: bytes of JSON, and cells of all rows."""

    max_bytes: int
    max_cells: int


# With three times the longest text of a read, a result stays within MAX_RESULT_CODE_UNITS.
LIMITS = SeriesLimits(max_bytes=48_000, max_cells=5_000)
"""Rows beyond these limits are removed, and ``cut`` says how many there were."""
SERIES_SECONDS = 10.0
"""Time limit of a request that only a series needs. The answer does not wait longer."""
TOO_LARGE = "too large for a picture"

SeriesKind = Literal["time", "bars", "waterfall", "budgets"]
"""time: one row for each day, week or month, the earliest first. bars: one row for each bar. waterfall: rows
from start over changes to end, which add up. budgets: one row for each budget."""
Unit = Literal["money", "percent", "count", "moneyPerUnit"]
Cell = str | float | None
Row = Sequence[Cell]


class SeriesColumn(TypedDict, total=False):
    """The meaning of the cells of a column. Columns with the role group have the *id* and *name* of their group.

    *unit* is that of numbers; money is in the currency of the set, or of the row if there is a column currency.
    """

    role: Required[str]
    unit: Unit
    id: str | None
    name: str | None


class SeriesDimension(TypedDict):
    """The dimension of the ids in a series, as in a filter of ``run_query``."""

    id: str
    type: str


class SeriesCut(TypedDict):
    """How many rows a series has, and how many it had before it was cut."""

    shown: int
    of: int


class Series(TypedDict, total=False):
    """The data of one chart: *rows* with a cell for each of the *columns*; null means unknown.

    *provisional* lists the periods in the first column whose costs can still change.
    """

    name: Required[str]
    kind: Required[SeriesKind]
    interval: Literal["day", "week", "month"]
    dimension: SeriesDimension
    columns: Required[list[SeriesColumn]]
    rows: Required[list[Row]]
    provisional: list[str]
    cut: SeriesCut


class MissingSeries(TypedDict):
    """A series that a result lacks, and why."""

    part: str
    why: str


class SeriesSet(TypedDict, total=False):
    """All series of one result, with the period, currency and basis of their amounts.

    *compareTo* is the earlier period of a comparison. *basis* is as in CostStatement. *asOf* is the day of the answer.
    """

    asOf: str
    period: JsonObject
    compareTo: JsonObject
    currency: str
    basis: JsonObject
    series: Required[list[Series]]
    missing: Sequence[MissingSeries]


@dataclass(frozen=True, slots=True)
class ResultWithSeries:
    """The *structured* content of a result, and the *series* beside it."""

    structured: JsonObject
    series: SeriesSet


def make_columns(*roles: str, unit: Unit | None = None) -> list[SeriesColumn]:
    """Return a column for each of the *roles*: texts without a *unit*, numbers with one."""
    if unit is None:
        return [{"role": role} for role in roles]
    return [{"role": role, "unit": unit} for role in roles]


def structured_content(result: JsonObject | ResultWithSeries) -> JsonObject:
    """Return the structured content of a result."""
    return result.structured if isinstance(result, ResultWithSeries) else result


def with_structured(result: JsonObject | ResultWithSeries, structured: JsonObject) -> JsonObject | ResultWithSeries:
    """Return *result* with different structured content and the same series."""
    return ResultWithSeries(structured, result.series) if isinstance(result, ResultWithSeries) else structured


def with_notice(result: JsonObject | ResultWithSeries, notice: str) -> JsonObject | ResultWithSeries:
    """Return *result* with *notice*, if it is not empty, as its first member.

    It is not part of ``note``, which belongs to the tool.
    """
    return with_structured(result, {"notice": notice, **structured_content(result)}) if notice else result


def make_series_set(
    statement: JsonObject, series: Iterable[Series], missing: Iterable[MissingSeries] = ()
) -> SeriesSet:
    """Return a set of the *series* that have rows, with the period, currency and basis of a result."""
    found: SeriesSet = {"series": [one for one in series if one["rows"]]}
    if "period" in statement:
        found["period"] = statement["period"]
    if "currency" in statement:
        found["currency"] = statement["currency"]
    if "basis" in statement:
        found["basis"] = statement["basis"]
    if absent := list(missing):
        found["missing"] = absent
    return found


def pack_series(data: SeriesSet) -> bytes:
    """Return the JSON of *data* within LIMITS, without invisible characters; series that do not fit are missing."""
    kept: list[Series] = []
    missing = list(data.get("missing", ()))
    bytes_left = LIMITS.max_bytes - len(orjson.dumps({**data, "series": [], "missing": missing}))
    cells_left = LIMITS.max_cells
    for series in data["series"]:
        fitted = fit_series(series, bytes_left, cells_left)
        # A waterfall with missing bars does not add up.
        if fitted is None or (series["kind"] == "waterfall" and "cut" in fitted):
            absent: MissingSeries = {"part": series["name"], "why": TOO_LARGE}
            missing.append(absent)
            bytes_left -= len(orjson.dumps(absent)) + 1
            continue
        kept.append(fitted)
        bytes_left -= len(orjson.dumps(fitted)) + 1
        cells_left -= len(fitted["rows"]) * len(fitted["columns"])
    packed = {**data, "series": kept} | ({"missing": missing} if missing else {})
    return sanitize_json(orjson.dumps(packed).decode()).encode()


def fit_series(series: Series, max_bytes: int, max_cells: int) -> Series | None:
    """Return *series* with as many rows as fit: the latest of a time series, the first of others; None without any."""
    rows, width = series["rows"], len(series["columns"])
    bytes_left = max_bytes - len(orjson.dumps({**series, "rows": [], "cut": {"shown": len(rows), "of": len(rows)}}))
    is_time = series["kind"] == "time"
    kept: list[Row] = []
    for row in islice(reversed(rows) if is_time else rows, max(0, max_cells) // width):
        bytes_left -= len(orjson.dumps(row)) + 1
        if bytes_left < 0:
            break
        kept.append(row)
    if not kept:
        return None
    if len(kept) == len(rows):
        return series
    shown: Series = {**series, "rows": kept[::-1] if is_time else kept, "cut": {"shown": len(kept), "of": len(rows)}}
    if "provisional" in series:
        labels: set[Any] = {row[0] for row in kept}
        shown["provisional"] = [label for label in series["provisional"] if label in labels]
    return shown
