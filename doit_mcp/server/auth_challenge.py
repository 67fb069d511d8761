"""OAuth challenges in results and errors, for sign-ins that end while a request is running."""

from __future__ import annotations

from ..api.errors import ApiError
from ..protocol.jsonrpc import JsonObject
from .request_context import RequestContext

# ChatGPT reads the challenge under this key and shows its sign-in again (OpenAI Apps SDK, authentication).
CHALLENGE_META_KEY = "mcp/www_authenticate"


def make_challenge(context: RequestContext, failure: BaseException) -> JsonObject:
    """Return the challenge for *failure*, for the ``_meta`` of a result or the data of an error.

    It is empty if the failure is not about the sign-in, or if the transport has no sign-in.
    """
    if context.make_auth_challenge is None or not isinstance(failure, ApiError) or failure.kind != "credential":
        return {}
    return {CHALLENGE_META_KEY: [context.make_auth_challenge()]}
