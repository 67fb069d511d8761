"""The official conformance suite: every scenario, with and without authorization; warnings count as failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.conformance_suite import format_totals, run_suite

FULL = "2025-11-25: 30/30 required, 2026-07-28: 37/37 required, extra: 18/18"


@pytest.mark.requirement("M5", "M22")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("options", [(), ("--authorization",)], ids=["open", "authorized"])
def test_every_scenario(node: Path, options: tuple[str, ...]) -> None:
    outcomes = run_suite(*options)
    assert [str(outcome) for outcome in outcomes if outcome.verdict == "FAIL"] == []
    # The suite itself skips the status notifications for every server.
    assert [outcome.scenario for outcome in outcomes if outcome.verdict == "SKIP"] == ["tasks-status-notifications"]
    assert format_totals(outcomes) == FULL
