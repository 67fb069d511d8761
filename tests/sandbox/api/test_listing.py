"""Lists: pages, filter expressions, integers in the query."""

from __future__ import annotations

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.sandbox.api import listing
from doit_mcp.sandbox.api.responses import ApiError

keys = st.lists(st.integers(0, 200), unique=True, max_size=40)


def rows(ids: list[int]) -> list[dict[str, object]]:
    """Rows with these ids."""
    return [{"id": item} for item in ids]


@given(keys, st.integers(1, 10))
def test_pagination_returns_everything_exactly_once(ids: list[int], size: int) -> None:
    seen_rows: list[object] = []
    token: str | None = ""
    while token is not None:
        page = listing.paginate(rows(ids), token, size, scope="a list")
        assert len(page.rows) <= size and (page.token is None or len(page.rows) == size)
        seen_rows += [row["id"] for row in page.rows]
        token = page.token
    assert seen_rows == ids


@given(keys.filter(len), st.data())
def test_added_or_removed_rows_do_not_shift_the_next_page(ids: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(ids)))
    first = listing.paginate(rows(ids), "", size, scope="a list")
    if first.token is None:
        return
    removed = data.draw(st.sampled_from(ids))
    changed = [1000, *(item for item in ids if item != removed), 2000]
    second = listing.paginate(rows(changed), first.token, None, scope="a list")
    assert [row["id"] for row in second.rows] == [item for item in ids[size:] if item != removed] + [2000]


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_forged_tokens_are_rejected(token: str) -> None:
    if token:
        with pytest.raises(ApiError) as caught:
            listing.paginate(rows([1, 2]), token, 1, scope="a list")
        assert (caught.value.status, caught.value.code) == (400, "pagination_token_invalid")


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        1,
        None,
        [1, 2, 3],
        [-1, "1", "2", ""],
        ["0", "1", "2", ""],
        [0, [], "2", ""],
        [0, "1", {}, ""],
    ],
)
def test_malformed_tokens_are_rejected(value: object) -> None:
    with pytest.raises(ApiError):
        listing.paginate(rows([1, 2]), base64.urlsafe_b64encode(orjson.dumps(value)).decode(), 1, scope="a list")


def test_token_is_bound_to_its_list() -> None:
    token = listing.paginate(rows([1, 2]), "", 1, scope="a list").token or ""
    with pytest.raises(ApiError, match="another request"):
        listing.paginate(rows([1, 2]), token, 1, scope="another list")


def test_filter_expressions() -> None:
    assert listing.parse_filter("", ("a",)) == listing.parse_filter("  ", ("a",)) == {}
    assert listing.parse_filter("a:x y|b:z:1| a : q ", ("a", "b")) == {"a": ["x y", "q"], "b": ["z:1"]}
    # In the API document, brackets are a placeholder; the service takes them as part of the value.
    assert listing.parse_filter("a:[x]", ("a", "b")) == {"a": ["[x]"]}
    for wrong in ("a", "a:", "c:1", "a:1|", "|"):
        with pytest.raises(ApiError, match="filter"):
            listing.parse_filter(wrong, ("a", "b"))


@given(st.text(max_size=30))
def test_numeric_query_parameters(text: str) -> None:
    try:
        number = listing.query_integer({"n": text}, "n", 1, 100)
    except ApiError as refusal:
        assert refusal.status == 400 and refusal.field == "n"
    else:
        assert number is None and not text or number is not None and 1 <= number <= 100


def test_number_with_too_many_digits_is_rejected() -> None:
    with pytest.raises(ApiError):
        listing.query_integer({"n": "9" * 5000}, "n")
