"""Ten pictures as they should look, which the docs show. scripts/test --rewrite-pictures takes them again.

A host that states a font makes them the same on every machine that has it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import TODAY
from tests.browser.driver import Browser, Case, Json, faults_of
from tests.browser.test_pictures import showing
from tests.e2e.node_packages import unavailable

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "_static" / "views"
FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
CONTEXT: Json = {"context": {"styles": {"variables": {"--font-sans": "DejaVu Sans"}}}}
MAX_DIFFERENCE = 0.01
"""Share of the pixels. Versions of Chromium differ in the edges of letters; a bar that moves differs in more."""
LIGHT = ("overview", "breakdown", "trend", "explain", "forecast", "budgets", "anomaly", "savings")
DARK = ("compare", "query")


def make_cases(results: dict[str, Json], step: str) -> list[Case]:
    """Return the cases that show each picture, and then take *step* with the path of its file."""
    return [
        Case(
            name,
            [CONTEXT, *showing(name, results[name])[:2], {step: str(PICTURES / f"{name}.png")}],
            scheme=scheme,
            now=f"{TODAY}T12:00:00Z",
        )
        for scheme, names in (("light", LIGHT), ("dark", DARK))
        for name in names
    ]


def test_pictures_look_as_before(browser: Browser, results: dict[str, Json], pytestconfig: pytest.Config) -> None:
    if not FONT.exists():
        unavailable("fonts-dejavu-core is not installed: the pictures have another font")
    if pytestconfig.getoption("--rewrite-pictures"):
        PICTURES.mkdir(parents=True, exist_ok=True)
        assert faults_of(browser.show(*make_cases(results, "shoot"))) == []
    seen = browser.show(*make_cases(results, "compare"))
    assert faults_of(seen) == []
    differences = {name: share for one in seen.values() for name, share in one.differences.items()}
    assert len(differences) == 10
    assert {Path(name).stem: share for name, share in differences.items() if share > MAX_DIFFERENCE} == {}, (
        "look at the pictures with --rewrite-pictures"
    )
