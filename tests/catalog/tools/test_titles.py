"""Words made from names."""

from __future__ import annotations

import pytest

from doit_mcp.catalog.tools.titles import MOST_STATUS, status_of, title_of


@pytest.mark.parametrize(
    ("name", "title", "doing", "done"),
    [
        ("list_budgets", "List budgets", "Listing budgets…", "Listed budgets"),
        ("refine_cloudflow", "Refine CloudFlow", "Refining CloudFlow…", "Refined CloudFlow"),
        ("get_aws_account", "Get AWS account", "Reading AWS account…", "Read AWS account"),
        ("cost_breakdown", "Cost breakdown", "Cost breakdown…", "Cost breakdown: done"),
        ("search", "Search", "Search…", "Search: done"),
    ],
)
def test_titles_and_status_texts(name: str, title: str, doing: str, done: str) -> None:
    assert title_of(name) == title and status_of(name, title) == (doing, done)


def test_status_texts_are_cut() -> None:
    assert all(len(text) == MOST_STATUS and text.endswith("…") for text in status_of("list_" + "x" * 99, "t"))
