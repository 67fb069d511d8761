"""Sources: the items in rows of the API, whatever the API returns."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api import Doit
from doit_mcp.catalog.tools.sanitize import sanitize_json, sanitize_text
from doit_mcp.events.errors import EventError
from doit_mcp.events.event_types import EVENT_TYPES
from doit_mcp.events.ingest import read_report
from doit_mcp.events.new_items import NewItem
from doit_mcp.events.payload_texts import MAX_TEXT_CHARACTERS
from doit_mcp.events.source import View
from doit_mcp.events.sources import SOURCES
from tests.api.recorder import Recorder, pages_of
from tests.catalog.caller import Caller

VIEW = View(1_796_000_000.0, "https://console.example/customers/c/")
NAMES = (
    *("id", "status", "startTime", "endTime", "amount", "currentUtilization", "alertThresholds", "timeInterval"),
    *("startPeriod", "endPeriod", "riskStatus", "lastAlerted", "invoiceDateFormatted", "updateTime", "createTime"),
    *(
        "source",
        "key",
        "summary",
        "categories",
        "endDate",
        "lastExecutedTime",
        "lastExecutionStatus",
        "name",
        "subject",
    ),
    *("percentage", "potentialDailySavings", "displayStatus"),
)
TEXTS = st.sampled_from(("active", "inactive", "atRisk", "failed", "month", "2026-11-28T10:00:00Z", "2026-12-01", "x"))
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), TEXTS, st.text(max_size=9)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)),
    max_leaves=8,
)


@given(st.sampled_from(sorted(SOURCES)), st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_any_row_is_read(source: str, row: dict[str, Any]) -> None:
    """No row raises. Each item has a known type of this source, and data that is JSON with an id."""
    for item in SOURCES[source].read_items(row, VIEW):
        assert EVENT_TYPES[item.name].source == source and item.data["id"]
        assert EVENT_TYPES[item.name].payload_validator.problems(item.data) == []
        orjson.dumps(item.data)


def read_items(source: str, /, **row: Any) -> list[NewItem]:
    return list(SOURCES[source].read_items(row, VIEW))


def test_every_type_has_a_source() -> None:
    assert {declared.source for declared in EVENT_TYPES.values()} == set(SOURCES)


ROWS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("anomalies", {"id": "a", "status": "active", "startTime": "2026-11-28T10:00:00Z"}, ["anomaly.detected"]),
    ("anomalies", {"id": "a", "status": "inactive"}, ["anomaly.detected", "anomaly.resolved"]),
    ("alerts", {"id": "a", "lastAlerted": None}, []),
    ("alerts", {"id": "a", "lastAlerted": "2026-11-28T10:00:00Z"}, ["alert.fired"]),
    ("incidents", {"id": "a", "status": "archived"}, []),
    ("incidents", {"id": "a", "status": "active", "createTime": 1_795_900_000_000}, ["incident.opened"]),
    ("insights", {"source": "s", "key": "k", "displayStatus": "dismissed"}, []),
    ("insights", {"source": "s", "key": "k", "displayStatus": "actionable"}, ["insight.new"]),
    ("commitments", {"id": "a", "endDate": "2027-12-01T00:00:00Z"}, []),
    ("commitments", {"id": "a", "endDate": "2026-12-10T00:00:00Z"}, ["commitment.expiring"]),
    ("flows", {"id": "a", "lastExecutedTime": "2026-11-28T10:00:00Z", "lastExecutionStatus": "complete"}, []),
    (
        "flows",
        {"id": "a", "lastExecutedTime": "2026-11-28T10:00:00Z", "lastExecutionStatus": "failed"},
        ["cloudflow.run_failed"],
    ),
]


@pytest.mark.parametrize(("source", "row", "names"), ROWS)
def test_rows_that_are_news(source: str, row: dict[str, Any], names: list[str]) -> None:
    found = read_items(source, **row)
    assert [item.name for item in found] == names
    links = {
        "anomalies": "anomalies/a",
        "alerts": "analytics/alerts/a",
        "incidents": "known-issues#a",
        "insights": "insights#s%2Fk",
        "commitments": "commitments#a",
        "flows": "cloudflow/history#a",
    }
    assert all(item.data["url"] == f"{VIEW.console}{links[source]}" for item in found)
    for item in found:
        assert EVENT_TYPES[item.name].payload_validator.problems(item.data) == []


BUDGET = {
    "id": "b",
    "amount": 100,
    "currentUtilization": 120,
    "riskStatus": "atRisk",
    "timeInterval": "month",
    "alertThresholds": [{"percentage": 50, "amount": 50}, {"percentage": 99.5, "amount": 99.5}],
}
TICKET = {"id": 7, "updateTime": "2026-11-28T10:00:00Z"}
ITEMS = [
    *((source, row) for source, row, _ in ROWS),
    ("budgets", BUDGET),
    ("invoices", {"id": "i"}),
    ("tickets", TICKET),
]


def test_an_item_has_one_id_whether_it_is_polled_or_reported() -> None:
    """A report of the payload has the id of the event that a poll finds, even if numbers and times are spelled otherwise."""
    names, ids = set[str](), list[str]()
    for source, row in ITEMS:
        for item in SOURCES[source].read_items(row, VIEW):
            spelled = {
                name: float(value)
                if isinstance(value, int)
                else str(value).replace("T10:00:00Z", "T11:00:00.000+01:00")
                for name, value in item.data.items()
                if not isinstance(value, float)
            } | {name: value for name, value in item.data.items() if isinstance(value, float)}
            body = orjson.dumps({"customer": "c", "name": item.name, "data": spelled})
            reported = read_report(body, VIEW.now, "https://console.example")
            assert reported.item.event_id("c") == item.event_id("c") != item.event_id("d"), item
            names.add(item.name)
            ids.append(item.event_id("c"))
            for member in EVENT_TYPES[item.name].identity:
                partial = {name: value for name, value in spelled.items() if name != member}
                body = orjson.dumps({"customer": "c", "name": item.name, "data": partial})
                with pytest.raises(EventError, match=member):
                    read_report(body, VIEW.now, "https://console.example")
    assert names == set(EVENT_TYPES)
    # The rows about anomaly "a" have its beginning twice.
    assert len(ids) - len(set(ids)) == 1


def test_a_budget_has_an_edge_for_each_threshold_and_period() -> None:
    thresholds = [{"percentage": 50, "amount": 50.0}, {"percentage": 100, "amount": 100.0}]
    row = {
        "id": "b",
        "amount": 100.0,
        "currentUtilization": 80.0,
        "alertThresholds": thresholds,
        "timeInterval": "month",
    }
    [reached] = read_items("budgets", **row)
    assert reached.data["threshold"] == 50 and reached.data["periodStart"] == "2026-11-01"
    [later] = SOURCES["budgets"].read_items(row, View(VIEW.now + 40 * 86_400, ""))
    assert later.mark != reached.mark
    assert len(read_items("budgets", **row | {"currentUtilization": 100.0, "riskStatus": "atRisk"})) == 3
    assert EVENT_TYPES[reached.name].payload_validator.problems(reached.data) == []


def test_texts_of_others_are_clean_and_short() -> None:
    """Characters that only models read are removed, and long texts are cut."""
    subject = "Hi\u200b\u202e\U000e0041 there\n\x00" + "x" * 500
    [item] = read_items("tickets", id=7, subject=subject, updateTime="2026-11-28T10:00:00Z")
    text = item.data["subject"]
    assert text.startswith(("Hi  there ", "Hi there "))
    assert len(text) == MAX_TEXT_CHARACTERS and text.isprintable()


@pytest.mark.parametrize("character", ["\u034f", "\u061c", "\u115f", "\u180e", "\u3164", "\ufe00", "\ufe0d"])
def test_payloads_and_results_of_tools_hide_the_same(character: str) -> None:
    text = f"Hi{character} there\u2028to\u2029all"
    [item] = read_items("tickets", id=7, subject=text, updateTime="2026-11-28T10:00:00Z")
    assert item.data["subject"] == sanitize_text(text) == "Hi there to all"
    assert orjson.loads(sanitize_json(orjson.dumps(text).decode())) == "Hi there to all"


def test_ids_and_links_are_never_cut() -> None:
    """Items whose long ids differ at the end are two events. Ids that the tools would not take cause no events."""
    keys = [f"{'k' * 210}{number}" for number in range(2)]
    found = [item for key in keys for item in read_items("insights", source="s", key=key)]
    assert [item.data["id"] for item in found] == [f"s/{key}" for key in keys]
    assert [item.data["url"] for item in found] == [f"{VIEW.console}insights#s%2F{key}" for key in keys]
    assert found[0].event_id("c") != found[1].event_id("c")
    assert (
        read_items("insights", source="s", key="k" * 1000) == read_items("insights", source="s" * 1000, key="k") == []
    )
    # A link that is too long for clients is left out; percent-encoding makes this one longer than its id.
    [item] = read_items("insights", source="s", key="é" * 900)
    assert "url" not in item.data and len(item.data["id"]) == 902
    body = {"customer": "c", "name": "insight.new", "data": {"id": "k" * 1001}}
    with pytest.raises(EventError, match="at most 1000 characters"):
        read_report(orjson.dumps(body), VIEW.now, "https://console.example")
    body["data"] = {"id": "s/k", "url": f"https://console.example/{'x' * 3000}"}
    with pytest.raises(EventError, match="data.url"):
        read_report(orjson.dumps(body), VIEW.now, "https://console.example")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://a.example/", "https://a.example/ x", ["https://a"], 7])
def test_links_of_the_api_are_https(url: Any) -> None:
    for source, name, row in (
        ("invoices", "url", {"id": "i"}),
        ("tickets", "urlUI", TICKET),
        ("budgets", "url", BUDGET),
    ):
        assert all("url" not in item.data for item in read_items(source, **row | {name: url}))
        good = "https://console.example/x?y=1#z"
        assert all(item.data["url"] == good for item in read_items(source, **row | {name: good}))


def test_values_fit_the_schema() -> None:
    """Objects and lists where the schema says text are left out; numbers become texts."""
    [item] = read_items("anomalies", id="a", scope={"x": 1}, severityLevel=["critical"], serviceName=12, platform=True)
    assert item.data == {"id": "a", "service": "12", "currency": "USD", "url": f"{VIEW.console}anomalies/a"}


def test_links_without_a_customer_have_one_fragment() -> None:
    """The console takes a page without a customer after #, so an item cannot be named after another #."""
    view = View(VIEW.now, "https://console.example/#")
    for source, row, _ in ROWS:
        for item in SOURCES[source].read_items(row, view):
            assert item.data["url"].startswith(view.console) and item.data["url"].count("#") == 1


async def test_budgets_beyond_the_first_page_are_noticed() -> None:
    """Lists that the API does not sort by what is new are read to the end, within the budget of calls."""
    rows = [{"id": f"b{number}", "timeInterval": "month", "riskStatus": "atRisk"} for number in range(250)]
    api = Recorder(pages_of("budgets", rows[:100], rows[100:200], rows[200:]))
    steps: list[str] = []

    async def take_turn() -> None:
        steps.append("turn")

    def make_api() -> Doit:
        steps.append("client")
        return Caller(api).doit

    found = await SOURCES["budgets"].poll(make_api, VIEW, take_turn)
    assert {item.data["id"] for item in found.items} == found.ids == {row["id"] for row in rows}
    # The deadline of a client starts when it is created, so a wait for a turn must not be part of it.
    assert steps == ["turn", "client"] * 3
    endless = Recorder({"budgets": rows[:1], "pageToken": "x"})
    assert (await SOURCES["budgets"].poll(lambda: Caller(endless).doit, VIEW, take_turn)).ids is None
    assert len(endless.requests) == 2, "a token that repeats ends the poll"
