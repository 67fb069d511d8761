"""Report tables: a row per server with ratios, and a row per goal with its verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .against import comparison_rows
from .entries import Suite
from .figures import Spread, make_spread, ratio_spread
from .goals import CHECKS, FAIRNESS_CHECKS, MAX_LOG_MICROSECONDS, NOT_MEASURED, Check, log_cost
from .growth import CURVES, point_value
from .suites import SUITES
from .trials import Measurement

LOAD_COLUMNS = (
    "server",
    "runs",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "CPU µs/request",
    "over ours",
    "over limit",
    "foreign",
)
# Digits after the decimal point, for figures with other than two.
DIGITS = {"idle_share": 4, "p95_s": 3, "healthz_s": 3, "key_fetches": 0}
FRESH_COLUMNS = {
    "startup": (("start_s", "start, s", 2), ("rss_mb", "memory, MB", 1)),
    "sessions": (("rss_mb", "memory before, MB", 1), ("full_mb", "with them, MB", 1), ("bytes_each", "bytes each", 0)),
    "streams": (
        ("rss_mb", "memory before, MB", 1),
        ("full_mb", "with them, MB", 1),
        ("bytes_each", "bytes each", 0),
        ("idle_share", "share of a core, idle", 4),
        ("regrown_mb", "MB more after opening again twice", 1),
    ),
}


Rows = Sequence[Sequence[str]]
TableFormat = Callable[[Rows], str]


def _column_widths(rows: Rows) -> list[int]:
    return [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]


def rst_table(rows: Rows) -> str:
    """Rows, starting with the heading, as a simple reStructuredText table."""
    widths = _column_widths(rows)
    border = "  ".join("=" * width for width in widths)
    heading, *body_lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    return "\n".join([border, heading, border, *body_lines, border])


def markdown_table(rows: Rows) -> str:
    """Rows, starting with the heading, as an aligned Markdown table."""
    widths = _column_widths(rows)

    def line(cells: Sequence[str]) -> str:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        return f"| {' | '.join(padded)} |"

    heading, *body_rows = rows
    return "\n".join([line(heading), line(["-" * width for width in widths]), *map(line, body_rows)])


def _format_spread(value: Spread | None, digits: int) -> str:
    return value.format(digits) if value is not None else ""


def make_report(
    records: Sequence[Measurement], notes: Sequence[str], table_format: TableFormat = markdown_table
) -> str:
    """The whole report on *records*, with tables in *table_format*."""
    parts = [
        "Cells with three values show minimum / median / maximum over the rounds; ratios are computed by round.",
        *notes,
    ]
    for name, suite in SUITES.items():
        suite_records = [record for record in records if record.suite == name]
        if suite_records and suite.mode in ("growth", "fairness"):
            parts.append(
                f"## {name}: {suite.description}\n\n{_single_table_section(suite, suite_records, table_format)}"
            )
            continue
        for connections in dict.fromkeys(record.connections for record in suite_records):
            load_records = [record for record in suite_records if record.connections == connections]
            connections_label = f", c={connections}" if connections else ""
            parts.append(
                f"## {name}{connections_label}: {suite.description}\n\n{_suite_section(suite, load_records, table_format)}"
            )
    if len(rows := comparison_rows(records)) > 1:
        parts.append(f"## Against the other checkout\n\n{table_format(rows)}")
    parts.append(f"## Goals\n\n{goals_table(records, table_format=table_format)}")
    return "\n\n".join(parts)


def _void_lines(records: Sequence[Measurement]) -> list[str]:
    void = [record for record in records if record.error]
    return [f"- void: {record.server}, round {record.round + 1}: {record.error}" for record in void]


def _single_table_section(suite: Suite, records: Sequence[Measurement], table_format: TableFormat) -> str:
    """The section of a suite with one table: a curve, or the fairness scenarios."""
    if suite.name not in CURVES:
        return "\n".join([goals_table(records, FAIRNESS_CHECKS, table_format), *_void_lines(records)])
    points: dict[str, list[tuple[int, dict[str, float]]]] = {}
    for record in sorted((item for item in records if not item.error), key=lambda record: point_value(record.server)):
        points.setdefault(record.server, []).append((record.round, record.figures))
    return "\n".join([table_format(CURVES[suite.name].rows(points)), *_void_lines(records)])


def _suite_section(suite: Suite, records: Sequence[Measurement], table_format: TableFormat) -> str:
    by_server: dict[str, list[Measurement]] = {}
    for record in records:
        if not record.error:
            by_server.setdefault(record.server, []).append(record)
    if suite.mode == "instructions":
        rows = _instruction_rows(by_server)
    else:
        rows = _load_rows(by_server) if suite.mode == "load" else _fresh_rows(suite, by_server)
    return "\n".join([table_format(rows), *_void_lines(records)])


def _figure_by_round(records: Sequence[Measurement], name: str) -> dict[int, float]:
    return {record.round: record.figures[name] for record in records if name in record.figures}


def _load_rows(by_server: dict[str, list[Measurement]]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [LOAD_COLUMNS]
    # The limits are ordered by their work; the last one includes everything that is unavoidable.
    base = next((name for name in reversed(by_server) if name.startswith("limit")), "")
    for name, records in by_server.items():
        cpu = _figure_by_round(records, "cpu_us")
        row = [name, str(len(records))]
        for figure, digits in (("rps", 0), ("p50_ms", 2), ("p99_ms", 2)):
            row.append(_format_spread(make_spread(_figure_by_round(records, figure).values()), digits))
        row.append(_format_spread(make_spread(cpu.values()), 0))
        for baseline in ("ours", base):
            row.append(_format_spread(ratio_spread(cpu, _figure_by_round(by_server.get(baseline, []), "cpu_us")), 2))
        foreign = make_spread(_figure_by_round(records, "foreign").values())
        row.append(f"{foreign.median:.0%}" if foreign is not None else "")
        rows.append(row)
    return rows


def _instruction_rows(by_server: dict[str, list[Measurement]]) -> list[Sequence[str]]:
    """Each row has the work of the one before and more. The base of ratios is a peer, or else the last limit."""
    counts = {name: _figure_by_round(records, "instructions") for name, records in by_server.items()}
    base = next((name for name in reversed(by_server) if name.startswith(("limit ", "py-sdk"))), "")
    rows: list[Sequence[str]] = [("server", "thousand instructions", "added", f"relative to {base}")]
    above: dict[int, float] = {}
    for name, count in counts.items():
        more = make_spread((value - above[number]) / 1e3 for number, value in count.items() if number in above)
        cells = _format_spread(make_spread(value / 1e3 for value in count.values()), 1), _format_spread(more, 1)
        rows.append((name, *cells, _format_spread(ratio_spread(count, counts.get(base, {})), 2)))
        above = count
    return rows


def _fresh_rows(suite: Suite, by_server: dict[str, list[Measurement]]) -> list[Sequence[str]]:
    columns = FRESH_COLUMNS[suite.mode]
    our_records = by_server.get("ours", [])
    last = "start over ours" if suite.mode == "startup" else "bytes over ours"
    figure = columns[0][0] if suite.mode == "startup" else "bytes_each"
    rows: list[Sequence[str]] = [("server", "runs", *(title for _, title, _ in columns), last)]
    for name, records in by_server.items():
        cells = [
            _format_spread(make_spread(_figure_by_round(records, key).values()), digits) for key, _, digits in columns
        ]
        ratio = _format_spread(
            ratio_spread(_figure_by_round(records, figure), _figure_by_round(our_records, figure)), 2
        )
        rows.append([name, str(len(records)), *cells, ratio])
    return rows


def goals_table(
    records: Sequence[Measurement], checks: Sequence[Check] = CHECKS, table_format: TableFormat = markdown_table
) -> str:
    """The goals measured in this run, and how many others were not."""
    name = "goal" if checks is CHECKS else "row"
    rows: list[Sequence[str]] = [(name, "what", "bound", "measured", "met")]
    unmeasured: dict[int | str, int] = {}
    for check in checks:
        value = check.value(records)
        verdict = check.verdict(value)
        if verdict == NOT_MEASURED:
            unmeasured[check.goal] = unmeasured.get(check.goal, 0) + 1
            continue
        digits = DIGITS.get(check.figure, 2)
        rows.append([str(check.goal), check.description, check.bound, _format_spread(value, digits), verdict])
        if check.goal == 1 and (cost := log_cost(records)) is not None:
            log_verdict = (
                "yes"
                if cost.median <= MAX_LOG_MICROSECONDS
                else f"no, {cost.median - MAX_LOG_MICROSECONDS:.0f} µs over"
            )
            rows.append(
                [
                    "1",
                    "call: µs that the request log adds",
                    f"at most {MAX_LOG_MICROSECONDS:g}",
                    cost.format(1),
                    log_verdict,
                ]
            )
    unmeasured_goals = ", ".join(f"{goal} ({count})" for goal, count in unmeasured.items())
    unmeasured_line = f"{NOT_MEASURED} ({name}, number of comparisons): {unmeasured_goals}" if unmeasured_goals else ""
    return "\n\n".join(filter(None, (table_format(rows) if len(rows) > 1 else "", unmeasured_line)))
