"""Reports in the background: states, waiting, results, cancellation, deduplication, enrollment; and widgets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..conftest import Clock
from .conftest import ADMIN, GLOBEX, UMBRA, VIEWER, Answer, Party

REPORTS = "/analytics/v1/reports"
START = f"{REPORTS}/actions/run"
OPERATIONS = f"{REPORTS}/operations"
BY_CLOUD = {"group": [{"type": "fixed", "id": "cloud_provider"}], "timeInterval": "month"}
KEY = {"Idempotency-Key": "one"}


async def start(party: Party, path: str = START, config: object = BY_CLOUD, **options: Any) -> Answer:
    """The response to the start of a run, of a query by default."""
    body = {"config": config} if path == START else None
    return await party.send("POST", path, body, headers=KEY, **options)


async def run_of(party: Party, **options: Any) -> str:
    """The path of a new run."""
    answer = await start(party, **options)
    assert answer.status == 202, answer
    assert answer.headers["Location"] == f"{OPERATIONS}/{answer.json['operationId']}"
    return str(answer.headers["Location"])


async def test_a_run_passes_through_its_states_and_asks_to_wait_longer_and_longer(party: Party, clock: Clock) -> None:
    party.api.report_timing.seconds = 200
    path = await run_of(party)
    seen, began = [], clock.now
    for at in (0, 1, 60, 120, 199, 200):
        clock.now = began + at
        answer = await party.send("GET", path)
        seen.append((at, answer.json["status"], answer.headers.get("Retry-After")))
    assert seen == [
        (0, "pending", "1"),
        (1, "running", "1"),
        (60, "running", "11"),
        (120, "running", "21"),
        (199, "running", "30"),
        (200, "succeeded", None),
    ]


async def test_results_are_those_of_the_synchronous_query(party: Party, clock: Clock) -> None:
    party.api.report_timing.seconds = 10
    path = await run_of(party)
    assert "not ended" in await party.expect_error(425, "GET", f"{path}/results")
    clock.advance(10)
    results = await party.get(f"{path}/results")
    party.api.report_timing.seconds = 0
    assert results == {"result": await party.query(**BY_CLOUD)}
    for file_type in ("pdf", "png"):
        link = (await party.get(f"{path}/results", fileOutput=file_type))["fileOutput"]
        assert f".{file_type}?" in link and "Expires=604800" in link


async def test_a_saved_report_has_its_metadata_and_takes_another_period(party: Party) -> None:
    report = (await party.get(REPORTS))["reports"][0]
    days = {"startDate": "2026-10-01", "endDate": "2026-10-31"}
    path = await run_of(party, path=f"{REPORTS}/{report['id']}/actions/run", **days)
    results = await party.get(f"{path}/results")
    assert results["result"] == (await party.get(f"{REPORTS}/{report['id']}", **days))["result"]
    assert {**results, "labels": report["labels"]} == {**report, "result": results["result"]}


async def test_equal_runs_in_flight_are_one(party: Party, clock: Clock) -> None:
    party.api.report_timing.seconds = 10
    first = await run_of(party)
    assert await run_of(party, who=VIEWER) == first
    assert await run_of(party, config={"timeInterval": "day"}) != first
    assert await run_of(party, who=UMBRA) != first
    clock.advance(10)
    assert await run_of(party) != first


async def test_canceled_and_failed_runs_have_no_results(party: Party, clock: Clock) -> None:
    party.api.report_timing.seconds = 10
    path = await run_of(party)
    assert (await party.send("POST", f"{path}/actions/cancel", headers=KEY, dryRun="true")).json == {
        "status": "dry_run"
    }
    for _ in range(2):
        canceled = await party.send("POST", f"{path}/actions/cancel", headers=KEY)
        assert (canceled.status, canceled.json["status"]) == (200, "canceled")
    assert (await party.get(path))["status"] == "canceled"
    assert "canceled" in await party.expect_error(422, "GET", f"{path}/results")
    party.api.report_timing.max_rows = 1
    path = await run_of(party)
    clock.advance(10)
    error = (await party.get(path))["error"]
    assert (error["code"], error["status"]) == ("result_too_large", 413)
    assert "failed" in await party.expect_error(422, "GET", f"{path}/results")
    ended = await party.send("POST", f"{path}/actions/cancel", headers=KEY)
    assert ended.json["status"] == "failed"


async def test_unknown_expired_and_foreign_runs_are_not_found(party: Party, clock: Clock) -> None:
    path = await run_of(party)
    expires = datetime.fromisoformat((await party.get(path))["expireBy"])
    assert "not found" in await party.expect_error(404, "GET", path, who=UMBRA)
    assert "not found" in await party.expect_error(404, "GET", f"{OPERATIONS}/nothing")
    clock.now = expires.replace(tzinfo=UTC).timestamp() + 1
    assert "not found" in await party.expect_error(404, "GET", path)


async def test_starting_needs_a_key_a_valid_query_and_an_enrolled_account(party: Party) -> None:
    assert "Idempotency-Key" in await party.expect_error(400, "POST", START, {"config": BY_CLOUD})
    custom = {"timeRange": {"mode": "custom"}}
    assert "customTimeRange" in await party.expect_error(400, "POST", START, {"config": custom}, headers=KEY)
    assert "early access" in await party.expect_error(404, "POST", START, {"config": BY_CLOUD}, headers=KEY, who=GLOBEX)
    dry = await start(party, dryRun="true")
    assert (dry.status, dry.headers["X-Dry-Run"], dry.json) == (200, "true", {"status": "dry_run"})


async def test_a_synchronous_query_of_200_seconds_ends_at_the_edge(party: Party) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    party.api.report_timing.seconds, party.api.report_timing.sleep = 200, sleep
    path = f"{REPORTS}/{(await party.get(REPORTS))['reports'][0]['id']}"
    for answer in (
        await party.send("POST", f"{REPORTS}/query", {"config": BY_CLOUD}, declared=False),
        await party.send("GET", path, declared=False),
    ):
        assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (524, "text/html")
    assert waited == [120, 120]


async def test_columns_declare_their_unit_and_currency(party: Party) -> None:
    query = {**BY_CLOUD, "metrics": [{"type": "basic", "value": name} for name in ("cost", "usage")], "currency": "EUR"}
    columns = {column["name"]: column for column in (await party.query(**query))["schema"]}
    assert columns["cost"] == {
        "name": "cost",
        "type": "float",
        "unit": "currency",
        "currency": "EUR",
        "aggregation": "total",
    }
    assert columns["usage"]["unit"] == "number" and "currency" not in columns["usage"]
    shares = (await party.query(**{**query, "aggregation": "percent_total"}))["schema"]
    assert [column["unit"] for column in shares if "unit" in column] == ["percent", "percent"]


async def test_widgets_show_the_costs_of_this_month(party: Party) -> None:
    items = (await party.get("/analytics/v1/widgets"))["items"]
    for item, who, currency in ((items[0], ADMIN, "USD"), (items[0], UMBRA, "JPY")):
        widget = await party.get(f"/analytics/v1/widgets/{item['alias']}", who)
        metric = widget["result"]["monetaryMetric"]
        month = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-24T23:59:59Z"}
        config = {"timeRange": {"mode": "custom"}, "customTimeRange": month, "currency": currency}
        assert float(metric["value"]["amount"]) == round(await party.cost(who, **config), 0 if currency == "JPY" else 2)
        assert metric["value"]["currency"] == currency
        assert metric["period"] == {"startTime": "2026-11-01T00:00:00Z", "endTime": "2026-11-25T00:00:00Z"}
    spend, forecast = [await party.get(f"/analytics/v1/widgets/{item['id']}") for item in items]
    amounts = [float(one["result"]["monetaryMetric"]["value"]["amount"]) for one in (spend, forecast)]
    assert amounts[0] < amounts[1] and forecast["result"]["monetaryMetric"]["monthToMonthGrowthAmount"]
    missing = await party.send("GET", "/analytics/v1/widgets/nothing")
    assert (missing.status, missing.json["code"]) == (404, "not_found")
