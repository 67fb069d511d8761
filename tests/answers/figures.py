"""Every number of an answer, and what each must be: a number without an expected value fails a test, as a wrong one does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

Figure = float | tuple[float, float] | None
"""An expected number, or one with the largest error that rounding explains. None: the answer must have null."""
CENT = 0.0051


def numbers_of(value: Any, path: str = "") -> dict[str, float]:
    """Return every number in *value* by its path, such as ``drivers[0].rows[1].week``."""
    if isinstance(value, dict):
        members = [(f"{path}.{name}" if path else name, member) for name, member in value.items()]
    elif isinstance(value, list):
        members = [(f"{path}[{at}]", member) for at, member in enumerate(value)]
    else:
        return {path: value} if isinstance(value, int | float) and not isinstance(value, bool) else {}
    return {at: number for name, member in members for at, number in numbers_of(member, name).items()}


def check_figures(answer: Any, expected: Mapping[str, Figure]) -> None:
    """Fail unless *answer* has exactly the *expected* numbers."""
    shown = numbers_of(answer)
    wanted = {path: figure for path, figure in expected.items() if figure is not None}
    assert not shown.keys() - wanted.keys(), f"no check covers {sorted(shown.keys() - wanted.keys())}"
    assert not wanted.keys() - shown.keys(), f"missing: {sorted(wanted.keys() - shown.keys())}"
    wrong = {}
    for path, figure in wanted.items():
        value, error = figure if isinstance(figure, tuple) else (figure, 0.001)
        if shown[path] != pytest.approx(value, abs=error):
            wrong[path] = f"{shown[path]} instead of {value}"
    assert not wrong, wrong


def under(path: str, figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Return *figures* as those of the member at *path*."""
    return {f"{path}.{name}": figure for name, figure in figures.items()}
