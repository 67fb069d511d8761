"""Whether names exist: found, absent, or unknown because a list was cut; and the work that it takes."""

from __future__ import annotations

from collections.abc import Callable
from threading import current_thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog import known_names
from doit_mcp.catalog.budgets.written_scope import check_allocation_ids
from doit_mcp.catalog.comparisons.change import resolve_dimensions
from doit_mcp.catalog.costs import scope as costs_scope
from doit_mcp.catalog.costs.groups import resolve_group
from doit_mcp.catalog.costs.scope import Scope, check_values
from doit_mcp.catalog.known_names import (
    MAX_LISTED_PAGES,
    Existence,
    KnownNames,
    check_known_values,
    compare_values,
)
from doit_mcp.catalog.queries.checks import check_dimensions, check_filter_values
from doit_mcp.catalog.tables import MAX_TEXT_SEARCHES
from doit_mcp.resilience.compute_thread import MAX_INLINE_STEPS
from tests.api.recorder import Recorder, pages_of

from .caller import Caller

MODES = ("is", "starts_with", "ends_with", "contains", "regexp")
SERVICE: dict[str, Any] = {"id": "service_description", "type": "fixed"}


def details(*values: str) -> dict[str, Any]:
    return {"values": [{"value": value} for value in values]}


def condition(*values: str, **members: Any) -> Any:
    return {**SERVICE, "mode": "is", "values": list(values), **members}


@given(
    known=st.lists(st.text("aAbB", max_size=3), max_size=6),
    wanted=st.lists(st.text("aAbB", max_size=3), max_size=4),
    mode=st.sampled_from(MODES),
    folds=st.booleans(),
)
def test_values_are_compared_as_the_api_compares_them(
    known: list[str], wanted: list[str], mode: str, folds: bool
) -> None:
    def fold(text: str) -> str:
        return text.casefold() if folds else text

    matches: dict[str, Callable[[str, str], bool]] = {
        "is": str.__eq__,
        "starts_with": str.startswith,
        "ends_with": str.endswith,
        "contains": str.__contains__,
    }
    check = compare_values(details(*known), wanted, mode, folds=folds)
    if mode == "regexp":
        assert check.existence is Existence.UNKNOWN
        return
    absent = [value for value in wanted if not any(matches[mode](fold(own), fold(value)) for own in known)]
    assert check.existence is (Existence.ABSENT if absent else Existence.FOUND)
    assert check.absent == (absent[0] if absent else "")


class CountedText(str):
    """A text that counts how often it is folded or compared."""

    uses = 0

    def casefold(self) -> str:
        CountedText.uses += 1
        return super().casefold()

    def __hash__(self) -> int:
        CountedText.uses += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        CountedText.uses += 1
        return super().__eq__(other)


