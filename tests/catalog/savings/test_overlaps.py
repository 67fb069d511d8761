"""Overlaps of recommendations and commitment purchases."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from doit_mcp.catalog.commitments.aws import RecommendedPurchase
from doit_mcp.catalog.commitments.google import GOOGLE
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
        ({"cloudProvider": "azure"}, None),
        ({"title": "Idle EBS volumes", "shortDescription": "No EC2 instance uses them."}, None),
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
    shown = {f"recommendation:s/{recommendation['key']}", *(purchase.id for purchase in PURCHASES)}
    assert [overlap["ids"] for overlap in find_overlaps([recommendation], PURCHASES, shown)] == expected


def test_only_rows_that_are_shown_overlap() -> None:
    rows = [
        {
            **{"source": "s", "key": str(key), "title": "Right-size EC2", "cloudProvider": "aws"},
            "summary": {"potentialDailySavings": 1.0},
        }
        for key in range(2_000)
    ]
    purchases = [RecommendedPurchase(str(number), "compute", Decimal(1), Decimal(10)) for number in range(200)]
    shown = {"recommendation:s/1", "recommendation:s/7", "purchase:3/compute", "purchase:4/database"}
    (overlap,) = find_overlaps(rows, purchases, shown)
    assert overlap["ids"] == ["purchase:3/compute", "recommendation:s/1", "recommendation:s/7"]


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
    shown = {"recommendation:s/k", *(purchase.id for purchase in PURCHASES)}
    assert find_overlaps([recommendation], PURCHASES, shown) == []


def test_purchase_overlaps_only_with_what_it_covers() -> None:
    rows = [
        {
            **{"source": "s", "key": title, "title": title, "cloudProvider": "aws"},
            "summary": {"potentialDailySavings": 1.0},
        }
        for title in ("Right-size EC2", "Idle RDS instances", *UNRELATED)
    ]
    shown = {*(f"recommendation:s/{row['key']}" for row in rows), *(purchase.id for purchase in PURCHASES)}
    found = {overlap["ids"][0]: overlap["ids"][1:] for overlap in find_overlaps(rows, PURCHASES, shown)}
    assert found == {
        "purchase:1/compute": ["recommendation:s/Right-size EC2"],
        "purchase:1/database": ["recommendation:s/Idle RDS instances"],
    }


@pytest.mark.parametrize(
    ("title", "purchase"),
    [
        ("Right-size Compute Engine", "purchase:A/compute/global"),
        ("Rightsizing of VMs", "purchase:A/compute/global"),
        ("Overprovisioned Cloud SQL instances", "purchase:A/cloud_sql/us_east1"),
        ("Overprovisioned GKE clusters", "purchase:A/compute/global"),
        ("Right-size VMs and their disks", "purchase:A/compute/global"),
        ("Idle persistent disks|No virtual machine uses them.", None),
        ("Underutilized|The virtual machines have little load.", "purchase:A/compute/global"),
        ("Idle Memorystore instances", None),
        ("Right-size BigQuery slots", None),
        ("Upgrade Compute Engine images", None),
    ],
)
def test_overlaps_on_google_cloud(title: str, purchase: str | None) -> None:
    purchases = [
        RecommendedPurchase("A", "compute", Decimal(1), Decimal(10), GOOGLE, "global"),
        RecommendedPurchase("A", "cloud_sql", Decimal(1), Decimal(10), GOOGLE, "us_east1"),
        *PURCHASES,
    ]
    title, _, description = title.partition("|")
    recommendation = {
        **{"source": "s", "key": "k", "title": title, "cloudProvider": "gcp", "shortDescription": description},
        "summary": {"potentialDailySavings": 1.0},
    }
    shown = {"recommendation:s/k", *(one.id for one in purchases)}
    expected = [[purchase, "recommendation:s/k"]] if purchase else []
    assert [overlap["ids"] for overlap in find_overlaps([recommendation], purchases, shown)] == expected
