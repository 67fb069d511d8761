"""The calls in the text of a skill, and what their placeholders stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

BLOCK = re.compile(r"^ *```text\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"([a-z_]+) (\{.*\})")
PLACEHOLDER = re.compile(r"[A-Z]+(_[A-Z]+)*")
FOUND: Mapping[str, tuple[str, str]] = {
    "SERVICE": ("explain_cost_change", "by.0.drivers.0.name"),
    "CURRENCY": ("cost_trend", "currency"),
    "ANOMALY_ID": ("get_anomalies", "anomalies.0.id"),
    "PROJECT_ID": ("get_anomaly", "project.id"),
    "ACCOUNT_ID": ("list_aws_organizations", "items.0.managementAccountId"),
    "BILLING_ID": ("list_gcp_billing_accounts", "items.0.billingAccountId"),
    "SOURCE": ("list_optimization_recommendations", "insights.0.source"),
    "KEY": ("list_optimization_recommendations", "insights.0.key"),
    "FLOW_ID": ("list_cloudflows", "items.1.id"),
    "RUN_ID": ("list_cloudflow_runs", "items.0.id"),
    "BUNDLE": ("export_cloudflow", ""),
}
"""Placeholders whose values an earlier call of the method returns: its tool, and the path in its result, "" for all of it."""


class MethodCall(NamedTuple):
    """One call of a method, with placeholders."""

    tool: str
    arguments: dict[str, Any]


def calls_in(text: str) -> Iterator[MethodCall]:
    """Yield the calls in the code blocks of a skill, in order."""
    for block in BLOCK.findall(text):
        for line in block.split("\n"):
            if line.strip():
                match = CALL.fullmatch(line.strip())
                assert match is not None, line
                yield MethodCall(match[1], json.loads(match[2]))


def with_values(value: Any, values: Mapping[str, Any]) -> Any:
    """Return *value* with its placeholders replaced."""
    if isinstance(value, dict):
        return {name: with_values(item, values) for name, item in value.items()}
    if isinstance(value, list):
        return [with_values(item, values) for item in value]
    is_placeholder = isinstance(value, str) and PLACEHOLDER.fullmatch(value) and value in (*values, *FOUND)
    return values[value] if is_placeholder else value
