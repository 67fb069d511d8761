"""Breakdowns, comparisons, changes, savings and queries: what is drawn, and what users can do with it."""

from __future__ import annotations

import base64
import copy
import math
import struct
import zlib
from xml.etree import ElementTree

import pytest

from tests.browser.driver import ALL_CAPABILITIES, ARTIFACTS, Browser, Case, Json, faults_of
from tests.browser.test_pictures import ARGUMENTS, showing

SHOWN: Json = {"look": "shown"}
FULL = "fullscreen"
BASIS: Json = {
    "period": {"from": "2026-10-01", "to": "2026-10-31", "days": 31, "complete": True, "finalThrough": "2026-10-31"},
    "currency": "USD",
    "basis": {"metric": "cost", "credits": "excluded"},
}


def money(amount: float) -> str:
    return f"{'−' if amount < 0 else ''}${abs(amount):,.2f}"


def query(columns: list[tuple[str, str]], rows: list[list[str | float | None]], **others: object) -> Json:
    """Return a result of run_query."""
    data = {
        **BASIS,
        "columns": [{"name": name, "type": kind} for name, kind in columns],
        "rows": rows,
        "rowCount": len(rows),
        **others,
    }
    return {"content": [], "structuredContent": data, "_meta": {"doit/view": {"tool": "run_query"}}}


def test_a_breakdown_lists_its_groups_in_order(browser: Browser, results: dict[str, Json]) -> None:
    result = results["breakdown"]
    seen = browser.show(Case("breakdown", showing("breakdown", result)))
    assert faults_of(seen) == []
    look = seen["breakdown"].looks["shown"]
    data = result["structuredContent"]
    (header, *rows), *_ = look["tables"]
    assert header == ["Service", "", "Cost", "Share"]
    assert [(row[0], row[2]) for row in rows[:-1]] == [(one["name"], money(one["cost"])) for one in data["groups"]]
    assert rows[-1][0] == "Everything else" and rows[-1][2] == money(data["total"]["other"])
    assert money(data["total"]["all"]) in look["text"]
    for stated in ("Nov 1 – 28, 2026", "28 days", "USD", "cost, credits excluded"):
        assert stated in look["text"]


def test_the_steps_of_a_waterfall_meet(browser: Browser, results: dict[str, Json]) -> None:
    seen = browser.show(Case("explain", showing("explain", results["explain"])))
    assert faults_of(seen) == []
    look = seen["explain"].looks["shown"]
    series = next(one for one in results["explain"]["_meta"]["doit/series"]["series"] if one["kind"] == "waterfall")
    bars = [(name, start, start + size) for name, start, size in look["bars"]][: len(series["rows"])]
    level = bars[0][2]
    for (name, start, end), (part, _, _, amount) in zip(bars[1:-1], series["rows"][1:-1], strict=True):
        assert part in ("change", "other")
        assert ("up" in name) == (amount > 0) and ("down" in name) == (amount < 0)
        before, after = (start, end) if amount >= 0 else (end, start)
        assert math.isclose(before, level, abs_tol=0.01)
        level = after
    assert math.isclose(bars[-1][2], level, abs_tol=0.01)
    # Small changes between large amounts need an axis that does not begin at zero, and it says so before the bars.
    text = look["text"]
    assert text.index("Bars start at $64,000, not at $0.") < text.index("Amazon Elastic Compute Cloud")


def test_a_comparison_shows_percent_in_full_screen(browser: Browser, results: dict[str, Json]) -> None:
    steps = [*showing("compare", results["compare"]), {"press": "Full screen"}, {"press": "Show percent"}]
    seen = browser.show(Case("compare", [*steps, {"look": "percent"}]))
    assert faults_of(seen) == []
    groups = results["compare"]["structuredContent"]["groups"]
    largest = max(groups, key=lambda one: abs(one["change"]))
    inline, percent = (seen["compare"].looks[name]["tables"][0] for name in ("shown", "percent"))
    assert inline[1][0] == percent[1][0] == largest["name"]
    assert money(abs(largest["change"])) in inline[1][2]
    assert f"{abs(largest['changePercent']):.1f}%" in percent[1][2]
    assert "Show percent" not in seen["compare"].looks["shown"]["buttons"]


