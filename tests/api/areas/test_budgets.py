"""Budgets and BudgetSuggestions: deleting, accepting, dismissing."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.operation import Request

from .calling import capture_request

PATH = "/analytics/v1/budget-suggestions"


@pytest.mark.parametrize(
    ("area", "name", "arguments", "request_"),
    [
        ("budgets", "delete_budget", {"id": "b/1"}, Request("DELETE", "/analytics/v1/budgets/b%2F1", {}, None)),
        ("budget_suggestions", "list_budget_suggestions", {}, Request("GET", PATH, {}, None)),
        (
            "budget_suggestions",
            "accept_budget_suggestion",
            {"id": "s/1", "budgetId": "b", "editedBeforeAccept": False},
            Request("POST", f"{PATH}/s%2F1/actions/accept", {}, {"budgetId": "b", "editedBeforeAccept": False}),
        ),
        (
            "budget_suggestions",
            "dismiss_budget_suggestion",
            {"id": "s"},
            Request("POST", f"{PATH}/s/actions/dismiss", {}, {}),
        ),
        (
            "budget_suggestions",
            "dismiss_budget_suggestion",
            {"id": "s", "reason": "other"},
            Request("POST", f"{PATH}/s/actions/dismiss", {}, {"reason": "other"}),
        ),
    ],
)
async def test_requests(area: str, name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request(area, name, arguments) == request_
