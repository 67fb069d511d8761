"""Figures, names and formats in the picture: those of the answer, whatever they are."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.driver import Browser, Case, Json, faults_of
from tests.browser.test_pictures import PICTURES, showing

HOSTILE_NAMES = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "=HYPERLINK(1)",
    "\u202egnp.exe",
    "constructor",
    "__proto__",
    "Ω" * 300,
    "a-name-without-any-space-" * 12,
    "",
]
DOLLARS_AND_CENTS = re.compile(r"\$([\d,]+\.\d\d)(?![\d.]*[KMBT])")
MINUS_SIGNS = str.maketrans({"−": "-", "\u200e": None, "\u200f": None, "\u061c": None, "\u00a0": " ", "\u202f": " "})


def numbers(value: Any) -> Iterator[float]:
    """Yield every number in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def figures(text: str) -> set[float]:
    """Return the amounts with cents in a text, without their signs."""
    return {float(match.replace(",", "")) for match in DOLLARS_AND_CENTS.findall(text)}


def totals(answer: Json) -> set[float]:
    """Return the sums of a table of a query by each of its values, which a picture with a column for each value shows."""
    table = answer.get("result", answer)
    sums: dict[tuple[int, Any], float] = {}
    for row in table.get("rows", []) if "columns" in table else []:
        for index, value in enumerate(row[:-1]):
            sums[index, value] = sums.get((index, value), 0.0) + (row[-1] or 0.0)
    return {round(abs(value), 2) for value in sums.values()}


def comparisons(result: Json) -> set[float]:
    """Return the cost of final days and of the same days before, and their difference: the view adds up series."""
    content, meta = result["structuredContent"], result["_meta"].get("doit/series", {})
    series = {one["name"]: [(row[0], row[1]) for row in one["rows"]] for one in meta.get("series", [])}
    before = [cost for _, cost in series.get("daily costs of the period before", [])]
    if not before:
        return set()
    final = [cost for day, cost in series["daily costs"] if day <= content["period"]["finalThrough"]]
    now, then = sum(final), sum(before[: len(final)])
    return {round(now, 2), round(then, 2), round(abs(now - then), 2)}


def all_text(look: Json) -> str:
    return "\n".join([look["text"], *(cell for table in look["tables"] for row in table for cell in row)])


def test_figures_are_those_of_the_answer(browser: Browser, results: dict[str, Json]) -> None:
    seen = browser.show(*(Case(name, showing(name, results[name])) for name in PICTURES))
    assert faults_of(seen) == []
    assert seen["query"].looks["shown"]["text"].startswith("Cost by service and month\n")
    for name, one in seen.items():
        result = results[name]
        known = {round(abs(value), 2) for value in numbers([result["structuredContent"], result["_meta"]])}
        known |= totals(result["structuredContent"]) | comparisons(result)
        # Titles of savings have amounts in words.
        known |= figures(json.dumps(result["structuredContent"]))
        shown = figures(all_text(one.looks["shown"]))
        check_form(name, one.looks["shown"]["text"])
        assert shown, f"{name} shows no amount"
        if name == "query":
            # An answer of run_query has all groups, of which the picture adds up the smallest: not all sums are known.
            assert totals(result["structuredContent"]) & shown, "the picture shows the cost of each month"
            continue
        assert shown <= known, f"{name} shows {sorted(shown - known)}, which the answer does not have"


def check_form(name: str, text: str) -> None:
    """Check that negative figures have a minus sign, and percentages one decimal."""
    assert not re.search(r"(?<!\w)-[$\d]", text), f"{name}: a hyphen in place of the minus sign"
    # The labels inside of the bar of clouds are rounded, and the range of a forecast is one of 80 percent.
    percents = re.findall(r"(?<![\d.])\d+%", text.replace("80% range", ""))
    assert len(percents) <= (2 if name == "overview" else 0), (name, percents)


def changed(result: Json, change: Callable[[Json], None]) -> Json:
    """Return a copy of a result whose series *change* has changed."""
    made = copy.deepcopy(result)
    for series in made["_meta"]["doit/series"]["series"]:
        change(series)
    return made


def amounts(factor: float, digits: int = 2) -> Callable[[Json], None]:
    """Return a function that multiplies the amounts of a series."""

    def change(series: Json) -> None:
        money = {index for index, column in enumerate(series["columns"]) if column.get("unit") == "money"}
        series["rows"] = [
            [
                round(cell * factor, digits) if index in money and isinstance(cell, int | float) else cell
                for index, cell in enumerate(row)
            ]
            for row in series["rows"]
        ]

    return change


def hostile(series: Json) -> None:
    """Replace the names in a series."""
    for index, column in enumerate(series["columns"]):
        if column["role"] == "group":
            column["name"] = column["id"] = HOSTILE_NAMES[index % len(HOSTILE_NAMES)]
        if column["role"] in ("name", "id"):
            for number, row in enumerate(series["rows"]):
                if isinstance(row[index], str):
                    row[index] = HOSTILE_NAMES[number % len(HOSTILE_NAMES)]


def in_currency(result: Json, currency: str) -> Json:
    made = changed(result, amounts(1, 0 if currency == "JPY" else 2))
    made["_meta"]["doit/series"]["currency"] = currency
    made["structuredContent"]["currency"] = currency
    return made


