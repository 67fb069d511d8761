"""Confirmation: asks the user before a write, and checks that the state that they accepted is still current.

Clients that cannot be asked get the change as data, with a token that approves it (approval_result).
"""

from __future__ import annotations

from dataclasses import replace

from ...api.errors import ApiError
from ...api.markers import find_addresses_at, has_value_at
from ...protocol.jsonrpc import JsonObject
from ..call import Call, NoAnswer, Question
from ..stores.approvals import ConfirmationPolicy
from ..tools.declarations import always_asks
from ..tools.tool import Declined, Tool, ToolError, ToolResult
from ..views.metadata import tool_view_meta
from .approval_result import request_approval, with_approval_status
from .change_context import ChangeContextReader
from .change_describer import ChangeDescriber
from .snapshot import Snapshot
from .state_reader import StateReader
from .undo import UndoPlan, run_with_undo

CONFIRMATION_KEY = "confirm"
EMPTY_FORM: JsonObject = {"type": "object", "properties": {}}
MAX_QUESTIONS = 3
"""Maximum questions to the user if the object changes while they decide."""
CLIENT_UNREACHABLE = (
    "requires the user's confirmation, but the request does not accept an event stream, over which the server would ask."
    " Send the header Accept: application/json, text/event-stream, and call again."
)


def always_confirms(tool: Tool) -> bool:
    """Return whether *tool* asks before each call, regardless of its arguments, unless the setting disables it."""
    return tool.writes and always_asks(tool.facts)


def can_confirm(tool: Tool) -> bool:
    """Return whether a call of *tool* may need confirmation, perhaps because of its arguments."""
    return always_confirms(tool) or tool.writes and bool(tool.external_target_paths or tool.linked_text_paths)


def must_confirm(tool: Tool, arguments: JsonObject, policy: ConfirmationPolicy) -> bool:
    """Return whether a call of *tool* needs the user's confirmation. A trial run changes nothing."""
    if policy == "never" or arguments.get("dryRun") is True:
        return False
    return (
        policy == "always"
        or always_confirms(tool)
        or has_value_at(arguments, tool.external_target_paths, replaces=tool.verb == "update")
        or bool(find_addresses_at(arguments, tool.linked_text_paths))
    )


def with_change_card(tool: Tool, policy: ConfirmationPolicy) -> Tool:
    """Return *tool* with the view if *policy* makes some of its calls wait, so that hosts show the change as a card."""
    can_wait = tool.writes if policy == "always" else policy == "when-destructive" and can_confirm(tool)
    return replace(tool, meta={**tool.meta, **tool_view_meta()}) if can_wait else tool


def with_confirmation(
    tool: Tool,
    reader: StateReader | None,
    context_reader: ChangeContextReader | None = None,
    undo: UndoPlan | None = None,
) -> Tool:
    """Make *tool* change nothing unless the user accepts: it asks them, or prepares the change if the client cannot.

    *context_reader* reads what the question shows besides the object. Results say how to *undo* the change.
    """
    describer = ChangeDescriber(tool, reader, context_reader, undo)

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        snapshot: Snapshot | None = None
        if must_confirm(tool, arguments, call.approvals.policy):
            approval = call.approvals.current
            # A token does not replace a question that can be asked. A task continues after its question.
            is_open = approval is None or not approval.is_used
            # An empty question is enough to check the client, and building the real one costs requests.
            if is_open and call.can_ask(confirmation_question("")):
                snapshot = await _confirm(call, describer, arguments)
            elif is_open and call.client_supports(confirmation_question("")):
                raise ToolError(f"Nothing was changed: {tool.name} {CLIENT_UNREACHABLE}")
            else:
                snapshot = await _read_approved(call, describer, arguments)
                digest = (await _make_question(describer, arguments, snapshot)).digest
                if approval is None or approval.tool != tool.name or approval.digest != digest:
                    # A token that was used before says so, instead of preparing its change again.
                    await call.approvals.use()
                    change = await describer.record(arguments, snapshot)
                    is_outdated = approval is not None and approval.tool == tool.name
                    return await request_approval(call, tool, arguments, change, digest, is_outdated=is_outdated)
        return await run_with_undo(call, tool, undo, arguments, snapshot)

    return replace(with_approval_status(tool), run=run)


async def _read_approved(call: Call, describer: ChangeDescriber, arguments: JsonObject) -> Snapshot:
    """Return the current state. Raises ToolError instead of "not found" if this call's approval was used before."""
    try:
        return await describer.read(call, arguments)
    except ApiError as error:
        if error.kind == "missing":
            await call.approvals.use()
        raise


async def _confirm(call: Call, describer: ChangeDescriber, arguments: JsonObject) -> Snapshot:
    """Ask the user until they accept a question that is still current. Raises ToolError if they do not.

    Returns what was read last. After an answer, the state is read and the question is built again, so that the user
    accepted the current state. With stateless requests, the call runs again with the answer, and that run has just read
    the state. The state can still change between this last read and the write: only a few operations of the API
    support conditional requests, which prevent it (needs_if_match).
    """
    snapshot = await describer.read(call, arguments)
    question = await _make_question(describer, arguments, snapshot)
    for _ in range(MAX_QUESTIONS):
        await _ask(call, describer.tool, question)
        accepted = question
        if call.waits_for_answers:
            snapshot = await describer.read(call, arguments)
            question = await _make_question(describer, arguments, snapshot)
        if question == accepted:
            return snapshot
    raise ToolError(
        f"Nothing was changed: the object of {describer.tool.name} changed each of the {MAX_QUESTIONS} times that the"
        " user was asked. Read its current state, inform the user, and call again."
    )


async def _make_question(describer: ChangeDescriber, arguments: JsonObject, snapshot: Snapshot) -> Question:
    return confirmation_question(*await describer.describe(arguments, snapshot))


async def _ask(call: Call, tool: Tool, question: Question) -> None:
    """Return if the user accepts. Raises ToolError if they do not, or if the client gives no usable answer.

    Some clients declare that they can ask, and decline by themselves or never show the question.
    """
    other_ways = f"make the change in the DoiT console ({call.console_url}), or use a client that shows questions"
    try:
        answers = await _ask_without_claim(call, question)
    except NoAnswer as reason:
        raise ToolError(
            f"Nothing was changed: {tool.name} requires the user's confirmation, but {reason}. If the user saw no"
            f" question, do not call it again: {other_ways}."
        ) from None
    if answers[CONFIRMATION_KEY]["action"] != "accept":
        # A declined change cannot be applied with its token.
        await call.approvals.use()
        raise Declined(
            f"Nothing was changed: the user declined {tool.name}, or the client declined without showing the question."
            f" Do not call it again unless the user asks for it. If the user saw no question, {other_ways}."
        )


async def _ask_without_claim(call: Call, question: Question) -> dict[str, JsonObject]:
    """Return the answers. An equal call does not wait, because its user may not have seen the first question."""

    async def ask() -> dict[str, JsonObject]:
        return await call.ask_all({CONFIRMATION_KEY: question})

    return await (call.claim.run_without(ask) if call.waits_for_answers and call.claim is not None else ask())


def confirmation_question(text: str, source_digest: str = "") -> Question:
    """Return a question that the user accepts or declines: a form without fields."""
    params: JsonObject = {"mode": "form", "message": text, "requestedSchema": EMPTY_FORM}
    return Question("elicitation/create", params, signed=True, source_digest=source_digest)
