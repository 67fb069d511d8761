"""All series of an estate: its usage, what commitments cover, fees, taxes, refunds and credits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .activity import growth_factor
from .charges import MonthlyCharge, OneTimeCharge, PlanFee, PromotionalCredit, ReservationFee
from .coverage_rates import RESERVED_RATE, plan_rate
from .estate_types import AWS, AZURE, GOOGLE, Estate, MonthDay, Project, Service, Sku
from .estates import SERVICES
from .noise import day_noise, noise_key
from .usage_series import DISCOUNT, Jump, OnDemandSeries, PlannedSeries, ReservedSeries, Series, Usage, Values

FOREVER = 3_652_059  # the last day of the calendar
USAGE_TYPES = {AWS: "Usage", GOOGLE: "regular", AZURE: "Usage"}
PLANNED, NEGATED, RESERVED = "SavingsPlanCoveredUsage", "SavingsPlanNegation", "DiscountedUsage"
RESERVED_SKU, UPFRONT_SKU = "BoxUsage:m6i.xlarge", "Node:ra3.xlplus"
# The shares of today's use that commitments cover; reservations, in established production accounts.
PLANNED_SHARE, RESERVED_SHARE, UPFRONT_SHARE = 0.45, 0.2, 0.4
UPFRONT_PURCHASE = MonthDay(5, 14)
UPFRONT_DAYS = 365
PLAN_UTILIZATION = 0.94
TAX_SHARE, SUPPORT_SHARE = 0.018, 0.03


@dataclass(frozen=True, slots=True)
class _Item:
    """What a charge is for."""

    service_id: str
    service: str
    sku_id: str
    sku: str
    kind: str
    credit: str | None = None


PLANS = {
    "compute": _Item(
        "ComputeSavingsPlans",
        "Savings Plans for AWS Compute usage",
        "ComputeSP:1yrNoUpfront",
        "1 year No Upfront Compute Savings Plan",
        "SavingsPlanRecurringFee",
    ),
    "database": _Item(
        "DatabaseSavingsPlans",
        "Savings Plans for AWS Database usage",
        "DatabaseSP:1yrNoUpfront",
        "1 year No Upfront Database Savings Plan",
        "SavingsPlanRecurringFee",
    ),
}


class Place(NamedTuple):
    """A SKU in a project, or in a namespace of its cluster."""

    project: Project
    service: Service
    sku: Sku
    share: float
    namespace: str | None


def make_jumps(estate: Estate, born: int) -> tuple[Jump, ...]:
    """The estate's incidents; *born* is the day on which the sandbox started."""
    return tuple(
        Jump(incident, born - incident.days_ago, born - incident.days_ago + incident.days - 1)
        for incident in estate.incidents
    )


def make_series(estate: Estate, seed: int, born: int) -> list[Series]:
    """All series of an estate."""
    placed = {(jump.incident.project, jump.incident.service): jump for jump in make_jumps(estate, born)}
    usages = [
        (place, _make_usage(place, seed, born, placed.get((place.project.id, place.service.id))))
        for project in estate.projects
        for place in _list_places(project)
    ]
    found: list[Series] = []
    for place, usage in usages:
        found += _usage_series(place, usage)
    return [
        *found,
        *_make_fees(usages, born),
        *_make_charges(estate, usages, seed, born),
        *_make_credits(estate, usages, seed, born),
    ]


def _list_places(project: Project) -> Iterator[Place]:
    for service in SERVICES:
        for sku in service.skus if service.provider == project.provider else ():
            if project.full or sku.core:
                for namespace, share in (project.cluster and sku.namespaces) or ((None, 1.0),):
                    yield Place(project, service, sku, share, namespace)


