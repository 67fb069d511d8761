"""Terms of the filter of anomalies."""

from __future__ import annotations

import pytest

from doit_mcp.catalog.anomalies.filter_terms import explain_no_match, with_full_names

ROWS = [
    {"platform": "google-cloud", "serviceName": "BigQuery", "severityLevel": "critical"},
    {"platform": "amazon-web-services", "serviceName": "EC2", "severityLevel": "warning"},
]


@pytest.mark.parametrize(
    ("expression", "sent"),
    [
        (None, None),
        ("platform:aws", "platform:amazon-web-services"),
        ("platform: GCP|platform:azure", "platform:google-cloud|platform:microsoft-azure"),
        ("serviceName:aws|platform:nosuch", "serviceName:aws|platform:nosuch"),
        ("nonsense", "nonsense"),
    ],
)
def test_clouds_have_short_names(expression: str | None, sent: str | None) -> None:
    assert with_full_names(expression) == sent


def test_unknown_values_are_answered_with_real_ones_nearest_first() -> None:
    note = explain_no_match("serviceName:bigquery", ROWS, is_complete=True)
    assert note == 'No anomaly has serviceName "bigquery"; they have "BigQuery", "EC2".'
    note = explain_no_match("serviceName:Amazon Elastic Compute Cloud|platform:oracle", ROWS, is_complete=False)
    assert 'of the last 2 has serviceName "Amazon Elastic Compute Cloud"; they have "BigQuery", "EC2"' in note
    assert 'has platform "oracle"; they have "amazon-web-services", "google-cloud"' in note


def test_known_values_may_not_occur_together() -> None:
    note = explain_no_match("serviceName:EC2|platform:google-cloud", ROWS, is_complete=True)
    assert note == "Anomalies have each of these values, but none has all of them in this time."
    assert explain_no_match("serviceName:EC2", [], is_complete=True).startswith("There are no anomalies")
