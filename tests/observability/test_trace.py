"""The fields of a trace in the log line of its request."""

from __future__ import annotations

import json
import logging

import pytest

from doit_mcp.observability.logging_setup import MAX_ITEMS, JsonFormatter
from doit_mcp.observability.trace import MAX_STATUSES, Trace


@pytest.mark.requirement("G1")
def test_statuses_are_recorded_per_upstream() -> None:
    """Statuses of the DoiT API and of identification are separate, and absent if nothing was requested."""
    trace = Trace("id", "0" * 32)
    assert trace.log_fields == {"trace": "id"}
    trace.count_upstream_call(429, 0.25)
    trace.count_upstream_call(None, 0.5)
    assert trace.log_fields == {
        "trace": "id",
        "upstream_calls": 2,
        "upstream_ms": 750.0,
        "upstream_status": (429, None),
    }
    trace.count_identity_call(200, 0.125)
    assert trace.log_fields["identity_ms"] == 125.0 and trace.log_fields["identity_status"] == (200,)


@pytest.mark.requirement("G1")
def test_last_statuses_are_recorded() -> None:
    """Calls with many requests have no long lines or lists."""
    trace = Trace("id", "0" * 32)
    for status in range(100, 100 + 3 * MAX_STATUSES):
        trace.count_upstream_call(status, 0.0)
        trace.count_identity_call(status, 0.0)
    last = tuple(range(100 + 2 * MAX_STATUSES, 100 + 3 * MAX_STATUSES))
    assert trace.upstream_statuses == trace.identity_statuses == last and trace.upstream_calls == 3 * MAX_STATUSES


@pytest.mark.requirement("G2")
def test_multiple_values_are_a_bounded_list() -> None:
    """Only the first values are kept."""
    record = logging.makeLogRecord({"msg": "request", "upstream_status": (200, None, "a\nb")})
    assert json.loads(JsonFormatter().format(record))["upstream_status"] == [200, None, "a\nb"]
    record = logging.makeLogRecord({"msg": "request", "upstream_status": (1,) * 100})
    assert json.loads(JsonFormatter().format(record))["upstream_status"] == [1] * MAX_ITEMS
