"""Growth curves: the same calls with more open sessions or streams, more tools, larger results or more connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .entries import JSON, Entry, Suite, our_entry
from .figures import Spread, make_spread, ratio_spread

SESSIONS, STREAMS, TOOLS = 20_000, 10_000, 2_000
KB = 1000

# A figure by round, for one point of a curve.
ByRound = dict[int, float]
# The number of a round and its figures.
RoundFigures = tuple[int, dict[str, float]]
Comparison = Literal["", "base", "line", "unit"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a curve's table: a figure, or its *comparison*: with the base, with the line through the first and
    the previous point (1 if growth is linear), or the increase per unit since the first point.
    """

    title: str
    figure: str
    digits: int = 0
    comparison: Comparison = ""

    def cell(self, points: Sequence[tuple[int, ByRound]], index: int, base: int) -> Spread | None:
        """The cell in row *index*; *points* holds the position on the axis and the figure of every point."""
        figures = points[index][1]
        if not self.comparison:
            return make_spread(figures.values())
        if self.comparison == "base":
            if index == base:
                return None
            return ratio_spread(figures, points[base][1])
        # The first two points differ by less than the noise of the machine, so a line through them is meaningless.
        if index < (3 if self.comparison == "line" else 1):
            return None
        (first_position, first_figures), (previous_position, previous_figures) = points[0], points[index - 1]
        values: list[float] = []
        for number in figures.keys() & first_figures.keys() & previous_figures.keys():
            if self.comparison == "unit":
                values.append((figures[number] - first_figures[number]) / (points[index][0] - first_position))
                continue
            slope = (previous_figures[number] - first_figures[number]) / (previous_position - first_position)
            values.append(figures[number] / (first_figures[number] + slope * (points[index][0] - first_position)))
        return make_spread(values)


@dataclass(frozen=True, slots=True)
class Curve:
    """A suite whose entries are the *points* of an *axis*; *base* is the index of the point to compare with."""

    name: str
    description: str
    axis: str
    points: tuple[int, ...]
    entry: Callable[[int], Entry]
    columns: tuple[Column, ...]
    base: int = 0
    connections: int = 32
    operation: str = "call"
    second_operation: str = ""
    idle_seconds: float = 0.0

    def entries(self, points: Sequence[int] = ()) -> tuple[Entry, ...]:
        """The servers at these points, or at its own."""
        return tuple(self.entry(point) for point in points or self.points)

    def suite(self) -> Suite:
        """The suite to measure."""
        return Suite(
            self.name,
            self.description,
            self.entries(),
            mode="growth",
            operation=self.operation,
            expect=JSON,
            connections=(self.connections,),
            second_operation=self.second_operation,
            idle_seconds=self.idle_seconds,
        )

    def rows(self, measured: Mapping[str, Sequence[RoundFigures]]) -> list[Sequence[str]]:
        """The table: its heading, and a row for each measured point."""
        rows: list[Sequence[str]] = [(self.axis, *(column.title for column in self.columns))]
        base = min(self.base, len(measured) - 1)
        for at, name in enumerate(measured):
            values = [column.cell(_figure_by_point(measured, column.figure), at, base) for column in self.columns]
            texts = (
                value.format(column.digits) if value is not None else ""
                for value, column in zip(values, self.columns, strict=True)
            )
            rows.append((name, *texts))
        return rows


def _figure_by_point(measured: Mapping[str, Sequence[RoundFigures]], figure: str) -> list[tuple[int, ByRound]]:
    return [
        (point_value(name), {number: figures[figure] for number, figures in rounds if figure in figures})
        for name, rounds in measured.items()
    ]


def point_name(point: int) -> str:
    """The entry name of a point."""
    return f"{point:,}"


def point_value(name: str) -> int:
    """The position of the point with this entry name."""
    return int(name.replace(",", ""))


CPU_COLUMN = Column("CPU µs/call", "cpu_us")
RATIO_COLUMN = Column("over the first", "cpu_us", 2, "base")
MEMORY_COLUMN = Column("memory, MB", "rss_mb", 1)

CURVES = {
    curve.name: curve
    for curve in (
        Curve(
            "grow-sessions",
            "tools/call on a server with a growing number of other sessions",
            "sessions held",
            (0, 1_000, 5_000, SESSIONS),
            lambda point: our_entry(name=point_name(point), hold="sessions", held=point),
            (CPU_COLUMN, RATIO_COLUMN, MEMORY_COLUMN, Column("bytes each", "bytes_each")),
        ),
        Curve(
            "grow-streams",
            "tools/call on a server with a growing number of open /sse streams, each pinged every 15 s",
            "streams held",
            (0, 1_000, 5_000, STREAMS),
            lambda point: our_entry(name=point_name(point), hold="streams", held=point),
            (
                CPU_COLUMN,
                RATIO_COLUMN,
                MEMORY_COLUMN,
                Column("bytes each", "bytes_each"),
                Column("share of a core, idle", "idle_share", 4),
            ),
            idle_seconds=15.0,
        ),
        Curve(
            "grow-tools",
            "tools/call and tools/list (pages of at most 200) on a server with a growing number of tools",
            "tools",
            (100, 500, TOOLS),
            lambda point: our_entry("--tools", str(point), name=point_name(point)),
            (
                CPU_COLUMN,
                RATIO_COLUMN,
                Column("CPU µs/list", "also_us"),
                Column("start, s", "start_s", 2),
                MEMORY_COLUMN,
            ),
            second_operation="list",
        ),
        Curve(
            "grow-sizes",
            "tools/call with a text result of growing size, eight connections",
            "KB of text",
            (1, 10, 100, 1_000, 5_000),
            lambda point: our_entry(name=point_name(point), tool="sized_echo", size=point * KB),
            (
                CPU_COLUMN,
                Column("µs for each KB more", "cpu_us", 2, "unit"),
                Column("over linear", "cpu_us", 2, "line"),
                Column("MB/s", "mb_per_s"),
                MEMORY_COLUMN,
            ),
            connections=8,
            operation="sized",
        ),
        Curve(
            "grow-connections",
            "tools/call on a growing number of concurrent connections",
            "connections",
            (1, 32, 256, 1_000),
            lambda point: our_entry(name=point_name(point), connections=point),
            (
                CPU_COLUMN,
                Column("over 32", "cpu_us", 2, "base"),
                Column("requests/s", "rps"),
                Column("p50 ms", "p50_ms", 1),
                Column("p99 ms", "p99_ms", 1),
                MEMORY_COLUMN,
            ),
            base=1,
        ),
    )
}
