"""The weekly digest without the sandbox: customers without costs, parts that are not read, and the size of the answer."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.digests.short_text import shorten_text
from doit_mcp.catalog.digests.spend import choose_weeks
from doit_mcp.catalog.digests.unread_parts import NAMING_TOOLS, limit_failures
from doit_mcp.catalog.digests.weekly import MAX_TOKENS, fit_digest
from scripts.token_counts import make_tokenizer
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import TOOLS, Caller, call, run

COUNT = make_tokenizer()
NOTHING: dict[str, Any] = {
    "/anomalies": {"anomalies": []},
    "/budgets": {"budgets": []},
    "/invoices": {"invoices": []},
    "/tickets": {"tickets": []},
    "/insights": {"results": []},
    "/commitment-manager": {"commitments": []},
    "/organizations": {"items": []},
    "/billing-accounts": {"items": []},
    "/dimensions": {"dimensions": []},
    "/allocations": {"allocations": []},
}


def api(lines: list[Line], **others: Any) -> Recorder:
    return Recorder(make_api(NOTHING | {f"/{name}": value for name, value in others.items()}, lines))


async def test_a_customer_without_costs_gets_null_not_zero() -> None:
    digest = await run("weekly_digest", api([]), currency="USD")
    figures = {name: digest["spend"][name] for name in ("week", "weekBefore", "change", "changePercent")}
    assert figures == dict.fromkeys(figures) and "no cost data" in digest["note"]
    assert "drivers" not in digest and "causes" not in digest and "failed" not in digest
    assert digest["anomalies"]["count"] == digest["budgets"]["checked"] == digest["invoices"]["count"] == 0
    assert digest["savings"]["unusedCount"] is None and "no AWS organization" in digest["savings"]["unknown"][0]


async def test_a_count_of_a_list_that_was_not_read_is_null() -> None:
    forbidden = ApiError("no", kind="forbidden")
    digest = await run(
        "weekly_digest", api([], insights=forbidden, **{"commitment-manager": forbidden}), currency="USD"
    )
    assert digest["savings"]["count"] is None and digest["savings"]["shortfallCount"] is None
    assert {part["part"] for part in digest["failed"]} == {"savings: recommendation", "savings: commitment"}
    digest = await run("weekly_digest", api([], **{"billing-accounts": forbidden}), currency="USD")
    assert digest["savings"]["count"] is None and digest["savings"]["unusedCount"] is None
    page = {"anomalies": [{"id": "a", "startTime": 1_790_000_000_000, "costOfAnomaly": 5.0}], "pageToken": "more"}
    tickets = {"tickets": [{"id": 7, "status": "pending", "subject": "x"}], "pageToken": "more"}
    digest = await run("weekly_digest", api([], anomalies=page, tickets=tickets), currency="USD")
    assert [digest["anomalies"][name] for name in ("count", "costAboveExpected", "openFromBefore")] == [None] * 3
    assert digest["tickets"]["count"] is None and digest["tickets"]["rows"][0]["status"] == "pending"
    assert {"anomalies: earlier anomalies", "tickets: earlier tickets"} <= {part["part"] for part in digest["failed"]}


async def test_without_costs_the_other_parts_remain() -> None:
    failing = api([], reports=ApiError("down", kind="unavailable", status=503))
    digest = await run("weekly_digest", failing, currency="USD")
    assert "spend" in {part["part"] for part in digest["failed"]} and "spend" not in digest
    assert digest["period"]["days"] == 7 and digest["tickets"]["count"] == 0


async def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(ApiError, match="currency"):
        await run("weekly_digest", api([]), currency="XXX")


@pytest.mark.parametrize(
    ("today", "first", "last"),
    [
        # Monday: from Saturday to Friday.
        ("2026-11-30", "2026-11-21", "2026-11-27"),
        # Wednesday: from Monday to Sunday.
        ("2026-12-02", "2026-11-23", "2026-11-29"),
        ("2027-01-03", "2026-12-25", "2026-12-31"),
        ("2028-03-04", "2028-02-24", "2028-03-01"),
    ],
)
def test_the_week_is_the_last_seven_final_days(today: str, first: str, last: str) -> None:
    week = choose_weeks(date.fromisoformat(today)).asked.after.whole
    assert (week.first.isoformat(), week.last.isoformat(), week.days) == (first, last, 7)


@pytest.mark.parametrize("day", range(7))
def test_digests_of_each_week_cover_each_day_once(day: int) -> None:
    today = date(2026, 11, 30) + timedelta(days=day)
    weeks = [choose_weeks(today + timedelta(days=7 * number)).asked for number in range(3)]
    assert [week.after.whole for week in weeks[:2]] == [week.before.whole for week in weeks[1:]]
    assert all(week.after.whole.first == week.before.whole.last + timedelta(days=1) for week in weeks)


@pytest.mark.parametrize("text", ["team-8f3a-prod " * 4, "費用" * 30, "Überprüfung der Kosten, Werk 2" * 2, "a" * 9999])
def test_long_lists_and_names_fit(text: str) -> None:
    row = {"id": "budget:KuMD6fF36F9LkU6j5dq1", "name": shorten_text(text), "spent": 123456789.12, "currency": "USD"}
    lists = {name: {"count": 99, "rows": [row] * 99} for name in ("anomalies", "budgets", "invoices", "tickets")}
    savings = {"rows": [row] * 99, "unused": [row] * 99, "shortfalls": [row] * 99}
    failed = limit_failures([], {name: [{"part": text, "why": text * 9}] * 30 for name in NAMING_TOOLS})
    overlaps = [{"ids": [f"purchase:{name}", row["id"], "x", "y", "z"], "why": "both"} for name in range(9)]
    customer = {"id": shorten_text(text), "domain": shorten_text(text)}
    digest = fit_digest({"customer": customer, "failed": failed, **lists, "savings": savings | {"overlaps": overlaps}})
    assert len(failed) == 7 and failed[-1]["part"].startswith("174 more: 24 of invoices, 30 of tickets, ")
    assert COUNT(orjson.dumps(digest).decode()) <= MAX_TOKENS and digest["budgets"]["count"] == 99


def test_rows_that_are_shown_overlap_with_others() -> None:
    overlaps = [
        {"ids": ["purchase:b", "1", "2"], "why": "b"},
        {"ids": ["purchase:a", "4", "5", "6", "3"], "why": "a"},
        {"ids": ["purchase:c", "4", "5"], "why": "c"},
    ]
    rows = [{"id": name} for name in ("1", "purchase:a", "3")]
    savings = fit_digest({"savings": {"rows": rows, "overlaps": overlaps}})["savings"]
    # Of the last one, nothing is shown. The largest saving overlaps a purchase that is not shown.
    assert savings["overlaps"] == [
        {"ids": ["purchase:a", "3", "4", "5"], "why": "a", "more": 1},
        {"ids": ["purchase:b", "1", "2"], "why": "b"},
    ]
    many = [{"ids": [f"purchase:{number}", "1"], "why": ""} for number in range(5)]
    savings = fit_digest({"savings": {"rows": rows, "overlaps": many}})["savings"]
    assert len(savings["overlaps"]) == 3 and savings["overlapCount"] == 5


def test_parts_that_are_not_shown_are_named_by_their_tools() -> None:
    budgets = [{"part": f"forecast of {number}", "why": "x"} for number in range(11)]
    failed = limit_failures([], {"budgets": budgets})
    assert failed[0] == {"part": "budgets: forecast of 0", "why": "x"}
    assert failed[-1] == {
        "part": "5 more: 5 of budgets",
        "why": "each tool names its own: forecast_spend those of budgets",
    }
    mixed = limit_failures(
        [{"part": "spend", "why": "x"}],
        {"savings": budgets[:2], "budgets": budgets[:4], "tickets": [{"part": "earlier", "why": "x"}]},
    )
    assert [one["part"] for one in mixed[:2]] == ["spend", "tickets: earlier"]
    assert mixed[-1]["part"] == "2 more: 2 of savings" and "get_savings_summary" in mixed[-1]["why"]


async def test_failures_of_budgets_are_those_that_forecast_spend_names() -> None:
    rows = [
        {"id": f"b{at}", "budgetName": f"B{at}", "amount": 1.0, "currentUtilization": 2.0, "timeInterval": "month"}
        for at in range(11)
    ]

    def answer(request: Request) -> Any:
        if request.path.endswith("/budgets"):
            return {"budgets": rows}
        raise ApiError("down", kind="unavailable", status=503)

    recorder = api([], budgets=answer)
    digest = await run("weekly_digest", recorder, currency="USD")
    assert len(digest["failed"]) == 7 and "forecast_spend those of budgets" in digest["failed"][-1]["why"]
    named = (await call("forecast_spend", recorder, currency="USD"))["structuredContent"]["failed"]
    named_parts = {f"budgets: {part['part']}" for part in named}
    assert {part["part"] for part in digest["failed"][:-1]} <= named_parts
    assert digest["failed"][-1]["part"] == f"{len(named) - 6} more: {len(named) - 6} of budgets"


async def test_employees_see_whose_digest_it_is() -> None:
    for domain, shown in (({"domain": "acme.example"}, "acme.example"), (ApiError("", kind="network"), None)):
        caller = Caller(api([], **{"auth/v1/validate": domain}))
        caller.customer_context = "AcMe0001"
        digest = await TOOLS["weekly_digest"].run(caller, {"currency": "USD"})
        assert digest["customer"] == {"id": "AcMe0001", "domain": shown}
    assert "customer" not in await run("weekly_digest", api([]), currency="USD")
