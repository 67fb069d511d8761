"""The ten questions of scripts/finops10 are answered to the cent over HTTP, on easy and on difficult days."""

from __future__ import annotations

from datetime import date

import pytest

from scripts.finops.__main__ import ask_all, print_outcomes
from scripts.finops.questions import QUESTIONS
from scripts.token_counts import make_tokenizer


@pytest.mark.parametrize("today", ["2026-11-28", "2026-12-01", "2028-02-29"])
async def test_ten_questions_are_answered_to_the_cent(today: str, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = await ask_all(date.fromisoformat(today), make_tokenizer())
    print_outcomes(outcomes)
    assert len(outcomes) == len(QUESTIONS) == 10
    assert all(outcome.passed for outcome in outcomes), capsys.readouterr().out


async def test_a_wrong_figure_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    (first, *_) = QUESTIONS
    monkeypatch.setattr("scripts.finops.__main__.QUESTIONS", (first,))
    monkeypatch.setattr("scripts.finops.books.MICROS", 1_000_001)
    (outcome,) = await ask_all(date(2026, 11, 28), make_tokenizer())
    assert not outcome.passed and {name for name, *_ in outcome.differences} >= {"before", "after"}
