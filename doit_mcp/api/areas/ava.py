"""Ava: DoiT's AI assistant."""

from collections.abc import AsyncGenerator
from typing import Annotated, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..error_reasons import clean_text
from ..errors import ApiError
from ..facts import WORDS_OF_THE_USER
from ..markers import IDENTIFIER
from ..operation import Area, delete, offers, post

Question = Annotated[str, "The question, in plain language.", Length(1, 20_000)]
ConversationId = Annotated[str, "From an earlier answer, to continue its conversation.", Length(1, 500), IDENTIFIER]


class AvaQuestion(TypedDict, total=False):
    """A question for Ava."""

    question: Required[Question]
    conversationId: ConversationId


class SingleAvaQuestion(AvaQuestion, total=False):
    """A question that returns the complete answer."""

    ephemeral: bool


class AvaReply(TypedDict, total=False):
    """An answer from Ava."""

    answer: str
    conversationId: Annotated[str, "Continues the conversation; only for stored answers."]
    answerId: Annotated[str, "For ava_feedback; only for stored answers."]


class AnswerFeedback(TypedDict, total=False):
    """A rating of an answer."""

    positive: Required[Annotated[bool, "true for a good answer."]]
    text: Annotated[str, "The reason.", Length(maximum=20_000)]


class Feedback(TypedDict, total=False):
    """Feedback on one answer."""

    conversationId: Required[Annotated[str, "As returned by ask_ava_sync.", Length(1, 500), IDENTIFIER]]
    answerId: Required[Annotated[str, "As returned by ask_ava_sync.", Length(1, 500), IDENTIFIER]]
    feedback: Required[AnswerFeedback]


TOO_SLOW = "Ava takes longer than a call may; ask_ava_streaming returns the answer so far, and can continue"


class Ava(Area):
    """Ava: DoiT's assistant for cloud costs and DoiT's product."""

    @post("/ava/v1/ask", stream=True)
    def ask_ava_streaming(self, **body: Unpack[AvaQuestion]) -> AsyncGenerator[JsonObject, None]:
        """Ask Ava, DoiT's assistant, in plain words, with progress updates. The conversation is stored; continue it
        with its id. For a single question, use ask_ava_sync."""
        ...

    @post("/ava/v1/askSync", title="Ask Ava", read_only=True, slow=True)
    async def _ask(self, **body: Unpack[SingleAvaQuestion]) -> JsonObject: ...

    @offers(_ask)
    async def ask_ava_sync(
        self,
        *,
        question: Question,
        conversationId: ConversationId | None = None,
        ephemeral: Annotated[
            bool | None,
            "true stores nothing; false stores the conversation, so that it can be continued. Default: true for a "
            "new one.",
        ] = None,
    ) -> Annotated[JsonObject, AvaReply]:
        """Ask Ava, DoiT's assistant, in plain words and get the complete answer. Cost tools are faster and exact for
        numbers; Ava knows the product and the customer's setup. For long questions, use ask_ava_streaming."""
        # A conversation that is not stored cannot be continued.
        body: SingleAvaQuestion = {
            "question": question,
            "ephemeral": not conversationId if ephemeral is None else ephemeral,
        }
        if conversationId is not None:
            body["conversationId"] = conversationId
        try:
            reply = await self._ask(**body)
        except ApiError as error:
            if error.kind == "timeout":
                error.reason = TOO_SLOW
            raise
        # The API sends the status before it has the answer, so the body reports failures.
        if isinstance(error_text := reply.get("error"), str) and error_text:
            raise ApiError(clean_text(error_text), kind="fault")
        if not isinstance(reply.get("answer"), str):
            raise ApiError("the response has no answer", kind="answer")
        return reply

    @post(
        "/ava/v1/feedback",
        open_world=True,
        confirm=WORDS_OF_THE_USER,
        undone_by="nothing",
        no_undo="A rating cannot be withdrawn.",
    )
    async def ava_feedback(self, **feedback: Unpack[Feedback]) -> None:
        """Rate one of Ava's answers. Works only for stored answers (ephemeral false). Use it only when the user gives
        an opinion."""
        ...

    @delete(
        "/ava/v1/deleteConversation",
        confirm=True,
        preview_with=None,
        no_undo="A deleted conversation cannot be restored.",
        open_world=False,
    )
    async def delete_ava_conversation(
        self,
        *,
        conversationId: Annotated[str, "Conversation id, from one of Ava's answers.", Length(1, 500), IDENTIFIER],
    ) -> None:
        """Delete a conversation with Ava. This cannot be undone: ask the user first."""
        ...
