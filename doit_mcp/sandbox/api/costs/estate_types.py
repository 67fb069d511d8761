"""Records that describe estates: services and their SKUs, projects, and the events in the history of an estate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .calendar_days import add_months, start_of

AWS, GOOGLE, AZURE = "amazon-web-services", "google-cloud", "microsoft-azure"
MICROS_PER_CENT = 10_000  # micro-dollars; every line is whole cents, so sums stay exact


class MonthDay(NamedTuple):
    """A day of the month that is *months_ago* months before the one in which the sandbox started."""

    months_ago: int
    day: int

    def ordinal(self, born: int) -> int:
        """The day as an ordinal; *born* is the day on which the sandbox started."""
        return add_months(start_of("month", born), -self.months_ago) + self.day - 1


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A change of a unit price by *factor* on a day."""

    on: MonthDay
    factor: float


class Commitment(NamedTuple):
    """The *type* of Savings Plans that can cover a SKU, and their *discount* from its on-demand rate, in percent.

    It is that of a plan for one year without upfront payment. *is_owned* is whether plans that were bought cover a part.
    """

    type: str
    discount: int
    is_owned: bool = True


@dataclass(frozen=True, slots=True)
class Sku:
    """A priced item: *price* in micro-dollars per *unit*; *daily* is in dollars for a project of scale 1.

    Projects that are not full have only the *core* SKUs. Resources that are not *tagged* have no labels, and those of
    another *team* have its label. *month_end* is the additional share at the ends of months, *lag_days* how late lines
    arrive. *namespaces* are the shares of a Kubernetes cluster. *commitment* is what can cover it. *replaces* is the id of
    the SKU whose usage it has taken over.
    """

    id: str
    description: str
    unit: str
    price: int
    daily: float
    core: bool = False
    tagged: bool = True
    team: str | None = None
    month_end: float = 0.0
    lag_days: int = 0
    change: PriceChange | None = None
    launched: MonthDay | None = None
    namespaces: tuple[tuple[str, float], ...] = ()
    commitment: Commitment | None = None
    replaces: str = ""

    def description_at(self, price: int) -> str:
        """The description while the SKU has this price, which AWS writes into it."""
        return self.description.format(price=f"{price / 1_000_000:.10f}".rstrip("0").rstrip("."))


@dataclass(frozen=True, slots=True)
class Service:
    """A cloud service; *short* is DoiT's name for it in anomalies."""

    provider: str
    id: str
    description: str
    short: str
    skus: tuple[Sku, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """An account, project or subscription; *scale* is its size, *weekend* its share of activity on weekends.

    A *full* project uses all SKUs of its cloud. It is in use from the day *opened* to the day *closed*.
    """

    provider: str
    billing_account: str
    id: str
    name: str
    region: str
    scale: float
    weekend: float
    team: str | None
    env: str | None
    full: bool = False
    opened: MonthDay | None = None
    closed: MonthDay | None = None
    cluster: str | None = None
    cost_center: str | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """A cost increase by *factor* for *days* days, starting *days_ago* days before the sandbox started."""

    project: str
    service: str
    days_ago: int
    days: int
    factor: float


@dataclass(frozen=True, slots=True)
class Credit:
    """A promotional credit: a *share* of the cost of a cloud's projects until it runs out on the day *until*."""

    provider: str
    name: str
    share: float
    until: MonthDay | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A business metric in a DataHub dataset: events with *name* and a number per day, which grows and has weekends."""

    dataset: str
    name: str
    daily: float
    weekend: float


@dataclass(frozen=True, slots=True)
class Estate:
    """The cloud resources of a customer, with what happened to them."""

    projects: tuple[Project, ...]
    incidents: tuple[Incident, ...]
    credits: tuple[Credit, ...]
    metrics: tuple[Metric, ...] = field(default=())
