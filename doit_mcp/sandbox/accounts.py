"""Sandbox customers, users and their credentials."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_EXTRA_CUSTOMERS = 100_000
_DIGITS = len(str(MAX_EXTRA_CUSTOMERS))


@dataclass(frozen=True, slots=True)
class Customer:
    """A DoiT customer; *id* is the tenant (``X-Tenant-Id``, ``customer_context``).

    *number* is the position of a generated customer, from 1, or 0 for a built-in one. *currency* is that of the
    customer's settings and invoices. *has_api_access* is whether the customer's plan includes the DoiT API,
    *has_report_runs* whether it can run reports in the background.
    """

    id: str
    name: str
    domain: str
    number: int = 0
    currency: str = "USD"
    has_api_access: bool = True
    has_report_runs: bool = True


@dataclass(frozen=True, slots=True)
class User:
    """A user who can sign in; *permissions* control access to the areas of the API.

    *can_connect* is whether the user has Billing Profiles Admin, which the identity provider requires to allow access.
    """

    email: str
    name: str
    role: str
    customer: str
    password: str = field(repr=False)
    api_token: str = field(repr=False)
    permissions: frozenset[str] = frozenset()
    employee: bool = False
    can_connect: bool = True


@dataclass(frozen=True, slots=True)
class Grant:
    """The identity of a bearer token at the DoiT API: *user*, acting for the customer id *customer* ("" for none)."""

    user: User
    customer: str


ACME = Customer("ACmE4x9Zq1", "Acme Rockets", "acme.example")
GLOBEX = Customer("GLbX7k2Ww8", "Globex Retail", "globex.example", currency="EUR", has_report_runs=False)
UMBRA = Customer("UMbR3p8Yy5", "Umbra Trading", "umbra.example", currency="JPY")
TYRELL = Customer("TYrL6m1Hh4", "Tyrell Foods", "tyrell.example", has_api_access=False)
CUSTOMERS = (ACME, GLOBEX, UMBRA, TYRELL)

READ_PERMISSIONS = frozenset(
    "costs.read budgets.read anomalies.read invoices.read tickets.read flows.read alerts.read allocations.read "
    "annotations.read labels.read themes.read folders.read assets.read contracts.read templates.read datahub.read "
    "quotas.read incidents.read team.read users.read settings.read insights.read".split()
)
BILLING_PERMISSIONS = frozenset({"invoices.read", "assets.read", "contracts.read", "templates.read", "settings.read"})
WRITE_PERMISSIONS = frozenset(
    "budgets.write reports.write tickets.write flows.write alerts.write allocations.write annotations.write "
    "labels.write themes.write folders.write sharing.write assets.write contracts.write templates.write datahub.write "
    "users.write settings.write insights.write anomalies.write".split()
)

USERS = (
    User(
        "admin@acme.example",
        "Acme billing admin",
        "Billing admin",
        ACME.id,
        "acme-admin",
        "sandbox-api-token-acme-admin",
        READ_PERMISSIONS | WRITE_PERMISSIONS,
    ),
    User(
        "viewer@acme.example",
        "Acme viewer",
        "Viewer without billing",
        ACME.id,
        "acme-viewer",
        "sandbox-api-token-acme-viewer",
        READ_PERMISSIONS - BILLING_PERMISSIONS,
    ),
    User(
        "admin@globex.example",
        "Globex billing admin",
        "Billing admin",
        GLOBEX.id,
        "globex-admin",
        "sandbox-api-token-globex-admin",
        READ_PERMISSIONS | WRITE_PERMISSIONS,
    ),
    User(
        "employee@doit.example",
        "DoiT employee",
        "DoiT employee",
        ACME.id,
        "doit-employee",
        "sandbox-api-token-doit-employee",
        READ_PERMISSIONS | WRITE_PERMISSIONS,
        employee=True,
    ),
    User(
        "admin@umbra.example",
        "Umbra billing admin",
        "Billing admin",
        UMBRA.id,
        "umbra-admin",
        "sandbox-api-token-umbra-admin",
        READ_PERMISSIONS | WRITE_PERMISSIONS,
    ),
    User(
        "analyst@acme.example",
        "Acme analyst",
        "Viewer without billing",
        ACME.id,
        "acme-analyst",
        "sandbox-api-token-acme-analyst",
        READ_PERMISSIONS - BILLING_PERMISSIONS,
        can_connect=False,
    ),
    User(
        "admin@tyrell.example",
        "Tyrell billing admin",
        "Billing admin",
        TYRELL.id,
        "tyrell-admin",
        "sandbox-api-token-tyrell-admin",
        READ_PERMISSIONS | WRITE_PERMISSIONS,
    ),
)
# Names of permissions in the response of GET /auth/v1/validate, with those that they stand for here.
PERMISSION_NAMES = {
    "AnomaliesManager": "anomalies.write",
    "CloudAnalyticsReadOnly": "costs.read",
    "CloudAnalyticsAdmin": "themes.write",
    "ContractTemplatesAdmin": "templates.read",
    "BillingTransferAdmin": "contracts.read",
    "SharedPayersAdmin": "contracts.read",
    "Settings": "settings.read",
    "UsersManager": "users.write",
    "ServiceAccountViewer": "users.read",
    "ServiceAccountCreator": "users.write",
    "ServiceAccountManager": "users.write",
}
CONNECT_PERMISSION = "BillingProfilesAdmin"
SERVICE_ACCOUNT_ROLE = "Service account"
"""The role of users that are service accounts."""


class AccountDirectory:
    """The built-in customers and users, and *extra* generated customers with one user each, created on lookup."""

    def __init__(self, extra: int = 0) -> None:
        if not 0 <= extra <= MAX_EXTRA_CUSTOMERS:
            raise ValueError(f"the number of extra customers must be from 0 to {MAX_EXTRA_CUSTOMERS}")
        self.extra = extra

    def __len__(self) -> int:
        return len(CUSTOMERS) + self.extra

    def customers(self, start: int, stop: int) -> list[Customer]:
        """A slice of all customers, built-in ones first."""
        numbers = range(max(start, len(CUSTOMERS)), min(stop, len(self)))
        return [*CUSTOMERS[start:stop], *(_extra_customer(at - len(CUSTOMERS) + 1) for at in numbers)]

    def customer_by_id(self, identifier: str) -> Customer | None:
        """The customer with this id, or None."""
        builtin = next((customer for customer in CUSTOMERS if customer.id == identifier), None)
        return builtin or self._find_extra_customer(r"load(\d+)", identifier)

    def customer_by_domain(self, domain: str) -> Customer | None:
        """The customer with this domain, or None."""
        builtin = next((customer for customer in CUSTOMERS if customer.domain == domain), None)
        return builtin or self._find_extra_customer(r"load-(\d+)\.example", domain)

    def users_of(self, customer: Customer) -> Sequence[User]:
        """The customer's users, without DoiT employees."""
        if customer.number:
            return [_extra_user(customer)]
        return [user for user in USERS if user.customer == customer.id and not user.employee]

    def user_by_email(self, email: str) -> User | None:
        """The user with this email address (case-insensitive), or None."""
        normalized = email.strip().lower()
        builtin = next((user for user in USERS if user.email == normalized), None)
        return builtin or _user_of(self._find_extra_customer(r"admin@load-(\d+)\.example", normalized))

    def user_by_token(self, token: str) -> User | None:
        """The user with this API token, or None."""
        token_bytes = token.encode("utf-8", "surrogatepass")
        users = [user for user in USERS if hmac.compare_digest(user.api_token.encode(), token_bytes)]
        return users[0] if users else _user_of(self._find_extra_customer(r"sandbox-api-token-load-(\d+)-admin", token))

    def _find_extra_customer(self, pattern: str, text: str) -> Customer | None:
        match = re.fullmatch(pattern, text, re.ASCII)
        number = int(match[1]) if match and len(match[1]) == _DIGITS else 0
        return _extra_customer(number) if 0 < number <= self.extra else None


