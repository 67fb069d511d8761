"""Days that are not final, periods that are cut, and what else a picture must not leave out."""

from __future__ import annotations

import copy

from tests.browser.conftest import OTHER_CALLS
from tests.browser.driver import Browser, Case, Json, faults_of
from tests.browser.test_costs import BASIS, query

SHOWN: Json = {"look": "shown"}
FULL = "fullscreen"


CUTS = """[...document.querySelectorAll(".break.end")].map((cut) =>
  cut.getBoundingClientRect().right < cut.parentElement.querySelector(".forecast-mark").getBoundingClientRect().left)"""
"""Whether each cut of a bar ends before the mark of its forecast."""


def arriving(result: Json) -> Json:
    """Return a result of which no day is final."""
    made = copy.deepcopy(result)
    made["structuredContent"].pop("final", None)
    for statement in (made["structuredContent"], made["_meta"]["doit/series"]):
        if "period" in statement:
            statement["period"]["finalThrough"] = None
    return made


def test_arriving_costs_show_no_change(browser: Browser, results: dict[str, Json]) -> None:
    names = ("overview", "breakdown", "compare", "explain")
    seen = browser.show(*(Case(name, [{"input": {}}, {"result": arriving(results[name])}, SHOWN]) for name in names))
    assert faults_of(seen) == []
    for name, one in seen.items():
        look = one.looks["shown"]
        assert "All costs of this period are still arriving." in look["text"], name
        assert not {"▲", "▼"} & set(look["text"]), name
        assert any("hatched" in bar for bar, _, _ in look["bars"]), name


def test_periods_that_are_cut_are_named(browser: Browser, results: dict[str, Json]) -> None:
    period = {**BASIS["period"], "to": "2026-11-28", "finalThrough": "2026-10-31"}
    months = query([("period", "string"), ("cost", "float")], [["2026-10", 10.0], ["2026-11", 9.0]], period=period)
    starts = ["2026-09-20/2026-09-26", "2026-09-27/2026-10-03"]
    september = {**BASIS["period"], "from": "2026-09-20", "to": "2026-09-30", "finalThrough": "2026-09-26"}
    part = {"period": starts[1], "from": "2026-09-27", "to": "2026-09-30", "days": 4}
    sundays = query(
        [("period", "string"), ("cost", "float")],
        [[starts[0], 9.0], [starts[1], 5.0]],
        period=september,
        partialPeriods=[part],
    )
    seen = browser.show(
        Case("sundays", [{"input": {}}, {"result": sundays}, SHOWN]),
        Case("weeks", [{"input": {}}, {"result": results["weeks"]}, SHOWN], width=360),
        Case("months", [{"input": {}}, {"result": months}, SHOWN]),
    )
    assert faults_of(seen) == []
    text = seen["weeks"].looks["shown"]["text"]
    assert "Jul 27: 2 of 7 days. Oct 26: 6 of 7 days." in text and "W31" not in text
    look = seen["sundays"].looks["shown"]
    assert "Cost by week" in look["text"] and "Sep 27: 4 of 7 days." in look["text"]
    assert look["titles"] == ["Sep 20: $9.00", "Sep 27: $5.00, not final"]
    assert seen["months"].looks["shown"]["titles"] == ["Oct 2026: $10.00", "Nov 2026: $9.00, not final"]


def test_a_comparison_names_the_days_that_it_compares(browser: Browser, results: dict[str, Json]) -> None:
    steps: list[Json] = [{"input": {}}, {"result": results["running"]}, SHOWN, {"press": "Save as CSV"}]
    two: list[Json] = [{"input": OTHER_CALLS["two-dimensions"][1]}, {"result": results["two-dimensions"]}, SHOWN]
    seen = browser.show(
        Case("running", steps, mode=FULL),
        Case(
            "two",
            [*two, {"press": "Amazon Elastic Compute Cloud / acme-production"}, {"expect": "Back to"}],
            answers={"compare_spend": [results["running"]]},
        ),
    )
    assert faults_of(seen) == []
    text = seen["running"].looks["shown"]["text"]
    for part in ("Oct 1 – 25, 2026", "Nov 1 – 25, 2026", "Changes are through Nov 25, except for “Incomplete days”."):
        assert part in text
    (saved,) = seen["running"].requests("ui/download-file")
    heading = saved["contents"][0]["resource"]["text"].splitlines()[0]
    assert "service,2026-11-01 to 2026-11-25,2026-10-01 to 2026-10-25,change" in heading
    assert "Cost by service and project, compared" in seen["two"].looks["shown"]["text"]
    (call,) = seen["two"].requests("tools/call")
    assert call["arguments"]["filters"] == [
        {"id": "service_description", "type": "fixed", "values": ["Amazon Elastic Compute Cloud"]},
        {"id": "project_id", "type": "fixed", "values": ["111122223333"]},
    ]


