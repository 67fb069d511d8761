"""How cost grows: along a curve a server holds, offers or returns more and more, and the same calls are measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .entries import JSON, Entry, Suite, ours
from .figures import Spread, ratios, spread

SESSIONS, STREAMS, TOOLS = 20_000, 10_000, 2_000
KB = 1000

# A figure by round, and that for each point of a curve.
ByRound = dict[int, float]
# What was measured in the round of this number.
Measured = tuple[int, dict[str, float]]
Against = Literal["", "base", "line", "unit"]


@dataclass(frozen=True, slots=True)
class Column:
    """A figure in a curve's table; or what it is *against* the same of the base, against the straight line through the
    first and the previous point (1 as long as growth is linear), or for each unit more than the first point has."""

    title: str
    figure: str
    digits: int = 0
    against: Against = ""

    def cell(self, points: Sequence[tuple[int, ByRound]], at: int, base: int) -> Spread | None:
        """What stands in the line of the point number *at*; the figure of every point is in *points*, with its place
        on the axis."""
        mine = points[at][1]
        if not self.against:
            return spread(mine.values())
        if self.against == "base":
            if at == base:
                return None
            return ratios(mine, points[base][1])
        # The first two points differ by less than the machine's moods: no line through them leads anywhere.
        if at < (3 if self.against == "line" else 1):
            return None
        (start, first), (near, previous) = points[0], points[at - 1]
        found: list[float] = []
        for number in mine.keys() & first.keys() & previous.keys():
            if self.against == "unit":
                found.append((mine[number] - first[number]) / (points[at][0] - start))
                continue
            slope = (previous[number] - first[number]) / (near - start)
            found.append(mine[number] / (first[number] + slope * (points[at][0] - start)))
        return spread(found)


@dataclass(frozen=True, slots=True)
class Curve:
    """A suite whose entries are the *points* along an *axis*; *base* is the number of the point others are compared
    with."""

    name: str
    about: str
    axis: str
    points: tuple[int, ...]
    entry: Callable[[int], Entry]
    columns: tuple[Column, ...]
    base: int = 0
    connections: int = 32
    operation: str = "call"
    also: str = ""
    idle: float = 0.0

    def entries(self, points: Sequence[int] = ()) -> tuple[Entry, ...]:
        """The servers at its own or at other points."""
        return tuple(self.entry(point) for point in points or self.points)

    def suite(self) -> Suite:
        """What is measured."""
        return Suite(
            self.name,
            self.about,
            self.entries(),
            what="growth",
            operation=self.operation,
            expect=JSON,
            connections=(self.connections,),
            also=self.also,
            idle=self.idle,
        )

    def rows(self, measured: Mapping[str, Sequence[Measured]]) -> list[Sequence[str]]:
        """The table: its heading, and a line for each point whose figures, with the round's number, are there."""
        rows: list[Sequence[str]] = [(self.axis, *(column.title for column in self.columns))]
        base = min(self.base, len(measured) - 1)
        for at, name in enumerate(measured):
            values = [column.cell(_points(measured, column.figure), at, base) for column in self.columns]
            texts = (
                value.text(column.digits) if value is not None else ""
                for value, column in zip(values, self.columns, strict=True)
            )
            rows.append((name, *texts))
        return rows


def _points(measured: Mapping[str, Sequence[Measured]], figure: str) -> list[tuple[int, ByRound]]:
    return [
        (place(name), {number: figures[figure] for number, figures in found if figure in figures})
        for name, found in measured.items()
    ]


def named(point: int) -> str:
    """The name of a point's entry."""
    return f"{point:,}"


def place(name: str) -> int:
    """Where on its axis the point of this name is."""
    return int(name.replace(",", ""))


CPU = Column("CPU µs/call", "cpu_us")
OVER = Column("over the first", "cpu_us", 2, "base")
MEMORY = Column("memory, MB", "rss_mb", 1)

CURVES = {
    curve.name: curve
    for curve in (
        Curve(
            "grow-sessions",
            "tools/call on a server that holds so many other sessions",
            "sessions held",
            (0, 1_000, 5_000, SESSIONS),
            lambda point: ours(name=named(point), hold="sessions", held=point),
            (CPU, OVER, MEMORY, Column("bytes each", "bytes_each")),
        ),
        Curve(
            "grow-streams",
            "tools/call on a server that holds so many /sse streams open and pings each every 15 s",
            "streams held",
            (0, 1_000, 5_000, STREAMS),
            lambda point: ours(name=named(point), hold="streams", held=point),
            (
                CPU,
                OVER,
                MEMORY,
                Column("bytes each", "bytes_each"),
                Column("share of a core, idle", "idle_share", 4),
            ),
            idle=15.0,
        ),
        Curve(
            "grow-tools",
            "tools/call and tools/list (pages of at most 200) on a server with so many tools",
            "tools",
            (100, 500, TOOLS),
            lambda point: ours("--tools", str(point), name=named(point)),
            (
                CPU,
                OVER,
                Column("CPU µs/list", "also_us"),
                Column("start, s", "start_s", 2),
                MEMORY,
            ),
            also="list",
        ),
        Curve(
            "grow-sizes",
            "tools/call whose result is a text of so many KB, eight connections",
            "KB of text",
            (1, 10, 100, 1_000, 5_000),
            lambda point: ours(name=named(point), tool="sized_echo", size=point * KB),
            (
                CPU,
                Column("µs for each KB more", "cpu_us", 2, "unit"),
                Column("over linear", "cpu_us", 2, "line"),
                Column("MB/s", "mb_per_s"),
                MEMORY,
            ),
            connections=8,
            operation="sized",
        ),
        Curve(
            "grow-connections",
            "tools/call on so many connections at once",
            "connections",
            (1, 32, 256, 1_000),
            lambda point: ours(name=named(point), connections=point),
            (
                CPU,
                Column("over 32", "cpu_us", 2, "base"),
                Column("requests/s", "rps"),
                Column("p50 ms", "p50_ms", 1),
                Column("p99 ms", "p99_ms", 1),
                MEMORY,
            ),
            base=1,
        ),
    )
}
