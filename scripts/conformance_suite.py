"""Runner for the official conformance suite: judges every scenario, and treats warnings as failures.

The suite has no option for a token, and its bundle does not start on Node 20; hooks.mjs in the fixture fixes both.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.node_packages import NODE, install

ROOT = Path(__file__).resolve().parent.parent
SUITE = NODE / "node_modules" / "@modelcontextprotocol" / "conformance"
HOOKS = ROOT / "scripts" / "conformance_fixture" / "hooks.mjs"
REVISIONS = ("2025-11-25", "2026-07-28")
RESULT = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
RUN_TIMEOUT_SECONDS = 300
STOP_TIMEOUT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a scenario: *verdict* is PASS, FAIL or SKIP; *kind* is "required" or why it is not scored."""

    revision: str
    kind: str
    scenario: str
    verdict: str
    checks: str
    failed_checks: tuple[str, ...] = ()

    def __str__(self) -> str:
        failures = f"  [{' '.join(self.failed_checks)}]" if self.failed_checks else ""
        return f"{self.verdict}  {self.revision:<10}  {self.kind:<28}  {self.scenario:<45}  {self.checks}{failures}"


def judge(revision: str, kind: str, scenario: str, checks: list[dict[str, Any]] | None) -> Outcome:
    """The outcome of a scenario's checks. A scenario without checks fails, unless the suite skipped it."""
    by_status: dict[str, list[str]] = {}
    for check in checks or ():
        by_status.setdefault(check["status"], []).append(check["id"])
    successes = by_status.get("SUCCESS", [])
    failures = (*by_status.get("FAILURE", ()), *by_status.get("WARNING", ()))
    verdict = "FAIL"
    if not failures and any(check != "wire-schema-valid" for check in successes):
        verdict = "PASS"
    elif not failures and by_status.get("SKIPPED"):
        verdict = "SKIP"
    return Outcome(
        revision, kind, scenario, verdict, f"{len(successes)}/{len(successes) + len(failures)} checks", failures
    )


class ConformanceSuite:
    """The installed suite, run against *url*; *token* is sent with every request. Results are stored in *directory*."""

    def __init__(self, url: str, token: str, directory: Path) -> None:
        self._url, self._directory = url, directory
        self._environment = os.environ | {"CONFORMANCE_URL": url, "CONFORMANCE_TOKEN": token}

    def run_scenarios(self) -> Iterator[Outcome]:
        """Run both requirement sets, including scenarios that are not scored, then all others of this build."""
        scored: set[str] = set()
        for revision in REVISIONS:
            self._run("server", "--url", self._url, "--requirements", revision, "--output-dir", revision)
            results = self._read_results(revision)
            for kind, scenario in read_requirements(revision):
                scored.add(scenario)
                yield judge(revision, kind, scenario, results.get(scenario))
        listed = re.findall(r"^  - (\S+)", self._run("list", "--server"), re.MULTILINE)
        for scenario in listed:
            if scenario not in scored:
                self._run("server", "--url", self._url, "--scenario", scenario, "--output-dir", "more")
                yield judge("-", "not in any set", scenario, self._read_results("more").get(scenario))

    def _run(self, *arguments: str) -> str:
        command = ["node", "--import", HOOKS.as_uri(), str(SUITE / "dist" / "index.js"), *arguments]
        process = subprocess.run(
            command,
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_SECONDS,
            check=False,
        )
        if "SyntaxError" in process.stderr:
            raise RuntimeError(f"the suite does not start: {process.stderr[:2000]}")
        return process.stdout

    def _read_results(self, name: str) -> dict[str, list[dict[str, Any]]]:
        results = {}
        for directory in sorted((self._directory / name).glob("server-*")):
            if match := RESULT.fullmatch(directory.name):
                results[match[1]] = json.loads((directory / "checks.json").read_text())
        return results


def read_requirements(revision: str) -> list[tuple[str, str]]:
    """(kind, scenario) of the frozen requirement set of a revision."""
    requirements = yaml.safe_load((SUITE / "requirements" / f"{revision}.yaml").read_text())
    unscored = [item for item in requirements.get("not_scored") or () if item["leg"] == "server"]
    return [("required", name) for name in requirements["server"]] + [
        (f"not scored ({item['reason']})", item["scenario"]) for item in unscored
    ]


@contextmanager
def run_fixture_server(*options: str) -> Iterator[tuple[str, str]]:
    """URL and token of a fixture server that runs while the block does."""
    command = [sys.executable, str(ROOT / "scripts" / "conformance_server.py"), "--port", "0", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url, _, token = process.stdout.readline().strip().partition(" ")
        if not url:
            raise RuntimeError(f"the fixture did not start (exit status {process.wait(STOP_TIMEOUT_SECONDS)})")
        yield url, token
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_SECONDS)
        if process.stdout is not None:
            process.stdout.close()


def format_totals(outcomes: list[Outcome]) -> str:
    """One line: the results of required and of other scenarios."""
    parts = []
    for revision in REVISIONS:
        required = [item for item in outcomes if item.revision == revision and item.kind == "required"]
        parts.append(f"{revision}: {sum(item.verdict == 'PASS' for item in required)}/{len(required)} required")
    extra = [item for item in outcomes if item.kind != "required" and item.verdict != "SKIP"]
    return ", ".join([*parts, f"extra: {sum(item.verdict == 'PASS' for item in extra)}/{len(extra)}"])


def run_suite(*options: str) -> list[Outcome]:
    """All outcomes of the suite against a fixture started with *options*; each is printed as soon as it is known."""
    install()
    outcomes = []
    with tempfile.TemporaryDirectory() as directory, run_fixture_server(*options) as (url, token):
        for outcome in ConformanceSuite(url, token, Path(directory)).run_scenarios():
            print(outcome, flush=True)
            outcomes.append(outcome)
    print(format_totals(outcomes))
    return outcomes


def main() -> None:
    """Run the suite; the exit status is 1 unless every scenario passed or was skipped by the suite itself."""
    parser = argparse.ArgumentParser(prog="scripts/conformance", description=__doc__)
    parser.add_argument("--authorization", action="store_true", help="enable the product's authentication")
    options = parser.parse_args()
    outcomes = run_suite(*(["--authorization"] if options.authorization else []))
    sys.exit(any(item.verdict == "FAIL" for item in outcomes))


if __name__ == "__main__":
    main()
