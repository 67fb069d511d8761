"""BudgetSuggestions: budgets that DoiT proposes."""

from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..markers import IDENTIFIER
from ..operation import Area, get, post
from ..parameters import Id

SuggestionId = Annotated[Id, "Id of the suggestion, as list_budget_suggestions shows it."]


class SuggestionList(TypedDict, total=False):
    """Suggestions."""

    items: Annotated[
        list[JsonObject],
        "Each with id, name, description, rationale, confidence (high, medium, low), amount (amount, currency), "
        "timeInterval, alertThresholds (percent), scopeChips (what it covers: key, values), config (arguments for "
        "create_budget).",
    ]
    rowCount: int


class Accepting(TypedDict, total=False):
    """What became of a suggestion."""

    budgetId: Required[Annotated[str, "Id of the budget that was created for it.", Length(1, 500), IDENTIFIER]]
    editedBeforeAccept: Annotated[bool, "Whether the user changed what was suggested."]


class Accepted(TypedDict, total=False):
    """A suggestion that was accepted."""

    budgetId: str


class Dismissing(TypedDict, total=False):
    """Why a suggestion is not wanted."""

    reason: Literal["not_relevant", "wrong_amount", "covered_elsewhere", "other"]


class Dismissed(TypedDict, total=False):
    """A suggestion that was dismissed."""

    id: str
    status: str


class BudgetSuggestions(Area):
    """Budget suggestions: which budgets to set up, proposed from past spending."""

    @get("/analytics/v1/budget-suggestions", items="items")
    async def list_budget_suggestions(self) -> Annotated[JsonObject, SuggestionList]:
        """List the budgets that DoiT proposes and nobody has decided on yet, each with its reason. For budgets that
        exist use list_budgets."""
        ...

    @post("/analytics/v1/budget-suggestions/{id}/actions/accept", destructive=True)
    async def accept_budget_suggestion(
        self, *, id: SuggestionId, **body: Unpack[Accepting]
    ) -> Annotated[JsonObject, Accepted]:
        """Mark a budget suggestion as accepted. It creates nothing: create the budget with create_budget first, and
        give its id."""
        ...

    @post("/analytics/v1/budget-suggestions/{id}/actions/dismiss", destructive=True)
    async def dismiss_budget_suggestion(
        self, *, id: SuggestionId, **body: Unpack[Dismissing]
    ) -> Annotated[JsonObject, Dismissed]:
        """Dismiss a budget suggestion, so that it is no longer proposed. This cannot be undone."""
        ...