@pytest.mark.parametrize("folds", [False, True])
def test_exact_values_take_one_step_each(folds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [CountedText(f"sku {number}") for number in range(10_000)]
    monkeypatch.setattr(known_names, "list_known_values", lambda _: known)
    CountedText.uses = 0
    wanted = [f"sku {number}" for number in range(9_000, 10_000)]
    assert compare_values({}, wanted, "is", folds=folds).existence is Existence.FOUND
    assert CountedText.uses <= 2 * (len(known) + len(wanted))


def test_too_many_searches_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    many = details(*(f"sku {number}" for number in range(10_000)))
    assert compare_values(many, ["sku"] * 700, "contains", folds=True).existence is Existence.FOUND
    assert compare_values(many, ["sku"] * 1_000, "contains", folds=True).existence is Existence.UNKNOWN
    assert 700 * 10_000 <= MAX_TEXT_SEARCHES < 1_000 * 10_000
    # In long values, one search takes as long as many.
    long_values = details(*("x" * 50_000 for _ in range(100)))
    assert compare_values(long_values, ["y"] * 100, "contains", folds=False).existence is Existence.ABSENT
    assert compare_values(long_values, ["y"] * 200, "contains", folds=False).existence is Existence.UNKNOWN


@pytest.mark.parametrize(
    ("known", "wanted", "mode", "thread"),
    [
        (MAX_INLINE_STEPS - 1, 1, "is", "MainThread"),
        (MAX_INLINE_STEPS, 1, "is", "heavy"),
        (100, 100, "contains", "MainThread"),
        (101, 100, "contains", "heavy"),
    ],
)
async def test_many_values_are_compared_in_the_thread(
    known: int, wanted: int, mode: str, thread: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    read = known_names.list_known_values
    monkeypatch.setattr(
        known_names, "list_known_values", lambda given: (threads.append(current_thread().name), read(given))[1]
    )
    await check_known_values(details(*map(str, range(known))), ["1"] * wanted, mode, folds=False)
    assert threads == [thread]


def test_a_cut_list_does_not_tell_what_is_absent() -> None:
    assert KnownNames(["a"], complete=True).check("b") is Existence.ABSENT
    assert KnownNames(["a"], complete=False).check("b") is Existence.UNKNOWN
    assert KnownNames(["a"], complete=False).check("a") is Existence.FOUND


def api(values: Any = None, dimensions: Any = None, allocations: Any = None) -> Recorder:
    def answer(request: Request) -> Any:
        if request.path.endswith("/dimension"):
            return values
        part = allocations if "allocations" in request.path else dimensions
        return part(request) if callable(part) else part

    return Recorder(answer)


def many_pages(items: str, *rows: dict[str, Any]) -> Any:
    """Serve *rows* on a page behind the last one that is read."""
    own = {"id": "x", "name": "x", "type": "fixed", "allocationType": "group"}
    pages = [[{**own, "id": f"x{number}", "name": f"x{number}"}] for number in range(MAX_LISTED_PAGES)]
    return pages_of(items, *pages, list(rows))


REFUSED = ApiError("too many values", kind="refused", status=400)
MISSING = ApiError("no dimension", kind="missing", status=404)


@pytest.mark.parametrize("error", [REFUSED, MISSING])
@pytest.mark.parametrize(
    "dimensions",
    [
        {"dimensions": [SERVICE]},
        many_pages("dimensions", SERVICE),
        ApiError("", kind="timeout"),
    ],
    ids=["listed", "cut", "unreadable"],
)
async def test_a_dimension_whose_values_are_refused_is_not_absent(error: ApiError, dimensions: Any) -> None:
    call = Caller(api(error, dimensions))
    assert await check_values(call, Scope(filters=(condition("x"),))) is False


async def test_a_dimension_that_is_not_listed_is_absent() -> None:
    call = Caller(api(REFUSED, {"dimensions": [{"id": "service_id", "type": "fixed"}]}))
    with pytest.raises(
        ApiError, match='unknown dimension "service_description" of type fixed. Did you mean .*service_id'
    ):
        await check_values(call, Scope(filters=(condition("x"),)))


async def test_only_the_first_unknown_value_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    explained: list[str] = []

    async def explain(argument: str, kind: str, wanted: str, known: Any) -> ApiError:
        explained.append(wanted)
        return ApiError(wanted, kind="argument")

    monkeypatch.setattr(costs_scope, "make_unknown_value", explain)
    filters = tuple(condition(f"a{number}", f"b{number}") for number in range(5))
    with pytest.raises(ApiError, match="a0"):
        await check_values(Caller(api(details("y"))), Scope(filters=filters))
    assert explained == ["a0"]


async def test_dimensions_of_a_config_are_absent_only_in_a_whole_list() -> None:
    config = {"group": [SERVICE]}
    await check_dimensions(Caller(api(dimensions=many_pages("dimensions", SERVICE))), config)
    with pytest.raises(ApiError, match=r"query.group\[0\]: unknown dimension"):
        await check_dimensions(Caller(api(dimensions={"dimensions": [{"id": "x", "type": "fixed"}]})), config)


async def test_allocations_are_absent_only_in_a_whole_list() -> None:
    cut = many_pages("allocations", {"id": "a1", "name": "Web"})
    scope = Scope(filters=(condition("a1", id="attribution", type="attribution"),))
    await check_filter_values(Caller(api(allocations=cut)), scope)
    assert await check_allocation_ids(Caller(api(allocations=cut)), ["a1"], "scope") is False
    whole = {"allocations": [{"id": "a2", "name": "Web"}]}
    with pytest.raises(ApiError, match='(unknown|no) allocation "a1"'):
        await check_filter_values(Caller(api(allocations=whole)), scope)
    with pytest.raises(ApiError, match='(unknown|no) allocation "a1"'):
        await check_allocation_ids(Caller(api(allocations=whole)), ["a1"], "scope")
    assert await check_allocation_ids(Caller(api(allocations=whole)), ["a2"], "scope") is True


async def test_a_group_behind_the_last_page_is_found_by_its_name() -> None:
    late = {"id": "g1", "name": "Late", "allocationType": "group"}
    listed = many_pages("allocations", late)

    def allocations(request: Request) -> Any:
        return {"allocations": [late]} if "nameContains" in str(request.query) else listed(request)

    recorder = api(allocations=allocations)
    group = await resolve_group(Caller(recorder), "allocation:late")
    assert (group.id, len(recorder.requests)) == ("g1", MAX_LISTED_PAGES + 1)


async def test_a_label_behind_the_last_page_is_not_called_absent() -> None:
    recorder = api(dimensions=many_pages("dimensions", {"id": "team", "type": "label"}))
    with pytest.raises(ApiError, match="not among the first 0 labels and tags, and there are more"):
        await resolve_group(Caller(recorder), "label:team")


@pytest.mark.parametrize("name_length", [5, 500])
async def test_a_call_reads_the_allocations_once(name_length: int) -> None:
    rows = [
        {"id": f"g{number}", "name": f"{number}".ljust(name_length, "x"), "allocationType": "group"}
        for number in range(200)
    ]
    recorder = api(allocations=pages_of("allocations", rows, rows[:1]))
    call = Caller(recorder)
    by = ["service", *(f"allocation:g{number}" for number in range(4))]
    assert len(await resolve_dimensions(call, by, None)) == 5
    assert len(recorder.requests) == 2
    # Later calls know them, unless they are too large to remember.
    await resolve_group(call, "allocation:g1")
    assert len(recorder.requests) == (2 if name_length == 5 else 4)


async def test_a_new_allocation_is_found_although_others_are_remembered() -> None:
    one, other = ({"id": f"g{number}", "name": f"n{number}", "allocationType": "group"} for number in range(2))
    rows = [one]
    recorder = api(allocations=lambda request: {"allocations": rows})
    call = Caller(recorder)
    await resolve_group(call, "allocation:n0")
    rows.append(other)
    assert (await resolve_group(call, "allocation:n1")).id == "g1"
    with pytest.raises(ApiError, match='no group of allocations "n2"'):
        await resolve_group(call, "allocation:n2")
    assert len(recorder.requests) == 3
