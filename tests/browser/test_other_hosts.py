"""The view in the React component of @mcp-ui/client, which many hosts use."""

from __future__ import annotations

from tests.browser.driver import ALL_CAPABILITIES, Browser, Case, Json
from tests.browser.test_states import EXPLAIN

DRIVER = "Amazon Elastic Compute Cloud"
# Messages about the host: the component renders once before its bridge is connected, and its frame is of its own origin,
# which the view inside of it is not.
OF_THE_HOST = ("Error: Not connected", "An iframe which has both allow-scripts and allow-same-origin")


def test_the_component_of_mcp_ui(browser: Browser, results: dict[str, Json]) -> None:
    steps: list[Json] = [{"expect": DRIVER}, {"look": "shown"}, {"press": DRIVER}, {"expect": "Back to"}]
    steps += [{"press": "Why did"}, {"look": "selected"}]
    case = Case(
        "mcp-ui",
        steps,
        tool=EXPLAIN,
        host="mcp-ui",
        capabilities={name: ALL_CAPABILITIES[name] for name in ("serverTools", "openLinks", "message")},
        modes=["inline"],
        shown={"input": {}, "result": results["explain"]},
        answers={EXPLAIN: [results["explain"]]},
    )
    (seen,) = browser.show(case).values()
    assert [fault for fault in seen.faults if not any(text in fault for text in OF_THE_HOST)] == []
    assert "$73,952.84" in seen.looks["shown"]["text"]
    (call,) = seen.requests("tools/call")
    assert call["name"] == EXPLAIN and call["arguments"]["filters"][0]["values"] == [DRIVER]
    (question,) = seen.requests("ui/message")
    assert DRIVER in question["content"][0]["text"]
