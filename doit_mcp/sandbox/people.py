"""Who lives in the sandbox: customers, users, and what a credential stands for."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Customer:
    """A DoiT customer; *id* is the tenant (``X-Tenant-Id``, ``customer_context``)."""

    id: str
    name: str
    domain: str


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can sign in; *permissions* gate the areas of the API."""

    email: str
    name: str
    role: str
    customer: str
    password: str = field(repr=False)
    api_token: str = field(repr=False)
    permissions: frozenset[str] = frozenset()
    employee: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """What a bearer stands for at the DoiT API: this user, acting for the customer with this id ("" for none)."""

    user: User
    customer: str


ACME = Customer("ACmE4x9Zq1", "Acme Rockets", "acme.example")
GLOBEX = Customer("GLbX7k2Ww8", "Globex Retail", "globex.example")
CUSTOMERS = (ACME, GLOBEX)

READ = frozenset(
    "costs.read budgets.read anomalies.read invoices.read tickets.read flows.read alerts.read allocations.read "
    "annotations.read labels.read themes.read folders.read assets.read contracts.read templates.read datahub.read "
    "quotas.read incidents.read team.read users.read settings.read insights.read".split()
)
BILLING = frozenset({"invoices.read", "assets.read", "contracts.read", "templates.read", "settings.read"})
WRITE = frozenset(
    "budgets.write reports.write tickets.write flows.write alerts.write allocations.write annotations.write "
    "labels.write themes.write folders.write sharing.write assets.write contracts.write templates.write datahub.write "
    "users.write settings.write insights.write".split()
)

USERS = (
    User("admin@acme.example", "Acme billing admin", "Billing admin", ACME.id, "acme-admin",
         "sandbox-api-token-acme-admin", READ | WRITE),
    User("viewer@acme.example", "Acme viewer", "Viewer without billing", ACME.id, "acme-viewer",
         "sandbox-api-token-acme-viewer", READ - BILLING),
    User("admin@globex.example", "Globex billing admin", "Billing admin", GLOBEX.id, "globex-admin",
         "sandbox-api-token-globex-admin", READ | WRITE),
    User("employee@doit.example", "DoiT employee", "DoiT employee", ACME.id, "doit-employee",
         "sandbox-api-token-doit-employee", READ | WRITE, employee=True),
)


def user_by_email(email: str) -> User | None:
    """The user with this e-mail address, any case."""
    return next((user for user in USERS if user.email == email.strip().lower()), None)


def may(user: User) -> str:
    """In a few words what the API lets this user do, and for whom: "Acme Rockets: views only, without billing"."""
    customer = customer_by_id(user.customer)
    whom = "Every customer" if user.employee else customer.name if customer is not None else "No customer"
    does = "views and edits" if user.permissions & WRITE else "views only"
    return f"{whom}: {does}" + ("" if user.permissions >= BILLING else ", without billing")


def customer_by_id(identifier: str) -> Customer | None:
    """The customer with this id."""
    return next((customer for customer in CUSTOMERS if customer.id == identifier), None)
