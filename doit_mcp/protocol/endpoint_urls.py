"""URLs of the MCP endpoints: their paths, the parameters that select tools, and one spelling for each.

Users type these URLs, and clients rewrite them. Paths and token audiences are compared only in their canonical spelling.
"""

from __future__ import annotations

import re
from functools import lru_cache

MCP_PATH, SSE_PATH, MESSAGES_PATH, CHECK_PATH = "/mcp", "/sse", "/sse/message", "/check"
WELL_KNOWN_PATH = "/.well-known/"
# First segments of the paths that have a canonical spelling. All other paths have only one spelling.
FIRST_SEGMENTS = frozenset({"mcp", "sse", ".well-known"})
# Lists of names, whose commas and blanks a client may have percent-encoded.
ENDPOINT_PATTERN = re.compile(r"/sse|/mcp(?:/x/(?P<toolsets>(?:[a-z0-9_,-]|%2c|%20)+))?(?P<readonly>/readonly)?")
# Selection parameters by their names in lower case, without hyphens, underscores and blanks.
SELECTION_PARAMETERS = {
    "toolsets": "toolsets",
    "toolset": "toolsets",
    "tools": "tools",
    "tool": "tools",
    "readonly": "readonly",
}
IGNORED_CHARACTERS = re.compile(r"[\s_-]")
SELECTION_VALUE_PATTERN = re.compile(r"[A-Za-z0-9._~,%+-]*")


def canonical_path(path: str) -> str:
    """Return the canonical spelling of the path of an endpoint or of its metadata, and any other path unchanged.

    It is in lower case, with single slashes and without a slash at the end.
    """
    if not path.isascii():
        return path
    segments = [segment for segment in path.lower().split("/") if segment]
    return "/" + "/".join(segments) if segments and segments[0] in FIRST_SEGMENTS else path


@lru_cache(maxsize=64)
def selection_parameter(name: str) -> str | None:
    """Return which selection parameter a query parameter is, in any spelling; None if it is not one.

    A URL that was copied from HTML has "amp;" before names, and some libraries write "[]" after repeated ones.
    """
    plain = IGNORED_CHARACTERS.sub("", name.lower()).removeprefix("amp;").removesuffix("[]")
    return SELECTION_PARAMETERS.get(plain)


def is_endpoint(target: str) -> bool:
    """Return whether *target*, a path with or without a query, is an endpoint that clients request tokens for.

    The names that it selects may be unknown.
    """
    path, has_query, query = target.partition("?")
    path = canonical_path(path)
    if ENDPOINT_PATTERN.fullmatch(path) is None:
        return False
    return not has_query or all(_is_selection(item) for item in query.split("&"))


def _is_selection(item: str) -> bool:
    name, _, value = item.partition("=")
    return selection_parameter(name) is not None and SELECTION_VALUE_PATTERN.fullmatch(value) is not None
