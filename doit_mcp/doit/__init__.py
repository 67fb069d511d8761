"""The DoiT API. To add an operation, write its method in its area's module; to add an area, its attribute below."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Self

from .areas.anomalies import Anomalies
from .areas.auth import Auth
from .areas.budgets import Budgets
from .areas.cloudflow import Cloudflow
from .areas.invoices import Invoices
from .areas.reports import Reports
from .areas.tickets import Tickets
from .operation import Area, Sender

__all__ = ["AREAS", "Doit"]


@dataclass(frozen=True, slots=True)
class Doit:
    """The API for one caller: an attribute per area, in the order in which tools are listed."""

    reports: Reports
    budgets: Budgets
    anomalies: Anomalies
    invoices: Invoices
    tickets: Tickets
    cloudflow: Cloudflow
    auth: Auth

    @classmethod
    def of(cls, sender: Sender) -> Self:
        """Every area, bound to *sender*."""
        bound: dict[str, Any] = {name: area(sender) for name, area in AREAS.items()}
        return cls(**bound)


def _areas() -> dict[str, Any]:
    return {area.name: area.type for area in fields(Doit)}


AREAS: Mapping[str, type[Area]] = MappingProxyType(_areas())
"""The areas' classes by attribute: what the catalogue walks."""
