"""Measure this server beside the peers that are installed and beside bare aiohttp, and say which goals are met."""

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

from . import against, machine
from .entries import Entry, Suite
from .growth import CURVES
from .inputs import Inputs
from .report import report, simple, table
from .rounds import measure
from .servers import Broken, Kind, Ports, kinds, remarks
from .suites import GROUPS, SUITES, USUAL
from .trials import Plan, Record, outside

# Below those that systems hand out by themselves, to connections and to whoever asks for any port.
FIRST_PORT = 23_000
ENOUGH_FILES = 16_000


def parser() -> argparse.ArgumentParser:
    """The command line."""
    suites = "\n".join(f"  {suite.name:16} {suite.about}" for suite in SUITES.values())
    made = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        epilog=f"suites:\n{suites}\n\nPeers that are not installed are left out and named; scripts/bench --install"
        " installs them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = " ".join(USUAL)
    made.add_argument("suites", nargs="*", metavar="suite", help=f"default: {usual}; growth for grow-*, all for all")
    made.add_argument("--rounds", type=int, default=3, help="how often each server is measured (3)")
    made.add_argument("-d", "--seconds", type=float, default=0.5, help="length of one measurement (0.5)")
    made.add_argument("-c", "--connections", type=int, action="append", help="connections, instead of the suites' own")
    made.add_argument("--only", default="", metavar="REGEX", help="these servers only; ours is always measured")
    made.add_argument("--against", type=Path, metavar="DIR", help="also measure the server of this other checkout")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the raw measurements, one JSON object a line")
    made.add_argument("--points", type=_numbers, default=(), metavar="N,N", help="where grow-* are measured")
    made.add_argument("--rst", action="store_true", help="print tables in reStructuredText")
    made.add_argument("--port", type=int, default=FIRST_PORT, help=f"first of the ports to use ({FIRST_PORT})")
    return made


def chosen(names: Sequence[str]) -> list[Suite]:
    """The suites of these names. Raises KeyError."""
    wanted = [each for name in names or USUAL for each in GROUPS.get(name, (name,))]
    return [SUITES[name] for name in dict.fromkeys(wanted)]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in text.split(",")))


def moved(suite: Suite, points: tuple[int, ...]) -> Suite:
    """A curve at these points, if there are any; any other suite as it is."""
    return replace(suite, entries=CURVES[suite.name].entries(points)) if suite.name in CURVES and points else suite


def taken(suite: Suite, only: str, there: dict[str, bool]) -> list[Entry]:
    """The servers of a suite that are installed and asked for; ours by all means, since ratios are to it."""
    return [
        entry for entry in suite.entries if there[entry.kind] and (entry.name == "ours" or re.search(only, entry.name))
    ]


def notes(cores: machine.Cores, programs: dict[str, Kind], there: dict[str, bool]) -> list[str]:
    """What a reader of the tables has to know."""
    if cores.server is None:
        said = ["Fewer than two cores: servers and load share one, unpinned; only ratios of CPU mean anything."]
    else:
        said = [f"Servers ran on core {cores.server}, the load on core {cores.load}."]
    missing = [name for name in programs if not there[name]]
    if missing:
        said.append(f"Not installed and left out: {', '.join(missing)} (scripts/bench --install installs them).")
    return said + remarks()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as *arguments* say; 1 if a measurement was void, 2 if nothing could be measured."""
    options = parser().parse_args(arguments)
    try:
        suites = [moved(suite, options.points) for suite in chosen(options.suites)]
    except KeyError as unknown:
        print(f"there is no suite {unknown}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    if machine.many_files() < ENOUGH_FILES:
        print("the limit on open files is low: streams and grow-streams may not open what they need", file=sys.stderr)
    records: list[Record] = []
    programs, cores = kinds(), machine.cores()
    if options.against is not None:
        try:
            programs[against.NAME] = against.kind(options.against)
        except FileNotFoundError as missing:
            print(f"{options.against} is no checkout of this project: {missing}", file=sys.stderr)
            return 2
        suites = [against.beside(suite) for suite in suites]
    there = {name: kind.there() for name, kind in programs.items()}
    begun = time.monotonic()

    def emit(record: Record) -> None:
        records.append(record)
        brief = {name: round(value, 3) for name, value in record.figures.items()}
        print(f"{time.monotonic() - begun:5.0f} s {record.suite} {record.server} round {record.round + 1}"
              f" c={record.connections} {record.error or brief}", file=sys.stderr)  # fmt: skip
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
            with outside(inputs, cores):
                for suite in suites:
                    try:
                        measure(suite, taken(suite, options.only, there), plan, emit)
                    except Broken as broken:
                        emit(Record(suite.name, "ours", 0, 0, error=str(broken)))
        except Broken as broken:
            print(broken, file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("stopped; what was measured so far:", file=sys.stderr)
    print(report(records, notes(cores, programs, there), simple if options.rst else table))
    return 1 if any(record.error for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