def test_savings_on_three_bases_share_no_scale(browser: Browser, results: dict[str, Json]) -> None:
    seen = browser.show(Case("savings", showing("savings", results["savings"])))
    assert faults_of(seen) == []
    tables = seen["savings"].looks["shown"]["tables"]
    data = results["savings"]["structuredContent"]
    lists = [data[name] for name in ("save", "waste", "at_stake") if data[name]]
    assert [table[1][2] for table in tables] == [money(rows[0]["amount"]) for rows in lists]
    sizes = [size for _, _, size in seen["savings"].looks["shown"]["bars"]]
    assert [size for size in sizes if size == 100].count(100) >= len(lists), "each list has its own longest bar"
    text = seen["savings"].looks["shown"]["text"]
    for name in ("save", "waste"):
        assert "per month" in text, name
    assert "One-time amounts: forecast shortfalls at the end of each contract period, anomaly costs to date" in text


def test_overlaps_are_those_of_the_savings_shown(browser: Browser, results: dict[str, Json]) -> None:
    seen = browser.show(
        *(Case(f"overlaps-{mode}", showing("savings", results["savings"]), mode=mode) for mode in ("inline", FULL))
    )
    assert faults_of(seen) == []
    inline, full = (seen[f"overlaps-{mode}"].looks["shown"]["text"] for mode in ("inline", FULL))
    overlaps = results["savings"]["structuredContent"]["overlaps"]
    assert len(overlaps) == full.count("Overlap: ") == 2 and inline.count("Overlap: ") == 1
    # Three savings are shown beside a conversation, and the second overlap is with the fourth one.
    assert "Right-size Compute Engine" in full and "Right-size Compute Engine" not in inline
    assert "after you apply one, the other saves less." in inline


