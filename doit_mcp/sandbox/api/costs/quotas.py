"""Cloud quotas: yesterday's usage from the billing lines, against limits sized from earlier usage."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from .ledger import Ledger
from .money import MICRO

BASELINE_DAYS_AGO = 14  # before the sandbox started: a day without incidents
HEADROOM = 1.15


@dataclass(frozen=True, slots=True)
class QuotaKind:
    """A quota of a cloud service, measured by the usage of a SKU; *per_unit* is the quota used per unit and day."""

    cloud: str
    sku: str
    service: str
    quota: str
    per_unit: float


@dataclass(frozen=True, slots=True)
class Quota:
    """The usage of a project's quota."""

    cloud: str
    project: str
    name: str
    region: str
    service: str
    quota: str
    limit: float
    usage: float


QUOTA_KINDS = (
    QuotaKind("aws", "BoxUsage:m6i.xlarge", "ec2", "Running On-Demand Standard instances (vCPU)", 4 / 24),
    QuotaKind("aws", "InstanceUsage:db.r7g.large", "rds", "DB instances", 1 / 24),
    QuotaKind("aws", "TimedStorage-ByteHrs", "s3", "Storage under management (TB)", 30 / 1000),
    QuotaKind("gcp", "CF4E-A0C7-E3BF", "compute.googleapis.com", "N2_CPUS", 1 / 24),
    QuotaKind("gcp", "3362-E469-6BEF", "bigquery.googleapis.com", "QueryUsagePerDay (TiB)", 1.0),
)
COLUMNS = ("project_id", "project_name", "region", "sku_id")


def measure_quotas(ledger: Ledger, born: int) -> list[Quota]:
    """All quotas of a ledger; *born* is the day on which the sandbox started."""
    before = {
        row[:4]: int(row[5] or 0) for row in ledger.sums(COLUMNS, born - BASELINE_DAYS_AGO, born - BASELINE_DAYS_AGO)
    }
    found = []
    for row in ledger.sums(COLUMNS, ledger.last - 1, ledger.last - 1):
        project, name, region, sku = map(str, row[:4])
        for kind in QUOTA_KINDS:
            if kind.sku == sku:
                limit = _round_limit(HEADROOM * before[row[:4]] / MICRO * kind.per_unit)
                usage = round(int(row[5] or 0) / MICRO * kind.per_unit, 3)
                found.append(Quota(kind.cloud, project, name, region, kind.service, kind.quota, limit, usage))
    return found


def _round_limit(usage: float) -> float:
    """The next common limit: 1, 1.5, 2, 3, 4, 6, 8, 12, ..."""
    sizes = (base * 2.0**power for power in count() for base in (1.0, 1.5))
    return next(size for size in sizes if size >= usage)
