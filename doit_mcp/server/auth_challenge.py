"""Challenges: how a client finds out that its sign-in ended while a request was being answered."""

from __future__ import annotations

from ..api.errors import ApiError
from ..protocol.jsonrpc import JsonObject
from .request_context import RequestContext

# Under this name ChatGPT looks for the reason to show its sign-in again (OpenAI Apps SDK, authentication).
CHALLENGE_META_KEY = "mcp/www_authenticate"


def challenge_for(context: RequestContext, failure: BaseException) -> JsonObject:
    """The challenge that an answer carries because of *failure*: in the _meta of a result, in the data of an error.

    Empty where the sign-in is not the reason, or the transport has none.
    """
    if context.make_auth_challenge is None or not isinstance(failure, ApiError) or failure.kind != "credential":
        return {}
    return {CHALLENGE_META_KEY: [context.make_auth_challenge()]}
