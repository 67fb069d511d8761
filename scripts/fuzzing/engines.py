"""Input generators: Hypothesis, which is always available, and atheris, which follows code coverage."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from .targets import Target

ROOT = Path(__file__).resolve().parents[2]
# Inputs between two checks of the time.
RUNS_PER_BATCH = 100
MAX_INPUT_BYTES = 4_096
# Maximum seconds for one input; far above what any needs, even on a busy machine.
MAX_INPUT_SECONDS = 20
# Minimum startup time of atheris.
START_SECONDS = 2
# Additional seconds before atheris is killed, for an input that hangs at the start or the end.
GRACE_SECONDS = MAX_INPUT_SECONDS + 40


def input_strategy(target: Target) -> st.SearchStrategy[bytes]:
    """Any bytes, sequences of fragments of well-formed inputs, and well-formed inputs with a part replaced."""
    tokens = sorted({token for item in target.seeds for token in re.findall(rb"\w+|\W", item)} | {b"", b"\xff", b"\0"})
    pieces = st.lists(st.sampled_from(tokens) | st.binary(max_size=6), max_size=24).map(b"".join)
    edits = st.tuples(st.sampled_from(target.seeds), st.integers(0, 300), st.integers(0, 40), pieces)
    return st.binary(max_size=200) | pieces | edits.map(_apply_edit)


def _apply_edit(edit: tuple[bytes, int, int, bytes]) -> bytes:
    original, at, length, piece = edit
    return original[:at] + piece + original[at + length :]


def explore(target: Target, runs: int, seed_number: int) -> bytes | None:
    """The smallest failing input out of *runs* inputs generated from *seed_number*; None if none fails."""
    failing: list[bytes] = []

    @seed(seed_number)
    @settings(
        max_examples=runs,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
    )
    @given(input_strategy(target))
    def run(data: bytes) -> None:
        try:
            target.run(data)
        except Exception:
            failing.append(data)
            raise

    try:
        run()
    except Exception:
        # Hypothesis ends with the smallest failing input; without one, the fuzzer itself is faulty.
        if not failing:
            raise
        return failing[-1]
    return None


def explore_for(target: Target, seconds: float, seed_number: int) -> bytes | None:
    """Like explore, until the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (failing_input := explore(target, RUNS_PER_BATCH, seed_number)) is not None:
            return failing_input
        seed_number += 1
    return None


def find_artifacts(folder: Path) -> Iterator[Path]:
    """The inputs that libFuzzer saved because they crashed or took too long."""
    return (path for kind in ("crash", "timeout", "oom") for path in folder.glob(f"{kind}-*"))


def run_atheris(
    name: str, target: Target, folder: Path, seed_number: int, runs: int | None, seconds: float
) -> bytes | None:
    """A failing input found by atheris in its own process; its corpus stays in *folder* for the next run.

    It ends after *runs* inputs or, without them, after *seconds*; it is killed if it does not end.
    """
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for item in target.seeds:
        (corpus / hashlib.sha256(item).hexdigest()[:16]).write_bytes(item)
    earlier_artifacts = set(find_artifacts(folder))
    limit = f"-runs={runs}" if runs else f"-max_total_time={max(1, round(seconds - START_SECONDS))}"
    command = [sys.executable, "-m", "scripts.fuzzing.guided", name, str(corpus), f"-artifact_prefix={folder}/"]
    command += [f"-max_len={MAX_INPUT_BYTES}", f"-timeout={MAX_INPUT_SECONDS}", f"-seed={seed_number}", limit]
    try:
        process = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=None if runs else seconds + GRACE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"atheris did not end after {error.timeout:.0f} seconds and was killed") from error
    artifacts = sorted(set(find_artifacts(folder)) - earlier_artifacts)
    if process.returncode and not artifacts:
        raise RuntimeError(f"atheris ended with {process.returncode}:\n{process.stdout[-3000:]}")
    return artifacts[0].read_bytes() if artifacts else None
