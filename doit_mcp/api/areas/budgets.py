"""Budgets: spending limits and spending so far."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Range
from ..common_types import Collaborator, Currency, Filter, ListPage, Role, ScopeLastMonth, SlackChannel
from ..errors import ApiError
from ..facts import ASKS_BY_ARGUMENTS, REVERSIBLE
from ..markers import EXTERNAL_TARGET
from ..operation import Area, delete, get, offers, patch, post
from ..pagination import find_id, parse_page
from ..parameters import (
    CreatedSinceTime,
    CreatedUntilTime,
    Id,
    MaxResults,
    Name,
    NameContains,
    ObjectName,
    OptionalId,
    PageToken,
)
from ..refusals import refuse_empty_conditions
from ..report_config import allocation_scopes, normalize_filters
from ..timestamps import (
    canonical_time,
    format_date,
    format_day_or_time,
    format_timestamp,
    parse_optional_time,
    parse_time,
    with_iso_times,
)
from ..value_kinds import CurrencyCode, Day, Money, Verbatim
from .labels import LOST_LABELS

BudgetType = Literal["fixed", "recurring"]
StartPeriod = Annotated[int | str, "First day of its first period, e.g. 2026-01-01; or milliseconds since 1970."]
EndPeriod = Annotated[
    int | str,
    "Last day, e.g. 2026-12-31; or milliseconds since 1970. Required for fixed budgets. Cannot be cleared.",
]
TIME_FORMATS = {
    **dict.fromkeys(("startPeriod", "endPeriod"), format_day_or_time),
    **dict.fromkeys(("createTime", "updateTime"), format_timestamp),
    "forecastedUtilizationDate": format_date,
}
ALERT_TIME_FORMATS = {"forecastedDate": format_date}
PERIOD_NAMES = ("startPeriod", "endPeriod")
CANONICAL = {**{name: canonical_time(name) for name in PERIOD_NAMES}, "scopes": normalize_filters}
BudgetFilter = Annotated[
    str | None,
    "key:value terms joined by |. Keys: owner, budgetName, lastModified (milliseconds), riskStatus "
    "(atRisk, onTrack, unknown). Repeated keys mean OR, different keys AND.",
]


class BudgetPage(ListPage, total=False):
    """A page of budgets."""

    budgets: list[JsonObject]


class BudgetDetails(TypedDict, total=False):
    """One budget."""

    id: str
    name: str
    amount: Annotated[float, "Limit per period.", Money]
    currency: Annotated[str, CurrencyCode]
    currentUtilization: Annotated[float, "Spent in this period.", Money]
    forecastedUtilization: Annotated[float | None, "DoiT's forecast for the end of the period.", Money]
    type: str
    timeInterval: str
    startPeriod: Annotated[str, Day]
    endPeriod: Annotated[str, Day]
    scopes: Annotated[list[JsonObject], Verbatim]
    alerts: Annotated[list[JsonObject], Verbatim]
    collaborators: Annotated[list[JsonObject], Verbatim]


class WrittenBudget(BudgetDetails, total=False):
    """A budget that was created or changed."""

    scopeLastMonth: ScopeLastMonth


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
    description: Annotated[str, "What it covers."]
    usePrevSpend: Annotated[bool, "Use the last period's spend as the amount (recurring budgets)."]
    growthPerPeriod: Annotated[float, "Growth of the amount per period, in percent.", Range(0)]
    metric: Annotated[Literal["cost", "amortized_cost"], "What to limit. Default: cost."]
    public: Annotated[
        Role, "Role of all users of the customer. Default: only collaborators have access.", EXTERNAL_TARGET
    ]
    scopes: Annotated[list[Filter], "What it covers. Give either this or scope.", Length(1, 100)]
    scope: Annotated[list[str], "Legacy form of scopes: allocation ids, sent as a scope.", Length(1, 1000)]
    collaborators: Annotated[
        list[Collaborator], "Users with access; exactly one owner.", Length(1, 1000), EXTERNAL_TARGET
    ]
    alerts: Annotated[list[Threshold], "Up to three thresholds.", Length(maximum=3)]
    recipients: Annotated[
        list[str], "Email addresses to alert. Default: the creator.", Length(maximum=1000), EXTERNAL_TARGET
    ]
    recipientsSlackChannels: Annotated[
        list[SlackChannel], "Slack channels that get its alerts.", Length(maximum=1000), EXTERNAL_TARGET
    ]
    seasonalAmounts: Annotated[list[float], "Amount of each period of a recurring budget.", Length(maximum=1000)]


class NewBudget(Budget, total=False):
    """A budget to create."""

    name: Required[ObjectName]
    currency: Required[Currency]
    type: Required[BudgetType]
    startPeriod: Required[StartPeriod]
    endPeriod: EndPeriod


class NewBudgetBody(Budget, total=False):
    """A budget to create, as the API accepts it: with periods in milliseconds since 1970."""

    name: Required[ObjectName]
    currency: Required[Currency]
    type: Required[BudgetType]
    startPeriod: Required[int]
    endPeriod: int


class BudgetChanges(Budget, total=False):
    """Changes to a budget."""

    name: ObjectName
    currency: Currency
    type: BudgetType
    startPeriod: StartPeriod
    endPeriod: EndPeriod


class BudgetChangesBody(Budget, total=False):
    """Changes to a budget, as the API accepts them."""

    name: ObjectName
    currency: Currency
    type: BudgetType
    startPeriod: int
    endPeriod: int


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
        minCreationTime: int | None = None,
        maxCreationTime: int | None = None,
    ) -> JsonObject: ...

    @offers(_budgets)
    async def list_budgets(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: BudgetFilter = None,
        nameContains: NameContains = None,
        minCreationTime: CreatedSinceTime = None,
        maxCreationTime: CreatedUntilTime = None,
    ) -> Annotated[JsonObject, BudgetPage]:
        """List budgets with ISO dates. The tool of this name adds the forecast and status of each."""
        response = await self._budgets(
            maxResults=maxResults,
            pageToken=pageToken,
            filter=filter,
            nameContains=nameContains,
            minCreationTime=parse_optional_time(minCreationTime, "minCreationTime"),
            maxCreationTime=parse_optional_time(maxCreationTime, "maxCreationTime"),
        )
        return {
            **response,
            "budgets": [with_iso_times(row, TIME_FORMATS) for row in parse_page(response, "budgets").rows],
        }

    @get("/analytics/v1/budgets/{id}", default_list=True)
    async def _budget(self, *, id: Id) -> JsonObject: ...

    @offers(_budget)
    async def get_budget(self, *, id: OptionalId = None, name: Name = None) -> Annotated[JsonObject, BudgetDetails]:
        """Return one budget with ISO dates, by its id or its name. The tool of this name adds its status."""
        found = id or await find_id(name or "", self._budgets, "budgetName", nameContains=name)
        return format_budget(await self._budget(id=found))

    @post(
        "/analytics/v1/budgets",
        confirm=ASKS_BY_ARGUMENTS,
        verify_with=get_budget,
        canonical_arguments=CANONICAL,
        has_cost_scope="budget",
    )
    async def _create_budget(self, **budget: Unpack[NewBudgetBody]) -> JsonObject: ...

    @offers(_create_budget)
    async def create_budget(self, **budget: Unpack[NewBudget]) -> Annotated[JsonObject, WrittenBudget]:
        """Create a budget. Its recipients are alerted when spending reaches its thresholds. Tell the user what will be
        created first. Each scope must match costs; the result says what it cost last month. For an existing budget, use
        update_budget."""
        return format_budget(await self._create_budget(**_budget_body(budget)))

    @patch(
        "/analytics/v1/budgets/{id}",
        confirm=REVERSIBLE,
        preview_with=get_budget,
        canonical_arguments=CANONICAL,
        has_cost_scope="budget",
        refusal=refuse_empty_conditions,
        units={"growthPerPeriod": lambda budget: "%"},
        same_as={"scope": "scopes"},
        empty_means={"alerts": ["the default thresholds of the DoiT API"], "recipients": ["the owner of the budget"]},
        computed_if={"usePrevSpend": ("amount", "the spend of the period before")},
        restored_elsewhere={
            "public": 'update_resource_permissions with resourceType budgets, resourceId {id} and public "no_access"'
            " restores public."
        },
    )
    async def _update_budget(self, *, id: Id, **changes: Unpack[BudgetChangesBody]) -> JsonObject: ...

    @offers(_update_budget)
    async def update_budget(self, *, id: Id, **changes: Unpack[BudgetChanges]) -> Annotated[JsonObject, WrittenBudget]:
        """Change a budget; omitted fields stay unchanged. Lists (scopes, alerts, recipients, collaborators) are
        replaced as a whole: read get_budget first. Each scope must match costs."""
        return format_budget(await self._update_budget(id=id, **_budget_body(changes)))

    @delete(
        "/analytics/v1/budgets/{id}",
        confirm=True,
        preview_with=get_budget,
        restore_with=create_budget,
        dependents=LOST_LABELS,
        open_world=False,
    )
    async def delete_budget(self, *, id: Id) -> None:
        """Delete a budget. Its alerts stop. Confirm its name with the user first."""
        ...


def format_budget(budget: JsonObject) -> JsonObject:
    """Return a budget with ISO dates, including those in its alerts. The response to a write may be empty."""
    if not budget:
        return budget
    alerts = budget.get("alerts")
    formatted = with_iso_times(budget, TIME_FORMATS)
    if isinstance(alerts, list):
        formatted["alerts"] = [
            with_iso_times(alert, ALERT_TIME_FORMATS) if isinstance(alert, dict) else alert for alert in alerts
        ]
    return formatted


def _budget_body(budget: Mapping[str, Any]) -> Any:
    """Return the fields of a budget as the API expects them: periods in milliseconds since 1970, scope as scopes."""
    periods = {name: parse_time(budget[name], name) for name in PERIOD_NAMES if budget.get(name) is not None}
    body = {**budget, **periods}
    if scope := body.pop("scope", None):
        if body.get("scopes"):
            raise ApiError("Only one of scope and scopes is allowed: scope is sent as one of scopes", kind="argument")
        body["scopes"] = allocation_scopes(scope)
    return body
