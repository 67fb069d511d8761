"""Owns the command line of scripts/fuzz."""

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

HELP = """Run the parsers on hostile input. The first input that fails ends it with status 1: it is shown, and kept in
build/fuzz for --input."""


def make_parser() -> argparse.ArgumentParser:
    """The arguments."""
    made = argparse.ArgumentParser(prog="scripts/fuzz", description=HELP)
    made.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(TARGETS)}; all unless given")
    made.add_argument(
        "--seconds",
        type=float,
        default=60,
        help="time for all targets together (default: 60); atheris takes at least 3 seconds for each",
    )
    made.add_argument("--runs", type=int, help="inputs for each target, in place of a time")
    made.add_argument("--seed", type=int, help="the number that inputs follow from; a random one unless given")
    made.add_argument("--engine", choices=("atheris", "hypothesis"), help="atheris where it is installed, unless given")
    made.add_argument("--input", type=Path, help="run this file alone, on one target")
    made.add_argument("--folder", type=Path, default=ROOT / "build" / "fuzz", help="for inputs that are kept")
    return made


def report_failure(name: str, data: bytes, folder: Path) -> None:
    """Keep an input, and say what happens with it."""
    file = folder / name / f"failing-{hashlib.sha256(data).hexdigest()[:16]}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    try:
        TARGETS[name].run(data)
    except Exception:
        traceback.print_exc()
    else:
        print("It does not fail by itself: it took too long, or needs what ran before it.", file=sys.stderr)
    print(f"\n{name} fails with {data!r}\nAgain: scripts/fuzz {name} --input {file}", file=sys.stderr)


def find_failing_input(name: str, options: argparse.Namespace, seed: int, seconds: float) -> bytes | None:
    """An input of this target that fails."""
    target = TARGETS[name]
    if options.engine == "atheris":
        return run_atheris(name, target, options.folder / name, seed, options.runs, seconds)
    return explore(target, options.runs, seed) if options.runs else explore_for(target, seconds, seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing failed, 1 with the input that did, 2 for wrong arguments."""
    made = make_parser()
    options = made.parse_args(arguments)
    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        made.error(f"unknown target {', '.join(sorted(unknown))}; available: {', '.join(TARGETS)}")
    options.engine = options.engine or ("atheris" if find_spec("atheris") else "hypothesis")
    if options.input:
        if len(names) != 1:
            made.error("--input needs one target")
        TARGETS[names[0]].run(options.input.read_bytes())
        return 0
    # libFuzzer takes 0 for "choose one".
    number = secrets.randbelow(2**31 - 1) + 1 if options.seed is None else options.seed
    print(f"{options.engine}, seed {number}")
    end = time.monotonic() + options.seconds
    for left, name in zip(range(len(names), 0, -1), names, strict=True):
        found = find_failing_input(name, options, number, max(0.0, end - time.monotonic()) / left)
        if found is not None:
            report_failure(name, found, options.folder)
            return 1
        print(f"{name}: nothing failed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
