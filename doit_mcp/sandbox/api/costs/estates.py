"""Estates of the customers: their projects and what happened to them."""

from __future__ import annotations

from ...accounts import ACME, GLOBEX, UMBRA, Customer
from .aws_services import AWS_SERVICES
from .azure_services import AZURE_SERVICES
from .estate_types import AWS, AZURE, GOOGLE, Credit, Estate, Incident, Metric, MonthDay, Project
from .google_services import GOOGLE_SERVICES

SERVICES = (*AWS_SERVICES, *GOOGLE_SERVICES, *AZURE_SERVICES)

ACME_AWS, ACME_GOOGLE = "900100200300", "01A2B3-C4D5E6-F70819"
ACME_ESTATE = Estate(
    projects=(
        Project(
            AWS,
            ACME_AWS,
            "111122223333",
            "acme-production",
            "us-east-1",
            1.8,
            0.92,
            "platform",
            "production",
            full=True,
            cluster="acme-shop",
            cost_center="1200",
        ),
        Project(AWS, ACME_AWS, "222233334444", "acme-staging", "us-east-1", 0.6, 0.45, "platform", "staging"),
        Project(
            AWS,
            ACME_AWS,
            "333344445555",
            "acme-launchpad",
            "eu-west-1",
            1.1,
            0.8,
            "launch",
            "production",
            cost_center="1310",
        ),
        Project(AWS, ACME_AWS, "444455556666", "acme-sandbox", "us-west-2", 0.2, 0.25, None, None),
        Project(
            AWS,
            ACME_AWS,
            "555500006666",
            "acme-mobile",
            "us-east-1",
            0.45,
            0.95,
            "launch",
            "production",
            opened=MonthDay(2, 12),
            cost_center="1310",
        ),
        Project(
            GOOGLE,
            ACME_GOOGLE,
            "acme-telemetry",
            "Acme telemetry",
            "europe-west1",
            1.35,
            0.85,
            "data",
            "production",
            full=True,
            cluster="telemetry",
        ),
        Project(
            GOOGLE, ACME_GOOGLE, "acme-analytics", "Acme analytics", "europe-west1", 0.9, 0.5, "data", "production"
        ),
        Project(GOOGLE, ACME_GOOGLE, "acme-research", "Acme research", "us-central1", 0.5, 0.35, "research", None),
        Project(
            GOOGLE,
            ACME_GOOGLE,
            "acme-legacy-etl",
            "Acme legacy ETL",
            "europe-west1",
            0.35,
            0.9,
            "data",
            "production",
            closed=MonthDay(1, 19),
        ),
        Project(
            AZURE,
            "7f3c9a52",
            "5d1e8f0a-acme-0001",
            "Acme corporate",
            "westeurope",
            0.8,
            0.6,
            "it",
            "production",
            full=True,
        ),
    ),
    incidents=(
        Incident("acme-analytics", "24E6-581D-38E5", 3, 4, 8.0),
        Incident("222233334444", "AmazonEC2", 38, 3, 3.8),
    ),
    credits=(
        Credit(AWS, "Growth programme", 0.06, MonthDay(1, 17)),
        Credit(GOOGLE, "Migration incentive", 0.05, MonthDay(0, 11)),
        Credit(AZURE, "Growth programme", 0.06),
    ),
    metrics=(Metric("Orders", "orders", 4_200.0, 1.25), Metric("Orders", "customers", 2_900.0, 1.2)),
)

GLOBEX_AWS, GLOBEX_AZURE = "910200300400", "1b8d4e60"
GLOBEX_ESTATE = Estate(
    projects=(
        Project(
            AWS,
            GLOBEX_AWS,
            "555566667777",
            "globex-shop",
            "eu-central-1",
            2.6,
            1.15,
            "shop",
            "production",
            full=True,
            cluster="globex-shop",
        ),
        Project(AWS, GLOBEX_AWS, "666677778888", "globex-shop-test", "eu-central-1", 0.4, 0.4, "shop", "test"),
        Project(
            GOOGLE,
            "0F9E8D-7C6B5A-493827",
            "globex-forecast",
            "Globex forecast",
            "europe-west4",
            1.3,
            0.9,
            "supply",
            "production",
            full=True,
            cluster="forecast",
        ),
        Project(
            AZURE,
            GLOBEX_AZURE,
            "9c2a7b3e-globex-0001",
            "Globex stores",
            "northeurope",
            2.2,
            1.05,
            "stores",
            "production",
            full=True,
        ),
        Project(
            AZURE, GLOBEX_AZURE, "9c2a7b3e-globex-0002", "Globex stores test", "northeurope", 0.3, 0.3, None, "test"
        ),
    ),
    incidents=(
        Incident("9c2a7b3e-globex-0001", "virtual-machines", 2, 3, 4.2),
        Incident("555566667777", "AmazonS3", 61, 5, 5.0),
    ),
    credits=(
        Credit(AWS, "Growth programme", 0.04),
        Credit(GOOGLE, "Growth programme", 0.04, MonthDay(2, 24)),
        Credit(AZURE, "Growth programme", 0.04),
    ),
    metrics=(Metric("Orders", "orders", 11_500.0, 1.4),),
)

UMBRA_ESTATE = Estate(
    projects=(
        Project(
            AWS,
            "920300400500",
            "777788889999",
            "umbra-trading",
            "ap-northeast-1",
            1.4,
            0.7,
            "trading",
            "production",
            full=True,
        ),
        Project(
            AWS, "920300400500", "888899990000", "umbra-trading-test", "ap-northeast-1", 0.3, 0.3, "trading", "test"
        ),
        Project(
            GOOGLE,
            "0C1D2E-3F4A5B-607182",
            "umbra-risk",
            "Umbra risk",
            "asia-northeast1",
            0.8,
            0.6,
            "risk",
            "production",
        ),
    ),
    incidents=(
        Incident("umbra-risk", "24E6-581D-38E5", 2, 3, 7.5),
        Incident("777788889999", "AmazonRDS", 47, 3, 3.2),
    ),
    credits=(Credit(AWS, "Growth programme", 0.05), Credit(GOOGLE, "Growth programme", 0.05)),
    metrics=(Metric("Orders", "orders", 800.0, 0.4),),
)

ESTATES = {ACME.id: ACME_ESTATE, GLOBEX.id: GLOBEX_ESTATE, UMBRA.id: UMBRA_ESTATE}
# Two, which divide the variants of billing data: customers who share billing lines also share the estate.
GENERATED_ESTATES = (ACME_ESTATE, GLOBEX_ESTATE)


def estate_of(customer: Customer) -> Estate:
    """The estate of a customer; generated customers reuse that of a built-in one."""
    return ESTATES[customer.id] if not customer.number else GENERATED_ESTATES[customer.number % len(GENERATED_ESTATES)]
