"""Every picture at each width, in light and dark: nothing overflows, no error, no blocked content, axe is satisfied."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import CALLS
from tests.browser.driver import Case, Json, show

SIZES = [(640, "light"), (360, "dark"), (320, "light")]
PICTURES = [*CALLS, "budget", "anomaly", "report"]
ARGUMENTS = {name: arguments for name, (_, arguments) in CALLS.items()}


def showing(name: str, result: Json, **options: object) -> list[Json]:
    """Return the steps that show a result as a host does."""
    return [{"input": ARGUMENTS.get(name, {"id": "x"})}, {"result": result}, {"look": "shown"}]


@pytest.mark.parametrize(("width", "scheme"), SIZES, ids=[f"{width}-{scheme}" for width, scheme in SIZES])
async def test_pictures(hosts: Path, results: dict[str, Json], tmp_path: Path, width: int, scheme: str) -> None:
    cases = [
        Case(f"{name}-{width}-{scheme}", showing(name, results[name]), width=width, scheme=scheme) for name in PICTURES
    ]
    seen = await show(tmp_path, cases)
    assert [fault for one in seen.values() for fault in one.faults] == []
    for one in seen.values():
        look = one.looks["shown"]
        assert look["busy"] == "false" and look["text"].strip(), one.name
        assert len(look["buttons"]) <= 2 + len([row for table in look["tables"] for row in table]), one.name
