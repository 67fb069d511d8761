"""The weekly digest without the sandbox: customers without costs, parts that are not read, and the size of the answer."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.digests.short_text import shorten
from doit_mcp.catalog.digests.spend import compared_weeks
from doit_mcp.catalog.digests.weekly import MAX_TOKENS, fit_digest, shown_failures
from scripts.token_counts import make_tokenizer
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import run

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
    week = compared_weeks(date.fromisoformat(today)).asked.after.whole
    assert (week.first.isoformat(), week.last.isoformat(), week.days) == (first, last, 7)


@pytest.mark.parametrize("day", range(7))
def test_digests_of_each_week_cover_each_day_once(day: int) -> None:
    today = date(2026, 11, 30) + timedelta(days=day)
    weeks = [compared_weeks(today + timedelta(days=7 * number)).asked for number in range(3)]
    assert [week.after.whole for week in weeks[:2]] == [week.before.whole for week in weeks[1:]]
    assert all(week.after.whole.first == week.before.whole.last + timedelta(days=1) for week in weeks)


@pytest.mark.parametrize("text", ["team-8f3a-prod " * 4, "費用" * 30, "Überprüfung der Kosten, Werk 2" * 2, "a" * 9999])
def test_long_lists_and_names_fit(text: str) -> None:
    row = {"id": "budget:KuMD6fF36F9LkU6j5dq1", "name": shorten(text), "spent": 123456789.12, "currency": "USD"}
    lists = {name: {"count": 99, "rows": [row] * 99} for name in ("anomalies", "budgets", "invoices", "tickets")}
    savings = {"rows": [row] * 99, "unused": [row] * 99, "shortfalls": [row] * 99}
    failed = shown_failures([{"part": text, "why": text * 9}] * 30)
    digest = fit_digest({"failed": failed, **lists, "savings": savings})
    assert len(failed) == 7 and failed[-1]["part"] == "24 more"
    assert COUNT(orjson.dumps(digest).decode()) <= MAX_TOKENS and digest["budgets"]["count"] == 99


def test_overlaps_are_those_of_rows_that_are_shown() -> None:
    overlaps = [{"ids": ["purchase:a", "1", "3"], "why": ""}, {"ids": ["purchase:b", "1", "2"], "why": ""}]
    rows = [{"id": name} for name in ("purchase:a", "1", "2", "3", "purchase:b")]
    digest = fit_digest({"savings": {"rows": rows, "overlaps": overlaps}})
    assert digest["savings"]["overlaps"] == [{"ids": ["purchase:a", "1"], "why": ""}]
