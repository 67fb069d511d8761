"""Metrics: the conventions of OpenTelemetry for MCP, bounded labels, and the text that Prometheus reads."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from doit_mcp.observability.client_labels import (
    MAX_REMEMBERED_CLIENTS,
    MAX_VERSIONS_PER_CLIENT,
    OTHER,
    ClientCalls,
)
from doit_mcp.observability.metrics import MAX_LABEL_SETS, MCP_BUCKETS_SECONDS, Metrics

CONVENTION_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
CALL = ("tools/call", "list_budgets", "", "tool_error", "2025-11-25")


def read(metrics: Metrics) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Return the samples by name and labels, as Prometheus' own parser reads them."""
    samples: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(metrics.prometheus_text().decode()):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return samples


def test_operations_and_sessions_follow_the_conventions() -> None:
    metrics = Metrics({})
    for seconds in (0.01, 0.3, 400.0):
        metrics.count_operation(CALL, seconds)
    metrics.count_session("2025-11-25", 61.0)
    samples, name = read(metrics), "mcp_server_operation_duration_seconds"
    labels = {
        "mcp_method_name": "tools/call",
        "gen_ai_tool_name": "list_budgets",
        "error_type": "tool_error",
        "mcp_protocol_version": "2025-11-25",
        "network_transport": "tcp",
    }
    assert MCP_BUCKETS_SECONDS == CONVENTION_BUCKETS
    buckets = [
        samples[f"{name}_bucket"][tuple(sorted({**labels, "le": str(le)}.items()))] for le in MCP_BUCKETS_SECONDS
    ]
    assert buckets == [1.0] * 5 + [2.0] * 9
    key = tuple(sorted(labels.items()))
    assert samples[f"{name}_count"] == {key: 3.0} and samples[f"{name}_sum"][key] == pytest.approx(400.31)
    metrics.count_operation((*CALL[:3], "-32603", "2025-11-25"), 1.0)
    failed = dict(next(key for key in read(metrics)[f"{name}_count"] if ("error_type", "-32603") in key))
    assert failed["rpc_response_status_code"] == "-32603"
    ((session, count),) = samples["mcp_server_session_duration_seconds_count"].items()
    assert dict(session) == {"mcp_protocol_version": "2025-11-25", "network_transport": "tcp"} and count == 1.0


def test_number_of_label_sets_is_bounded() -> None:
    metrics = Metrics({})
    for number in range(2 * MAX_LABEL_SETS):
        metrics.count_operation(("tools/call", f"tool{number}", "", "", ""), 1.0)
        metrics.count_upstream_request("api", f"operation{number}", 200, 1.0)
    samples = read(metrics)
    for name in ("mcp_server_operation_duration_seconds_count", "doit_mcp_upstream_request_seconds_count"):
        counts = Counter(
            {
                dict(labels).get("mcp_method_name", dict(labels).get("operation")): count
                for labels, count in samples[name].items()
            }
        )
        assert len(samples[name]) == MAX_LABEL_SETS + 1 and counts[OTHER] == MAX_LABEL_SETS


def test_values_are_escaped() -> None:
    metrics = Metrics({})
    metrics.count_closed_connection('a"b\\c\nd')
    assert [dict(labels) for labels in read(metrics)["doit_mcp_connections_closed_total"]] == [{"reason": 'a"b\\c\nd'}]


def test_results_clients_and_upstream_requests_are_counted() -> None:
    metrics = Metrics({})
    claude = {"name": "claude-code", "version": "2.0.14"}
    metrics.count_tool_call("run_query", claude, False, 0.2, 29_000, truncated=True)
    metrics.count_tool_call("run_query", claude, True, 0.2)
    metrics.count_upstream_request("api", "run_query", None, 25.0)
    samples = read(metrics)
    assert samples["doit_mcp_tool_result_characters_sum"] == {(("tool", "run_query"),): 29_000.0}
    assert samples["doit_mcp_tool_results_truncated_total"] == {(("tool", "run_query"),): 1.0}
    assert samples["doit_mcp_client_calls_total"] == {(("client", "claude-code"), ("version", "2.0")): 2.0}
    key = (("operation", "run_query"), ("status", "none"), ("upstream", "api"))
    assert samples["doit_mcp_upstream_request_seconds_sum"] == {key: 25.0}


def test_former_names_are_marked_deprecated() -> None:
    text = Metrics({}).prometheus_text().decode()
    for name in ("doit_mcp_messages_total", "doit_mcp_tool_call_seconds", "doit_mcp_upstream_requests_total"):
        assert f"# HELP {name} Deprecated: use " in text


@pytest.mark.parametrize(
    ("claimed", "labels"),
    [
        ({"name": "claude-code", "version": "2.0.14"}, ("claude-code", "2.0")),
        ({"name": "Visual Studio Code", "version": "1.105.0-insider"}, ("vscode", "1.105")),
        ({"name": "Cursor (via mcp-remote 0.1.29)", "version": "1.0.0"}, ("cursor", "1.0")),
        ({"name": "openai-mcp", "version": "1"}, ("chatgpt", "1")),
        ({"name": "claude-ai"}, ("claude", OTHER)),
        ({"name": "claude-ai", "version": "secret-of-somebody"}, ("claude", OTHER)),
        ({"name": "claude-ai", "version": "123456789.1"}, ("claude", OTHER)),
        ({"name": "somebody@example.com", "version": "1.2"}, (OTHER, OTHER)),
        ({}, (OTHER, OTHER)),
    ],
)
def test_client_labels(claimed: dict[str, Any], labels: tuple[str, str]) -> None:
    clients = ClientCalls()
    assert clients.count(claimed) == clients.count(claimed) == labels and clients.counts == {labels: 2}


def test_clients_cannot_add_series_or_memory() -> None:
    clients = ClientCalls()
    claims = [{"name": "claude-ai", "version": f"{number}.0"} for number in range(4 * MAX_REMEMBERED_CLIENTS)]
    assert len({clients.count(claim) for claim in claims}) == MAX_VERSIONS_PER_CLIENT + 1
    assert {clients.count({"name": f"x{number}"}) for number in range(1000)} == {(OTHER, OTHER)}
    assert clients.remembered_claims == MAX_REMEMBERED_CLIENTS


def test_a_version_in_use_gets_a_label_from_those_that_are_not() -> None:
    """Invented versions do not keep the places of real ones, and no call is lost or counted twice."""
    clients = ClientCalls()
    for number in range(500):
        clients.count({"name": "claude-ai", "version": f"0.{number}"})
    real = [clients.count({"name": "claude-ai", "version": "2.1"}) for _ in range(10)]
    assert real[0] == ("claude", OTHER) and real[1:] == [("claude", "2.1")] * 9
    for number in range(500, 1000):
        clients.count({"name": "claude-ai", "version": f"0.{number}"})
    assert clients.counts["claude", "2.1"] == 9 and clients.counts.total() == 1010
    assert len(clients.counts) == MAX_VERSIONS_PER_CLIENT + 1


def test_versions_have_ascii_digits() -> None:
    """Labels are ASCII, whatever clients claim."""
    assert ClientCalls().count({"name": "claude-ai", "version": "\u0663.\u0664"}) == ("claude", "other")
