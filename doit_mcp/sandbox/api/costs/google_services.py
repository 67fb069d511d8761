"""Services and SKUs of Google Cloud, as its billing export names them."""

from __future__ import annotations

from .estate_types import GOOGLE, MonthDay, PriceChange, Service, Sku

NAMESPACES = (("ingest", 0.44), ("transform", 0.31), ("api", 0.16), ("kube-system", 0.09))


def _make_service(id: str, description: str, *skus: Sku) -> Service:
    return Service(GOOGLE, id, description, description, skus)


GOOGLE_SERVICES = (
    _make_service(
        "6F81-5844-456A",
        "Compute Engine",
        Sku("CF4E-A0C7-E3BF", "N2 Instance Core running in Belgium", "hour", 34_773, 40.0, core=True),
        Sku("2E27-4F75-95CD", "N2 Instance Ram running in Belgium", "gibibyte hour", 4_661, 13.0),
        Sku("D973-5D65-BAB2", "Storage PD Capacity", "gibibyte month", 40_000, 19.0, core=True),
        Sku("CF2F-8AE2-4F2A", "E2 Instance Core running in Belgium", "hour", 21_811, 21.0, namespaces=NAMESPACES),
        Sku("A0B1-3C2D-9F10", "Commitment v1: N2 Cpu in Belgium for 1 Year", "hour", 21_900, 9.0, tagged=False),
        Sku(
            "9DE9-9092-B3BC",
            "Network Internet Data Transfer Out from EMEA to EMEA",
            "gibibyte",
            85_000,
            8.0,
            core=True,
            tagged=False,
        ),
        Sku("DE9E-AFBC-A15A", "Network Inter Zone Data Transfer Out", "gibibyte", 10_000, 2.6, tagged=False),
    ),
    _make_service(
        "24E6-581D-38E5",
        "BigQuery",
        Sku(
            "3362-E469-6BEF",
            "Analysis (europe-west1)",
            "tebibyte",
            6_250_000,
            44.0,
            core=True,
            month_end=0.3,
            change=PriceChange(MonthDay(2, 1), 1.05),
        ),
        Sku("A2D9-5C11-F7E2", "Active Logical Storage (europe-west1)", "gibibyte month", 20_000, 10.0, core=True),
        Sku("B6B9-0B9F-7A3E", "Streaming Insert (europe-west1)", "mebibyte", 49, 3.0),
    ),
    _make_service(
        "95FF-2EF5-5EA1",
        "Cloud Storage",
        Sku("E5F0-6A5D-7BAD", "Standard Storage Belgium", "gibibyte month", 20_000, 13.0, core=True),
        Sku("0D5D-6E23-4250", "Nearline Storage Belgium", "gibibyte month", 10_000, 1.6),
    ),
    _make_service(
        "CCD8-9BF1-090E",
        "Kubernetes Engine",
        Sku("6B92-A835-08AB", "Regional Kubernetes Clusters", "hour", 100_000, 5.0, core=True),
    ),
    _make_service(
        "9662-B51E-5089",
        "Cloud SQL",
        Sku("4D5A-7F01-2C33", "Cloud SQL for PostgreSQL: Zonal - vCPU in Belgium", "hour", 41_300, 10.0),
        Sku("F6E3-8D41-0A72", "Cloud SQL for PostgreSQL: Zonal - RAM in Belgium", "gibibyte hour", 7_000, 4.0),
    ),
    _make_service(
        "152E-C115-5142",
        "Cloud Run",
        Sku("CA5D-9A8C-3F0B", "Services CPU (Request-based billing) in europe-west1", "second", 24, 4.5),
    ),
    _make_service(
        "A1E8-BE35-7EBC",
        "Cloud Pub/Sub",
        Sku("7C9B-2E08-51AD", "Message Delivery Basic", "tebibyte", 40_000_000, 3.4),
    ),
    _make_service(
        "57D6-EEA4-74DE",
        "Cloud Dataflow",
        Sku("2BDA-6D9F-1C54", "vCPU Time Batch Belgium", "hour", 56_000, 4.2, month_end=0.4),
    ),
    _make_service(
        "5490-F7B7-8DF6",
        "Cloud Logging",
        Sku("143F-A1B0-E0BE", "Log Storage cost", "gibibyte", 500_000, 3.2, tagged=False),
    ),
    _make_service(
        "E505-1604-58F8",
        "Networking",
        Sku("35A2-0B6E-7D19", "Networking Cloud Nat Data Processing", "gibibyte", 45_000, 3.0, tagged=False),
    ),
    _make_service(
        "C7E2-9256-1C43",
        "Vertex AI",
        Sku("5E1A-73D2-90C8", "Gemini 2.5 Pro Text Input - Predictions", "1M tokens", 1_250_000, 5.0, team="ai"),
        Sku("0F9C-B4A6-2D37", "Gemini 2.5 Pro Text Output - Predictions", "1M tokens", 10_000_000, 7.5, team="ai"),
        Sku(
            "8B3D-5C17-E6F2",
            "Gemini 2.5 Flash Text Input - Predictions",
            "1M tokens",
            300_000,
            1.4,
            team="ai",
            launched=MonthDay(3, 4),
        ),
        Sku(
            "D27E-19A5-C0B4",
            "Gemini 2.5 Flash Text Output - Predictions",
            "1M tokens",
            2_500_000,
            2.1,
            team="ai",
            launched=MonthDay(3, 4),
        ),
    ),
    _make_service(
        "B37A-4D1E-86C5",
        "MongoDB Atlas",
        Sku("E8C4-60F9-B21D", "MongoDB Atlas (Pay as You Go)", "count", 1_000_000, 4.5, tagged=False, lag_days=2),
    ),
)
