"""Estates of the customers: clouds, services, SKUs, projects, and two incidents each."""

from __future__ import annotations

from dataclasses import dataclass

from ...accounts import ACME, GLOBEX, UMBRA, Customer

AWS, GOOGLE, AZURE = "amazon-web-services", "google-cloud", "microsoft-azure"


@dataclass(frozen=True, slots=True)
class Sku:
    """A priced item: *price* in micro-dollars per *unit*, *weight* is its share of the service."""

    id: str
    description: str
    unit: str
    price: int
    weight: float


@dataclass(frozen=True, slots=True)
class Service:
    """A cloud service; *short* is DoiT's name for it in anomalies; *daily* is in dollars for a project of scale 1."""

    provider: str
    id: str
    description: str
    short: str
    daily: float
    skus: tuple[Sku, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """An account, project or subscription; *scale* is its size, *weekend* its share of activity on weekends."""

    provider: str
    billing_account: str
    id: str
    name: str
    region: str
    scale: float
    weekend: float
    team: str | None
    env: str | None


@dataclass(frozen=True, slots=True)
class Incident:
    """A cost increase by *factor* for *days* days, starting *days_ago* days before the sandbox started."""

    project: str
    service: str
    days_ago: int
    days: int
    factor: float


@dataclass(frozen=True, slots=True)
class Estate:
    """The cloud resources of a customer; *credits* are promotional, a share of each cloud's first service."""

    projects: tuple[Project, ...]
    incidents: tuple[Incident, ...]
    credit_share: float


SERVICES = (
    Service(
        AWS,
        "AmazonEC2",
        "Amazon Elastic Compute Cloud",
        "EC2",
        120.0,
        (
            Sku("BoxUsage:m6i.xlarge", "$0.192 per On Demand Linux m6i.xlarge Instance Hour", "Hrs", 192_000, 0.7),
            Sku("EBS:VolumeUsage.gp3", "$0.08 per GB-month of General Purpose (gp3)", "GB-Mo", 80_000, 0.3),
        ),
    ),
    Service(
        AWS,
        "AmazonRDS",
        "Amazon Relational Database Service",
        "RDS",
        61.0,
        (
            Sku(
                "InstanceUsage:db.r6g.large", "$0.26 per RDS db.r6g.large Single-AZ instance hour", "Hrs", 260_000, 0.8
            ),
            Sku("RDS:GP3-Storage", "$0.115 per GB-month of provisioned gp3 storage", "GB-Mo", 115_000, 0.2),
        ),
    ),
    Service(
        AWS,
        "AmazonS3",
        "Amazon Simple Storage Service",
        "S3",
        34.0,
        (
            Sku("TimedStorage-ByteHrs", "$0.023 per GB - first 50 TB / month of storage used", "GB-Mo", 23_000, 0.75),
            Sku("Requests-Tier1", "$0.005 per 1,000 PUT, COPY, POST, or LIST requests", "Requests", 5, 0.25),
        ),
    ),
    Service(
        AWS,
        "AWSLambda",
        "AWS Lambda",
        "Lambda",
        12.0,
        (Sku("Lambda-GB-Second", "AWS Lambda - Total Compute", "Lambda-GB-Second", 17, 1.0),),
    ),
    Service(
        AWS,
        "AmazonCloudWatch",
        "AmazonCloudWatch",
        "CloudWatch",
        9.0,
        (Sku("DataProcessing-Bytes", "$0.50 per GB custom log data ingested", "GB", 500_000, 1.0),),
    ),
    Service(
        GOOGLE,
        "6F81-5844-456A",
        "Compute Engine",
        "Compute Engine",
        95.0,
        (
            Sku("CF4E-A0C7-E3BF", "N2 Instance Core running in Belgium", "hour", 34_773, 0.65),
            Sku("D973-5D65-BAB2", "Storage PD Capacity", "gibibyte month", 40_000, 0.35),
        ),
    ),
    Service(
        GOOGLE,
        "24E6-581D-38E5",
        "BigQuery",
        "BigQuery",
        58.0,
        (
            Sku("3362-E469-6BEF", "Analysis (europe-west1)", "tebibyte", 6_250_000, 0.8),
            Sku("A2D9-5C11-F7E2", "Active Logical Storage (europe-west1)", "gibibyte month", 20_000, 0.2),
        ),
    ),
    Service(
        GOOGLE,
        "95FF-2EF5-5EA1",
        "Cloud Storage",
        "Cloud Storage",
        17.0,
        (Sku("E5F0-6A5D-7BAD", "Standard Storage Belgium", "gibibyte month", 20_000, 1.0),),
    ),
    Service(
        GOOGLE,
        "CCD8-9BF1-090E",
        "Kubernetes Engine",
        "Kubernetes Engine",
        7.2,
        (Sku("6B92-A835-08AB", "Regional Kubernetes Clusters", "hour", 100_000, 1.0),),
    ),
    Service(
        AZURE,
        "virtual-machines",
        "Virtual Machines",
        "Virtual Machines",
        70.0,
        (Sku("D4s-v5", "D4s v5 - EU West", "1 Hour", 211_000, 1.0),),
    ),
    Service(
        AZURE,
        "storage",
        "Storage",
        "Storage",
        15.0,
        (
            Sku("hot-lrs", "Hot LRS Data Stored - EU West", "1 GB/Month", 19_600, 0.8),
            Sku("hot-write", "Hot LRS Write Operations", "10K", 54_000, 0.2),
        ),
    ),
    Service(
        AZURE,
        "azure-sql",
        "SQL Database",
        "SQL Database",
        31.0,
        (Sku("gp-vcore", "General Purpose vCore - EU West", "1 Hour", 152_000, 1.0),),
    ),
)

ACME_ESTATE = Estate(
    projects=(
        Project(
            AWS, "900100200300", "111122223333", "acme-production", "us-east-1", 2.4, 0.92, "platform", "production"
        ),
        Project(AWS, "900100200300", "222233334444", "acme-staging", "us-east-1", 0.6, 0.45, "platform", "staging"),
        Project(AWS, "900100200300", "333344445555", "acme-launchpad", "eu-west-1", 1.1, 0.8, "launch", "production"),
        Project(AWS, "900100200300", "444455556666", "acme-sandbox", "us-west-2", 0.2, 0.25, None, None),
        Project(
            GOOGLE,
            "01A2B3-C4D5E6-F70819",
            "acme-telemetry",
            "Acme telemetry",
            "europe-west1",
            1.7,
            0.85,
            "data",
            "production",
        ),
        Project(
            GOOGLE,
            "01A2B3-C4D5E6-F70819",
            "acme-analytics",
            "Acme analytics",
            "europe-west1",
            0.9,
            0.5,
            "data",
            "production",
        ),
        Project(
            GOOGLE, "01A2B3-C4D5E6-F70819", "acme-research", "Acme research", "us-central1", 0.5, 0.35, "research", None
        ),
        Project(AZURE, "7f3c9a52", "5d1e8f0a-acme-0001", "Acme corporate", "westeurope", 0.8, 0.6, "it", "production"),
    ),
    incidents=(
        Incident("acme-analytics", "24E6-581D-38E5", 3, 4, 6.5),
        Incident("222233334444", "AmazonEC2", 38, 3, 3.8),
    ),
    credit_share=0.06,
)

GLOBEX_ESTATE = Estate(
    projects=(
        Project(AWS, "910200300400", "555566667777", "globex-shop", "eu-central-1", 3.1, 1.15, "shop", "production"),
        Project(AWS, "910200300400", "666677778888", "globex-shop-test", "eu-central-1", 0.4, 0.4, "shop", "test"),
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
        ),
        Project(
            AZURE, "1b8d4e60", "9c2a7b3e-globex-0001", "Globex stores", "northeurope", 2.2, 1.05, "stores", "production"
        ),
        Project(AZURE, "1b8d4e60", "9c2a7b3e-globex-0002", "Globex stores test", "northeurope", 0.3, 0.3, None, "test"),
    ),
    incidents=(
        Incident("9c2a7b3e-globex-0001", "virtual-machines", 2, 3, 4.2),
        Incident("555566667777", "AmazonS3", 61, 5, 5.0),
    ),
    credit_share=0.04,
)

UMBRA_ESTATE = Estate(
    projects=(
        Project(
            AWS, "920300400500", "777788889999", "umbra-trading", "ap-northeast-1", 1.4, 0.7, "trading", "production"
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
        Incident("umbra-risk", "24E6-581D-38E5", 2, 3, 4.0),
        Incident("777788889999", "AmazonRDS", 47, 3, 3.2),
    ),
    credit_share=0.05,
)

ESTATES = {ACME.id: ACME_ESTATE, GLOBEX.id: GLOBEX_ESTATE, UMBRA.id: UMBRA_ESTATE}
# Two, which divide the variants of billing data: customers who share billing lines also share the estate.
GENERATED_ESTATES = (ACME_ESTATE, GLOBEX_ESTATE)


def estate_of(customer: Customer) -> Estate:
    """The estate of a customer; generated customers reuse that of a built-in one."""
    return ESTATES[customer.id] if not customer.number else GENERATED_ESTATES[customer.number % len(GENERATED_ESTATES)]
