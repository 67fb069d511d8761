"""Which queries are expected to be long."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.catalog.report_runs.expected_duration import is_expected_long

SERVICE, CLOUD = {"id": "service_description", "type": "fixed"}, {"id": "cloud_provider", "type": "fixed"}


def last(amount: Any, unit: str) -> dict[str, Any]:
    return {"timeRange": {"mode": "last", "amount": amount, "unit": unit}}


def span(first: str, end: str) -> dict[str, Any]:
    return {"timeRange": {"mode": "custom"}, "customTimeRange": {"from": first, "to": end}}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({**last(120, "day"), "timeInterval": "day", "group": [SERVICE]}, True),
        ({**last(120, "day"), "timeInterval": "dayCumSum", "group": [CLOUD, SERVICE]}, True),
        ({**last(92, "day"), "timeInterval": "day", "group": [SERVICE]}, False),
        ({**last(92, "day"), "timeInterval": "day", "group": [SERVICE], "secondaryTimeRange": {"amount": 1}}, True),
        ({**last(120, "day"), "timeInterval": "day", "group": [CLOUD]}, False),
        ({**last(120, "day"), "timeInterval": "day"}, False),
        ({**last(10, "day"), "timeInterval": "hour", "group": [SERVICE]}, True),
        ({**last(12, "month"), "timeInterval": "month", "group": [SERVICE]}, True),
        ({**last(11, "month"), "timeInterval": "month", "group": [SERVICE]}, False),
        ({**span("2025-01-01T00:00:00Z", "2025-12-31T23:59:59Z"), "timeInterval": "month", "group": [SERVICE]}, False),
        ({**span("2024-01-01", "2025-12-31"), "timeInterval": "month", "group": [SERVICE]}, True),
        ({**span("2026-08-31", "2026-08-01"), "timeInterval": "day", "group": [SERVICE]}, False),
        ({**span("soon", "later"), "timeInterval": "day", "group": [SERVICE]}, False),
        ({**last("many", "day"), "timeInterval": "day", "group": [SERVICE]}, False),
        ({"timeRange": {"mode": "current", "unit": "year"}, "timeInterval": "day", "group": [SERVICE]}, True),
        ({"timeRange": "last_month", "group": [SERVICE]}, False),
        ({}, False),
    ],
    ids=str,
)
def test_long_queries_have_groups_and_a_long_range(config: dict[str, Any], expected: bool) -> None:
    assert is_expected_long(config) is expected
