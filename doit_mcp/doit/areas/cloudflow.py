"""CloudFlow: automations."""

from collections.abc import AsyncGenerator
from typing import Annotated, Required, TypedDict, Unpack

from ...protocol.schema import JsonObject, Length
from ..operation import Area, post

Question = Annotated[str, "What to change, in plain words.", Length(1, 20_000)]
Conversation = Annotated[str, "Goes on with the conversation of an earlier answer; a new one, if left out."]


class Refinement(TypedDict, total=False):
    """What to change about a flow."""

    question: Required[Question]
    conversationId: Conversation


class Cloudflow(Area):
    """CloudFlow: automations, workflows, flows that act on cloud accounts."""

    @post("/cloudflow/v1/flows/{flowId}/actions/refine", stream=True)
    def refine_cloudflow(self, *, flowId: str, **body: Unpack[Refinement]) -> AsyncGenerator[JsonObject, None]:
        """Change a flow by describing what it should do; answers with the events of the work as they happen."""
        ...
