"""Lists of reports, tickets and invoices: ISO times in results and arguments."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .world import World

TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_times_of_reports_are_iso(november: World) -> None:
    rows = (await november.ask("list_reports"))["reports"]
    report = await november.ask("get_report_results", name="Cost by cloud")
    listed = next(row for row in rows if row["id"] == report["id"])
    for name in ("createTime", "updateTime"):
        assert report[name] == listed[name] and all(TIME.fullmatch(row[name]) for row in rows)


async def test_times_of_tickets_are_iso(november: World) -> None:
    rows = (await november.ask("list_tickets"))["tickets"]
    assert rows and all(TIME.fullmatch(row[name]) for row in rows for name in ("createTime", "updateTime"))
    ticket = await november.ask("get_ticket", id=rows[0]["id"])
    assert (ticket["createTime"], ticket["updateTime"]) == (rows[0]["createTime"], rows[0]["updateTime"])
    comments = [await november.ask("list_ticket_comments", ticketId=row["id"]) for row in rows]
    times = [comment["created"] for answer in comments for comment in answer["comments"]]
    assert times and all(map(TIME.fullmatch, times))


@pytest.mark.parametrize(
    ("tool", "rows", "time"),
    [("list_reports", "reports", "createTime"), ("list_tickets", "tickets", "createTime")],
)
async def test_creation_times_can_be_dates_or_milliseconds(november: World, tool: str, rows: str, time: str) -> None:
    everything: list[dict[str, Any]] = (await november.ask(tool))[rows]
    day = sorted(row[time] for row in everything)[len(everything) // 2][:10]
    expected = [row["id"] for row in everything if row[time] >= day]
    since = (await november.ask(tool, minCreationTime=day))[rows]
    assert [row["id"] for row in since] == expected and 0 < len(expected) < len(everything)
    until = (await november.ask(tool, maxCreationTime=f"{day}T00:00:00Z"))[rows]
    assert {row["id"] for row in everything} == {row["id"] for row in [*since, *until]}


async def test_invoices_since_a_date(november: World) -> None:
    rows = (await november.ask("list_invoices", minCreationTime="2026-11-01"))["invoices"]
    assert rows == (await november.ask("list_invoices", minCreationTime=1793491200000))["invoices"]
    assert {row["invoiceDateFormatted"] for row in rows} == {"2026-11-01"}


@pytest.mark.parametrize("tool", ["list_reports", "list_tickets", "list_invoices"])
async def test_seconds_are_refused(november: World, tool: str) -> None:
    text = await november.refusal(tool, minCreationTime=1793491200)
    assert "minCreationTime: 1793491200 looks like seconds" in text and "2026-11-01" in text
