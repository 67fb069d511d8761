"""Initial budgets, reports and tickets of both customers."""

from __future__ import annotations

from collections.abc import Iterator

from ...accounts import ACME, Customer
from ..costs.calendar_days import DAY_MILLISECONDS, add_months, day_of_seconds, milliseconds_of, start_of
from ..costs.estate_types import AWS, AZURE, GOOGLE
from ..costs.filters import compile_filters, select_lines
from ..costs.money import to_amount
from ..responses import JsonObject
from ..tenants import Tenant

CONSOLE = "https://console.doit.com"
FIRST_TICKET_ID = 204_311
DAY_SECONDS = 86_400

# name, scope, budgeted share of last month's spend
BUDGETS: tuple[tuple[str, tuple[tuple[str, str, str], ...], float], ...] = (
    ("All clouds", (), 1.15),
    ("Amazon Web Services", (("fixed", "cloud_provider", AWS),), 1.1),
    ("Google Cloud", (("fixed", "cloud_provider", GOOGLE),), 0.9),
    ("Microsoft Azure", (("fixed", "cloud_provider", AZURE),), 1.3),
    ("Production", (("label", "env", "production"),), 1.02),
)


def console_url(customer: Customer, path: str, identifier: str) -> str:
    """The object's URL in the console."""
    return f"{CONSOLE}/customers/{customer.id}/{path}/{identifier}"


def seed_budgets(tenant: Tenant) -> Iterator[JsonObject]:
    """Monthly budgets since the start of the previous year, sized from last month's spend."""
    today = day_of_seconds(tenant.started_at)
    month = start_of("month", today)
    owner = admin_email(tenant.customer)
    ledger = tenant.ledger
    for index, (name, scope, share) in enumerate(BUDGETS):
        scopes = [
            {"type": type_, "id": key, "values": [value], "mode": "is", "inverse": False} for type_, key, value in scope
        ]
        spent = ledger.cost(
            add_months(month, -1), month - 1, select_lines(ledger, compile_filters(scopes), credits=False)
        )
        made = milliseconds_of(today) - (40 - index) * DAY_MILLISECONDS
        yield {
            "name": name,
            "description": f"Planned monthly spend: {name}",
            "amount": planned_amount(round(spent * share), tenant.customer.currency),
            "seasonalAmounts": [],
            "currency": tenant.customer.currency,
            "type": "recurring",
            "timeInterval": "month",
            "startPeriod": milliseconds_of(start_of("year", month)),
            "growthPerPeriod": 0.0,
            "usePrevSpend": False,
            "metric": "cost",
            "alerts": [{"percentage": percentage} for percentage in (50, 85, 100)],
            "collaborators": [{"email": owner, "role": "owner"}],
            "public": "viewer",
            "recipients": [owner],
            "recipientsSlackChannels": [],
            "scopes": scopes,
            "createTime": made,
            "updateTime": made,
        }


def planned_amount(micro: int, currency: str) -> float:
    """An amount as it is planned: rounded to hundreds, of yen to ten thousands."""
    return float(round(to_amount(micro, currency), -4 if currency == "JPY" else -2))


def seed_reports(tenant: Tenant) -> Iterator[JsonObject]:
    """Preset reports, and reports of the admin."""
    owner = admin_email(tenant.customer)
    cost = {"type": "basic", "value": "cost"}
    by_service = {"type": "fixed", "id": "service_description"}
    top = {**by_service, "limit": {"metric": cost, "sort": "desc", "value": 10}}
    last_month_days = {"mode": "last", "amount": 30, "includeCurrent": False, "unit": "day"}
    shapes: tuple[tuple[str, str, JsonObject], ...] = (
        ("preset", "Cost by cloud", {"group": [{"type": "fixed", "id": "cloud_provider"}]}),
        ("preset", "Top services", {"group": [top]}),
        ("custom", "Cost by team", {"group": [{"type": "label", "id": "team"}]}),
        ("custom", "Daily cost", {"timeRange": last_month_days, "timeInterval": "day", "layout": "line_chart"}),
        (
            "custom",
            "This month vs. last",
            {
                "group": [by_service],
                "timeRange": {"mode": "current", "unit": "month"},
                "secondaryTimeRange": {"amount": 1, "unit": "month"},
            },
        ),
        ("custom", "Forecast", {"forecastSettings": {"mode": "totals", "futureTimeIntervals": 3}}),
    )
    usual: JsonObject = {
        "dataSource": "billing",
        "metrics": [cost],
        "timeInterval": "month",
        "timeRange": {"mode": "last", "amount": 3, "includeCurrent": True, "unit": "month"},
        "aggregation": "total",
        "currency": tenant.customer.currency,
        "layout": "stacked_column_chart",
    }
    for index, (type_, name, config) in enumerate(shapes):
        made = int(tenant.started_at * 1000) - (90 - index) * DAY_MILLISECONDS
        yield {
            "name": name,
            "description": "",
            "type": type_,
            "config": {**usual, **config},
            "folderId": "root",
            "owner": owner if type_ == "custom" else "support@doit.example",
            "public": "viewer",
            "createTime": made,
            "updateTime": made,
        }


def seed_tickets(tenant: Tenant) -> Iterator[JsonObject]:
    """A few tickets, answered and open."""
    acme = tenant.customer == ACME
    service = "BigQuery" if acme else "Virtual Machines"
    platform = "google_cloud_platform" if acme else "microsoft_azure"
    rows = (
        (64, "Raise the quota of vCPUs", "amazon_web_services", "EC2", "normal", "closed"),
        (23, "Which reservations fit our databases?", "amazon_web_services", "RDS", "low", "solved"),
        (2, f"Cost of {service} jumped", platform, service, "high", "open"),
    )
    owner = admin_email(tenant.customer)
    for index, (days_ago, subject, cloud, product, severity, status) in enumerate(rows):
        made = int((tenant.started_at - days_ago * DAY_SECONDS) * 1000)
        number = FIRST_TICKET_ID + 13 * index + (0 if acme else 5)
        reply = {
            "id": number * 10_000 + 1,
            "body": "We are looking into it.",
            "author": "employee@doit.example",
            "created": made + 3_600_000,
            "private": False,
        }
        note = {**reply, "id": number * 10_000 + 2, "body": "Seen in the billing export.", "private": True}
        yield {
            "id": number,
            "subject": subject,
            "description": f"{subject}. Please have a look.",
            "requester": owner,
            "severity": severity,
            "platform": cloud,
            "product": product,
            "platform_info": "",
            "status": status,
            "createTime": made,
            "updateTime": made + 3_600_000,
            "is_public": True,
            "tags": ["tier/standard", "customer_tag/billing"],
            "comments": [reply, note],
        }


def admin_email(customer: Customer) -> str:
    """The email address of the customer's admin, who owns most of the initial data."""
    return f"admin@{customer.domain}"