def _make_usage(place: Place, seed: int, born: int, jump: Jump | None) -> Usage:
    project, sku = place.project, place.sku
    key = noise_key(seed, project.id, sku.replaces or sku.id, place.namespace or "")
    daily = sku.daily * project.scale * place.share * (0.75 + 0.5 * day_noise(key, 0))
    starts = [day.ordinal(born) for day in (project.opened, sku.launched) if day is not None]
    today = daily * growth_factor(born)
    in_use = project.env == "production" and project.opened is None
    reserved_share = {RESERVED_SKU: RESERVED_SHARE, UPFRONT_SKU: UPFRONT_SHARE}.get(sku.id, 0.0) if in_use else 0.0
    return Usage(
        key=key,
        provider=project.provider,
        daily=daily,
        weekend=project.weekend,
        month_end=sku.month_end,
        lag_days=sku.lag_days,
        price=sku.price,
        first=max(starts, default=0),
        last=FOREVER if project.closed is None else project.closed.ordinal(born),
        jump=jump,
        changed=FOREVER if sku.change is None else sku.change.on.ordinal(born),
        factor=1.0 if sku.change is None else sku.change.factor,
        reserved=today * reserved_share,
        reserved_from=UPFRONT_PURCHASE.ordinal(born) if sku.id == UPFRONT_SKU else 0,
        planned=today * PLANNED_SHARE * project.weekend if sku.commitment and sku.commitment.is_owned else 0.0,
    )


def _usage_series(place: Place, usage: Usage) -> Iterator[Series]:
    sku, kind = place.sku, USAGE_TYPES[place.project.provider]
    discount = DISCOUNT * day_noise(usage.key, 1)
    before = _make_values(place, kind, sku.description_at(sku.price))
    if usage.changed == FOREVER:
        yield OnDemandSeries(before, usage, 0, FOREVER, discount)
    else:
        # A new price is a new description, where it contains the price.
        after = _make_values(place, kind, sku.description_at(round(sku.price * usage.factor)))
        yield OnDemandSeries(before, usage, 0, usage.changed - 1, discount)
        yield OnDemandSeries(after, usage, usage.changed, FOREVER, discount)
    if usage.planned:
        rate = plan_rate(sku)
        covered = f"{sku.id} covered by Savings Plans"
        yield PlannedSeries(_make_values(place, PLANNED, covered), usage, rate)
        taken_back = f"SavingsPlanNegation used by AccountId : {place.project.id}"
        yield PlannedSeries(_make_values(place, NEGATED, taken_back, unit=None), usage, rate, negated=True)
    if usage.reserved:
        yield ReservedSeries(_make_values(place, RESERVED, f"{sku.id} reserved instance applied"), usage, RESERVED_RATE)


def _make_values(place: Place, kind: str, description: str, unit: str | None = "") -> Values:
    project, sku, tagged = place.project, place.sku, place.sku.tagged
    cluster = (project.cluster if place.namespace else None, place.namespace)
    is_google = project.provider == GOOGLE
    return (
        project.provider,
        project.billing_account,
        project.id,
        project.name,
        place.service.id,
        place.service.description,
        sku.id,
        description,
        sku.unit if unit == "" else unit,
        project.region,
        kind,
        None,
        (sku.team or project.team if project.team else None) if tagged else None,
        project.env if tagged else None,
        project.cost_center if tagged else None,
        *(cluster if is_google else (None, None)),
        *((None, None) if is_google else cluster),
    )


def _charge_values(project: Project, item: _Item, *, labeled: bool = False) -> Values:
    return (
        project.provider,
        project.billing_account,
        project.id,
        project.name,
        item.service_id,
        item.service,
        item.sku_id,
        item.sku,
        None,
        None,
        item.kind,
        item.credit,
        project.team if labeled else None,
        project.env if labeled else None,
        *(None,) * 5,
    )


