"""Benchmark this server, the installed peers and bare aiohttp, and report which goals are met."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from . import against, instructions, machine
from .entries import Entry, Suite
from .growth import CURVES
from .inputs import Inputs
from .report import make_report, markdown_table, rst_table
from .rounds import measure_suite
from .servers import Ports, ServerFailed, ServerKind, peer_remarks, server_kinds
from .suites import DEFAULT_SUITES, GROUPS, SUITES
from .trials import Measurement, Plan, run_upstream

# Below the ephemeral ports that systems assign.
FIRST_PORT = 23_000
MIN_FILE_LIMIT = 16_000


def make_parser() -> argparse.ArgumentParser:
    """The command line parser."""
    suites = "\n".join(f"  {suite.name:16} {suite.description}" for suite in SUITES.values())
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        epilog=f"suites:\n{suites}\n\nPeers that are not installed are skipped and listed; scripts/bench --install"
        " installs them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default_names = " ".join(DEFAULT_SUITES)
    parser.add_argument(
        "suites",
        nargs="*",
        metavar="suite",
        help=f"default: {default_names}; growth for grow-*, floor for floor-*, all for all",
    )
    parser.add_argument("--rounds", type=int, default=3, help="number of measurements of each server (3)")
    parser.add_argument("-d", "--seconds", type=float, default=0.5, help="length of one measurement (0.5)")
    parser.add_argument(
        "-c", "--connections", type=int, action="append", help="number of connections, instead of the suites' own"
    )
    parser.add_argument(
        "--only", default="", metavar="REGEX", help="only these servers; this server is always measured"
    )
    parser.add_argument("--against", type=Path, metavar="DIR", help="also measure the server in this checkout")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw measurements as JSON lines")
    parser.add_argument(
        "--points", type=_parse_points, default=(), metavar="N,N", help="points at which grow-* are measured"
    )
    parser.add_argument("--rst", action="store_true", help="print tables in reStructuredText")
    parser.add_argument("--port", type=int, default=FIRST_PORT, help=f"first port to use ({FIRST_PORT})")
    return parser


def choose_suites(names: Sequence[str]) -> list[Suite]:
    """The suites with these names. Raises KeyError."""
    selected = [suite_name for name in names or DEFAULT_SUITES for suite_name in GROUPS.get(name, (name,))]
    return [SUITES[name] for name in dict.fromkeys(selected)]


def _parse_points(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in text.split(",")))


def with_points(suite: Suite, points: tuple[int, ...]) -> Suite:
    """The suite with the curve measured at these points, if any."""
    return replace(suite, entries=CURVES[suite.name].entries(points)) if suite.name in CURVES and points else suite


def choose_entries(suite: Suite, only: str, installed: dict[str, bool]) -> list[Entry]:
    """The servers of a suite that are installed and selected; ours is always included, because ratios refer to it."""
    return [
        entry
        for entry in suite.entries
        if installed[entry.kind] and (entry.name == "ours" or re.search(only, entry.name))
    ]


def make_notes(cores: machine.Cores, programs: dict[str, ServerKind], installed: dict[str, bool]) -> list[str]:
    """Notes for readers of the tables."""
    if cores.server is None:
        notes = ["Fewer than two cores: servers and load share one, unpinned; only CPU ratios are meaningful."]
    else:
        notes = [f"Servers ran on core {cores.server}, the load on core {cores.load}."]
    missing = [name for name in programs if not installed[name]]
    if missing:
        notes.append(f"Not installed: {', '.join(missing)} (scripts/bench --install installs them).")
    return notes + peer_remarks()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns 1 if a measurement was void, 2 if nothing could be measured."""
    options = make_parser().parse_args(arguments)
    try:
        suites = [with_points(suite, options.points) for suite in choose_suites(options.suites)]
    except KeyError as error:
        print(f"unknown suite {error}; available: {', '.join(SUITES)}", file=sys.stderr)
        return 2
    if machine.raise_file_limit() < MIN_FILE_LIMIT:
        print(
            "the limit on open files is low: streams and grow-streams may not open enough connections", file=sys.stderr
        )
    if not instructions.is_available():
        print("valgrind, which counts instructions, is not installed; skipping floor-*", file=sys.stderr)
        suites = [suite for suite in suites if suite.mode != "instructions"]
    programs = server_kinds()
    if options.against is not None:
        try:
            programs[against.KIND_NAME] = against.make_kind(options.against)
        except FileNotFoundError as error:
            print(f"{options.against} is not a checkout of this project: {error}", file=sys.stderr)
            return 2
        suites = [against.with_other_server(suite) for suite in suites]
    return measure_suites(suites, programs, options)


def measure_suites(suites: Sequence[Suite], programs: dict[str, ServerKind], options: argparse.Namespace) -> int:
    """Measure *suites* and print the report; returns the exit status of `main`."""
    installed = {name: kind.is_installed() for name, kind in programs.items()}
    records: list[Measurement] = []
    cores, started = machine.choose_cores(), time.monotonic()

    def emit(record: Measurement) -> None:
        records.append(record)
        rounded_figures = {name: round(value, 3) for name, value in record.figures.items()}
        print(f"{time.monotonic() - started:5.0f} s {record.suite} {record.server} round {record.round + 1}"
              f" c={record.connections} {record.error or rounded_figures}", file=sys.stderr)  # fmt: skip
        if options.json is not None:
            with open(options.json, "a") as file:
                file.write(json.dumps(asdict(record)) + "\n")

    with tempfile.TemporaryDirectory(prefix="doit-mcp-bench-") as directory:
        inputs = Inputs(Path(directory))
        plan = Plan(
            inputs, programs, Ports(options.port), cores, options.rounds, options.seconds,
            tuple(options.connections or ()),
        )  # fmt: skip
        try:
            with run_upstream(inputs, cores):
                for suite in suites:
                    try:
                        measure_suite(suite, choose_entries(suite, options.only, installed), plan, emit)
                    except ServerFailed as error:
                        emit(Measurement(suite.name, "ours", 0, 0, error=str(error)))
        except ServerFailed as error:
            print(error, file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("interrupted; results so far:", file=sys.stderr)
    print(make_report(records, make_notes(cores, programs, installed), rst_table if options.rst else markdown_table))
    return 1 if any(record.error for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
