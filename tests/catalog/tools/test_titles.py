"""Titles and status texts derived from names."""

from __future__ import annotations

import pytest

from doit_mcp.catalog.tools.titles import MAX_STATUS_CHARACTERS, make_title, status_texts


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
    assert make_title(name) == title and status_texts(name, title) == (doing, done)


def test_declared_title_sets_the_spelling_of_status_texts() -> None:
    assert status_texts("list_gcp_projects", "List GCP projects") == ("Listing GCP projects…", "Listed GCP projects")


def test_status_texts_are_truncated() -> None:
    assert all(
        len(text) == MAX_STATUS_CHARACTERS and text.endswith("…") for text in status_texts("list_" + "x" * 99, "t")
    )
