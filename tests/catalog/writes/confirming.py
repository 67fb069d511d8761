"""A user who can be asked for confirmation, and what the tests of confirmations write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from doit_mcp.api.operation import Operation
from doit_mcp.catalog.call import Question
from doit_mcp.catalog.tools.tool import ToolError
from doit_mcp.catalog.writes.confirmation import CONFIRMATION_KEY
from doit_mcp.protocol.jsonrpc import JsonObject
from tests.api import recorder

from ..caller import TOOLS, Caller

BUDGET = {"id": "b1", "name": "Data team", "amount": 1000, "currency": "USD", "currentUtilization": 12.5}
LABELS = "/analytics/v1/labels"


class Recorder(recorder.Recorder):
    """A recorder for a customer without labels, which a deletion looks for. It does not record that."""

    async def send(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        """Return the next response."""
        return {"labels": []} if operation.path == LABELS else await super().send(operation, arguments)


class ConfirmingCaller(Caller):
    """A caller whose user can be asked, and gives this answer."""

    policy = "when-destructive"

    def __init__(self, api: Recorder, action: str = "accept", *, waits_for_answers: bool = False) -> None:
        super().__init__(api)
        self.waits_for_answers = waits_for_answers
        self.action = action
        self.questions: list[Question] = []

    def can_ask(self, question: Question) -> bool:
        return question.method == "elicitation/create" and question.params["mode"] == "form"

    async def ask_all(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        self.questions += questions.values()
        assert list(questions) == [CONFIRMATION_KEY]
        return {CONFIRMATION_KEY: {"action": self.action, "content": {}}}

    @property
    def text(self) -> str:
        (question,) = self.questions
        return str(question.params["message"])


async def run(name: str, caller: Caller, /, **arguments: Any) -> Any:
    tool = TOOLS[name]
    assert tool.argument_problems(arguments) == []
    return await tool.run(caller, arguments)


def methods(api: Recorder) -> list[str]:
    return [request.method for request in api.requests]


ACCOUNT = {
    **{"accountID": "1", "roleArn": "arn:old", "enabledFeatures": ["sandbox"], "timeLinked": "2026-01-01T00:00:00Z"},
    "supportedFeatures": [{"name": "sandbox", "hasRequiredPermissions": True}],
}
OWNER, EDITOR = {"user": "ann@acme.example", "role": "owner"}, {"user": "bob@acme.example", "role": "editor"}
SHARED = {"id": "b1", "name": "Costs", "permissions": [OWNER, EDITOR], "public": None}
RESOURCE = {"resourceType": "budgets", "resourceId": "b1"}


async def text_for(name: str, answer: Any, /, **arguments: Any) -> str:
    caller = ConfirmingCaller(Recorder(answer), "decline")
    with pytest.raises(ToolError, match="Nothing was changed"):
        await run(name, caller, **arguments)
    return caller.text