DEFAULT_DIRECTORY = AccountDirectory()


def _extra_customer(number: int) -> Customer:
    digits = f"{number:0{_DIGITS}}"
    return Customer(f"load{digits}", f"Load {number}", f"load-{digits}.example", number)


def _extra_user(customer: Customer) -> User:
    name = customer.domain.partition(".")[0]
    return User(
        f"admin@{customer.domain}",
        f"{customer.name} billing admin",
        "Billing admin",
        customer.id,
        f"{name}-admin",
        f"sandbox-api-token-{name}-admin",
        READ_PERMISSIONS | WRITE_PERMISSIONS,
    )


def _user_of(customer: Customer | None) -> User | None:
    return _extra_user(customer) if customer is not None else None


def user_by_email(email: str) -> User | None:
    """The built-in user with this email address (case-insensitive), or None."""
    return DEFAULT_DIRECTORY.user_by_email(email)


def permission_names(user: User) -> list[str]:
    """The names of the user's permissions, as the API lists them; none for DoiT employees."""
    if user.employee:
        return []
    names = [name for name, permission in PERMISSION_NAMES.items() if permission in user.permissions]
    return sorted([*names, *([CONNECT_PERMISSION] if user.can_connect else [])])


def permission_summary(user: User) -> str:
    """A short summary of the user's access, such as "Acme Rockets: views only, without billing"."""
    customer = customer_by_id(user.customer)
    if customer is not None and not customer.has_api_access:
        return f"{customer.name}: plan without API access"
    if not user.can_connect:
        return f"{customer.name if customer else 'No customer'}: without Billing Profiles Admin"
    scope = "Every customer" if user.employee else customer.name if customer is not None else "No customer"
    access = "views and edits" if user.permissions & WRITE_PERMISSIONS else "views only"
    return f"{scope}: {access}" + ("" if user.permissions >= BILLING_PERMISSIONS else ", without billing")


def customer_by_id(identifier: str) -> Customer | None:
    """The built-in customer with this id, or None."""
    return DEFAULT_DIRECTORY.customer_by_id(identifier)