def test_hostile_names(browser: Browser, results: dict[str, Json]) -> None:
    cases = [
        Case(f"hostile-{name}-{width}", showing(name, changed(results[name], hostile)), width=width, mode=mode)
        for name in PICTURES
        if "doit/series" in results[name]["_meta"]
        for width, mode in ((640, "fullscreen"), (320, "inline"))
    ]
    seen = browser.show(*cases)
    assert faults_of(seen) == []
    text = "\n".join(one.looks["shown"]["text"] for one in seen.values())
    assert "<img src=x onerror=alert(1)>" in text


@pytest.mark.parametrize(("factor", "sign"), [(-1.0, "-"), (0.0, "")], ids=["negative", "zero"])
def test_negative_and_zero_amounts(browser: Browser, results: dict[str, Json], factor: float, sign: str) -> None:
    with_series = [name for name in PICTURES if "doit/series" in results[name]["_meta"]]
    cases = [Case(name, showing(name, changed(results[name], amounts(factor)))) for name in with_series]
    seen = browser.show(*cases)
    assert faults_of(seen) == []
    for name, one in seen.items():
        text = all_text(one.looks["shown"]).translate(MINUS_SIGNS)
        assert not re.search(r"NaN|Infinity|undefined|null", text), name
    assert sign in all_text(seen["explain"].looks["shown"]).translate(MINUS_SIGNS)


FORMATS = [
    ("en-US", "JPY", "¥73,953", "ltr"),
    ("de-DE", "EUR", "73.952,84 €", "ltr"),
    ("de-DE", "USD", "73.952,84 $", "ltr"),
    ("fr-FR", "EUR", "73 952,84 €", "ltr"),
    ("ar-EG", "USD", "٧٣٬٩٥٢٫٨٤", "rtl"),
    ("not a locale", "USD", "$73,952.84", "ltr"),
]


def test_currencies_and_locales(browser: Browser, results: dict[str, Json]) -> None:
    explained = results["explain"]
    total = next(one for one in explained["_meta"]["doit/series"]["series"] if one["kind"] == "waterfall")["rows"][-1]
    assert 73952.84 in total, "the figures below are those of this cost"
    cases = [
        Case(f"{locale}-{currency}", showing("explain", in_currency(explained, currency)), locale=locale, width=width)
        for locale, currency, _, _ in FORMATS
        for width in (640,)
    ]
    others = [
        Case(f"rtl-{name}-{width}", showing(name, results[name]), locale="ar-EG", width=width)
        for name in PICTURES
        for width in (320,)
    ]
    seen = browser.show(*cases, *others)
    assert faults_of(seen) == []
    for locale, currency, expected, direction in FORMATS:
        look = seen[f"{locale}-{currency}"].looks["shown"]
        assert expected in all_text(look).translate(MINUS_SIGNS), (locale, currency)
        assert look["dir"] == direction
    assert all(seen[case.name].looks["shown"]["dir"] == "rtl" for case in others)


def many_rows(count: int) -> Json:
    """Return a result of run_query with *count* rows, and series with the first of them."""
    rows = [[f"project-{number:04}", f"service {number % 7}", round(5000 / (number + 1), 2)] for number in range(count)]
    columns = [
        {"name": "project_id", "type": "string"},
        {"name": "service", "type": "string"},
        {"name": "cost", "type": "float"},
    ]
    return {
        "content": [{"type": "text", "text": "{}"}],
        "structuredContent": {"currency": "USD", "result": {"columns": columns, "rows": rows}},
        "_meta": {"doit/view": {"tool": "run_query"}},
    }


def many_bars(count: int) -> Json:
    rows = [[f"id-{number}", f"Service {number}", round(9000 / (number + 1), 2), 0.1] for number in range(count)]
    series = {
        "name": "costs by group",
        "kind": "bars",
        "dimension": {"id": "service_description", "type": "fixed"},
        "columns": [
            {"role": "id"},
            {"role": "name"},
            {"role": "cost", "unit": "money"},
            {"role": "share", "unit": "percent"},
        ],
        "rows": rows,
    }
    period = {"from": "2026-10-01", "to": "2026-10-31", "days": 31, "complete": True}
    return {
        "content": [{"type": "text", "text": "{}"}],
        "structuredContent": {"currency": "USD", "period": period, "groups": [{"name": "Service 0", "cost": 9000}]},
        "_meta": {
            "doit/view": {"tool": "cost_breakdown"},
            "doit/series": {"series": [series], "currency": "USD", "period": period},
        },
    }


@pytest.mark.parametrize("mode", ["inline", "fullscreen"])
def test_two_thousand_rows(browser: Browser, mode: str) -> None:
    seen = browser.show(
        *(
            Case(f"many-{name}", [{"input": {}}, {"time": result}, {"look": "shown"}], mode=mode)
            for name, result in (("rows", many_rows(2000)), ("bars", many_bars(1250)))
        )
    )
    assert faults_of(seen) == []
    for one in seen.values():
        assert one.drawMilliseconds is not None
        print(f"{one.name}, {mode}: drawn in {one.drawMilliseconds:.0f} ms")
        assert one.looks["shown"]["text"].strip()
