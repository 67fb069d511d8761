"""Fixtures of the browser tests: the Node packages, and results of the tools that have a view."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.answers.world import open_world
from tests.browser.driver import NODE, Browser, Json, running_browser
from tests.e2e.conftest import sandbox, sandbox_asking  # noqa: F401  # fixtures
from tests.e2e.node_packages import NotInstalled, install, unavailable

TODAY = "2026-11-28"
CALLS: dict[str, tuple[str, Json]] = {
    "overview": ("get_cloud_overview", {}),
    "breakdown": ("cost_breakdown", {"period": "this_month"}),
    "breakdown-months": ("cost_breakdown", {"period": "last_3_months"}),
    "trend": ("cost_trend", {}),
    "trend-days": ("cost_trend", {"interval": "day", "period": "last_30_days", "groupBy": "service"}),
    "compare": ("compare_spend", {}),
    "explain": ("explain_cost_change", {}),
    "forecast": ("forecast_spend", {}),
    "budgets": ("list_budgets", {}),
    "anomalies": ("get_anomalies", {}),
    "query": (
        "run_query",
        {
            "query": {
                "dataSource": "billing",
                "metrics": [{"type": "basic", "value": "cost"}],
                "timeRange": "last_3_months",
                "timeInterval": "month",
                "group": [{"id": "service_description", "type": "fixed"}],
            }
        },
    ),
    "savings": ("get_savings_summary", {}),
}
"""What is asked, by the name of the picture: the tool and its arguments."""
OTHER_CALLS: dict[str, tuple[str, Json]] = {
    "by-region": ("cost_breakdown", {"period": "this_month", "groupBy": "region"}),
    "running": ("compare_spend", {"period": "this_month"}),
    "two-dimensions": ("compare_spend", {"period": "last_month", "groupBy": ["service", "project"]}),
    "weeks": ("cost_trend", {"interval": "week", "period": "last_3_months"}),
    "scenario": ("forecast_spend", {"scenario": ["one-off 5000 on 2026-12-10"]}),
}
"""What single tests need."""


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with the host page."""
    try:
        install(NODE)
    except NotInstalled as error:
        unavailable(str(error))
    with running_browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


async def record() -> dict[str, Json]:
    """Return the results of CALLS, of OTHER_CALLS, and of one budget, anomaly and report."""
    async with open_world(TODAY) as world:
        found = {name: await world.call(tool, arguments) for name, (tool, arguments) in CALLS.items()}
        details = {
            "budget": ("get_budget", found["budgets"]["structuredContent"]["budgets"][0]["id"]),
            "anomaly": ("get_anomaly", found["anomalies"]["structuredContent"]["anomalies"][0]["id"]),
            "report": ("get_report_results", (await world.ask("list_reports"))["reports"][0]["id"]),
        }
        for name, (tool, arguments) in OTHER_CALLS.items():
            found[name] = await world.call(tool, arguments)
        found |= {name: await world.call(tool, {"id": id}) for name, (tool, id) in details.items()}
    for name, result in found.items():
        assert not result.get("isError"), (name, result)
    return found


@pytest.fixture(scope="session")
def results() -> dict[str, Json]:
    """Results of the sandbox on 28 November 2026, by the name of the picture."""
    return asyncio.run(record())
