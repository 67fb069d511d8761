"""The states of the view, and what it offers in hosts that can do less."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.driver import ALL_CAPABILITIES, Browser, Case, Json, faults_of

ARGUMENTS: Json = {"period": "last_month"}
FILTER: Json = {"id": "project_id", "type": "fixed", "values": ["acme-data"]}
EXPLAIN, BREAKDOWN = "explain_cost_change", "cost_breakdown"


def failed(text: str) -> Json:
    return {"content": [{"type": "text", "text": text}], "isError": True}


def structured(value: Json, tool: str = BREAKDOWN, **meta: Any) -> Json:
    return {"content": [], "structuredContent": value, "_meta": {"doit/view": {"tool": tool}, **meta}}


EMPTY = structured(
    {
        "period": {"from": "2026-10-01", "to": "2026-10-31", "days": 31, "complete": True},
        "currency": "USD",
        "groups": [],
    }
)
SHOWN = {"look": "shown"}


def test_before_the_answer(browser: Browser, results: dict[str, Json]) -> None:
    partial: Json = {"period": "last_month", "groupBy": "service"}
    seen = browser.show(
        Case("waiting", [SHOWN], tool=EXPLAIN),
        Case("asking", [{"partial": {"period": "last"}}, {"input": partial}, SHOWN], tool=BREAKDOWN),
        Case("canceled", [{"input": ARGUMENTS}, {"cancel": "stopped"}, SHOWN], tool=EXPLAIN),
        Case("height", [{"look": "before"}, {"result": results["explain"]}, {"look": "after"}], tool=EXPLAIN),
    )
    assert faults_of(seen) == []
    waiting, asking, canceled = (seen[name].looks["shown"] for name in ("waiting", "asking", "canceled"))
    assert waiting["busy"] == asking["busy"] == "true"
    assert "last month" in asking["text"] and "service" in asking["text"]
    assert "canceled" in canceled["text"]
    # A frame that starts too low would make the conversation jump.
    assert seen["height"].looks["before"]["frameHeight"] >= 150


def test_answers_without_a_picture(browser: Browser) -> None:
    refusal = "Could not run cost_breakdown. Unknown period 'yesteryear'. Try last_month."
    filtered = {**ARGUMENTS, "filters": [FILTER]}
    seen = browser.show(
        Case("error", [{"input": ARGUMENTS}, {"result": failed(refusal)}, SHOWN], tool=BREAKDOWN),
        Case("empty", [{"input": ARGUMENTS}, {"result": EMPTY}, SHOWN]),
        Case("empty-filter", [{"input": filtered}, {"result": EMPTY}, SHOWN]),
        Case("nothing", [{"result": {"content": []}}, SHOWN]),
        Case("text", [{"result": {"content": [{"type": "text", "text": "Hello"}]}}, SHOWN]),
    )
    assert faults_of(seen) == []
    assert refusal in seen["error"].looks["shown"]["text"]
    assert "2026" in seen["empty"].looks["shown"]["text"] and len(seen["empty"].looks["shown"]["buttons"]) == 1
    assert "acme-data" in seen["empty-filter"].looks["shown"]["text"]


def test_a_partial_answer_says_what_is_missing(browser: Browser, results: dict[str, Json]) -> None:
    result = results["explain"]
    series = result["_meta"]["doit/series"] | {"missing": [{"part": "change by cause", "why": "HTTP 503"}]}
    partial = {**result, "_meta": {**result["_meta"], "doit/series": series}}
    seen = browser.show(Case("partial", [{"result": partial}, SHOWN]))
    assert faults_of(seen) == []
    assert (
        "change by cause" in seen["partial"].looks["shown"]["text"] and "503" in seen["partial"].looks["shown"]["text"]
    )


def test_drill_down(browser: Browser, results: dict[str, Json]) -> None:
    driver = {"press": "Amazon Elastic Compute Cloud"}
    start: list[Json] = [{"input": {}}, {"result": results["explain"]}, {"look": "before"}]
    focused: Json = {"evaluate": "document.activeElement.innerText"}
    seen = browser.show(
        Case(
            "drill",
            [*start, driver, {"expect": "Back to"}, {"look": "after"}, {"press": "Back to"}, {"look": "back"}, focused],
            answers={EXPLAIN: [results["explain"]]},
        ),
        Case(
            "drill-failed",
            [*start, driver, {"expect": "403"}, {"look": "after"}],
            answers={EXPLAIN: [failed("You have no access to this data (403).")]},
        ),
        Case(
            "drill-broken",
            [*start, driver, {"expect": "is away"}, {"look": "after"}],
            answers={EXPLAIN: ["is away"]},
        ),
    )
    assert faults_of(seen) == []
    (call,) = seen["drill"].requests("tools/call")
    assert call["name"] == EXPLAIN
    assert call["arguments"]["filters"] == [
        {"id": "service_description", "type": "fixed", "values": ["Amazon Elastic Compute Cloud"]}
    ]
    entered, left = [one["content"][0]["text"] for one in seen["drill"].requests("ui/update-model-context")]
    assert "Amazon Elastic Compute Cloud" in entered and "Amazon Elastic Compute Cloud" not in left
    assert seen["drill"].evaluated == ["Amazon Elastic Compute Cloud"], "the way back leads to the row"
    looks = seen["drill"].looks
    assert looks["back"]["tables"] == looks["before"]["tables"]
    for name in ("drill-failed", "drill-broken"):
        before, after = seen[name].looks["before"], seen[name].looks["after"]
        assert after["tables"] == before["tables"] and after["busy"] == "false", name


def test_each_capability_that_a_host_lacks_hides_its_controls(browser: Browser, results: dict[str, Json]) -> None:
    steps: list[Json] = [{"input": {}}, {"result": results["explain"]}, SHOWN]
    lacking = {
        name: {other: value for other, value in ALL_CAPABILITIES.items() if other != name} for name in ALL_CAPABILITIES
    }
    cases = [Case(f"without-{name}", steps, capabilities=left, mode="fullscreen") for name, left in lacking.items()]
    cases += [
        Case("with-all", steps, mode="fullscreen"),
        Case("with-nothing", steps, capabilities={}, modes=["inline"]),
        Case("inline-only", [*steps, {"press": "More"}, {"look": "more"}, {"press": "Less"}], modes=["inline"]),
        # More adds no lines to this picture, only space around it.
        Case(
            "inline-budget",
            [{"input": {}}, {"result": results["budget"]}, SHOWN, {"press": "More"}, {"look": "more"}],
            modes=["inline"],
        ),
    ]
    seen = browser.show(*cases)
    assert faults_of(seen) == []
    buttons = {name: set(one.looks["shown"]["buttons"]) for name, one in seen.items()}
    everything = buttons["with-all"]
    gone = {name: everything - buttons[f"without-{name}"] for name in ALL_CAPABILITIES}
    assert any("Amazon Elastic Compute Cloud" in label for label in gone["serverTools"])
    assert any("Why" in label for label in gone["message"])
    assert any("CSV" in label for label in gone["downloadFile"])
    assert not gone["logging"] and not gone["updateModelContext"]
    assert not any(gone["serverTools"] & others for name, others in gone.items() if name != "serverTools")
    assert buttons["with-nothing"] == set()
    assert "Full screen" not in buttons["inline-only"]
    assert any("CSV" in label for label in seen["inline-only"].looks["more"]["buttons"])


@pytest.mark.parametrize("method", ["ui/message", "ui/request-display-mode"])
def test_a_method_that_a_host_does_not_know_hides_its_control_for_good(
    browser: Browser, results: dict[str, Json], method: str
) -> None:
    label = "Why did" if method == "ui/message" else "Full screen"
    steps: list[Json] = [{"input": {}}, {"result": results["explain"]}, {"look": "before"}, {"press": label}]
    steps += [{"gone": label}, {"look": "after"}, {"result": results["explain"]}, {"look": "again"}]
    seen = browser.show(Case("refused", steps, refused=[method]))
    assert faults_of(seen) == []
    before, after, again = (seen["refused"].looks[name]["buttons"] for name in ("before", "after", "again"))
    assert any(label in each for each in before)
    assert not any(label in each for each in [*after, *again])
    assert len(seen["refused"].requests(method)) == 1


def test_full_screen_and_csv(browser: Browser, results: dict[str, Json]) -> None:
    steps: list[Json] = [{"input": {}}, {"result": results["explain"]}, {"press": "Full screen"}]
    steps += [{"expect": "CSV"}, {"look": "full"}, {"press": "CSV"}, {"press": "Close full screen"}, {"look": "inline"}]
    seen = browser.show(Case("full", steps))["full"]
    assert seen.faults == []
    assert [asked["mode"] for asked in seen.requests("ui/request-display-mode")] == ["fullscreen", "inline"]
    (saved,) = seen.requests("ui/download-file")
    (content,) = saved["contents"]
    assert content["type"] == "resource" and content["resource"]["mimeType"].startswith("text/csv")
    rows = content["resource"]["text"].splitlines()
    # All dimensions and the causes, as in full screen. The first and the last step of each are the compared days.
    waterfalls = results["explain"]["_meta"]["doit/series"]["series"]
    assert len(rows) == sum(len(one["rows"]) for one in waterfalls) + 1
    assert rows[1].endswith("service,2026-09-01 to 2026-09-30,start,66618.24")
    assert any("cause,Unit prices,change," in row for row in rows)


def test_theme_and_sizes_follow_the_host(browser: Browser, results: dict[str, Json]) -> None:
    colors = {"variables": {"--color-text-primary": "rgb(1, 2, 3)"}}
    steps: list[Json] = [{"input": {}}, {"result": results["explain"]}, {"look": "light"}]
    steps += [{"context": {"theme": "dark"}}, {"look": "dark"}, {"context": {"theme": "light", "styles": colors}}]
    steps += [{"look": "colors"}]
    seen = browser.show(Case("theme", steps))["theme"]
    # The look of the dark view is checked where the browser is dark, too.
    assert [fault for fault in seen.faults if "dark: color-contrast" not in fault] == []
    assert seen.looks["light"]["color"] != seen.looks["dark"]["color"]
    assert seen.looks["colors"]["color"] == "rgb(1, 2, 3)"
    assert seen.looks["light"]["tables"] == seen.looks["dark"]["tables"]
    heights = [change["height"] for change in seen.requests("ui/notifications/size-changed")]
    assert heights and max(heights) < 4000


def test_teardown(browser: Browser, results: dict[str, Json]) -> None:
    steps: list[Json] = [
        {"input": {}},
        {"result": results["explain"]},
        {"teardown": None},
        {"context": {"theme": "dark"}},
    ]
    seen = browser.show(Case("teardown", steps))["teardown"]
    assert seen.faults == []
    answered = [index for index, message in enumerate(seen.received) if "result" in message]
    assert len(answered) == 1 and answered[0] == len(seen.received) - 1, "a view that was torn down is silent"


def test_messages_of_others_are_ignored(browser: Browser, results: dict[str, Json]) -> None:
    forged = """window.dispatchEvent(new MessageEvent("message", {source: window, data: {jsonrpc: "2.0",
        method: "ui/notifications/tool-result", params: {content: [{type: "text", text: "forged"}], isError: true}}}))"""
    steps: list[Json] = [{"input": {}}, {"result": results["explain"]}, {"evaluate": forged}, SHOWN]
    seen = browser.show(Case("forged", steps))["forged"]
    assert seen.faults == [] and "forged" not in seen.looks["shown"]["text"]


def test_the_protocol(browser: Browser, results: dict[str, Json]) -> None:
    seen = browser.show(Case("protocol", [{"input": {}}, {"result": results["explain"]}]))["protocol"]
    assert seen.faults == []
    first, second, *others = seen.received
    assert first["method"] == "ui/initialize" and first["params"]["protocolVersion"] == "2026-01-26"
    assert second["method"] == "ui/notifications/initialized"
    assert {message["method"] for message in others} == {"ui/notifications/size-changed"}


def test_an_older_chatgpt(browser: Browser, results: dict[str, Json]) -> None:
    result = results["explain"]
    globals_: Json = {
        "theme": "light",
        "locale": "en-US",
        "displayMode": "inline",
        "toolInput": {},
        "toolOutput": result["structuredContent"],
        "toolResponseMetadata": result["_meta"],
    }
    functions: Json = {"callTool": result, "sendFollowUpMessage": None, "requestDisplayMode": {"mode": "inline"}}
    steps: list[Json] = [{"expect": "Amazon Elastic Compute Cloud"}, SHOWN, {"press": "Why did"}]
    legacy = {"globals": globals_, "functions": functions}
    seen = browser.show(Case("chatgpt", steps, legacy=legacy))["chatgpt"]
    # The host page measures nothing here, so the height of the frame is that of the test.
    assert [fault for fault in seen.faults if "px high" not in fault] == []
    ((name, question),) = seen.calls
    assert name == "sendFollowUpMessage" and "Amazon Elastic Compute Cloud" in question["prompt"]
