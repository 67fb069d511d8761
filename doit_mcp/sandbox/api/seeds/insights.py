"""Initial insights: savings found in the billing lines, and risks."""

from __future__ import annotations

from collections.abc import Iterator

from ..costs.calendar_days import format_rfc3339
from ..costs.estate_types import AWS, AZURE, GOOGLE
from ..costs.ledger import Ledger
from ..costs.money import to_amount
from ..responses import JsonObject
from ..tenants import Tenant

SOURCE = "doit"
PROVIDERS = {AWS: "aws", GOOGLE: "gcp", AZURE: "azure"}
SAVING_DAYS = 30  # days of spend that savings are based on
SAVED_PERCENT = 12  # of the most expensive service that could be saved
DAY_SECONDS = 86_400


def top_services(ledger: Ledger) -> list[tuple[str, str, dict[str, int]]]:
    """The most expensive service of each cloud: (provider, name, micro-dollars by project in the last SAVING_DAYS
    days).
    """
    services: dict[tuple[str, str], dict[str, int]] = {}
    columns = ("cloud_provider", "service_description", "project_id")
    for provider, service, project, cost, *_ in ledger.sums(columns, ledger.last - SAVING_DAYS + 1, ledger.last):
        services.setdefault((str(provider), str(service)), {})[str(project)] = int(cost or 0)
    best: dict[str, str] = {}
    for provider, service in sorted(services, key=lambda place: sum(services[place].values())):
        best[provider] = service
    return [(provider, service, services[provider, service]) for provider, service in sorted(best.items())]


def seed_insights(tenant: Tenant) -> Iterator[JsonObject]:
    """A saving and a risk for each cloud, with their resources."""
    for at, (provider, service, projects) in enumerate(tenant.compute_cached(top_services)):
        cloud = PROVIDERS[provider]
        common: JsonObject = {
            "source": SOURCE,
            "cloudProvider": cloud,
            "displayStatus": "actionable",
            "lastUpdated": format_rfc3339(tenant.started_at - DAY_SECONDS * (at + 1)),
        }
        savings = [_make_saving(tenant, cloud, service, *item) for item in sorted(projects.items())]
        yield {**common, **_make_rightsizing(cloud, service, "High" if at == 0 else "Medium"), "resources": savings}
        risks = [_make_risk(tenant, cloud, project) for project in sorted(projects)[:2]]
        yield {**common, **_open_storage(cloud), "resources": risks}
    provider, _, projects = tenant.compute_cached(top_services)[0]
    yield _make_missing_backups(tenant, PROVIDERS[provider], min(projects))


def _make_rightsizing(cloud: str, service: str, priority: str) -> JsonObject:
    return {
        "id": f"{SOURCE}/{cloud}-rightsizing",
        "key": f"{cloud}-rightsizing",
        "title": f"Right-size {service}",
        "shortDescription": f"Some {service} resources are larger than their load of the last {SAVING_DAYS} days needs.",
        "detailedDescriptionMdx": "Choose the next smaller size where the peak stays below half of it.",
        "categories": ["FinOps"],
        "tags": ["rightsizing"],
        "priority": priority,
        "easyWinDescription": "Takes one restart outside working hours.",
    }


def _open_storage(cloud: str) -> JsonObject:
    return {
        "id": f"{SOURCE}/{cloud}-open-storage",
        "key": f"{cloud}-open-storage",
        "title": "Storage that anybody can read",
        "shortDescription": "Buckets are open to the public without need.",
        "categories": ["Security"],
        "tags": ["storage"],
        "priority": "High",
    }


def _make_missing_backups(tenant: Tenant, cloud: str, project: str) -> JsonObject:
    return {
        "source": SOURCE,
        "id": f"{SOURCE}/{cloud}-backups",
        "key": f"{cloud}-backups",
        "title": "Instances without backups",
        "shortDescription": "Some instances have no backup plan.",
        "cloudProvider": cloud,
        "categories": ["Operational excellence", "Reliability"],
        "displayStatus": "actionable",
        "lastUpdated": format_rfc3339(tenant.started_at - DAY_SECONDS * 9),
        "tags": ["backup"],
        "priority": "Low",
        "resources": [_backup_risk(tenant, cloud, project)],
    }


def _backup_risk(tenant: Tenant, cloud: str, project: str) -> JsonObject:
    return {
        "resourceId": f"i-{tenant.stable_id('backup', project)[:12].lower()}",
        "resourceType": "instance",
        "cloudProvider": cloud,
        "account": project,
        "resolved": False,
        "severity": "low",
        "resultType": "security_risk",
        "result": {"critical": 0, "high": 0, "medium": 0, "low": 1},
    }


def _make_saving(tenant: Tenant, cloud: str, service: str, project: str, cost: int) -> JsonObject:
    return {
        "resourceId": f"i-{tenant.stable_id('idle', project)[:12].lower()}",
        "resourceType": service,
        "cloudProvider": cloud,
        "account": project,
        "resolved": False,
        "resultType": "potential_daily_savings",
        "result": {"value": to_amount(cost * SAVED_PERCENT // (100 * SAVING_DAYS))},
    }


def _make_risk(tenant: Tenant, cloud: str, project: str) -> JsonObject:
    return {
        "resourceId": f"{project}-public-{tenant.stable_id('bucket', project)[:6].lower()}",
        "resourceType": "bucket",
        "cloudProvider": cloud,
        "account": project,
        "resolved": False,
        "severity": "high",
        "resultType": "security_risk",
        "result": {"critical": 0, "high": 1, "medium": 0, "low": 0},
    }
