"""Pagination, and finding ids by name."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.areas.budgets import Budgets
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.api.pagination import (
    MAX_PAGES,
    MAX_SEARCHED_PAGES,
    find_id,
    iterate_pages,
    iterate_rows,
    parse_page,
    search_pages,
    text_filter,
)
from doit_mcp.protocol.json_schema import JsonObject

from .recorder import Recorder, pages_of


def rows(*names: str) -> list[JsonObject]:
    return [{"id": f"id-{name}", "budgetName": name} for name in names]


async def test_every_follows_page_tokens_to_the_end() -> None:
    api = Recorder(pages_of("budgets", rows("a", "b"), rows(), rows("c")))
    names = [row["id"] async for row in iterate_rows(Budgets(api).list_budgets, filter="x")]
    assert names == ["id-a", "id-b", "id-c"]
    assert [request.query.get("pageToken") for request in api.requests] == [None, "1", "2"]
    assert {request.query["filter"] for request in api.requests} == {"x"}


async def test_every_is_bounded_and_reports_truncation() -> None:
    api = Recorder(pages_of("budgets", *(rows(str(number)) for number in range(MAX_PAGES + 1))))
    with pytest.raises(ApiError, match="too many rows"):
        assert [row async for row in iterate_rows(Budgets(api).list_budgets)]
    assert len(api.requests) == MAX_PAGES


async def test_repeated_page_token_ends_pagination() -> None:
    api = Recorder({"budgets": rows("a"), "pageToken": "same"})
    pages = [page async for page in iterate_pages(Budgets(api).list_budgets)]
    assert len(pages) == 2 == len(api.requests)


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"budgets": None}, {"budgets": "x"}, {"budgets": [1, None]}])
def test_response_without_rows_is_an_empty_page(answer: object) -> None:
    assert parse_page(answer, "budgets").rows == [] and parse_page(answer, "budgets").next_token == ""


@pytest.mark.parametrize(
    ("name", "expected"), [("Ads", "id-Ads"), ("ads ", "id-Ads"), ("search", "id-Research"), ("spend", "id-Ads spend")]
)
async def test_name_matches_exactly_before_partially(name: str, expected: str) -> None:
    api = Recorder(pages_of("budgets", rows("Ads spend", "Other"), rows("Ads", "Research")))
    assert await find_id(name, Budgets(api).list_budgets, "budgetName", nameContains=name) == expected
    assert api.requests[0].query == {"maxResults": "200", "nameContains": name}


async def test_missing_or_ambiguous_name_is_a_clear_error() -> None:
    budgets = Budgets(Recorder({"budgets": [*rows("Alpha", "Alpine"), {"id": "z", "budgetName": None}]}))
    with pytest.raises(ApiError, match='name: no budget has the name "beta". Budgets: "Alpha", "Alpine"') as missing:
        await find_id("beta", budgets.list_budgets, "budgetName")
    assert missing.value.kind == "argument"
    with pytest.raises(ApiError, match='2 objects match "alp": "Alpha" .id "id-Alpha".') as several:
        await find_id("alp", budgets.list_budgets, "budgetName")
    assert several.value.kind == "argument"
    with pytest.raises(ApiError, match="is required"):
        await find_id("  ", budgets.list_budgets, "budgetName")


async def test_an_unknown_name_is_answered_with_similar_ones() -> None:
    every = rows("All clouds", "Production", "Data")

    def narrowed(request: Request) -> dict[str, Any]:
        part = request.query.get("nameContains", "")
        return {"budgets": [row for row in every if part in row["budgetName"]]}

    with pytest.raises(ApiError, match='name: no budget has the name "cluods". Did you mean "All clouds"?') as caught:
        await find_id("cluods", Budgets(Recorder(narrowed)).list_budgets, "budgetName", nameContains="cluods")
    assert caught.value.kind == "argument"
    with pytest.raises(ApiError, match="There are no budgets"):
        await find_id("clod", Budgets(Recorder({"budgets": []})).list_budgets, "budgetName")


async def test_name_search_is_bounded() -> None:
    api = Recorder(pages_of("budgets", *(rows(f"a{number}") for number in range(9))))
    with pytest.raises(ApiError, match="too many rows"):
        await find_id("a", Budgets(api).list_budgets, "budgetName")
    assert len(api.requests) == MAX_SEARCHED_PAGES


async def test_a_search_reads_pages_until_it_has_enough_rows() -> None:
    api = Recorder(pages_of("budgets", rows("x", "Ads"), rows("ads 2", "ads 3"), rows("ads 4")))
    result = await search_pages(
        Budgets(api).list_budgets,
        text_filter("budgetName", " ADS "),
        row_count=2,
        max_page_size=50,
        token=None,
        filter="y",
    )
    assert [row["budgetName"] for row in result["budgets"]] == ["Ads", "ads 2", "ads 3"]
    assert result["rowCount"] == 3 and result["pageToken"] == "2"
    assert [request.query["maxResults"] for request in api.requests] == ["50", "50"]


async def test_without_a_filter_a_search_returns_one_page() -> None:
    api = Recorder(pages_of("budgets", rows("a"), rows("b")))
    result = await search_pages(
        Budgets(api).list_budgets, text_filter("budgetName", " "), row_count=2, max_page_size=50, token=None
    )
    assert result == {"budgets": rows("a"), "rowCount": 1, "pageToken": "1"}
    assert [request.query for request in api.requests] == [{"maxResults": "2"}]


async def test_a_search_stops_at_the_maximum_of_pages() -> None:
    api = Recorder(pages_of("budgets", *(rows(str(number)) for number in range(MAX_PAGES + 1))))
    result = await search_pages(
        Budgets(api).list_budgets, text_filter("budgetName", "z"), row_count=1, max_page_size=1, token=None
    )
    assert result["budgets"] == [] and result["pageToken"] and len(api.requests) == MAX_PAGES
