"""Command line of scripts/fuzz."""

from __future__ import annotations

import argparse
import hashlib
import secrets
import sys
import time
import traceback
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from .engines import ROOT, explore, explore_for, run_atheris
from .targets import TARGETS

HELP = """Fuzz the parsers. The run stops at the first failing input with exit status 1; the input is printed, and saved in
build/fuzz for --input."""


def make_parser() -> argparse.ArgumentParser:
    """The command line parser."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=HELP)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(TARGETS)}; default: all")
    parser.add_argument(
        "--seconds",
        type=float,
        default=60,
        help="total time for all targets (default: 60); atheris needs at least 3 seconds for each",
    )
    parser.add_argument("--runs", type=int, help="number of inputs per target, instead of a time")
    parser.add_argument("--seed", type=int, help="seed of the inputs; default: random")
    parser.add_argument("--engine", choices=("atheris", "hypothesis"), help="default: atheris if it is installed")
    parser.add_argument("--input", type=Path, help="run only this file, on one target")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "fuzz", help="where to save inputs")
    return parser


def report_failure(name: str, data: bytes, folder: Path) -> None:
    """Save an input, and report how it fails."""
    file = folder / name / f"failing-{hashlib.sha256(data).hexdigest()[:16]}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    try:
        TARGETS[name].run(data)
    except Exception:
        traceback.print_exc()
    else:
        print("It does not fail on its own: it took too long, or depends on earlier inputs.", file=sys.stderr)
    print(f"\n{name} fails with {data!r}\nReproduce: scripts/fuzz {name} --input {file}", file=sys.stderr)


def find_failing_input(name: str, options: argparse.Namespace, seed: int, seconds: float) -> bytes | None:
    """A failing input of this target, or None."""
    target = TARGETS[name]
    if options.engine == "atheris":
        return run_atheris(name, target, options.folder / name, seed, options.runs, seconds)
    return explore(target, options.runs, seed) if options.runs else explore_for(target, seconds, seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns 0 if nothing failed, 1 for a failing input, 2 for invalid arguments."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"unknown target {', '.join(sorted(unknown))}; available: {', '.join(TARGETS)}")
    options.engine = options.engine or ("atheris" if find_spec("atheris") else "hypothesis")
    if options.input:
        if len(names) != 1:
            parser.error("--input requires one target")
        TARGETS[names[0]].run(options.input.read_bytes())
        return 0
    # libFuzzer treats 0 as "choose one".
    seed = secrets.randbelow(2**31 - 1) + 1 if options.seed is None else options.seed
    print(f"{options.engine}, seed {seed}")
    end = time.monotonic() + options.seconds
    for remaining, name in zip(range(len(names), 0, -1), names, strict=True):
        failing_input = find_failing_input(name, options, seed, max(0.0, end - time.monotonic()) / remaining)
        if failing_input is not None:
            report_failure(name, failing_input, options.folder)
            return 1
        print(f"{name}: nothing failed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
