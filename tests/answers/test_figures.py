"""The check of every number fails for a number that nothing covers, for a wrong one and for a missing one."""

from __future__ import annotations

import pytest

from .figures import CENT, check_figures

ANSWER = {"total": 3.0, "is": True, "rows": [{"cost": 1.0, "name": "7"}, {"cost": 2.0, "share": None}]}
EXPECTED = {"total": 3, "rows[0].cost": (1.004, CENT), "rows[1].cost": 2.0, "rows[1].share": None}


def test_each_number_needs_its_value() -> None:
    check_figures(ANSWER, EXPECTED)
    with pytest.raises(AssertionError, match="no check covers"):
        check_figures({**ANSWER, "extra": [0]}, EXPECTED)
    with pytest.raises(AssertionError, match="missing"):
        check_figures(ANSWER, {**EXPECTED, "more": 1})
    with pytest.raises(AssertionError, match="instead of 1.1"):
        check_figures(ANSWER, {**EXPECTED, "rows[0].cost": (1.1, CENT)})
