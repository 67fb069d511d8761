"""Overlaps of recommendations and commitment purchases."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from doit_mcp.catalog.commitments.aws import RecommendedPurchase
from doit_mcp.catalog.savings.overlaps import find_overlaps

PURCHASES = [RecommendedPurchase("1", service, Decimal(1), Decimal(10)) for service in ("compute", "database")]


@pytest.mark.parametrize(
    ("changes", "service"),
    [
        ({}, "compute"),
        ({"title": "Rightsizing of EC2 Instances"}, "compute"),
        ({"title": "Idle RDS DB instances"}, "database"),
        ({"title": "Under-utilized Amazon Relational Database Service"}, "database"),
        ({"title": "Over-provisioned Lambda functions"}, "compute"),
        ({"title": "Right-size"}, None),
        ({"title": "Idle S3 buckets"}, None),
        ({"title": "Move words like dynasty"}, None),
        ({"title": "Encrypt EC2 volumes"}, None),
        ({"cloudProvider": "gcp"}, None),
        ({"summary": {"potentialDailySavings": 0}}, None),
        ({"title": "Shrink", "tags": ["Right Sizing"], "shortDescription": "For ec2."}, "compute"),
        ({"key": "ec2-rightsizing", "title": "Smaller"}, "compute"),
    ],
)
def test_smaller_usage_overlaps_with_a_commitment_for_it(changes: dict[str, Any], service: str | None) -> None:
    recommendation = {
        **{"source": "s", "key": "k", "title": "Right-size EC2", "cloudProvider": "aws"},
        **{"summary": {"potentialDailySavings": 1.0}, **changes},
    }
    expected = [[f"purchase:1/{service}", f"recommendation:s/{recommendation['key']}"]] if service else []
    assert [overlap["ids"] for overlap in find_overlaps([recommendation], PURCHASES)] == expected


UNRELATED = [
    *("Delete idle load balancers", "Idle NAT gateways", "Terminate idle SageMaker notebooks", "Downsize S3 storage"),
    *("Underutilized EBS volumes", "Idle Elastic IP addresses", "Right-size Amazon OpenSearch domains"),
    *("Buy Reserved Instances for EC2", "Upgrade RDS engine versions", "Enable Lambda tracing"),
    "Move EC2 instances to Graviton",
]


@pytest.mark.parametrize("title", UNRELATED)
def test_unrelated_recommendations_do_not_overlap(title: str) -> None:
    recommendation = {
        **{"source": "s", "key": "k", "title": title, "cloudProvider": "aws"},
        "summary": {"potentialDailySavings": 1.0},
    }
    assert find_overlaps([recommendation], PURCHASES) == []


def test_purchase_overlaps_only_with_what_it_covers() -> None:
    rows = [
        {
            **{"source": "s", "key": title, "title": title, "cloudProvider": "aws"},
            "summary": {"potentialDailySavings": 1.0},
        }
        for title in ("Right-size EC2", "Idle RDS instances", *UNRELATED)
    ]
    found = {overlap["ids"][0]: overlap["ids"][1:] for overlap in find_overlaps(rows, PURCHASES)}
    assert found == {
        "purchase:1/compute": ["recommendation:s/Right-size EC2"],
        "purchase:1/database": ["recommendation:s/Idle RDS instances"],
    }
