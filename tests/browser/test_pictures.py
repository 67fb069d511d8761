"""Every picture at each width, in light and dark: nothing overflows, no error, no blocked content, axe is satisfied."""

from __future__ import annotations

import pytest

from tests.browser.conftest import CALLS
from tests.browser.driver import ARTIFACTS, Browser, Case, Json, faults_of

SIZES = [(640, "light"), (360, "dark"), (320, "light")]
PICTURES = [*CALLS, "budget", "anomaly", "report"]
ARGUMENTS = {name: arguments for name, (_, arguments) in CALLS.items()}


def showing(name: str, result: Json) -> list[Json]:
    """Return the steps that show a result as a host does."""
    return [{"input": ARGUMENTS.get(name, {"id": "x"})}, {"result": result}, {"look": "shown"}]


@pytest.mark.parametrize(("width", "scheme"), SIZES, ids=[f"{width}-{scheme}" for width, scheme in SIZES])
def test_pictures(browser: Browser, results: dict[str, Json], width: int, scheme: str) -> None:
    cases = [
        Case(
            f"{name}-{width}-{scheme}",
            [*showing(name, results[name]), {"shoot": str(ARTIFACTS / f"{name}-{width}-{scheme}.png")}],
            width=width,
            scheme=scheme,
        )
        for name in PICTURES
    ]
    seen = browser.show(*cases)
    assert faults_of(seen) == []
    for one in seen.values():
        look = one.looks["shown"]
        assert look["busy"] == "false" and look["text"].strip(), one.name
        assert len(look["buttons"]) <= 2 + len([row for table in look["tables"] for row in table]), one.name
