"""A customer's commitments when a purchase is modeled: active, starting later, planned, and other kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from ...api.pagination import iterate_rows
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import ZERO
from ..periods.period import utc_date
from .account_names import ROWS_PER_REQUEST
from .aws import OwnedCommitment, parse_day, read_reserved_instances
from .coverage import utilization
from .discounts import Terms
from .google import read_cud_steps, read_resource_cuds
from .planned_purchases import PlannedStep, read_planned_steps

PLAN_TYPES = MappingProxyType({"compute": ("compute", "ec2_instance"), "database": ("database",)})
"""The types of Savings Plans that cover the usage of each service."""
RENEWAL_DAYS = 1
"""Days between the end of a commitment and the start of the one that renews it."""
PLANS, LATER_PLANS = "Savings Plans", "queued Savings Plans"
CUDS, LATER_CUDS = "commitments", "commitments that start later"
PLANNED = "planned purchases"
INSTANCES, RESOURCES = "Reserved Instances", "resource-based commitments"


class LaterCommitment(NamedTuple):
    """A purchased commitment that starts later, and whether it renews one that ends then."""

    commitment: OwnedCommitment
    starts: date | None
    is_renewal: bool


@dataclass(frozen=True, slots=True)
class OwnedCommitments:
    """Commitments for the usage of a scope: *active* ones of the kind to buy, those that start *later*, and active ones
    of *other* kinds (Reserved Instances, resource-based commitments), whose usage is not in the figures.

    *planned* are purchases that DoiT plans and has not made. *terms* are those of active and later ones, by id. *whole*
    are the ids of active ones that can cover all of the usage.
    """

    active: Sequence[OwnedCommitment]
    later: Sequence[LaterCommitment] = ()
    other: Sequence[OwnedCommitment] = ()
    planned: Sequence[PlannedStep] = ()
    terms: Mapping[str, Terms] = field(default_factory=dict)
    whole: Collection[str] = ()

    @property
    def hourly(self) -> Decimal:
        """The active ones of the kind to buy, in dollars per hour."""
        return sum((item.hourly_cost or ZERO for item in self.active), ZERO)

    @property
    def utilization(self) -> Decimal | None:
        """The used share of the active ones that can cover all of the usage, from 0 to 1; None if it is unknown."""
        return utilization([item for item in self.active if item.id in self.whole])

    @property
    def added_hourly(self) -> Decimal:
        """Those that start later and renew nothing, in dollars per hour."""
        return sum((item.commitment.hourly_cost or ZERO for item in self.later if not item.is_renewal), ZERO)


def read_aws_parts(call: Call, organization: str, service: str) -> dict[str, Awaitable[Any]]:
    """Return the requests for an organization's commitments by the names of the parts: rows, and Reserved Instances."""

    async def read_plans(status: Any) -> list[JsonObject]:
        method = call.doit.aws_commitments.list_aws_savings_plans
        rows = iterate_rows(method, managementAccountId=organization, status=status, maxResults=ROWS_PER_REQUEST)
        return [row async for row in rows if row.get("savingsPlanType") in PLAN_TYPES[service]]

    parts: dict[str, Awaitable[Any]] = {
        PLANS: read_plans("active"),
        LATER_PLANS: read_plans("queued"),
        PLANNED: read_planned_steps(call.doit, organization, utc_date(call.now)),
    }
    # The API does not have Reserved Instances of databases.
    return parts | ({INSTANCES: read_reserved_instances(call.doit, organization)} if service == "compute" else {})


def read_google_parts(call: Call, account: str, where: JsonObject, service: str) -> dict[str, Awaitable[Any]]:
    """Return the requests for a billing account's commitments by the names of the parts: rows, and resource-based ones.
    *where* are the arguments that name the account and the service."""

    async def read_cuds(status: Any) -> list[JsonObject]:
        method = call.doit.gcp_commitments.list_gcp_spend_cuds
        return await collect_rows(iterate_rows(method, status=status, maxResults=ROWS_PER_REQUEST, **where))

    parts: dict[str, Awaitable[Any]] = {
        CUDS: read_cuds("active"),
        LATER_CUDS: read_cuds("not_yet_active"),
        PLANNED: read_cud_steps(call.doit, account, utc_date(call.now)),
    }
    return parts | ({RESOURCES: read_resource_cuds(call.doit, account)} if service == "compute" else {})


async def collect_rows(rows: AsyncIterator[JsonObject]) -> list[JsonObject]:
    """Return all rows."""
    return [row async for row in rows]


class OwnedRows(NamedTuple):
    """Rows of the API: *active* commitments, those that start *later*, *other* kinds and *planned* purchases.

    *parse* reads a row, and *read_terms* its terms. *covers_all* returns whether its commitment can cover all usage.
    """

    parse: Callable[[JsonObject], OwnedCommitment]
    read_terms: Callable[[JsonObject], Terms]
    covers_all: Callable[[JsonObject], bool]
    active: Sequence[JsonObject]
    later: Sequence[JsonObject]
    other: Sequence[OwnedCommitment]
    planned: Sequence[PlannedStep]


def parse_owned(rows: OwnedRows) -> OwnedCommitments:
    """Return the commitments in rows of the API. Raise ApiError for an implausible number."""
    owned = [rows.parse(row) for row in rows.active]
    ends = [item.ends for item in owned if item.ends is not None]
    found = []
    for row in rows.later:
        starts = parse_day(row.get("startTime"))
        is_renewal = starts is not None and any(abs((starts - end).days) <= RENEWAL_DAYS for end in ends)
        found.append(LaterCommitment(rows.parse(row), starts, is_renewal))
    items = [*owned, *(one.commitment for one in found)]
    terms = {item.id: rows.read_terms(row) for item, row in zip(items, [*rows.active, *rows.later], strict=True)}
    whole = {item.id for item, row in zip(owned, rows.active, strict=True) if rows.covers_all(row)}
    return OwnedCommitments(owned, found, rows.other, rows.planned, terms, whole)
