"""The DoiT API. To add an operation, write its method in its area's module; to add an area, its attribute below."""

from collections.abc import Mapping
from inspect import get_annotations
from types import MappingProxyType
from typing import Self

from .areas.anomalies import Anomalies
from .areas.auth import Auth
from .areas.budgets import Budgets
from .areas.cloudflow import Cloudflow
from .areas.invoices import Invoices
from .areas.reports import Reports
from .areas.tickets import Tickets
from .operation import Area, Sender

__all__ = ["AREAS", "Doit"]


class Doit:
    """The API for one caller: an attribute per area, in the order in which tools are listed. An area is bound to the
    sender when it is first used: a call uses one or two of them."""

    reports: Reports
    budgets: Budgets
    anomalies: Anomalies
    invoices: Invoices
    tickets: Tickets
    cloudflow: Cloudflow
    auth: Auth

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    @classmethod
    def of(cls, sender: Sender) -> Self:
        """Every area, bound to *sender*."""
        return cls(sender)

    def __getattr__(self, name: str) -> Area:
        if name not in AREAS:
            raise AttributeError(f"the DoiT API has no area {name}")
        area = AREAS[name](self._sender)
        setattr(self, name, area)
        return area


AREAS: Mapping[str, type[Area]] = MappingProxyType(get_annotations(Doit))
"""The areas' classes by attribute: what the catalogue walks."""
