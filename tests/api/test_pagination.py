"""Pagination, and finding ids by name."""

from __future__ import annotations

import pytest

from doit_mcp.api.areas.budgets import Budgets
from doit_mcp.api.errors import ApiError
from doit_mcp.api.pagination import MAX_PAGES, MAX_SEARCHED_PAGES, find_id, iterate_pages, iterate_rows, parse_page
from doit_mcp.protocol.json_schema import JsonObject

from .recorder import Recorder, pages_of


def rows(*names: str) -> list[JsonObject]:
    return [{"id": f"id-{name}", "budgetName": name} for name in names]


async def test_every_follows_the_tokens_to_the_end() -> None:
    api = Recorder(pages_of("budgets", rows("a", "b"), rows(), rows("c")))
    found = [row["id"] async for row in iterate_rows(Budgets(api).list_budgets, filter="x")]
    assert found == ["id-a", "id-b", "id-c"]
    assert [request.query.get("pageToken") for request in api.requests] == [None, "1", "2"]
    assert {request.query["filter"] for request in api.requests} == {"x"}


async def test_every_is_bounded_and_says_so() -> None:
    api = Recorder(pages_of("budgets", *(rows(str(number)) for number in range(MAX_PAGES + 1))))
    with pytest.raises(ApiError, match="too many rows"):
        assert [row async for row in iterate_rows(Budgets(api).list_budgets)]
    assert len(api.requests) == MAX_PAGES


async def test_a_token_that_comes_again_ends_it() -> None:
    api = Recorder({"budgets": rows("a"), "pageToken": "same"})
    found = [page async for page in iterate_pages(Budgets(api).list_budgets)]
    assert len(found) == 2 == len(api.requests)


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"budgets": None}, {"budgets": "x"}, {"budgets": [1, None]}])
def test_an_answer_without_rows_is_an_empty_page(answer: object) -> None:
    assert parse_page(answer, "budgets").rows == [] and parse_page(answer, "budgets").next_token == ""


@pytest.mark.parametrize(
    ("name", "expected"), [("Ads", "id-Ads"), ("ads ", "id-Ads"), ("search", "id-Research"), ("spend", "id-Ads spend")]
)
async def test_a_name_is_found_the_same_or_else_as_a_part(name: str, expected: str) -> None:
    api = Recorder(pages_of("budgets", rows("Ads spend", "Other"), rows("Ads", "Research")))
    assert await find_id(name, Budgets(api).list_budgets, "budgetName", nameContains=name) == expected
    assert api.requests[0].query == {"maxResults": "200", "nameContains": name}


async def test_a_name_that_nothing_or_too_much_has_is_refused_in_words() -> None:
    budgets = Budgets(Recorder({"budgets": [*rows("Alpha", "Alpine"), {"id": "z", "budgetName": None}]}))
    with pytest.raises(ApiError, match='no object has the name "beta"') as missing:
        await find_id("beta", budgets.list_budgets, "budgetName")
    assert missing.value.kind == "missing"
    with pytest.raises(ApiError, match='2 objects match "alp": "Alpha" .id "id-Alpha".') as several:
        await find_id("alp", budgets.list_budgets, "budgetName")
    assert several.value.kind == "argument"
    with pytest.raises(ApiError, match="is required"):
        await find_id("  ", budgets.list_budgets, "budgetName")


async def test_looking_for_a_name_is_bounded() -> None:
    api = Recorder(pages_of("budgets", *(rows(f"a{number}") for number in range(9))))
    with pytest.raises(ApiError, match="too many rows"):
        await find_id("a", Budgets(api).list_budgets, "budgetName")
    assert len(api.requests) == MAX_SEARCHED_PAGES
