"""Services and SKUs of Microsoft Azure: its meter categories and meters."""

from __future__ import annotations

from .estate_types import AZURE, MonthDay, PriceChange, Service, Sku


def _make_service(id: str, description: str, *skus: Sku) -> Service:
    return Service(AZURE, id, description, description, skus)


AZURE_SERVICES = (
    _make_service(
        "virtual-machines",
        "Virtual Machines",
        Sku("D4s-v5", "D4s v5 - EU West", "1 Hour", 211_000, 55.0, core=True, change=PriceChange(MonthDay(1, 1), 1.03)),
        Sku("E4s-v5", "E4s v5 - EU West", "1 Hour", 277_000, 9.0),
    ),
    _make_service(
        "storage",
        "Storage",
        Sku("hot-lrs", "Hot LRS Data Stored - EU West", "1 GB/Month", 19_600, 10.0, core=True),
        Sku("hot-write", "Hot LRS Write Operations", "10K", 54_000, 2.5, core=True),
        Sku("p20-lrs", "P20 LRS Disk - EU West", "1/Month", 73_220_000, 4.0),
    ),
    _make_service(
        "azure-sql",
        "SQL Database",
        Sku("gp-vcore", "General Purpose vCore - EU West", "1 Hour", 152_000, 25.0, core=True),
    ),
    _make_service(
        "bandwidth",
        "Bandwidth",
        Sku("transfer-out", "Standard Data Transfer Out", "1 GB", 87_000, 3.5, core=True, tagged=False),
    ),
    _make_service(
        "azure-monitor",
        "Azure Monitor",
        Sku("log-ingestion", "Analytics Logs Data Ingestion", "1 GB", 2_760_000, 3.0, tagged=False),
    ),
    _make_service(
        "load-balancer",
        "Load Balancer",
        Sku("standard-rules", "Standard Included LB Rules and Outbound Rules", "1 Hour", 25_000, 1.2),
    ),
    _make_service(
        "foundry-models",
        "Foundry Models",
        Sku("gpt-4o-input", "gpt-4o 0806 Inp glbl Tokens", "1K tokens", 2_500, 2.4, team="ai"),
        Sku("gpt-4o-output", "gpt-4o 0806 Outp glbl Tokens", "1K tokens", 10_000, 3.1, team="ai"),
    ),
)