def test_everything_else_opens(browser: Browser, results: dict[str, Json]) -> None:
    steps: list[Json] = [{"input": {"period": "this_month"}}, {"result": results["breakdown"]}]
    steps += [{"press": "Everything else"}, {"expect": "Back to"}, SHOWN]
    seen = browser.show(Case("rest", steps, answers={"cost_breakdown": [results["breakdown"]]}))
    assert faults_of(seen) == []
    (call,) = seen["rest"].requests("tools/call")
    assert call == {"name": "cost_breakdown", "arguments": {"period": "this_month", "topN": 25}}


def test_a_forecast_shows_its_scenario(browser: Browser, results: dict[str, Json]) -> None:
    seen = browser.show(Case("scenario", [{"input": {}}, {"result": results["scenario"]}, SHOWN]))
    assert faults_of(seen) == []
    scenario = results["scenario"]["structuredContent"]["scenario"]
    rows = [row for table in seen["scenario"].looks["shown"]["tables"] for row in table]
    total = scenario["total"]
    assert ["Total", "", "▲ +$5,000.00", f"${total['scenario']:,.2f}"] in rows
    assert ["one-off 5000 on 2026-12-10", "", "▲ +$5,000.00"] in rows
    assert "80% range" in seen["scenario"].looks["shown"]["text"]


def test_budgets_stay_inside_of_their_tracks(browser: Browser, results: dict[str, Json]) -> None:
    result = copy.deepcopy(results["budgets"])
    rows = result["_meta"]["doit/series"]["series"][0]["rows"]
    rows[0][3], rows[1][4], rows[2][8:] = 5 * rows[0][4], 0, ["2999-01-01", "2999-01-31"]
    seen = browser.show(Case("budgets", [{"input": {}}, {"result": result}, SHOWN, {"evaluate": CUTS}]))
    assert faults_of(seen) == []
    look = seen["budgets"].looks["shown"]
    assert all(start + size <= 100.01 for _, start, size in look["bars"])
    # A limit of 0 has no percentage, so there is no bar.
    assert len([name for name, _, _ in look["bars"] if "budget" in name]) == len(rows) - 1
    # The forecast of the first budget is cut off, and the cut does not lie under its mark.
    assert seen["budgets"].evaluated[-1] == [True]
    assert "Begins Jan 1, 2999 · Jan 1 – 31, 2999 · USD" in look["text"]


def test_saved_rows_say_what_they_are(browser: Browser, results: dict[str, Json]) -> None:
    columns = [("period", "string"), ("cost", "float")]
    period = {**BASIS["period"], "to": "2026-11-28", "finalThrough": "2026-11-25"}
    months: list[list[str | float | None]] = [["2026-10", 200.0], ["2026-11", 90.0]]
    part = {"period": "2026-11", "from": "2026-11-01", "to": "2026-11-28", "days": 28}
    table: Json = {"columns": [{"name": name, "type": kind} for name, kind in columns], "rows": months}
    before = {"from": "2026-09-01", "to": "2026-09-30", "days": 30}
    more = {"forecastRows": [["2026-12", 300.0]], "secondaryRows": [["2026-09", 80.0]]}
    report = query(columns, months, period=period, partialPeriods=[part], result=table | more, secondaryPeriod=before)
    saved = [{"press": "Save as CSV"}]
    shown = {"report": report, **{name: results[name] for name in ("weeks", "scenario", "overview")}}
    seen = browser.show(
        *(Case(name, [{"input": {}}, {"result": one}, *saved], mode=FULL) for name, one in shown.items())
    )
    assert faults_of(seen) == []
    lines = {}
    for name, one in seen.items():
        (file,) = one.requests("ui/download-file")
        lines[name] = file["contents"][0]["resource"]["text"].split("\r\n")
    assert [line.partition('excluded",')[2] for line in lines["report"][1:]] == [
        "2026-10,200,",
        '2026-11,90,"not final, 28 of 30 days"',
        "2026-12,300,forecast",
        "2026-09,80,compared period",
    ]
    assert lines["weeks"][1].endswith("2026-07-27 to 2026-08-02,6858.44,2 of 7 days")
    scenario = results["scenario"]["structuredContent"]["scenario"]["months"][1]
    assert lines["scenario"][0].endswith("period,actual,expected,low,high,note,with the changes")
    stated = f"2026-12-01 to 2026-12-31,,{scenario['expected']},,,scenario,{scenario['scenario']}"
    assert any(line.endswith(stated) for line in lines["scenario"])
    assert "total,Amazon Web Services,Google Cloud," in lines["overview"][0]