SHAPES = {
    "bars": (
        query([("region", "string"), ("cost", "float")], [["a", 1.5], ["b", 2.5], [None, 2.0]]),
        ["b", "No region", "a"],
    ),
    "heat": (
        query(
            [("cloud_provider", "string"), ("region", "string"), ("cost", "float")],
            [["google-cloud", "x", 1.0], ["google-cloud", "y", 2.0], ["amazon-web-services", "z", 3.0]],
        ),
        ["x", "y", "z"],
    ),
    "table": (
        query([("sku", "string"), ("cost", "float"), ("usage", "float")], [["q", 1.0, 5.0], ["p", 2.0, 6.0]]),
        ["q", "p"],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_picture_of_a_query_follows_from_its_columns(browser: Browser, shape: str) -> None:
    result, names = SHAPES[shape]
    seen = browser.show(Case(shape, [{"input": {"query": {}}}, {"result": result}, SHOWN]))
    assert faults_of(seen) == []
    table = seen[shape].looks["shown"]["tables"][0]
    assert [row[0] for row in table[1:]] == names
    assert bool(seen[shape].looks["shown"]["bars"]) == (shape == "bars")
    if shape == "heat":
        assert table[0] == ["Region", "Google Cloud", "Amazon Web Services"]
        assert table[3] == ["z", "–", "$3.00"]


def test_pages_of_a_result_that_is_cut(browser: Browser) -> None:
    columns = [("project_id", "string"), ("service", "string"), ("cost", "float")]
    first = query(columns, [["p", "s", 1.0]], handle="h", rowCount=90, cut={"lists": []})
    pages = [query(columns, [[f"page-{number}", "s", 1.0]] * 8, rowCount=90) for number in (1, 2, 3)]
    steps: list[Json] = [{"input": {"query": {}}}, {"result": first}, {"press": "Show the largest"}]
    steps += [{"expect": "page-1"}, {"press": "Next rows"}, {"expect": "page-2"}, SHOWN, {"press": "Full screen"}]
    steps += [{"press": "Cost"}, {"expect": "page-3"}, {"look": "sorted"}]
    seen = browser.show(Case("pages", steps, answers={"query_result": pages}))
    assert faults_of(seen) == []
    asked = [call["arguments"] for call in seen["pages"].requests("tools/call")]
    assert [(one["handle"], one["skip"], one["top"], one.get("sortBy")) for one in asked] == [
        ("h", 0, 8, None),
        ("h", 8, 8, None),
        ("h", 0, 50, "cost"),
    ]
    assert "Rows 9 to 16 of 90." in seen["pages"].looks["shown"]["text"]


def test_cells_of_a_file_cannot_be_formulas(browser: Browser) -> None:
    names = ["=1+1", "+1", "-1", "@cmd", " =1", "\uff1d1", 'say "hi", please', "plain"]
    rows: list[list[str | float | None]] = [[name, -1.5] for name in names]
    result = query([("team", "string"), ("cost", "float")], rows)
    steps: list[Json] = [{"input": {"query": {}}}, {"result": result}, {"press": "Save as CSV"}]
    seen = browser.show(Case("csv", steps, mode=FULL))["csv"]
    assert seen.faults == []
    (saved,) = seen.requests("ui/download-file")
    lines = saved["contents"][0]["resource"]["text"].split("\r\n")
    assert lines == [
        "currency,period covered,final through,basis,team,cost",
        *(
            f'USD,2026-10-01 to 2026-10-31,2026-10-31,"cost, credits excluded",{cell},-1.5'
            for cell in ("'=1+1", "'+1", "'-1", "'@cmd", "' =1", "'\uff1d1", '"say ""hi"", please"', "plain")
        ),
    ]


OUTSIDER = f"someone.with.a.long.address@{'very-' * 8}far.example"


def prepared(expires: str = "2100-11-28T12:30:00Z", **change: object) -> Json:
    data = {
        "status": "approval_required",
        "approvalToken": "approval-token",
        "change": {
            "title": "Change the budget Production",
            "object": {"name": "Production", "url": "https://console.doit.com/budgets/1"},
            "fields": [
                {"field": "amount", "before": 50400, "after": 60000},
                {"field": "alerts", "added": ["90 %"], "removed": ["50 %", "75 %"]},
                {"field": "recipients[0]", "after": OUTSIDER},
            ],
            "affected": [f"recipients: add {OUTSIDER} (outside the customer's domains)", "2 more"],
            "irreversible": False,
            "currency": "USD",
            **change,
        },
        "expiresAt": expires,
    }
    return {"content": [], "structuredContent": data, "_meta": {"doit/view": {"tool": "update_budget"}}}


def test_a_prepared_change(browser: Browser) -> None:
    start: list[Json] = [{"input": {}}, {"result": prepared()}, SHOWN]
    applied: Json = {"content": [{"type": "text", "text": "{}"}]}
    canceled: Json = {"content": [{"type": "text", "text": '{"status": "canceled"}'}]}
    refused: Json = {"content": [{"type": "text", "text": "This approval has expired."}], "isError": True}
    without = {name: value for name, value in ALL_CAPABILITIES.items() if name != "serverTools"}
    seen = browser.show(
        Case(
            "apply",
            [*start, {"press": "Apply"}, {"expect": "Applied."}, {"look": "after"}],
            answers={"confirm_action": [applied]},
        ),
        Case(
            "cancel",
            [*start, {"press": "Cancel"}, {"expect": "Canceled. Nothing has changed."}, {"look": "after"}],
            answers={"confirm_action": [canceled]},
        ),
        Case(
            "unknown",
            [*start[:2], {"press": "Apply"}, {"expect": "not known whether this was applied"}, {"look": "after"}],
            answers={"confirm_action": ["timeout"]},
        ),
        Case(
            "deleted",
            [{"input": {}}, {"result": prepared(title="Delete budget")}, {"press": "Delete"}]
            + [{"expect": "Deleted."}, {"look": "after"}],
            answers={"confirm_action": [applied]},
        ),
        Case("expired", [{"input": {}}, {"result": prepared("2026-11-20T10:05:00Z")}, SHOWN], width=360),
        Case(
            "refused",
            [*start, {"press": "Apply"}, {"expect": "has expired"}, {"look": "after"}],
            answers={"confirm_action": [refused]},
        ),
        Case(
            "changed",
            [{"input": {"input": {"customerContext": "c1"}}}, start[1], SHOWN]
            + [{"press": "Apply"}, {"expect": "The object has changed."}, {"look": "after"}],
            answers={"confirm_action": [prepared(title="Change it as it is now")]},
        ),
        Case("final", [{"input": {}}, {"result": prepared(irreversible=True, customer="Globex")}, SHOWN], width=320),
        Case("no-calls", start, capabilities=without),
    )
    assert faults_of(seen) == []
    look = seen["apply"].looks["shown"]
    assert "Production" in look["text"] and "2 more" in look["text"] and "Nov 28, 2100, 12:30" in look["text"]
    fields = look["text"].partition("Affects")[0].split("Amount")[1].split()
    assert " ".join(fields) == (
        "Before $50,400.00 After $60,000.00 Alerts Removed 50 % 75 % Added 90 % Recipients 1 After ⚠ " + OUTSIDER
    )
    assert f"⚠ recipients: add {OUTSIDER}" in look["text"]
    assert "approval-token" not in look["text"]
    (call,) = seen["apply"].requests("tools/call")
    assert call == {"name": "confirm_action", "arguments": {"approvalToken": "approval-token"}}
    assert "Apply" not in seen["apply"].looks["after"]["buttons"]
    (call,) = seen["cancel"].requests("tools/call")
    assert call == {"name": "confirm_action", "arguments": {"approvalToken": "approval-token", "cancel": True}}
    assert "Apply" not in seen["cancel"].looks["after"]["buttons"]
    unknown = seen["unknown"].looks["after"]["text"]
    assert "Nothing has changed" not in unknown and "failed" not in unknown
    assert "Check the current state. (" in unknown, "the reason follows"
    assert seen["deleted"].looks["after"]["buttons"] == [], "the object has no page any more"
    expired = seen["expired"].looks["shown"]
    assert "expired at Nov 20, 2026, 10:05" in expired["text"] and expired["buttons"] == ["Open in console"]
    assert "Apply" in seen["refused"].looks["after"]["buttons"], "the user can try again, and the server decides"
    (call,) = seen["changed"].requests("tools/call")
    assert call["arguments"] == {"approvalToken": "approval-token", "customerContext": "c1"}
    changed = seen["changed"].looks["after"]
    assert "Apply" in changed["buttons"] and "Change it as it is now" in changed["text"]
    final = seen["final"].looks["shown"]["text"]
    assert "cannot be undone" in final and "Globex" in final
    assert seen["no-calls"].looks["shown"]["buttons"] == [], "the conversation decides"


KEEP_SVG = """{
  const { set } = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
  Object.defineProperty(HTMLImageElement.prototype, "src", {
    set(value) { globalThis.keptSvg = decodeURIComponent(value.replace(/^[^,]*,/, "")); set.call(this, value); },
  });
}"""
"""Keeps the SVG that the view makes a PNG of."""
SAVED_PICTURES = ("trend", "compare", "budgets")
MARKS = "▲▼•✕!?✓ "
HOSTILE_NAME = '</text><script>alert(1)</script>&"'


def decode_png(image: bytes) -> tuple[int, int, bytes]:
    """Return width, height and the rows of a PNG, each with its filter byte."""
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", image[16:24])
    data, position = b"", 8
    while position < len(image):
        (size,) = struct.unpack(">I", image[position : position + 4])
        kind, body = image[position + 4 : position + 8], image[position + 8 : position + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", image[position + 8 + size : position + 12 + size])[0]
        data += body if kind == b"IDAT" else b""
        position += 12 + size
    return width, height, zlib.decompress(data)


def test_pictures_are_saved_as_png(browser: Browser, results: dict[str, Json]) -> None:
    hostile = copy.deepcopy(results["explain"])
    hostile["_meta"]["doit/series"]["series"][0]["rows"][1][2] = HOSTILE_NAME
    shown = {name: results[name] for name in SAVED_PICTURES} | {"hostile": hostile}
    save: list[Json] = [{"evaluate": KEEP_SVG}, {"press": "Save as PNG"}, {"evaluate": "keptSvg"}]
    seen = browser.show(*(Case(f"png-{name}", [*showing(name, one), *save], mode=FULL) for name, one in shown.items()))
    assert faults_of(seen) == []
    for name, one in ((name, seen[f"png-{name}"]) for name in shown):
        (saved,) = one.requests("ui/download-file")
        resource = saved["contents"][0]["resource"]
        assert resource["mimeType"] == "image/png" and resource["uri"].endswith(".png")
        image = base64.b64decode(resource["blob"])
        (ARTIFACTS / f"saved-{name}.png").write_bytes(image)
        width, height, rows = decode_png(image)
        # Twice the size of the frame, for screens with a high resolution, with all of the picture but its buttons.
        look = one.looks["shown"]
        assert width == 2 * 640 and 500 < height < 2 * look["contentHeight"], name
        assert len(set(rows)) > 100, "the picture is not blank"
        svg = ElementTree.fromstring(one.evaluated[-1])
        tags = {element.tag.rpartition("}")[2] for element in svg.iter()}
        assert tags <= {"svg", "g", "defs", "pattern", "rect", "line", "path", "circle", "text", "title"}, name
        text = "".join("".join(svg.itertext()).split())
        cells = [line for row in look["tables"][0][1:] for cell in row for line in cell.splitlines()]
        for stated in (*cells, "USD") if name != "trend" else (money(73952.84), "Oct 2026", "USD"):
            assert "".join(stated.strip(MARKS).split()) in text, (name, stated)
    assert HOSTILE_NAME.replace(" ", "") in "".join(
        ElementTree.fromstring(seen["png-hostile"].evaluated[-1]).itertext()
    )


def test_saved_charts_look_as_on_the_screen(browser: Browser, results: dict[str, Json]) -> None:
    steps = [*showing("forecast", results["forecast"]), {"evaluate": KEEP_SVG}, {"press": "Save as PNG"}]
    seen = browser.show(Case("styles", [*steps, {"evaluate": "keptSvg"}], mode=FULL))
    assert faults_of(seen) == []
    elements = ElementTree.fromstring(seen["styles"].evaluated[-1]).iter()
    styles = {element.get("class"): element.get("style", "") for element in elements}
    # Dots are lines without a length, which only round ends show.
    assert "stroke-linecap: round" in styles["line actual late"]
    assert "overflow: visible" in styles["chart"]


GROUPED = {"breakdown": "cost_breakdown", "trend": "cost_trend", "compare": "compare_spend"}


def test_full_screen_groups_costs_by_another_dimension(browser: Browser, results: dict[str, Json]) -> None:
    without = {name: value for name, value in ALL_CAPABILITIES.items() if name != "serverTools"}
    choose: list[Json] = [{"press": "Region"}, {"look": "after"}]
    refusal: Json = {"content": [{"type": "text", "text": "You have no access to this data (403)."}], "isError": True}
    busy = "place = document.getElementById('view'); new MutationObserver(() => globalThis.busyTables ??= "
    busy += "place.getAttribute('aria-busy') === 'true' ? place.querySelectorAll('table').length : undefined)"
    busy += ".observe(place, { attributes: true, childList: true })"
    seen = browser.show(
        *(
            Case(
                name,
                [*showing(name, results[name]), {"evaluate": busy}, *choose, {"evaluate": "busyTables"}],
                mode=FULL,
                answers={tool: [results["by-region"] if name == "breakdown" else results[name]]},
            )
            for name, tool in GROUPED.items()
        ),
        Case(
            "failed",
            [*showing("compare", results["compare"]), {"press": "Region"}, {"expect": "403"}, {"look": "after"}],
            mode=FULL,
            answers={"compare_spend": [refusal]},
        ),
        Case("inline", showing("breakdown", results["breakdown"])),
        Case("no-calls", showing("breakdown", results["breakdown"]), mode=FULL, capabilities=without),
    )
    assert faults_of(seen) == []
    for name, tool in GROUPED.items():
        (call,) = seen[name].requests("tools/call")
        asked = ARGUMENTS[name]
        assert call == {"name": tool, "arguments": {**asked, "groupBy": "region"}}
        (remembered,) = seen[name].requests("ui/update-model-context")
        sentence = remembered["content"][0]["text"]
        assert sentence.startswith("The user is now viewing costs by region in the picture: ") and "2026" in sentence
        assert seen[name].looks["after"]["busy"] == "false" and seen[name].evaluated[-1] > 0, "the old picture stays"
    assert seen["breakdown"].looks["after"]["tables"][0][0][0] == "Region"
    assert seen["failed"].looks["after"]["tables"] == seen["failed"].looks["shown"]["tables"]
    for name in ("inline", "no-calls"):
        assert "Region" not in seen[name].looks["shown"]["buttons"]


def test_a_budget_and_an_anomaly_open_in_the_console(browser: Browser, results: dict[str, Json]) -> None:
    without = {name: value for name, value in ALL_CAPABILITIES.items() if name != "openLinks"}
    names = ("budget", "anomaly")
    seen = browser.show(
        *(Case(name, [*showing(name, results[name]), {"press": "Open in console"}]) for name in names),
        Case("without", showing("anomaly", results["anomaly"]), capabilities=without),
    )
    assert faults_of(seen) == []
    for name in names:
        (opened,) = seen[name].requests("ui/open-link")
        assert opened == {"url": results[name]["structuredContent"]["url"]}
        assert opened["url"].startswith("https://console.example/"), name
    assert "Open in console" not in seen["without"].looks["shown"]["text"]


def test_a_selection_keeps_the_periods_without_the_arguments_of_the_call(
    browser: Browser, results: dict[str, Json]
) -> None:
    steps: list[Json] = [{"result": results["explain"]}, {"press": "Amazon Elastic Compute Cloud"}]
    steps += [{"expect": "Back to"}, SHOWN]
    seen = browser.show(Case("implied", steps, answers={"explain_cost_change": [results["explain"]]}))["implied"]
    assert seen.faults == []
    (call,) = seen.requests("tools/call")
    assert call["arguments"]["period"] == "2026-10-01/2026-10-31"
    assert call["arguments"]["compareTo"] == "2026-09-01/2026-09-30"
