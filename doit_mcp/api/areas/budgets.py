"""Budgets: spending limits and spending so far."""

from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Range
from ..common_types import Collaborator, Currency, Filter, ListPage, Role, SlackChannel
from ..facts import ASKS_BY_ARGUMENTS, REVERSIBLE
from ..markers import EXTERNAL_TARGET
from ..operation import Area, delete, get, offers, patch, post
from ..pagination import find_id
from ..parameters import (
    CreatedSince,
    CreatedUntil,
    EpochMilliseconds,
    Id,
    MaxResults,
    Name,
    NameAlias,
    NameContains,
    ObjectName,
    OptionalId,
    PageToken,
)

BudgetType = Literal["fixed", "recurring"]
StartPeriod = Annotated[int, "Start of its first period, in milliseconds since 1970."]


class BudgetPage(ListPage, total=False):
    """A page of budgets."""

    budgets: Annotated[
        list[JsonObject],
        "Each with id, budgetName, amount, currency, currentUtilization, timeInterval, owner, riskStatus "
        "(atRisk, onTrack, unknown), forecastedUtilizationDate, scopes and url.",
    ]
    riskAggregations: Annotated[JsonObject, "Number of budgets on all pages that are atRisk, onTrack and unknown."]


class BudgetDetails(TypedDict, total=False):
    """One budget."""

    id: str
    name: str
    amount: Annotated[float, "Limit per period, in its currency."]
    currency: str
    currentUtilization: Annotated[float, "Spend so far in this period."]
    forecastedUtilization: float
    type: str
    timeInterval: str
    startPeriod: EpochMilliseconds
    endPeriod: EpochMilliseconds
    scopes: list[JsonObject]
    alerts: list[JsonObject]
    collaborators: list[JsonObject]


class Threshold(TypedDict):
    """A threshold that triggers an alert."""

    percentage: Annotated[float, "Percentage of the amount."]


class Budget(TypedDict, total=False):
    """Fields of a budget. The API fills in omitted ones."""

    amount: Annotated[
        float,
        "Limit per period. Required unless usePrevSpend is true or seasonalAmounts is given.",
        Range(exclusive_minimum=0),
    ]
    timeInterval: Annotated[
        Literal["day", "week", "month", "quarter", "year"], "Period; required for recurring budgets."
    ]
    endPeriod: Annotated[int, "End, in milliseconds since 1970; required for fixed budgets. Cannot be cleared."]
    description: str
    usePrevSpend: Annotated[bool, "Use the last period's spend as the amount (recurring budgets)."]
    growthPerPeriod: Annotated[float, "Growth of the amount per period, in percent.", Range(0)]
    metric: Annotated[Literal["cost", "amortized_cost"], "What to limit. Default: cost."]
    public: Annotated[
        Role, "Role of all users of the customer. Default: only collaborators have access.", EXTERNAL_TARGET
    ]
    scopes: Annotated[list[Filter], "What it covers. Give either this or scope.", Length(1, 100)]
    scope: Annotated[list[str], "Legacy form of scopes: allocation ids.", Length(1, 1000)]
    collaborators: Annotated[
        list[Collaborator], "Users with access; exactly one owner.", Length(1, 1000), EXTERNAL_TARGET
    ]
    alerts: Annotated[list[Threshold], "Up to three thresholds.", Length(maximum=3)]
    recipients: Annotated[
        list[str], "Email addresses to alert. Default: the creator.", Length(maximum=1000), EXTERNAL_TARGET
    ]
    recipientsSlackChannels: Annotated[list[SlackChannel], Length(maximum=1000), EXTERNAL_TARGET]
    seasonalAmounts: Annotated[list[float], "Amount of each period of a recurring budget.", Length(maximum=1000)]


class NewBudget(Budget, total=False):
    """A budget to create."""

    name: Required[ObjectName]
    currency: Required[Currency]
    type: Required[BudgetType]
    startPeriod: Required[StartPeriod]


class BudgetChanges(Budget, total=False):
    """Changes to a budget."""

    name: ObjectName
    currency: Currency
    type: BudgetType
    startPeriod: StartPeriod


class Budgets(Area):
    """Budgets: spending limits, how much is spent, forecast and risk of overrun, alert thresholds."""

    @get("/analytics/v1/budgets", items="budgets", default_list=True)
    async def _budgets(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: str | None = None,
        nameContains: NameContains = None,
        minCreationTime: CreatedSince = None,
        maxCreationTime: CreatedUntil = None,
    ) -> JsonObject: ...

    @offers(_budgets)
    async def list_budgets(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: Annotated[
            str | None,
            "key:value terms joined by |. Keys: owner, budgetName, lastModified (milliseconds), riskStatus "
            "(atRisk, onTrack, unknown). Repeated keys mean OR, different keys AND.",
        ] = None,
        nameContains: NameContains = None,
        name: NameAlias = None,
        minCreationTime: CreatedSince = None,
        maxCreationTime: CreatedUntil = None,
    ) -> Annotated[JsonObject, BudgetPage]:
        """List budgets: amount, spent so far, forecast, and whether each is at risk of being exceeded. For budgets at
        risk, use filter riskStatus:atRisk. For the thresholds and recipients of one budget, use get_budget."""
        return await self._budgets(
            maxResults=maxResults,
            pageToken=pageToken,
            filter=filter,
            nameContains=nameContains or name,
            minCreationTime=minCreationTime,
            maxCreationTime=maxCreationTime,
        )

    @get("/analytics/v1/budgets/{id}", default_list=True)
    async def _budget(self, *, id: Id) -> JsonObject: ...

    @offers(_budget)
    async def get_budget(self, *, id: OptionalId = None, name: Name = None) -> Annotated[JsonObject, BudgetDetails]:
        """Show one budget: amount, currency, spent so far, forecast, scopes, alert thresholds and recipients. Give its
        id or its name."""
        return await self._budget(id=id or await find_id(name or "", self._budgets, "budgetName", nameContains=name))

    @post("/analytics/v1/budgets", confirm=ASKS_BY_ARGUMENTS, verify_with=get_budget)
    async def create_budget(self, **budget: Unpack[NewBudget]) -> Annotated[JsonObject, BudgetDetails]:
        """Create a budget. Its recipients are alerted when spending reaches its thresholds. Tell the user what will be
        created first. For an existing budget, use update_budget."""
        ...

    @patch("/analytics/v1/budgets/{id}", confirm=REVERSIBLE, preview_with=get_budget)
    async def update_budget(self, *, id: Id, **changes: Unpack[BudgetChanges]) -> Annotated[JsonObject, BudgetDetails]:
        """Change a budget; omitted fields stay unchanged. Lists (scopes, alerts, recipients, collaborators) are
        replaced as a whole: read get_budget first."""
        ...

    @delete("/analytics/v1/budgets/{id}", confirm=True, preview_with=get_budget)
    async def delete_budget(self, *, id: Id) -> JsonObject:
        """Delete a budget. Its alerts stop. This cannot be undone: confirm its name with the user first."""
        ...
