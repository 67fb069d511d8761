"""TypedDicts shared by many request and response bodies."""

from typing import Annotated, Literal, Required, TypedDict

from ..protocol.json_schema import JsonObject, Length, PublishedMembers
from .value_kinds import CurrencyCode, Day, Members, Money

ComponentType = Literal[
    "datetime",
    "fixed",
    "optional",
    "label",
    "tag",
    "project_label",
    "system_label",
    "attribution",
    "attribution_group",
    "allocation_rule",
    "gke",
    "gke_label",
]
"""Types of dimensions in the rules of allocations."""
DimensionType = Literal[ComponentType, "allocation"]
MatchMode = Literal["is", "starts_with", "ends_with", "contains", "regexp"]
Currency = Literal[
    "USD",
    "ILS",
    "EUR",
    "AUD",
    "CAD",
    "GBP",
    "DKK",
    "NOK",
    "SEK",
    "BRL",
    "SGD",
    "MXN",
    "CHF",
    "MYR",
    "TWD",
    "EGP",
    "ZAR",
    "JPY",
    "IDR",
    "AED",
    "THB",
    "COP",
]
Role = Literal["owner", "editor", "viewer"]


class ExampleMembers(TypedDict, total=False):
    """Example members of an object that accepts any members."""

    id: str
    name: str


AnyMembers = Annotated[JsonObject, PublishedMembers(ExampleMembers, and_others=True)]
"""An object that accepts any members."""


class ListPage(TypedDict, total=False):
    """Fields of every page of a list, besides its rows."""

    pageToken: Annotated[str | None, "Of the next page; absent or empty on the last."]
    rowCount: int


class WriteResult(TypedDict, total=False):
    """Result of a write whose response is empty."""

    status: Annotated[str, "completed if it succeeded, dry_run if it was only checked."]
    deleted: Annotated[bool, "true if it was deleted."]


class Filter(TypedDict, total=False):
    """Values of one dimension to include or exclude."""

    id: Required[Annotated[str, "Dimension, e.g. service_description, project_id, or a label's key."]]
    type: Required[Annotated[DimensionType, "fixed for built-in dimensions."]]
    mode: Annotated[MatchMode, "Default: is."]
    inverse: Annotated[bool, "Exclude these values."]
    values: Annotated[list[str], "Exactly as in the data.", Length(maximum=5000)]
    caseInsensitive: bool
    includeNull: Annotated[bool, "Also rows without a value."]


ScopePeriod = TypedDict("ScopePeriod", {"from": Annotated[str, Day], "to": Annotated[str, Day], "days": int})
"""The month that the cost of a scope covers."""


class ScopeCost(TypedDict, total=False):
    """What a scope cost last month."""

    cost: Annotated[float | None, Money]
    currency: Annotated[str, CurrencyCode]
    metric: str
    period: Annotated[JsonObject, Members(ScopePeriod)]
    note: Annotated[str, "What the cost does not say."]


ScopeLastMonth = Annotated[
    JsonObject,
    "What the scope cost last month: cost, currency, metric, period, and a note if nothing matched or it is unknown.",
    Members(ScopeCost),
]


class Collaborator(TypedDict):
    """A user with access to a resource."""

    email: str
    role: Role


class SlackChannel(TypedDict, total=False):
    """A Slack channel that receives notifications."""

    id: Required[Annotated[str, Length(1)]]
    name: Annotated[str, Length(1)]
    customerId: str
    shared: bool
    type: str
    workspace: str
