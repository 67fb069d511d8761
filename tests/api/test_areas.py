"""Methods that areas define themselves: compatible arguments and results."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.areas.reports import result_table
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.api.timestamps import format_date, format_timestamp

from .recorder import Recorder, pages_of

NOON = 1_767_182_400_000  # 2025-12-31T12:00:00Z


@pytest.mark.parametrize(
    ("response", "known_as"),
    [
        ({"domain": "Acme.example", "email": " Ann@acme.example"}, "acme.example/ann@acme.example"),
        ({"domain": "acme.example"}, "acme.example"),
        ({"email": "ann@acme.example", "domain": ""}, "ann@acme.example"),
        ({"email": "a@b", "domain": "b", "id": "the API's own"}, "b/a@b"),
    ],
)
async def test_signed_in_user_has_a_stable_id(response: dict[str, str], known_as: str) -> None:
    api = Recorder(response)
    assert await Doit.for_sender(api).auth.validate_user() == {**response, "id": known_as}
    assert api.requests == [Request("GET", "/auth/v1/validate", {}, None)]


@pytest.mark.parametrize("response", [{}, {"email": " ", "domain": ""}, {"email": 5, "domain": None}])
async def test_missing_identity_is_an_error(response: Any) -> None:
    with pytest.raises(ApiError) as caught:
        await Doit.for_sender(Recorder(response)).auth.validate_user()
    assert caught.value.kind == "answer"


async def test_update_budget_builds_path_and_body() -> None:
    api = Recorder({"id": "b/1"})
    await Doit.for_sender(api).budgets.update_budget(id="b/1", amount=5.0)
    assert api.requests == [Request("PATCH", "/analytics/v1/budgets/b%2F1", {}, {"amount": 5.0})]


async def test_list_budgets_delegates_name_search_to_the_api() -> None:
    api = Recorder({"budgets": []})
    await Doit.for_sender(api).budgets.list_budgets(nameContains="ads", maxResults=40)
    assert api.requests == [Request("GET", "/analytics/v1/budgets", {"maxResults": "40", "nameContains": "ads"}, None)]


async def test_get_budget_makes_one_request_by_id_and_searches_by_name() -> None:
    api = Recorder(lambda request: {"budgets": [{"id": "7", "budgetName": "Ads"}]} if request.query else {"id": "7"})
    budgets = Doit.for_sender(api).budgets
    assert await budgets.get_budget(id="9", name="ignored") == {"id": "7"}
    assert await budgets.get_budget(name="Ads") == {"id": "7"}
    assert [request.path.rsplit("/", 1)[1] for request in api.requests] == ["9", "budgets", "7"]
    with pytest.raises(ApiError, match="id or name"):
        await budgets.get_budget()


async def test_anomalies_have_legacy_fields_and_readable_times() -> None:
    raw = {"id": "a", "startTime": NOON, "endTime": None, "top3SKUs": [], "actualCost": 9.5, "status": None}
    api = Recorder({"anomalies": [raw], "rowCount": 1, "totalCount": 3, "truncated": True, "pageToken": "t"})
    result = await Doit.for_sender(api).anomalies.get_anomalies()
    row = result["anomalies"][0]
    assert api.requests[0].query == {"maxResults": "20"}
    assert set(row) >= {
        *("platform", "serviceName", "scope", "costOfAnomaly", "severityLevel", "status", "startTime", "endTime"),
        *("top3SKUs", "id", "billingAccount", "attribution", "timeFrame", "acknowledged"),
    }
    assert row["startTime"] == "2025-12-31T12:00:00.000Z" and row["endTime"] == "" == row["status"]
    assert row["top3SKUs"] is None and row["actualCost"] == 9.5
    assert (result["pageToken"], result["totalCount"], result["rowCount"]) == ("t", 3, 1)


async def test_null_anomalies_give_an_empty_list() -> None:
    result = await Doit.for_sender(Recorder({"anomalies": None})).anomalies.get_anomalies(maxResults=5)
    assert result["anomalies"] == [] and result["rowCount"] == 0 and result["pageToken"] is None


async def test_anomaly_has_the_requested_id() -> None:
    anomaly = await Doit.for_sender(Recorder({"costOfAnomaly": 4, "anomalyChartUrl": "u"})).anomalies.get_anomaly(
        id="x"
    )
    assert anomaly["id"] == "x" and anomaly["anomalyChartUrl"] == "u" and anomaly["costOfAnomaly"] == 4


async def test_invoices_have_readable_dates() -> None:
    api = Recorder({"invoices": [{"id": "1", "invoiceDate": NOON, "dueDate": 0}], "pageToken": "n"})
    result = await Doit.for_sender(api).invoices.list_invoices(filter="status:OPEN", minCreationTime=1)
    assert result["invoices"][0] == {
        **{"id": "1", "invoiceDate": NOON, "dueDate": 0},
        **{"invoiceDateFormatted": "2025-12-31", "dueDateFormatted": ""},
    }
    assert result["pageToken"] == "n" and api.requests[0].query == {"filter": "status:OPEN", "minCreationTime": "1"}
    assert (await Doit.for_sender(Recorder({})).invoices.list_invoices())["invoices"] == []
    invoice = await Doit.for_sender(Recorder({"id": "1", "dueDate": NOON})).invoices.get_invoice(id="1")
    assert invoice["dueDateFormatted"] == "2025-12-31" and invoice["invoiceDateFormatted"] == ""


@pytest.mark.parametrize("value", [None, "x", True, 1e300, -1e300, [], 10**30])
def test_invalid_timestamp_has_no_date(value: Any) -> None:
    assert format_timestamp(value) == "" == format_date(value)


async def test_ticket_pages_have_the_requested_size() -> None:
    api = Recorder({"tickets": [{"id": 1}], "rowCount": 1, "pageToken": "n"})
    tickets = Doit.for_sender(api).tickets
    assert await tickets.list_tickets(pageSize=7) == {"tickets": [{"id": 1}], "rowCount": 1, "pageToken": "n"}
    await tickets.list_tickets()
    await tickets.list_tickets(maxResults=5000, pageToken="n")
    assert [request.query for request in api.requests] == [
        {"maxResults": "7"},
        {"maxResults": "40"},
        {"maxResults": "100", "pageToken": "n"},
    ]


async def test_subject_search_spans_pages_and_can_be_continued() -> None:
    pages = [[{"id": 10 * page, "subject": "Bill"}, {"id": 10 * page + 1, "subject": "My VPN"}] for page in range(9)]
    api = Recorder(pages_of("tickets", *pages))
    first = await Doit.for_sender(api).tickets.list_tickets(subject="vpn")
    assert [row["id"] for row in first["tickets"]] == [1, 11, 21, 31] and first["rowCount"] == 4
    assert first["pageToken"] == "4" and len(api.requests) == 4
    second = await Doit.for_sender(api).tickets.list_tickets(subject="vpn", pageToken="4", maxResults=1)
    assert [row["id"] for row in second["tickets"]] == [41] and second["pageToken"] == "5"


async def test_legacy_platform_names_are_mapped() -> None:
    api = Recorder({"id": 1})
    for name in ("cloud_management_platform", "google_g_suite", "microsoft_office_365", "perfectscale", "doit"):
        ticket: Any = {"subject": "s", "body": "b", "platform": name, "product": "p", "severity": "low"}
        await Doit.for_sender(api).tickets.create_ticket(ticket=ticket)
    tickets = [(request.body or {})["ticket"] for request in api.requests]
    assert [ticket["platform"] for ticket in tickets] == [
        "doit",
        "google_cloud_platform",
        "microsoft_azure",
        "doit",
        "doit",
    ]
    assert set(tickets[0]) == {"subject", "body", "platform", "product", "severity"}


async def test_run_query_returns_rows_and_columns() -> None:
    result = {"schema": [{"name": "cost", "type": "float"}], "rows": [[1.5]], "cacheHit": False, "forecastRows": None}
    api = Recorder({"result": result})
    config: Any = {"dataSource": "billing", "currency": "EUR", "count": {"id": "a", "type": "fixed"}}
    rows_and_columns = await Doit.for_sender(api).reports.run_query(config=config)
    assert rows_and_columns == {
        **{"rowCount": 1, "rows": [[1.5]], "columns": [{"name": "cost", "type": "float"}]},
        **{"currency": "EUR", "cacheHit": False},
    }
    assert api.requests == [Request("POST", "/analytics/v1/reports/query", {}, {"config": config})]
    assert api.operations[0].read_only and api.operations[0].slow


async def test_providers_and_custom_ranges_are_normalized_for_the_api() -> None:
    api = Recorder({"result": {}})
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-31T00:00:00Z"}
    config: Any = {
        "filters": [
            {"id": "cloud_provider", "type": "fixed", "values": ["AWS", "google cloud", "snowflake"]},
            {"id": "project_id", "type": "fixed", "values": ["aws"]},
            {"id": "cloud_provider", "type": "fixed", "includeNull": True},
        ],
        "timeRange": {"mode": "custom", "unit": "day", "customTimeRange": span},
    }
    await Doit.for_sender(api).reports.run_query(config=config)
    config_sent = (api.requests[0].body or {})["config"]
    assert [query_filter.get("values") for query_filter in config_sent["filters"]] == [
        ["amazon-web-services", "google-cloud", "snowflake"],
        ["aws"],
        None,
    ]
    assert config_sent["timeRange"] == {"mode": "custom"} and config_sent["customTimeRange"] == span
    config["customTimeRange"] = custom_range = {"from": "a", "to": "b"}
    await Doit.for_sender(api).reports.run_query(config=config)
    assert (api.requests[1].body or {})["config"]["customTimeRange"] == custom_range
    await Doit.for_sender(api).reports.run_query(config={"timeRange": {"mode": "custom"}})
    assert (api.requests[2].body or {})["config"] == {"timeRange": {"mode": "custom"}}


@pytest.mark.parametrize("answer", [{}, {"result": None}, {"result": []}, {"result": {"rows": 5}}])
def test_query_without_a_result_is_an_error(answer: Any) -> None:
    with pytest.raises(ApiError) as caught:
        result_table(answer)
    assert caught.value.kind == "answer"


async def test_report_results_accept_a_name_and_another_period() -> None:
    api = Recorder({"reports": [{"id": "r", "reportName": "Weekly"}]}, {"id": "r", "result": {}})
    result = await Doit.for_sender(api).reports.get_report_results(
        name="weekly", startDate="2026-01-01", endDate="2026-01-31"
    )
    assert result == {"id": "r", "result": {}}
    assert api.requests == [
        Request("GET", "/analytics/v1/reports", {"maxResults": "200", "nameContains": "weekly"}, None),
        Request("GET", "/analytics/v1/reports/r", {"startDate": "2026-01-01", "endDate": "2026-01-31"}, None),
    ]
    with pytest.raises(ApiError, match="must be given together"):
        await Doit.for_sender(api).reports.get_report_results(id="r", endDate="2026-01-31")


async def test_flow_assistant_response_is_streamed() -> None:
    api = Recorder([{"answer": "a"}, {"answer": "b"}])
    events = [event async for event in Doit.for_sender(api).cloudflow.refine_cloudflow(flowId="f/1", question="q")]
    assert events == [{"answer": "a"}, {"answer": "b"}]
    assert api.requests == [Request("POST", "/cloudflow/v1/flows/f%2F1/actions/refine", {}, {"question": "q"})]
