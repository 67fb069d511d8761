"""Scenarios of forecast_spend over a small bill, compared with hand computations."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.forecasts.scenario_changes import FORMS, parse_changes
from doit_mcp.catalog.periods.period import Period
from doit_mcp.catalog.tools.tool import ToolError
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import call

TODAY = date(2026, 9, 21)
HORIZON = Period(date(2026, 9, 1), date(2026, 11, 30))
GCP = "google-cloud"
# BigQuery costs $6 a day and Compute Engine $4, so 30 September days cost $300.
LINES: list[Line] = [
    (
        (TODAY - timedelta(days=back)).isoformat(),
        {"cloud_provider": GCP, "service_description": service},
        cost,
        1.0,
    )
    for back in range(120)
    for service, cost in (("BigQuery", 6.0), ("Compute Engine", 4.0))
]
CHANGES = [
    "growth 10% from 2026-10-01",
    "price -50% of service:bigquery from 2026-11-01",
    "move service:Compute Engine to cloud:aws at 25% from 2026-11-16",
    "one-off 500.50 of cloud:gcp on 2026-09-25",
]


def budget(name: str, amount: float, spent: float, forecast: float, **more: Any) -> dict[str, Any]:
    return {
        **{"id": name, "budgetName": name, "amount": amount, "currency": "USD", "timeInterval": "month"},
        **{"type": "recurring", "startPeriod": "2026-01-01", "currentUtilization": spent, "riskStatus": "onTrack"},
        **{"forecastedUtilization": forecast, "alerts": [], "scopes": [], **more},
    }


def api(*budgets: dict[str, Any]) -> Recorder:
    named = {row["id"]: row for row in budgets}

    def answer(request: Request) -> Any:
        name = request.path.rpartition("/")[2]
        return named.get(name, {"budgets": list(budgets)})

    return Recorder(make_api({"budgets": answer}, LINES))


async def ask(recorder: Recorder, *changes: str, **arguments: Any) -> Any:
    answer = (await call("forecast_spend", recorder, scenario=list(changes), **arguments))["structuredContent"]
    return answer["scenario"]


async def test_changes_add_up_to_a_hand_computation() -> None:
    found = await ask(api(), *CHANGES)
    assert [(row["from"], row["expected"], row["change"]) for row in found["months"]] == [
        ("2026-09-01", 300.0, 500.5),
        ("2026-10-01", 310.0, 31.0),
        # Growth: 30 x $1. BigQuery: half of 30 x $6.60. Compute Engine: three quarters of 15 x $4.40.
        ("2026-11-01", 300.0, 30.0 - 99.0 - 49.5),
    ]
    assert [(row["change"], row["amount"]) for row in found["changes"]] == list(
        zip(CHANGES, (61.0, -99.0, -49.5, 500.5), strict=True)
    )
    total = found["total"]
    assert (total["expected"], total["change"], total["scenario"]) == (910.0, 413.0, 1323.0)
    assert (total["from"], total["to"], total["changePercent"]) == ("2026-09-01", "2026-11-30", 45.4)
    # The quarter ends with September.
    assert (found["quarter"]["expected"], found["quarter"]["change"]) == (920.0, 500.5)
    september = found["months"][0]
    assert september["low"] == september["high"] == september["scenario"] == 800.5
    assert any("2026-08-22 to 2026-09-18" in text for text in found["assumptions"])


async def test_the_order_of_the_list_does_not_matter_between_kinds() -> None:
    one, other = await ask(api(), *CHANGES), await ask(api(), *reversed(CHANGES))
    assert one["months"] == other["months"] and one["total"] == other["total"]
    assert one["changes"] == list(reversed(other["changes"]))


async def test_the_forecast_itself_stays_the_same() -> None:
    plain = (await call("forecast_spend", api()))["structuredContent"]
    changed = (await call("forecast_spend", api(), scenario=CHANGES))["structuredContent"]
    assert {name: value for name, value in changed.items() if name != "scenario"} == plain


async def test_costs_can_move_to_what_is_new() -> None:
    found = await ask(api(), "move service:BigQuery to service:Snowflake at 50% from 2026-10-01")
    assert found["total"]["change"] == -183.0
    assert any(
        text.startswith("Snowflake has no costs yet: it is treated as a new service") for text in found["assumptions"]
    )
    assert (await ask(api(), "move cloud:gcp to cloud:azure at 50% from 2026-10-01"))["total"]["change"] == -305.0


async def test_moves_follow_the_costs_that_arrive() -> None:
    there = "move service:BigQuery to service:Compute Engine at 50% from 2026-10-01"
    back = "move service:Compute Engine to cloud:azure at 100% from 2026-10-01"
    # $6 become $3, which move on with the $4.
    found = await ask(api(), there, back)
    assert [row["amount"] for row in found["changes"]] == [-3.0 * 61, 0.0]
    assert (await ask(api(), back, there))["total"]["change"] == -3.0 * 61


SCOPED = {"type": "fixed", "id": "service_description", "mode": "is", "values": ["BigQuery"]}
CLOUD = {"type": "fixed", "id": "cloud_provider", "mode": "is", "values": [GCP]}


async def test_budgets_that_would_be_exceeded_are_named_with_the_day() -> None:
    rows = [
        budget("all", 400.0, 210.0, 300.0),
        budget("fits", 900.0, 210.0, 300.0),
        budget("bigquery", 190.0, 126.0, 180.0, scopes=[SCOPED]),
        budget("saved", 299.0, 210.0, 300.0, riskStatus="atRisk", scopes=[CLOUD]),
        budget("over", 100.0, 210.0, 300.0),
        budget("euro", 400.0, 210.0, 300.0, currency="EUR"),
        budget("year", 4000.0, 210.0, 300.0, timeInterval="year"),
        budget("label", 400.0, 210.0, 300.0, scopes=[{**SCOPED, "type": "label", "id": "team"}]),
    ]
    found = await ask(api(*rows), "one-off 120 on 2026-09-25", "growth 50% of service:BigQuery from 2026-09-26")
    by_id = {row["id"]: row for row in found["budgets"] if row["period"]["from"] == "2026-09-01"}
    # BigQuery: 5 days x $3. $210 + 4 days x $10 + $120 = $370 on the 25th; $13 a day from then on: over $400 on the 28th.
    assert {name: by_id["all"][name] for name in ("expected", "change", "scenario", "effect", "scenarioBreaksOn")} == {
        **{"expected": 300.0, "change": 135.0, "scenario": 435.0},
        **{"effect": "newly_exceeded", "scenarioBreaksOn": "2026-09-28"},
    }
    # $126 + $24 by the 25th, then $9 a day: $195 on the 30th.
    assert (by_id["bigquery"]["change"], by_id["bigquery"]["scenarioBreaksOn"]) == (15.0, "2026-09-30")
    assert by_id["over"]["effect"] == "already_exceeded" and by_id["over"]["scenarioBreaksOn"] is None
    assert by_id["saved"]["effect"] == "still_exceeded"
    assert set(by_id) == {"all", "bigquery", "over", "saved"}
    assert {row["id"]: row["why"] for row in found["budgetsUnknown"]} == {
        "euro": "it has another currency; pass currency",
        "year": "its period 2026-01-01 to 2026-12-31 ends after the scenario",
        "label": "its scope is not only clouds and services",
    }
    # The next months are those of the forecast: $13 a day, of which $9 are BigQuery's.
    assert [
        (row["id"], row["expected"], row["change"], row["scenarioBreaksOn"])
        for row in found["budgets"]
        if row["basis"].startswith("this forecast") and row["effect"] == "newly_exceeded"
    ] == [
        ("bigquery", 186.0, 93.0, "2026-10-22"),
        ("all", 310.0, 93.0, "2026-10-31"),
        ("bigquery", 180.0, 90.0, "2026-11-22"),
    ]
    # Those that are over either way come last: over 299 with the last day of October or November, over 100 in any case.
    assert [(row["id"], row["effect"], row["breaksOn"], row["scenarioBreaksOn"]) for row in found["budgets"][-5:]] == [
        ("over", "still_exceeded", "2026-10-11", "2026-10-08"),
        ("saved", "still_exceeded", "2026-10-30", "2026-10-24"),
        ("over", "still_exceeded", "2026-11-11", "2026-11-08"),
        ("saved", "still_exceeded", "2026-11-30", "2026-11-24"),
        ("over", "already_exceeded", None, None),
    ]
    relieved = await ask(api(*rows), "price -10% of cloud:gcp from 2026-09-22")
    saved = [row for row in relieved["budgets"] if row["id"] == "saved"]
    assert [(row["change"], row["scenarioBreaksOn"]) for row in saved] == [(-9.0, None), (-31.0, None), (-30.0, None)]
    assert {row["effect"] for row in saved} == {"no_longer_exceeded"} and saved[1]["breaksOn"] == "2026-10-30"


async def test_a_limited_forecast_has_budgets_within_its_limits() -> None:
    rows = [
        budget("all", 400.0, 210.0, 300.0),
        budget("bigquery", 190.0, 126.0, 180.0, scopes=[CLOUD, SCOPED]),
        budget("other", 1.0, 0.0, 0.0, scopes=[{**SCOPED, "values": ["Compute Engine"]}]),
        budget("quarter", 900.0, 1.0, 1.0, timeInterval="quarter"),
    ]
    partly = {
        "all": "periods to come: this forecast does not have all of its costs; leave out cloud and filters",
        "quarter": "its period 2026-10-01 to 2026-12-31 ends after the scenario",
    }
    for arguments in ({"filters": [SCOPED]}, {"cloud": "gcp", "filters": [SCOPED]}):
        found = await ask(api(*rows), "growth 90% from 2026-10-01", **arguments)
        assert [(row["id"], row["expected"], row["change"], row["amount"]) for row in found["budgets"]] == [
            ("bigquery", 186.0, 167.4, 190.0),
            ("bigquery", 180.0, 162.0, 190.0),
        ]
        assert {row["id"]: row["why"] for row in found["budgetsUnknown"]} == partly
    # Other filters limit it in ways that no budget is known to be within.
    found = await ask(api(*rows), "one-off 1 of cloud:gcp on 2026-10-01", filters=[{**SCOPED, "mode": "contains"}])
    assert {row["id"] for row in found["budgetsUnknown"]} == {"all", "quarter"}
    once = await ask(api(*rows), "one-off 101 on 2026-09-25", cloud="gcp")
    assert [(row["id"], row["scenario"]) for row in once["budgets"]] == [("all", 401.0)]
    assert once["budgetsUnknown"] == []


async def test_one_offs_without_a_part_are_of_the_selected_cloud() -> None:
    google = budget("google", 400.0, 210.0, 300.0, scopes=[CLOUD])
    limited = await ask(api(google), "one-off 101 on 2026-09-25", cloud="gcp")
    assert [(row["id"], row["effect"]) for row in limited["budgets"]] == [("google", "newly_exceeded")]
    assert (await ask(api(google), "one-off 101 on 2026-09-25"))["budgets"] == []


async def test_later_limits_grow_or_are_unknown() -> None:
    limits = {"alertThresholds": [{"percentage": 100, "amount": 310.0}]}
    rows = [
        budget("grows", 200.0, 210.0, 300.0, growthPerPeriod=50.0, **limits),
        budget("seasonal", 200.0, 210.0, 300.0, seasonalAmounts=[1.0, 2.0], **limits),
        budget("follows", 310.0, 210.0, 300.0, usePrevSpend=True),
        budget("fixed", 310.0, 210.0, 300.0, growthPerPeriod=0.0, seasonalAmounts=[]),
    ]
    found = await ask(api(*rows), "growth 140% from 2026-10-01")
    assert [(row["id"], row["period"]["from"], row["amount"], row["effect"]) for row in found["budgets"]] == [
        ("fixed", "2026-10-01", 310.0, "newly_exceeded"),
        # $24 a day: 465 is exceeded on the 20th, 697.50 on the 30th.
        ("grows", "2026-10-01", 465.0, "newly_exceeded"),
        ("fixed", "2026-11-01", 310.0, "newly_exceeded"),
        ("grows", "2026-11-01", 697.5, "newly_exceeded"),
    ]
    assert "its limit grows" in found["budgets"][1]["basis"]
    unknown = {row["id"]: row["why"] for row in found["budgetsUnknown"]}
    assert set(unknown) == {"seasonal", "follows"} and "only the limit of its current period" in unknown["seasonal"]


async def test_later_limits_are_the_seasonal_amounts_of_their_months() -> None:
    # January to May, then the same again: September has the fourth amount, October the fifth, November the first.
    amounts: Any = {"seasonalAmounts": [700.0, 1.0, 1.0, 310.0, 400.0]}
    limits: Any = {"alertThresholds": [{"percentage": 85, "amount": 263.5}]}
    other: Any = {"alertThresholds": [{"percentage": 100, "amount": 400.0}]}
    rows = [
        budget("seasonal", 0.0, 210.0, 300.0, **amounts, **limits),
        # Its amounts are not those of its periods from the first one on.
        budget("otherwise", 0.0, 210.0, 300.0, **amounts, **other),
        budget(
            "later",
            0.0,
            0.0,
            0.0,
            **amounts,
            startPeriod="2026-11-01",
            alertThresholds=[{"percentage": 50, "amount": 350}],
        ),
        budget("unread", 0.0, 0.0, 0.0, **amounts, startPeriod="2026-11-01"),
    ]
    found = await ask(api(*rows), "growth 140% from 2026-10-01")
    # $24 a day: 400 is exceeded on the 17th, 700 on the 30th.
    assert [(row["id"], row["period"]["from"], row["amount"], row["scenarioBreaksOn"]) for row in found["budgets"]] == [
        ("seasonal", "2026-10-01", 400.0, "2026-10-17"),
        ("later", "2026-11-01", 700.0, "2026-11-30"),
        ("seasonal", "2026-11-01", 700.0, "2026-11-30"),
    ]
    assert all("seasonal amount of that period" in row["basis"] for row in found["budgets"])
    assert {row["id"]: row["why"] for row in found["budgetsUnknown"]} == {
        "otherwise": "periods to come: this forecast has only the limit of its current period",
        "unread": "it begins on 2026-11-01; its limit is unknown",
    }


def noisy_api() -> Recorder:
    noisy = [
        (day, labels, cost * (1.5 if date.fromisoformat(day).day % 2 else 0.5), 1.0) for day, labels, cost, _ in LINES
    ]
    return Recorder(make_api({"budgets": {"budgets": []}}, noisy))


async def test_low_and_high_scale_with_the_costs_to_come() -> None:
    plain = await ask(noisy_api(), "one-off 1 on 2026-10-01")
    for percent in (-100, -50, 200):
        found = await ask(noisy_api(), f"growth {percent}% from 2026-10-01")
        for before, after in zip(plain["months"][1:], found["months"][1:], strict=True):
            for edge in ("low", "high"):
                distance = (1 + percent / 100) * (before[edge] - before["scenario"])
                assert after[edge] - after["scenario"] == pytest.approx(distance, abs=0.02)
        # The change does not reach September.
        assert (found["months"][0]["low"], found["months"][0]["high"]) == (
            plain["months"][0]["low"],
            plain["months"][0]["high"],
        )
    # Of 31 days at the same spread, 16 stay and 15 are doubled: 76 squares, and 46 days of level.
    october = (await ask(noisy_api(), "growth 100% from 2026-10-17"))["months"][1]
    unit = (plain["months"][1]["high"] - plain["months"][1]["scenario"]) / (31 + 31**2 / 9) ** 0.5
    assert october["high"] - october["scenario"] == pytest.approx(unit * (76 + 46**2 / 9) ** 0.5, rel=0.02)


async def test_low_is_not_below_what_is_spent() -> None:
    recorder = noisy_api()
    found = await ask(recorder, "growth -100% from 2026-09-22", "one-off 7 on 2026-10-05", "one-off -20 on 2026-11-05")
    assert [(row["scenario"], row["low"]) for row in found["months"][1:]] == [(7.0, 7.0), (-20.0, -20.0)]
    # Without costs to come, only days that are not final can grow.
    assert found["months"][0]["high"] > found["months"][0]["scenario"]
    assert [row["high"] for row in found["months"][1:]] == [7.0, -20.0]


def periods_of(found: Any, name: str) -> list[tuple[Any, ...]]:
    """Return the listed periods of a budget, with their expected cost, change and limit."""
    columns = ("expected", "change", "amount", "effect")
    rows = [row for row in found["budgets"] if row["id"] == name]
    return [(row["period"]["from"], row["period"]["to"], *(row[column] for column in columns)) for row in rows]


async def test_fixed_budgets_have_one_period() -> None:
    fixed = {"type": "fixed", "startPeriod": "2026-09-01", "endPeriod": "2026-10-31"}
    later = {"type": "fixed", "startPeriod": "2026-10-11", "endPeriod": "2026-10-20"}
    rows = [
        budget("both months", 700.0, 210.0, 610.0, **fixed),
        budget("begins", 100.0, 0.0, 0.0, **later),
        budget("ends later", 900.0, 210.0, 900.0, **fixed | {"endPeriod": "2026-12-31"}),
        budget("begins later", 1.0, 0.0, 0.0, **later | {"startPeriod": "2026-12-01", "endPeriod": "2026-12-31"}),
        budget("over", 1.0, 9.0, 9.0, **later | {"startPeriod": "2026-08-01", "endPeriod": "2026-08-31"}),
        budget("open", 1.0, 0.0, 0.0, type="fixed"),
    ]
    # A row of the list has no type.
    listed = [{name: value for name, value in row.items() if name != "type"} for row in rows]
    named = {row["id"]: row for row in rows}
    answers = {"budgets": lambda request: named.get(request.path.rpartition("/")[2], {"budgets": listed})}
    found = await ask(Recorder(make_api(answers, LINES)), "growth 50% from 2026-10-01")
    # $10 a day: 30 + 31 days, and half of October more; then ten days.
    assert periods_of(found, "both months") == [
        ("2026-09-01", "2026-10-31", 610.0, 155.0, 700.0, "newly_exceeded"),
    ]
    assert periods_of(found, "begins") == [("2026-10-11", "2026-10-20", 100.0, 50.0, 100.0, "newly_exceeded")]
    assert len(found["budgets"]) == 2 and found["budgets"][0]["scenarioBreaksOn"] == "2026-10-17"
    assert {row["id"]: row["why"] for row in found["budgetsUnknown"]} == {
        "ends later": "its period 2026-09-01 to 2026-12-31 ends after the scenario",
        "open": "its period is unknown",
    }


async def test_every_interval_has_its_periods_once() -> None:
    rows = [
        budget("day", 10.0, 10.0, 10.0, timeInterval="day"),
        budget("week", 75.0, 20.0, 70.0, timeInterval="week"),
        budget("month", 330.0, 210.0, 300.0, startPeriod="2026-10-11"),
        budget("quarter", 930.0, 820.0, 920.0, timeInterval="quarter"),
        budget("year", 3000.0, 2000.0, 3000.0, timeInterval="year"),
        budget("odd", 1.0, 1.0, 1.0, timeInterval="decade"),
        budget("follows", 10.0, 10.0, 10.0, timeInterval="day", usePrevSpend=True),
    ]
    found = await ask(api(*rows), "growth 20% from 2026-09-26")
    # 60 + 5 days after the 25th cost $12 a day, which 66 - 4 days before them did not.
    assert periods_of(found, "day") == [("2026-09-26", "2026-09-26", 10.0, 2.0, 10.0, "newly_exceeded")]
    # The week from Sunday, 27 September, is the first with more than $75; the one before has one day of growth.
    assert periods_of(found, "week") == [("2026-09-27", "2026-10-03", 70.0, 14.0, 75.0, "newly_exceeded")]
    # Its first month begins on the eleventh.
    assert periods_of(found, "month") == [("2026-11-01", "2026-11-30", 300.0, 60.0, 330.0, "newly_exceeded")]
    # Five days of growth are within the limit, $10.50 more are not.
    assert periods_of(found, "quarter") == []
    counts = {row["id"]: row["periods"] for row in found["budgets"] if "periods" in row}
    # Weeks end on 28 November at the latest, which is nine after the first.
    assert counts == {"day": 66, "week": 9}
    whys = {row["id"]: row["why"] for row in found["budgetsUnknown"]}
    assert whys == {
        "week": "its period 2026-11-29 to 2026-12-05 ends after the scenario",
        "quarter": "its period 2026-10-01 to 2026-12-31 ends after the scenario",
        "year": "its period 2026-01-01 to 2026-12-31 ends after the scenario",
        "odd": "its period is unknown",
        "follows": "periods to come: this forecast has only the limit of its current period",
    }
    more = await ask(api(rows[3]), "growth 21% from 2026-09-26")
    assert periods_of(more, "quarter") == [("2026-07-01", "2026-09-30", 920.0, 10.5, 930.0, "newly_exceeded")]


async def test_effects_beyond_the_limit_of_the_list_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doit_mcp.catalog.forecasts.scenario_budgets.MAX_LISTED", 2)
    rows = [budget(name, 100.0, 210.0, 300.0) for name in ("a", "b")] + [budget("new", 305.0, 210.0, 300.0)]
    answer = (await call("forecast_spend", api(*rows), scenario=["growth 9% from 2026-11-01"]))["structuredContent"]
    assert [row["id"] for row in answer["scenario"]["budgets"]] == ["new", "a"]
    assert answer["failed"] == [{"part": "1 more of scenario.budgets", "why": "only 2 are listed"}]


async def test_budgets_without_a_known_effect_say_why() -> None:
    rows = [
        budget("amortized", 400.0, 210.0, 300.0, metric="amortized_cost"),
        {**budget("unforecast", 400.0, 210.0, 300.0), "forecastedUtilization": None},
        budget(
            "risky label", 250.0, 210.0, 300.0, riskStatus="atRisk", scopes=[{**SCOPED, "type": "label", "id": "team"}]
        ),
        budget("other", 250.0, 210.0, 300.0, riskStatus="atRisk", scopes=[{**CLOUD, "values": ["microsoft-azure"]}]),
    ]
    found = await ask(api(*rows), "growth 10% from 2026-09-25")
    assert {row["id"]: row["why"] for row in found["budgetsUnknown"]} == {
        "amortized": "it does not limit cost",
        "unforecast": "DoiT has no forecast of it",
        "risky label": "its scope is not only clouds and services",
    }
    assert found["budgets"] == []


async def test_many_budgets_are_not_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doit_mcp.catalog.forecasts.scenario_budgets.MAX_BUDGETS", 1)
    rows = [budget(name, 400.0, 210.0, 300.0, scopes=[SCOPED]) for name in ("a", "b", "c")]
    answer = (await call("forecast_spend", api(*rows), scenario=["one-off 1 on 2026-09-25"]))["structuredContent"]
    assert answer["failed"] == [{"part": "effect on 2 budgets", "why": "only 1 are compared"}]


async def test_unreadable_budgets_leave_the_forecast() -> None:
    refused = ApiError("", kind="forbidden", status=403)
    recorder = Recorder(make_api({"budgets": refused}, LINES))
    answer = (await call("forecast_spend", recorder, scenario=["growth 10% from 2026-10-01"]))["structuredContent"]
    assert answer["scenario"]["total"]["change"] == 61.0 and "budgets" not in answer["scenario"]
    assert [part["part"] for part in answer["failed"]] == ["budgets"]


async def test_costs_that_have_ended_have_no_shares() -> None:
    ended = [line for line in LINES if line[0] < "2026-08-01"]
    recorder = Recorder(make_api({"budgets": {"budgets": []}}, ended))
    with pytest.raises(ToolError, match="final days have none"):
        await ask(recorder, "growth 10% from 2026-10-01")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("hello", "is not a change. Accepted: growth 10%"),
        ("growth 10", "cannot be read: the number must be a percentage, such as 10%. Write growth 10%"),
        ("growth 10% from tomorrow", "Write growth 10%"),
        ("price five% from 2026-10-01", "Write price -5%"),
        ("move service:BigQuery at 10% from 2026-10-01", "Write move service"),
        ("one-off $5,000 on 2026-10-01", '"$5,000" is not a plain number'),
        ("one-off 5k on 2026-10-01", "without separators, units or currency. Write one-off 5000"),
        ("one-off", "is not a plain number"),
        ("one-off 5000 EUR on 2026-10-01", 'leave out "EUR"; amounts are in the currency of the answer'),
        (
            "one-off 5000 of project:x on 2026-10-01",
            '"project" is not supported in changes; use cloud: or',
        ),
        ("move label:x to cloud:aws at 10% from 2026-10-01", '"label" is not'),
        ("move cloud:aws to region:x at 10% from 2026-10-01", '"region" is not'),
        ("price 5% of cloud:aws", "it has no day"),
        ("growth 10% from 2026-09-31", "not a valid date"),
        ("growth 10% from 2026-09-21", "use a day after 2026-09-21 and up to 2026-11-30"),
        ("growth 10% from 2026-12-01", "use a day after 2026-09-21 and up to 2026-11-30"),
        ("growth 1001% from 2026-10-01", "from -100 to 1000"),
        ("move cloud:gcp to cloud:aws at -1% from 2026-10-01", "from 0 to 1000"),
        ("move cloud:gcp to cloud:gcp at 10% from 2026-10-01", "another cloud or service"),
        ("one-off 0 on 2026-10-01", "must not be 0"),
        ("growth 10% of service:BigQery from 2026-10-01", 'Did you mean "BigQuery"?'),
        ("move cloud:gcp to cloud:gpc at 10% from 2026-10-01", '"google-cloud"'),
        ("move cloud:gcp to service:Compute Engne at 10% from 2026-10-01", 'Did you mean "Compute Engine"?'),
        ("growth 10% of cloud:oracle from 2026-10-01", '"google-cloud"'),
    ],
)
async def test_refusals_name_the_entry_and_the_right_form(change: str, said: str) -> None:
    with pytest.raises(ApiError) as caught:
        await ask(api(), "growth 1% from 2026-10-01", change)
    assert caught.value.reason.startswith("scenario[1]: ") and said in caught.value.reason


async def test_without_a_projection_there_is_no_scenario() -> None:
    recorder = Recorder(make_api({"budgets": {"budgets": []}}, LINES[:10]))
    answer = (await call("forecast_spend", recorder, scenario=["growth 1% from 2026-10-01"]))["structuredContent"]
    assert "scenario" not in answer
    assert answer["failed"] == [{"part": "scenario", "why": "too few days of final costs to project"}]


@given(st.text(max_size=300) | st.builds("{} {}".format, st.sampled_from(tuple(FORMS)), st.text(max_size=200)))
def test_any_text_is_a_change_or_an_argument_error(text: str) -> None:
    try:
        (change,) = parse_changes([text], TODAY, HORIZON)
    except ApiError as error:
        assert error.kind == "argument" and error.reason.startswith("scenario[0]: ")
    else:
        assert TODAY < change.starts <= HORIZON.last and isinstance(change.number, Decimal)


def test_names_may_contain_the_words_of_the_grammar() -> None:
    text = "move service:Copy from A to B to service:X of Y at 50 % from 2026-10-01"
    (change,) = parse_changes([text], TODAY, HORIZON)
    assert change.of is not None and change.to is not None
    assert (change.of.name, change.to.name) == ("Copy from A to B", "X of Y")
