"""Suggestions for names that do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from threading import current_thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api import nearest
from doit_mcp.api.nearest import (
    ALIASES,
    CANDIDATES_PER_CALL,
    MAX_COMPARED_CHARACTERS,
    MAX_LISTED_VALUES,
    find_nearest,
    list_names,
    make_unknown_value,
    nearest_values,
    unknown_value_error,
)

SERVICES = [
    *("Amazon Elastic Compute Cloud", "Amazon Simple Storage Service", "Amazon Relational Database Service"),
    *("Amazon Elastic Block Store", "Amazon Elastic Container Service for Kubernetes", "AWS Lambda", "BigQuery"),
    *("Compute Engine", "Cloud Storage", "Kubernetes Engine", "SQL Database", "Virtual Machines", "Storage"),
]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("Amazon EC2", "Amazon Elastic Compute Cloud"),
        ("AmazonEC2", "Amazon Elastic Compute Cloud"),
        ("ec2", "Amazon Elastic Compute Cloud"),
        ("S3", "Amazon Simple Storage Service"),
        ("rds", "Amazon Relational Database Service"),
        ("GKE", "Kubernetes Engine"),
        ("BQ", "BigQuery"),
        ("bigquery", "BigQuery"),
        ("Big Query", "BigQuery"),
        ("Azure SQL", "SQL Database"),
        ("lamda", "AWS Lambda"),
        ("storage", "Storage"),
        ("compute engin", "Compute Engine"),
    ],
)
def test_the_meant_value_comes_first(wanted: str, meant: str) -> None:
    assert nearest_values(wanted, SERVICES)[0] == meant


def test_a_part_of_a_name_and_another_case_are_similar() -> None:
    assert nearest_values("forecst", ["Monthly forecast", "Cost by team"]) == ["Monthly forecast"]
    assert nearest_values("Team", ["team", "env"]) == ["team"]


def test_nothing_is_suggested_for_something_else() -> None:
    assert nearest_values("xyzzy", SERVICES) == [] == nearest_values("", SERVICES) == nearest_values("EC2", [])


@given(wanted=st.text(max_size=40), candidates=st.lists(st.text(max_size=40), max_size=20), limit=st.integers(1, 6))
def test_suggestions_are_distinct_candidates(wanted: str, candidates: list[str], limit: int) -> None:
    similar = nearest_values(wanted, candidates, limit)
    assert len(similar) == len(set(similar)) <= limit and set(similar) <= set(candidates)


@given(name=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30))
def test_the_name_itself_is_always_the_first(name: str) -> None:
    # Without a short name in it, whose long form could be preferred.
    if name.lower() not in ALIASES:
        assert nearest_values(name, ["z" * 50, name])[0] == name


def test_the_error_names_similar_values_or_all() -> None:
    error = unknown_value_error("filters", "service", "lamda", SERVICES)
    assert error.reason == 'filters: the data has no service "lamda". Did you mean "AWS Lambda"?'
    assert error.kind == "argument"
    clouds = ["google-cloud", "amazon-web-services"]
    assert unknown_value_error("cloud", "cloud", "xyz", clouds).reason == (
        'cloud: the data has no cloud "xyz". Available: "amazon-web-services", "google-cloud"'
    )
    many = [f"{number:03}" for number in range(MAX_LISTED_VALUES + 5)]
    assert unknown_value_error("a", "b", "xyz", many).reason.endswith('"011" and 5 more')
    assert "none" in unknown_value_error("a", "label", "x", []).reason


def test_candidates_are_compared_in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    lengths: set[int] = set()
    compare = nearest._score_choices

    def note(folded: str, choices: Mapping[str, str]) -> dict[str, float]:
        sizes.append(len(choices))
        lengths.update(map(len, choices.values()))
        return compare(folded, choices)

    monkeypatch.setattr(nearest, "_score_choices", note)
    names = [f"service {number} {'x' * 5_000}" for number in range(2 * CANDIDATES_PER_CALL + 1)]
    assert nearest_values("BigQuery", [*names, "bigquery"]) == ["bigquery"]
    assert max(sizes) == CANDIDATES_PER_CALL and sum(sizes) == len(names) + 1
    assert max(lengths) <= MAX_COMPARED_CHARACTERS


async def test_many_candidates_are_compared_in_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    compare = nearest._score_choices
    monkeypatch.setattr(
        nearest, "_score_choices", lambda *given: (threads.append(current_thread().name), compare(*given))[1]
    )
    few = ["BigQuery", *map(str, range(998))]
    assert await find_nearest("bigqery", few) == ["BigQuery"] == await find_nearest("bigqery", [*few, "998", "999"])
    assert (await make_unknown_value("filters", "service", "bigqery", few)).reason.endswith('Did you mean "BigQuery"?')
    assert threads == ["MainThread"] * 2 + ["heavy"] * 3 + ["MainThread"] * 2


def test_lists_of_names_are_bounded() -> None:
    assert list_names([]) == "none" and list_names(["b", "a"]) == '"b", "a"'
    text = list_names(["x" * 10_000] * 10_000)
    assert text.endswith("and 9988 more") and len(text) < 1_000
