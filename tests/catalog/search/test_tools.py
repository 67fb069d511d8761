"""search and fetch, exactly as OpenAI's contract requires."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.search.documents import MAX_DOCUMENT_CHARACTERS, document_text
from doit_mcp.catalog.search.entities import ENTITY_KINDS, ENTITY_KINDS_BY_NAME
from doit_mcp.catalog.search.ranking import query_words, row_text, score, top_matches
from doit_mcp.catalog.search.tools import FAILED_PARTS_KEY
from doit_mcp.catalog.tools.tool import ContentResult, ToolError
from tests.api.recorder import Recorder

from ..caller import TOOLS, Caller

THINGS: dict[str, Any] = {
    "/analytics/v1/reports": {
        "reports": [{"id": "r1", "reportName": "Daily cost", "urlUI": "https://console.doit.com/customers/x/a/r1?v=1"}]
    },
    "/analytics/v1/budgets": {
        "budgets": [{"id": "b1", "budgetName": "Data", "amount": 10000, "currentUtilization": 2.5, "currency": "USD"}]
    },
    "/anomalies/v1": {"anomalies": [{"id": "a 1", "serviceName": "BigQuery", "costOfAnomaly": 5.0}]},
    "/billing/v1/invoices": {"invoices": [{"id": "IN1", "totalAmount": 5, "currency": "USD", "status": "OPEN"}]},
    "/support/v1/tickets": {"tickets": [{"id": 7, "subject": "BigQuery is slow", "status": "open"}]},
    "/analytics/v1/allocations": {"allocations": [{"id": "al1", "name": "Team data"}]},
    "/insights/v1/results": {"results": [{"source": "custom", "key": "k/1", "title": "Stop idle VMs"}, {"title": "x"}]},
    "/core/v1/cloudincidents": {"incidents": [{"id": "i1", "title": "BigQuery down", "product": "BigQuery"}]},
}


def api(**failing: ApiError) -> Recorder:
    def answer(request: Request) -> Any:
        return failing.get(request.path.split("/")[-1], THINGS[request.path])

    return Recorder(answer)


async def run(name: str, sender: Recorder, /, tenant: str = "acme", **arguments: Any) -> ContentResult:
    sender.tenant = tenant
    tool = TOOLS[name]
    assert tool.argument_problems(arguments) == []
    result = await tool.run(Caller(sender), arguments)
    assert isinstance(result, ContentResult) and tool.result_problems(result.structured or {}) == []
    assert [block["type"] for block in result.blocks] == ["text"]
    assert orjson.loads(result.blocks[0]["text"]) == result.structured
    return result


def hits(result: ContentResult) -> list[Any]:
    assert result.structured is not None and set(result.structured) == {"results"}
    results: list[Any] = result.structured["results"]
    for hit in results:
        assert set(hit) == {"id", "title", "url"} and all(isinstance(value, str) and value for value in hit.values())
        assert urlsplit(hit["url"]).scheme == "https" and hit["url"].startswith("https://console.example/")
    return results


def test_inputs_are_exactly_one_text() -> None:
    for name, argument in (("search", "query"), ("fetch", "id")):
        schema = TOOLS[name].input_schema
        assert list(schema["properties"]) == schema["required"] == [argument]
        assert schema["properties"][argument]["type"] == "string" and TOOLS[name].annotations["readOnlyHint"]


async def test_search_matches_words_across_all_kinds() -> None:
    result = await run("search", api(), query="BigQuery")
    hits_by_id = {hit["id"]: hit for hit in hits(result)}
    assert set(hits_by_id) == {"anomaly:a 1", "ticket:7", "incident:i1"} and result.meta is None
    assert hits_by_id["anomaly:a 1"]["url"] == "https://console.example/customers/acme/anomalies/a%201"
    assert [hit["id"] for hit in hits(await run("search", api(), query="open tickets"))] == ["ticket:7"]
    assert [hit["id"] for hit in hits(await run("search", api(), query="idle vms"))] == ["recommendation:custom/k/1"]
    assert {hit["id"] for hit in hits(await run("search", api(), query="budgets"))} == {"budget:b1"}
    assert hits(await run("search", api(), query="nothing like it")) == []


async def test_empty_query_samples_all_kinds_with_api_links() -> None:
    results = hits(await run("search", api(), query=""))
    assert {hit["id"].partition(":")[0] for hit in results} == {kind.name for kind in ENTITY_KINDS}
    report = next(hit for hit in results if hit["id"] == "report:r1")
    assert report["url"] == "https://console.example/customers/x/a/r1?v=1"
    assert next(hit for hit in results if hit["id"] == "budget:b1")["title"] == "Budget: Data (2.50 of 10,000.00 USD)"
    assert all(hit["url"] for hit in hits(await run("search", api(), tenant="", query="")))


@pytest.mark.parametrize(
    ("row", "title"),
    [
        (
            {
                "budgetName": "Growth",
                "alertThresholds": [{"percentage": 100, "amount": 79860.0}],
                "riskStatus": "onTrack",
            },
            "Budget: Growth (67,091.37 of 79,860.00 USD, on track)",
        ),
        ({"name": "Growth", "growthPerPeriod": 10.0}, "Budget: Growth (67,091.37 USD used)"),
        ({"name": "Season", "seasonalAmounts": [70000.0] * 12, "amount": 0}, "Budget: Season (67,091.37 USD used)"),
        (
            {"name": "Later", "startPeriod": "2027-01-01", "currentUtilization": 0.0},
            "Budget: Later (0.00 of 60,000.00 USD, begins 2027-01-01)",
        ),
        ({"name": "Flat"}, "Budget: Flat (67,091.37 of 60,000.00 USD, exceeded)"),
    ],
)
def test_title_of_a_budget_has_the_limit_of_its_period(row: dict[str, Any], title: str) -> None:
    """The amount of a budget that grows or is seasonal is not its limit."""
    budget = {"amount": 60000.0, "currentUtilization": 67091.37, "currency": "USD", "timeInterval": "month", **row}
    assert ENTITY_KINDS_BY_NAME["budget"].title(budget, date(2026, 11, 28)) == title


async def test_failed_parts_are_reported_and_forbidden_ones_omitted() -> None:
    slow, closed = ApiError("", kind="timeout"), ApiError("", kind="forbidden", status=403)
    result = await run("search", api(tickets=slow, cloudincidents=closed), query="BigQuery")
    assert [hit["id"] for hit in hits(result)] == ["anomaly:a 1"]
    assert result.meta == {FAILED_PARTS_KEY: {"ticket": "the request timed out"}}


@pytest.mark.parametrize(("kinds", "raised"), [(("forbidden",), "forbidden"), (("forbidden", "timeout"), "timeout")])
async def test_failure_of_all_parts_is_an_error(kinds: tuple[Any, ...], raised: str) -> None:
    errors = [ApiError("", kind=kinds[n % len(kinds)]) for n in range(8)]
    with pytest.raises(ApiError) as caught:
        await run("search", Recorder(*errors), query="x")
    assert caught.value.kind == raised


async def test_long_lists_are_also_queried_by_name() -> None:
    def answer(request: Request) -> Any:
        if "reports" not in request.path:
            return {}
        name = request.query.get("nameContains")
        row = {"id": name or "first", "reportName": f"The {name or 'first'} one"}
        return {"reports": [row], "pageToken": "more"}

    results = hits(await run("search", Recorder(answer), query="about kubernetes"))
    assert [hit["id"] for hit in results] == ["report:kubernetes"]


DETAILS: dict[str, Any] = {
    "/analytics/v1/reports/r1": {
        "id": "r1",
        "reportName": "Daily cost",
        "createTime": 1_790_000_000_000,
        "result": {"schema": [{"name": "day"}, {"name": "cost"}], "rows": [["01", 2.5]] * 70},
    },
    "/analytics/v1/budgets/b1": {"id": "b1", "name": "Data", "amount": 5, "currency": "USD", "status": "x"},
    "/anomalies/v1/a%201": {"serviceName": "BigQuery", "costOfAnomaly": 5.0, "severityLevel": "warning"},
    "/billing/v1/invoices/IN1": {"id": "IN1", "lineItems": [{"description": "Support", "price": 5}]},
    "/support/v1/tickets/7": {"id": 7, "subject": "BigQuery is slow", "status": "open"},
    "/support/v1/tickets/7/comments": {"comments": [{"body": "We look into it."}]},
    "/analytics/v1/allocations/al1": {"id": "al1", "name": "Team data", "rule": {"components": [{"key": "team"}]}},
    "/insights/v1/results/source/custom/insight/k%2F1": {"source": "custom", "key": "k/1", "title": "Stop idle VMs"},
    "/core/v1/cloudincidents/i1": {"id": "i1", "title": "BigQuery down", "workaround": "Wait"},
}


@pytest.mark.parametrize(
    ("id", "title", "says"),
    [
        ("report:r1", "Report: Daily cost", "01 | 2.5"),
        ("budget:b1", "Budget: Data", "amount: 5"),
        ("anomaly:a 1", "Anomaly: BigQuery, warning, 5.00 USD above expected", "currency: USD"),
        ("invoice:IN1", "Invoice IN1", "Support"),
        ("ticket:7", "Ticket 7: BigQuery is slow (open)", "We look into it."),
        ("allocation:al1", "Allocation: Team data", "key: team"),
        ("recommendation:custom/k/1", "Recommendation: Stop idle VMs", "currency: USD"),
        ("incident:i1", "Cloud incident: BigQuery down", "workaround: Wait"),
    ],
)
async def test_every_search_result_can_be_fetched(id: str, title: str, says: str) -> None:
    result = await run("fetch", Recorder(lambda request: DETAILS[request.path]), id=id)
    document = result.structured or {}
    assert set(document) == {"id", "title", "text", "url", "metadata"} and document["id"] == id
    assert (
        document["title"].startswith(title)
        and says in document["text"]
        and document["text"].startswith(document["title"])
    )
    assert document["url"].startswith("https://console.example/customers/acme/")
    assert all(isinstance(value, str) for value in document["metadata"].values())


async def test_fetch_failure_is_reported() -> None:
    for wrong in ("budget:", "nothing", "spell:x"):
        with pytest.raises(ToolError, match="must be an id from search"):
            await run("fetch", Recorder(), id=wrong)
    for wrong in ("recommendation:nokey", "ticket:x", "ticket:0", f"ticket:{'9' * 30}"):
        with pytest.raises(ApiError, match="id: must"):
            await run("fetch", Recorder(), id=wrong)
    with pytest.raises(ApiError) as caught:
        await run("fetch", Recorder(ApiError("", kind="missing", status=404)), id="budget:gone")
    assert caught.value.status == 404


def test_ticket_without_comments_can_be_fetched() -> None:
    assert document_text("T", {"comments": None, "a": True, "list": [1, 2], "empty": []}) == "T\n\na: yes\nlist: 1, 2"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["id", "result", "rows", "schema", "endDate", "x"]), JSON, max_size=5))
def test_any_value_becomes_bounded_text(row: dict[str, Any]) -> None:
    text = document_text("Title", row)
    assert text.startswith("Title") and len(text) < MAX_DOCUMENT_CHARACTERS + 100
    row_text(row)


def test_truncated_documents_say_so() -> None:
    text = document_text("T", {"text": "x" * (2 * MAX_DOCUMENT_CHARACTERS), "rows": list(range(100))})
    assert len(text) < MAX_DOCUMENT_CHARACTERS + 100 and "truncated" in text


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_query_words_and_matches_are_bounded(query: str, title: str, text: str) -> None:
    words = query_words(query)
    assert len(words) <= 16 and len(set(words)) == len(words)
    score_value = score(words, title, "budget limit", text)
    assert 0.0 <= score_value.coverage <= 1.0 and score_value.points >= 0.0
    assert top_matches([(score_value, "x")] * 30, 20) == ["x"] * 20 or score_value.coverage <= 0.5


@pytest.mark.requirement("N2")
def test_n2_row_text_is_built_only_as_far_as_it_is_searched() -> None:
    class Values(dict[str, Any]):
        """Records how many members were read."""

        members_read = 0

        def items(self) -> Any:
            for item in super().items():
                self.members_read += 1
                yield item

    row = Values({str(number): "x" * 99 for number in range(10_000)})
    assert len(row_text(row)) == 4_000 and row.members_read <= 41
    assert row_text({"a": "long " * 10_000, "b": 1}) == ("long " * 800)
