"""Where texts and marks are: they do not cover each other, and short rows stay on one line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.driver import Browser, Case, Json, faults_of
from tests.browser.test_pictures import showing

EDGES = """[...document.querySelectorAll("svg.chart")].map((chart) => {
  const boxes = (of) => [...chart.querySelectorAll(of)].map((one) => one.getBoundingClientRect());
  return [Math.max(...boxes(".level").map(({ right }) => right)), Math.min(...boxes("rect.mark").map(({ left }) => left))];
})"""
"""Where the labels of the amounts end and the first column begins, by chart."""
LAST_LABELS = """[...document.querySelectorAll("svg.chart")].map((chart) => {
  const labels = [...chart.querySelectorAll(".period")].map((one) => one.getBoundingClientRect());
  const [before, last] = labels.slice(-2);
  return [before.right, last.left, last.right, chart.getBoundingClientRect().right];
})"""
"""Where the last two labels of the periods are, and where the chart ends."""
PAIRS = """[...document.querySelectorAll(".track")].map((track) =>
  [...track.querySelectorAll(".thin"), track].flatMap((one) => {
    const { top, bottom } = one.getBoundingClientRect();
    return [top, bottom];
  })).filter((edges) => edges.length === 6)"""
"""Top and bottom of both bars of a pair and of their track."""
LINES = """[...document.querySelectorAll(".bars")].flatMap((table) => [...table.tBodies[0].rows]).map((row) => {
  const [name, , ...values] = [...row.cells].map((cell) => cell.getBoundingClientRect());
  return [row.cells[0].innerText, values.map(({ top }) => top < name.bottom), name.height];
})"""
"""Each name, whether each of its values is beside it, and the height of the name."""


def measured(browser: Browser, results: dict[str, Json], names: list[str], width: int, script: str) -> dict[str, Any]:
    """Return what *script* returns for each picture in a frame of *width* pixels."""
    cases = [Case(name, [*showing(name, results[name]), {"evaluate": script}], width=width) for name in names]
    seen = browser.show(*cases)
    assert faults_of(seen) == []
    return {name: one.evaluated[-1] for name, one in seen.items()}


@pytest.mark.parametrize("width", [320, 360, 640])
def test_columns_leave_room_for_their_axis(browser: Browser, results: dict[str, Json], width: int) -> None:
    for name, charts in measured(browser, results, ["trend", "trend-days", "query"], width, EDGES).items():
        assert charts, name
        for label_end, first_column in charts:
            assert first_column - label_end >= 2, name


@pytest.mark.parametrize("width", [320, 640])
def test_the_last_label_fits_into_the_frame(browser: Browser, results: dict[str, Json], width: int) -> None:
    for name, charts in measured(browser, results, ["trend-days", "forecast"], width, LAST_LABELS).items():
        assert charts, name
        for before, start, end, edge in charts:
            assert before + 8 <= start and end <= edge + 12.5, name


@pytest.mark.parametrize("width", [360, 640])
def test_paired_bars_do_not_touch(browser: Browser, results: dict[str, Json], width: int) -> None:
    pairs = measured(browser, results, ["compare"], width, PAIRS)["compare"]
    assert len(pairs) > 5
    for top, bottom, second_top, second_bottom, track_top, track_bottom in pairs:
        assert track_top <= top and bottom + 1 <= second_top and second_bottom <= track_bottom


def test_amounts_stay_beside_names_on_small_screens(browser: Browser, results: dict[str, Json]) -> None:
    for name, lines in measured(browser, results, ["overview", "breakdown", "compare"], 360, LINES).items():
        assert len(lines) > 5, name
        assert [text for text, is_beside, _ in lines if not all(is_beside)] == [], name
        assert max(height for _, _, height in lines) < 45, "names have at most two lines"
