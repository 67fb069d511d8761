"""A small API with the commitments of two AWS organizations, contracts, recommendations and anomalies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request

FIRST, SECOND = "111111111111", "222222222222"
FORBIDDEN = ApiError("", kind="forbidden", status=403)


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def savings_plan(identifier: str, hourly: str, used: float | None, **more: Any) -> dict[str, Any]:
    return {
        **{"commitmentId": identifier, "savingsPlanType": "compute", "state": "active", "termDuration": "one_year"},
        **{"commitment": usd(hourly), "lastMonthUtilization": used, "endTime": "2027-06-30T12:00:00Z"},
        **more,
    }


def make_reserved_instance(identifier: str, count: int, used: float | None, **more: Any) -> dict[str, Any]:
    return {
        **{"commitmentId": identifier, "accountId": FIRST, "state": "active", "instanceType": "m6i.large"},
        **{"instanceCount": count, "region": "us-east-1", "utilizationPercentage": used, "durationSeconds": 31536000},
        **{"hourlyRecurringFee": usd("0.05"), "upfrontFee": usd("876.00"), "endTime": "2026-10-31T00:00:00Z"},
        **more,
    }


def coverage(on_demand: str, plans: str, reserved_cost: str, savings: str | None) -> dict[str, Any]:
    day = {"onDemandCost": usd(on_demand), "savingsPlanCost": usd(plans), "reservedInstCost": usd(reserved_cost)}
    return {
        "stats30d": {"compute": {"esr": 0.1, "savings": savings and usd(savings)}},
        "dailyCoverage": {
            "compute": [{"date": "2026-08-22", **day, "spotCost": usd("999.00")}, {"date": "2026-09-20", **day}]
        },
    }


PLANNED = {
    **{"service": "compute", "status": "valid", "purchaseApprovalStatus": "approved"},
    "steps": [
        {"scheduledDate": "2026-09-14", "purchaseAmount": usd("9.00"), "estimatedSavings": usd("9.00")},
        {"scheduledDate": "2026-09-28", "purchaseAmount": usd("0.50"), "estimatedSavings": usd("60.00")},
        {"scheduledDate": "2026-09-21", "purchaseAmount": usd("1.25"), "estimatedSavings": usd("150.00")},
    ],
}
ADVICE = {"currentCommitment": 2.0, "recommendedCommitment": 5.5, "potentialAdditionalSavings": 300.005}
ORGANIZATIONS: dict[str, dict[str, Any]] = {
    "": {
        "items": [
            {"managementAccountId": FIRST, "displayName": "Acme AWS"},
            {"managementAccountId": SECOND, "displayName": None},
        ]
    },
    FIRST: coverage("100.00", "60.00", "40.00", "50.00"),
    f"{FIRST}/savings-plans": {"items": [savings_plan("a", "2.00", 0.75), savings_plan("new", "1.00", None)]},
    f"{FIRST}/reserved-instances": {"items": [make_reserved_instance("r", 2, 0.5)]},
    f"{FIRST}/recommendations": {"compute": ADVICE, "database": {**ADVICE, "potentialAdditionalSavings": 0.0}},
    f"{FIRST}/planned-purchases": {"items": [PLANNED, {**PLANNED, "status": "expired"}]},
    SECOND: coverage("50.00", "0.00", "0.00", "0.00"),
    f"{SECOND}/savings-plans": {"items": [savings_plan("b", "1.00", 1.0, endTime="2026-12-20T00:00:00Z")]},
    f"{SECOND}/reserved-instances": {"items": []},
    f"{SECOND}/recommendations": {},
    f"{SECOND}/planned-purchases": {"items": []},
}


def period(starts: str, ends: str, committed: float, forecast: float) -> dict[str, Any]:
    return {
        **{"startDate": f"{starts}T00:00:00Z", "endDate": f"{ends}T00:00:00Z"},
        **{"commitmentValue": committed, "forecastValue": forecast},
    }


YEARS = [
    period("2025-01-01", "2026-01-01", 900.0, 1.0),
    period("2026-01-01", "2027-01-01", 1000.0, 400.0),
    period("2027-01-01", "2028-01-01", 9000.0, 1.0),
]
CONTRACTS: list[dict[str, Any]] = [
    {
        **{"id": "c1", "name": "GCP flat", "currency": "EUR", "cloudProvider": "google-cloud"},
        **{"totalCurrentAttainment": 100.0, "startDate": "2025-01-01T00:00:00Z", "endDate": "2028-01-01T00:00:00Z"},
        "periods": YEARS,
    },
    {
        **{"id": "met", "name": "AWS EDP", "currency": "USD", "cloudProvider": "amazon-web-services"},
        **{"startDate": "2026-06-01T00:00:00Z", "totalCurrentAttainment": 7.0},
        "periods": [period("2026-06-01", "2027-06-01", 10.0, 20.0)],
    },
    {
        **{"id": "early", "name": "Azure MACC", "currency": "USD", "cloudProvider": "microsoft-azure"},
        "periods": [period("2026-09-01", "2027-09-01", 9e9, 0)],
    },
    {
        **{"id": "over", "name": "Old", "currency": "USD", "cloudProvider": "microsoft-azure"},
        "periods": [period("2019-01-01", "2020-01-01", 9e9, 1.0)],
    },
]
ANOMALIES = [
    {
        **{"id": "a1", "serviceName": "BigQuery", "scope": "p", "costOfAnomaly": 700.0, "status": "active"},
        "startTime": 1_789_900_000_000,
    },
    {"id": "a2", "costOfAnomaly": 9e9, "status": "inactive"},
    {"id": "a3", "serviceName": "EC2", "costOfAnomaly": 800.0, "status": "active"},
]
RECOMMENDATIONS: list[dict[str, Any]] = [
    {
        **{"source": "doit", "key": "aws-rightsizing", "title": "Right-size EC2 instances", "cloudProvider": "aws"},
        **{"categories": ["FinOps"], "tags": ["rightsizing"], "summary": {"potentialDailySavings": 10.0}},
    },
    {"source": "doit", "key": "open", "title": "Open buckets", "cloudProvider": "aws", "summary": {}},
    {
        **{"source": "doit", "key": "gcp", "title": "Right-size instances", "cloudProvider": "gcp"},
        "summary": {"potentialDailySavings": 5.0},
    },
]
CLOUD_COSTS = {"amazon-web-services": 900.0, "google-cloud": 90.0, "microsoft-azure": 9.0}


def make_api(changes: Mapping[str, Any] | None = None) -> Callable[[Request], Any]:
    """Return an API with this data. *changes* replaces responses by path below organizations, or by area."""
    changed = dict(changes or {})

    def answer(request: Request) -> Any:
        _, found, part = request.path.partition("/gcp/billing-accounts")
        if found:
            return changed.get(f"gcp {part.strip('/')}".strip(), {"items": []})
        _, found, part = request.path.partition("/organizations")
        if found:
            part = part.strip("/")
            return changed.get(f"aws {part}".strip(), ORGANIZATIONS[part])
        for name, body in (
            ("insights", {"results": RECOMMENDATIONS}),
            ("commitment-manager", {"commitments": CONTRACTS}),
            ("anomalies", {"anomalies": ANOMALIES}),
            ("query", {"result": cloud_rows(CLOUD_COSTS)}),
        ):
            if name in request.path:
                return changed.get(name, body)
        raise AssertionError(request.path)

    return answer


def cloud_rows(costs: Mapping[str, float]) -> dict[str, Any]:
    """Return the result of a query by cloud."""
    names = ("cloud_provider", "year", "cost")
    return {
        "schema": [{"name": name, "type": "float" if name == "cost" else "string"} for name in names],
        "rows": [[cloud, "2026", cost] for cloud, cost in costs.items()],
    }
