"""Series stay within their limits, say what was cut, and hold no invisible characters."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.tools.series import (
    LIMITS,
    SERIES_META_KEY,
    TOO_LARGE,
    ResultWithSeries,
    Row,
    Series,
    SeriesKind,
    SeriesSet,
    pack_series,
)
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.tools.tool_result import MAX_RESULT_CODE_UNITS, make_tool_result_inline

TOOL = Tool("costs", "Costs", "Costs.", {"type": "object", "properties": {}}, lambda call, arguments: NotImplemented)


def series(rows: list[Row], kind: SeriesKind = "time", name: str = "costs") -> Series:
    made: Series = {"name": name, "kind": kind, "columns": [{"role": "period"}, {"role": "total"}], "rows": rows}
    return made | {"provisional": [str(row[0]) for row in rows[-3:]]} if kind == "time" else made


def packed(*made: Series) -> Any:
    data = pack_series({"currency": "USD", "series": list(made)})
    assert len(data) <= LIMITS.max_bytes
    return orjson.loads(data)


def numbered(count: int, length: int = 6) -> list[Row]:
    return [[f"{at:0{length}}", float(at)] for at in range(count)]


def test_what_fits_is_unchanged() -> None:
    made = [series(numbered(100)), series(numbered(5), "bars", "bars")]
    assert packed(*made) == {"currency": "USD", "series": made}


@pytest.mark.parametrize(("count", "length"), [(LIMITS.max_cells, 6), (400, 500)])
def test_a_time_series_keeps_its_latest_rows(count: int, length: int) -> None:
    rows = numbered(count, length)
    (shown,) = packed(series(rows))["series"]
    kept = shown["rows"]
    assert 0 < len(kept) < count and kept == rows[-len(kept) :]
    assert shown["cut"] == {"shown": len(kept), "of": count}
    assert shown["provisional"] == [row[0] for row in rows[-3:]]


def test_bars_keep_their_first_rows() -> None:
    rows = numbered(LIMITS.max_cells)
    (shown,) = packed(series(rows, "bars"))["series"]
    assert shown["rows"] == rows[: LIMITS.max_cells // 2] and shown["cut"]["of"] == len(rows)


def test_a_waterfall_that_does_not_fit_is_missing() -> None:
    answer = packed(series(numbered(LIMITS.max_cells), "waterfall", "change"), series(numbered(3)))
    assert [one["name"] for one in answer["series"]] == ["costs"]
    assert answer["missing"] == [{"part": "change", "why": TOO_LARGE}]


def test_all_series_share_the_limits() -> None:
    answer = packed(*(series(numbered(2_000), "bars", f"bars {at}") for at in range(3)))
    assert [len(one["rows"]) for one in answer["series"]] == [2_000, 500]
    assert answer["missing"] == [{"part": "bars 2", "why": TOO_LARGE}]


def test_long_names_of_columns_leave_no_room_for_rows() -> None:
    wide = series(numbered(3))
    wide["columns"].append({"role": "group", "name": "x" * LIMITS.max_bytes})
    assert packed(wide, series(numbered(3), name="other"))["missing"] == [{"part": "costs", "why": TOO_LARGE}]


def test_invisible_characters_are_removed() -> None:
    (shown,) = packed(series([["a\u200b\u202eb\x1b", 1.0]], "bars"))["series"]
    assert shown["rows"] == [["ab", 1.0]]


@given(
    st.lists(st.tuples(st.text(max_size=2_000), st.floats(-1e18, 1e18) | st.none()), max_size=60),
    st.sampled_from(["time", "bars", "waterfall", "budgets"]),
)
def test_no_data_exceed_the_limits(rows: list[Row], kind: SeriesKind) -> None:
    packed(*(series([[*row] for row in rows], kind, f"series {at}") for at in range(3)))


@pytest.mark.parametrize("size", [10, 29_000])
def test_a_result_has_its_series_in_its_metadata_only(size: int) -> None:
    data: SeriesSet = {"currency": "USD", "series": [series(numbered(LIMITS.max_cells))]}
    result = make_tool_result_inline(TOOL, {}, ResultWithSeries({"said": "é" * size}, data))
    body = orjson.dumps(result)
    assert len(body.decode()) < MAX_RESULT_CODE_UNITS
    assert orjson.loads(body)["structuredContent"] == {"said": "é" * size}
    assert SERIES_META_KEY in orjson.loads(body)["_meta"] and "series" not in result["content"][0]["text"]


def test_a_result_that_would_be_too_large_goes_without_series() -> None:
    data: SeriesSet = {"series": [series(numbered(LIMITS.max_cells))]}
    text = "x" * 60_000
    result = make_tool_result_inline(TOOL, {}, ResultWithSeries({"said": text}, data))
    assert "_meta" not in result and orjson.loads(result["content"][0]["text"]) == {"said": text}
