"""What is written out for people: only where the client says for whom, and never instead of the plain values."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.tools import tool_result
from doit_mcp.catalog.tools.locales import find_locale
from doit_mcp.catalog.tools.localized_display import (
    DISPLAY_KEY,
    LOCALIZED_TOOLS,
    MAX_DISPLAY_VALUES,
    client_locale,
    localize_result,
    with_localized_display,
)
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from doit_mcp.protocol.jsonrpc import JsonObject
from tests.api.recorder import Recorder

from ..caller import TOOLS as NAMED
from ..caller import Caller
from .test_locales import place, plain


def reader(api: Recorder, meta: JsonObject) -> Caller:
    """A caller whose requests have such a _meta."""
    made = Caller(api)
    made.request_meta = meta
    return made


COSTS = {
    "result": {
        "schema": [{"name": "service_description"}, {"name": "year"}, {"name": "month"}, {"name": "cost"}],
        "rows": [["Compute", "2026", "09", 1234.5], ["Storage", "2026", "09", 100.25]],
    }
}


async def breakdown(caller: Caller) -> Any:
    tool = NAMED["cost_breakdown"]
    given = tool.coerce_arguments({"groupBy": "service", "currency": "EUR"})
    return await tool.run(caller, given)


async def test_a_breakdown_is_also_written_as_its_reader_writes() -> None:
    found = await breakdown(reader(Recorder(COSTS), {"openai/locale": "de-DE", "openai/userLocation": {"city": "X"}}))
    shown = orjson.loads(plain(orjson.dumps(found[DISPLAY_KEY]).decode()))
    assert shown == {
        "locale": "de-DE",
        "groups": [{"name": "Compute", "cost": "1.234,50 EUR"}, {"name": "Storage", "cost": "100,25 EUR"}],
        "total": {"shown": "1.334,75 EUR", "other": "0,00 EUR", "all": "1.334,75 EUR"},
        "period": {"first": "Sept. 2026", "last": "Sept. 2026"},
    }
    without = await breakdown(Caller(Recorder(COSTS)))
    assert {name: value for name, value in found.items() if name != DISPLAY_KEY} == without
    whole = tool_result.make_tool_result_inline(NAMED["cost_breakdown"], {}, found)
    assert "isError" not in whole


@pytest.mark.parametrize("locale", [None, 5, "", "tlh", "de" * 99, ["de"], {"de": 1}, "en-US\nx"])
async def test_a_locale_that_is_none_or_not_known_changes_nothing(locale: Any) -> None:
    found = await breakdown(reader(Recorder(COSTS), {"openai/locale": locale}))
    assert found == await breakdown(Caller(Recorder(COSTS)))


def test_a_call_without_hints_has_no_locale() -> None:
    assert client_locale(Caller(Recorder())) is None and client_locale(reader(Recorder(), {})) is None
    assert client_locale(reader(Recorder(), {"openai/locale": "fr"})) is not None


@pytest.mark.parametrize("name", sorted(LOCALIZED_TOOLS))
async def test_each_of_them_writes_something_and_stays_what_it_was(name: str) -> None:
    """Over an API that answers all kinds of things; what it says may be little, the plain answer is the same."""
    row = {"id": "x", "amount": 100, "currentUtilization": 150, "currency": "USD", "timeInterval": "month"}
    whole = {**COSTS, "budgets": [row], "results": [{"summary": {"potentialDailySavings": 2}, "key": "k"}]}
    least = {
        "cost_breakdown": {"groupBy": "service"},
        "compare_spend": {"period2": {"from": "2026-01-01", "to": "2026-01-31"}},
        "explain_cost_change": {"by": ["service"]},
    }.get(name, {})
    found = await NAMED[name].run(reader(Recorder(whole), {"openai/locale": "fr-FR"}), least)
    assert (
        not isinstance(found, ContentResult) and found[DISPLAY_KEY]["locale"] == "fr-FR" and len(found[DISPLAY_KEY]) > 1
    )
    plainly = await NAMED[name].run(Caller(Recorder(whole)), least)
    assert {key: value for key, value in found.items() if key != DISPLAY_KEY} == plainly


def test_budgets_and_savings_are_in_their_own_currencies() -> None:
    result = {"currency": "EUR", "month": {"spent": 1}, "budgets": [{"name": "b", "amount": 2, "currency": "GBP"}]}
    shown = localize_result(result, place("en-US"))[DISPLAY_KEY]
    assert plain(shown["month"]["spent"]) == "EUR 1.00"
    assert plain(shown["budgets"][0]["amount"]) == "GBP 2.00" and shown["budgets"][0]["name"] == "b"


def test_what_is_written_out_has_a_bound() -> None:
    result = {"groups": [{"name": f"g{n}", "cost": n} for n in range(1000)], "total": {"all": 1}}
    assert len(localize_result(result, place("de"))[DISPLAY_KEY]["groups"]) == MAX_DISPLAY_VALUES
    deep: Any = {"cost": 1}
    for _ in range(50):
        deep = {"total": deep, "rows": [deep]}
    assert DISPLAY_KEY not in localize_result(deep, place("de"))


def test_numbers_that_are_no_money_are_not_written_as_such() -> None:
    assert localize_result({"rowCount": 5, "months": 3, "columns": [{"name": "cost"}]}, place("de")) == {
        **{"rowCount": 5, "months": 3, "columns": [{"name": "cost"}]}
    }


async def test_other_tools_and_blocks_are_as_they_were() -> None:
    assert with_localized_display(NAMED["run_query"]) is NAMED["run_query"]

    async def blocks(call: Any, arguments: JsonObject) -> ContentResult:
        return ContentResult([{"type": "text", "text": "x"}])

    tool = Tool("cost_trend", "T", "D.", {"type": "object", "properties": {}}, blocks)
    assert isinstance(
        await with_localized_display(tool).run(reader(Recorder(), {"openai/locale": "de"}), {}), ContentResult
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["cost", "share", "first", "currency", "total", "name", "x"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["cost", "total", "groups", "currency", "period"]), VALUES))
def test_whatever_an_answer_holds_it_is_kept(result: dict[str, Any]) -> None:
    locale = find_locale("de-DE")
    assert locale is not None
    found = localize_result(result, locale, "USD")
    assert repr({name: value for name, value in found.items() if name != DISPLAY_KEY}) == repr(result)
    texts = orjson.dumps(found.get(DISPLAY_KEY, {}))
    assert isinstance(orjson.loads(texts), dict)
