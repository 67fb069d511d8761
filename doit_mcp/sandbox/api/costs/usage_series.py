"""Billing lines of an estate: one series per project and SKU, a pure function of seed, series and day."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from .catalog import SERVICES, Estate, Incident, Project, Service, Sku

MICROS_PER_CENT = 10_000  # micro-dollars; every line is whole cents, so sums stay exact
MASK = (1 << 64) - 1
GROWTH_START = date(2025, 1, 1).toordinal()  # fixed start of growth, independent of when the sandbox starts
COLUMNS = (
    "cloud_provider",
    "billing_account_id",
    "project_id",
    "project_name",
    "service_id",
    "service_description",
    "sku_id",
    "sku_description",
    "pricing_unit",
    "region",
    "cost_type",
    "credit",
    "label_team",
    "label_env",
)


@dataclass(frozen=True, slots=True)
class Jump:
    """An incident on the days *first* to *last*."""

    incident: Incident
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Series:
    """A priced SKU of a project; *daily* is in dollars before growth, *discount* the saved share of its cost."""

    values: tuple[str | None, ...]
    key: int
    daily: float
    weekend: float
    price: int
    discount: float
    jump: Jump | None


def jumps(estate: Estate, born: int) -> tuple[Jump, ...]:
    """The estate's incidents; *born* is the day on which the sandbox started."""
    return tuple(
        Jump(incident, born - incident.days_ago, born - incident.days_ago + incident.days - 1)
        for incident in estate.incidents
    )


def all_series(estate: Estate, seed: int, born: int) -> list[Series]:
    """All series of an estate, including promotional credits."""
    placed = {(jump.incident.project, jump.incident.service): jump for jump in jumps(estate, born)}
    found: list[Series] = []
    for project in estate.projects:
        services = [service for service in SERVICES if service.provider == project.provider]
        for service in services:
            jump = placed.get((project.id, service.id))
            found += [_usage_series(project, service, sku, seed, jump) for sku in service.skus]
        found.append(_credit_series(project, services[0], seed, estate.credit_share))
    return found


def _usage_series(project: Project, service: Service, sku: Sku, seed: int, jump: Jump | None) -> Series:
    key = _noise_key(seed, project.id, sku.id)
    values = (
        project.provider,
        project.billing_account,
        project.id,
        project.name,
        service.id,
        service.description,
        sku.id,
        sku.description,
        sku.unit,
        project.region,
        "regular",
        None,
        project.team,
        project.env,
    )
    daily = service.daily * sku.weight * project.scale * (0.7 + 0.6 * _noise(key, 0))
    return Series(values, key, daily, project.weekend, sku.price, 0.25 * _noise(key, 1), jump)


def _credit_series(project: Project, service: Service, seed: int, share: float) -> Series:
    key = _noise_key(seed, project.id, "promotional")
    values = (
        project.provider,
        project.billing_account,
        project.id,
        project.name,
        service.id,
        service.description,
        "promotional-credit",
        "Promotional credit",
        None,
        None,
        "credit",
        "Growth programme",
        project.team,
        project.env,
    )
    return Series(values, key, -service.daily * project.scale * share, 1.0, 0, 0.0, None)


def daily_lines(series: Series, first: int, last: int) -> Iterator[tuple[int, int, int, int]]:
    """(day, cost, usage, savings) of each day, in millionths of a dollar and of a unit."""
    for day in range(first, last + 1):
        growth = min(4.0, max(0.4, 1 + 0.014 * (day - GROWTH_START) / 30))
        # Ordinal 1 is a Monday.
        weekend = series.weekend if (day - 1) % 7 >= 5 else 1.0
        dollars = series.daily * growth * weekend * (0.94 + 0.12 * _noise(series.key, day))
        if series.jump is not None and series.jump.first <= day <= series.jump.last:
            dollars *= series.jump.incident.factor
        cost = round(dollars * 100) * MICROS_PER_CENT
        usage = cost * 1_000_000 // series.price if series.price else 0
        yield day, cost, usage, round(cost * series.discount / MICROS_PER_CENT) * MICROS_PER_CENT


def _noise_key(seed: int, *names: str) -> int:
    return zlib.crc32("/".join((str(seed), *names)).encode())


def _noise(key: int, day: int) -> float:
    """A number from 0 to 1 that depends only on its arguments (the finalizer of splitmix64)."""
    mixed = (key * 0x9E3779B97F4A7C15 + day * 0xD1B54A32D192ED03) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return (mixed ^ (mixed >> 31)) / MASK
