"""Budget suggestions: budgets that DoiT proposes."""

from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..facts import Unconfirmed
from ..markers import IDENTIFIER
from ..operation import Area, get, post
from ..parameters import Id

SuggestionId = Annotated[Id, "Suggestion id, from list_budget_suggestions."]


class SuggestionList(TypedDict, total=False):
    """Open suggestions."""

    items: Annotated[
        list[JsonObject],
        "Each with id, name, description, rationale, confidence (high, medium, low), amount (amount, currency), "
        "timeInterval, alertThresholds (percent), scopeChips (what it covers: key, values), config (arguments for "
        "create_budget).",
    ]
    rowCount: int


class Acceptance(TypedDict, total=False):
    """The acceptance of a suggestion: the budget that was created for it."""

    budgetId: Required[Annotated[str, "Id of the budget created for it.", Length(1, 500), IDENTIFIER]]
    editedBeforeAccept: Annotated[bool, "Whether the user changed the suggestion."]


class AcceptedSuggestion(TypedDict, total=False):
    """An accepted suggestion."""

    budgetId: str


class Dismissal(TypedDict, total=False):
    """The reason for dismissing a suggestion."""

    reason: Literal["not_relevant", "wrong_amount", "covered_elsewhere", "other"]


class DismissedSuggestion(TypedDict, total=False):
    """A dismissed suggestion."""

    id: str
    status: str


class BudgetSuggestions(Area):
    """Budget suggestions: which budgets to set up, proposed from past spending."""

    @get("/analytics/v1/budget-suggestions", items="items")
    async def list_budget_suggestions(self) -> Annotated[JsonObject, SuggestionList]:
        """List open budget suggestions from DoiT with the reason for each. For existing budgets, use list_budgets."""
        ...

    @post(
        "/analytics/v1/budget-suggestions/{id}/actions/accept",
        destructive=True,
        confirm=Unconfirmed("It creates nothing: it marks a suggestion for which a budget was made."),
        preview_with=None,
        undone_by="nothing",
        no_undo="An accepted suggestion is not shown again. Its budget stays: delete_budget deletes it.",
        open_world=False,
    )
    async def accept_budget_suggestion(
        self, *, id: SuggestionId, **body: Unpack[Acceptance]
    ) -> Annotated[JsonObject, AcceptedSuggestion]:
        """Mark a budget suggestion as accepted. This does not create a budget: create it with create_budget first, and
        give its id."""
        ...

    @post(
        "/analytics/v1/budget-suggestions/{id}/actions/dismiss",
        destructive=True,
        confirm=True,
        preview_with=list_budget_suggestions,
        verify_with=None,
        irreversible=True,
        no_undo="A dismissed suggestion is not shown again. create_budget creates its budget.",
        open_world=False,
    )
    async def dismiss_budget_suggestion(
        self, *, id: SuggestionId, **body: Unpack[Dismissal]
    ) -> Annotated[JsonObject, DismissedSuggestion]:
        """Dismiss a budget suggestion, so that it is no longer suggested. This cannot be undone."""
        ...