def _make_fees(usages: Sequence[tuple[Place, Usage]], born: int) -> Iterator[Series]:
    """The fees of Savings Plans and reservations, in the accounts that bought them."""
    for commitment, item in PLANS.items():
        planned = [
            (place, usage) for place, usage in usages if usage.planned and _commitment_type(place.sku) == commitment
        ]
        if planned:
            covered = tuple(
                PlannedSeries(_make_values(place, PLANNED, ""), usage, plan_rate(place.sku)) for place, usage in planned
            )
            daily = sum(usage.planned * plan_rate(place.sku) for place, usage in planned) / PLAN_UTILIZATION
            yield PlanFee(_charge_values(planned[0][0].project, item), AWS, daily, covered)
    for place, usage in usages:
        if usage.reserved:
            yield _reservation_fee(place, usage, born)


def _commitment_type(sku: Sku) -> str | None:
    return sku.commitment.type if sku.commitment else None


def _reservation_fee(place: Place, usage: Usage, born: int) -> Series:
    fee = usage.reserved * RESERVED_RATE
    service = place.service
    if place.sku.id == UPFRONT_SKU:
        upfront = _Item(
            service.id, service.description, "HeavyUsage:ra3.xlplus", "Upfront fee of reserved instances", "Fee"
        )
        return OneTimeCharge(
            _charge_values(place.project, upfront), UPFRONT_PURCHASE.ordinal(born), fee * UPFRONT_DAYS, amortized=False
        )
    monthly = _Item(
        service.id, service.description, "HeavyUsage:m6i.xlarge", "Monthly fee of reserved instances", "RIFee"
    )
    return ReservationFee(_charge_values(place.project, monthly), fee)


def _make_charges(estate: Estate, usages: Sequence[tuple[Place, Usage]], seed: int, born: int) -> Iterator[Series]:
    """Tax, support and a refund, in the first account of each cloud."""
    for provider in dict.fromkeys(project.provider for project in estate.projects):
        payer = next(project for project in estate.projects if project.provider == provider)
        daily = sum(usage.daily for place, usage in usages if place.project.provider == provider)
        for item, share in _monthly_items(provider):
            values = _charge_values(payer, item)
            yield MonthlyCharge(values, noise_key(seed, payer.id, item.sku_id), daily * share)
        if provider == AWS:
            refund = _Item(
                "AmazonEC2", "Amazon Elastic Compute Cloud", "Refund", "Refund of a service disruption", "Refund"
            )
            yield OneTimeCharge(
                _charge_values(payer, refund), MonthDay(2, 16).ordinal(born), -0.4 * daily, amortized=True
            )


def _monthly_items(provider: str) -> Iterator[tuple[_Item, float]]:
    if provider == AWS:
        yield _Item("Tax", "Tax", "Tax", "Tax", "Tax"), TAX_SHARE
        yield (
            _Item("AWSSupportBusiness", "AWS Support (Business)", "Support-Business", "AWS Support (Business)", "Fee"),
            SUPPORT_SHARE,
        )
    elif provider == GOOGLE:
        yield _Item("Invoice", "Invoice", "Tax", "Tax", "tax"), TAX_SHARE


def _make_credits(estate: Estate, usages: Sequence[tuple[Place, Usage]], seed: int, born: int) -> Iterator[Series]:
    """Promotional credits, in the first service of each project."""
    for credit in estate.credits:
        last = FOREVER if credit.until is None else credit.until.ordinal(born)
        service = next(service for service in SERVICES if service.provider == credit.provider)
        item = _Item(service.id, service.description, "promotional-credit", "Promotional credit", "credit", credit.name)
        for project in estate.projects:
            daily = sum(usage.daily for place, usage in usages if (place.project, place.service) == (project, service))
            if project.provider == credit.provider:
                ends = last if project.closed is None else min(last, project.closed.ordinal(born))
                values = _charge_values(project, item, labeled=True)
                key = noise_key(seed, project.id, "promotional")
                starts = 0 if project.opened is None else project.opened.ordinal(born)
                yield PromotionalCredit(values, key, daily * credit.share, starts, ends)
