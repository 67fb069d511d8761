"""scripts/fuzz: a short run is part of the suite, and planted faults are found."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.fuzzing.__main__ import main
from scripts.fuzzing.engines import ROOT, explore, input_strategy
from scripts.fuzzing.targets import TARGETS, RuleViolation, Target

RUNS, SEED = 150, 1


def fail_behind_comparison(data: bytes) -> None:
    """Fail behind a comparison, as faults in parsers do."""
    if b"xyz" in data:
        raise RuleViolation("planted")


@pytest.mark.parametrize("name", TARGETS)
def test_parsers_withstand_hostile_input(name: str) -> None:
    assert explore(TARGETS[name], RUNS, SEED) is None


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_well_formed(name: str) -> None:
    """Inputs derive from the seeds, so a failing seed would make every run fail."""
    target = TARGETS[name]
    assert target.seeds and target.run.__doc__
    for seed in target.seeds:
        target.run(seed)
    input_strategy(target).validate()


def test_fault_is_found_minimized_and_reproducible() -> None:
    target = Target(fail_behind_comparison, (b"wxyz 1234", b"abc"))
    finding = explore(target, 500, SEED)
    assert finding == b"xyz" == explore(target, 500, SEED)


def test_faults_of_the_fuzzer_are_not_findings() -> None:
    with pytest.raises(Exception, match="Cannot sample"):
        explore(Target(fail_behind_comparison, ()), RUNS, SEED)


def test_first_failing_input_stops_and_can_be_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TARGETS, "cursors", Target(fail_behind_comparison, (b"wxyz 1234",)))
    options = ["--engine", "hypothesis", "--seed", "1", "--folder", str(tmp_path)]
    assert main(["cursors", "--runs", "500", *options]) == 1
    (saved,) = (tmp_path / "cursors").iterdir()
    stderr = capsys.readouterr().err
    assert (
        "cursors fails with b'xyz'" in stderr
        and f"scripts/fuzz cursors --input {saved}" in stderr
        and "planted" in stderr
    )
    with pytest.raises(RuleViolation, match="planted"):
        main(["cursors", "--input", str(saved)])
    assert main(["cursors", "--seconds", "60", *options]) == 1, "a time in place of a number"
    assert main(["locales", "--runs", "5", *options]) == main(["locales", "--seconds", "0", *options]) == 0


def test_time_limit_covers_all_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The targets share the time: one that exceeds its share shortens the others, but each runs at least once."""
    shares: list[float] = []
    clock = iter([100.0, 100.0, 140.0, 170.0])
    monkeypatch.setattr("scripts.fuzzing.__main__.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr("scripts.fuzzing.__main__.find_failing_input", lambda *given: shares.append(given[-1]))
    assert main(["cursors", "locales", "bearers", "--seconds", "60"]) == 0
    assert shares == [20.0, 10.0, 0.0]
    assert capsys.readouterr().out.count("nothing failed") == 3


@pytest.mark.parametrize("arguments", [["nothing"], ["--input", "file"], ["--engine", "afl"]])
def test_invalid_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "usage: scripts/fuzz" in capsys.readouterr().err


@pytest.mark.skipif(not find_spec("atheris"), reason="atheris is not installed; scripts/fuzz installs it")
def test_atheris_is_guided_by_coverage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Atheris runs in its own process, starts from the seeds, and keeps its corpus for the next run."""
    assert main(["event-ids", "--engine", "atheris", "--runs", "2000", "--seed", "1", "--folder", str(tmp_path)]) == 0
    assert len(list((tmp_path / "event-ids" / "corpus").iterdir())) > len(TARGETS["event-ids"].seeds)
    assert "nothing failed" in capsys.readouterr().out


HANGS = """
import pathlib, sys
from scripts.fuzzing import targets
def hang(data):
    pathlib.Path(sys.argv[2], "hangs").touch()
    while True:
        pass
targets.TARGETS["cursors"] = targets.Target(hang, (b"x",))
import runpy
sys.argv = ["guided", *sys.argv[1:]]
runpy.run_module("scripts.fuzzing.guided", run_name="__main__")
"""
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not find_spec("atheris"), reason="atheris is not installed; scripts/fuzz installs it")
def test_hung_input_ends_with_its_parent_process(tmp_path: Path) -> None:
    """A hung child ends even if its parent is killed and cannot clean up."""
    (tmp_path / "x").write_bytes(b"x")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, HANGS, "cursors", str(tmp_path), "-timeout=300"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert parent.stdout is not None
    child = Path(f"/proc/{int(parent.stdout.readline())}")
    while not (tmp_path / "hangs").exists():
        assert parent.poll() is None and is_running(child)
        time.sleep(0.05)
    parent.kill()
    parent.communicate()
    while is_running(child):
        time.sleep(0.05)


def is_running(process: Path) -> bool:
    try:
        return "State:\tZ" not in (process / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
