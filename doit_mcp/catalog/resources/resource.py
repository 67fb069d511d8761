"""Resource and ResourceTemplate: documents that clients read by URI."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..prompts.prompt import Completer

URI_VARIABLE_PATTERN = re.compile(r"{(\w+)}")


class ResourceNotFound(Exception):
    """There is no resource at this URI for this caller."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A document.

    *read* returns its contents (TextResourceContents or BlobResourceContents, without uri and mimeType).
    """

    uri: str
    name: str
    title: str
    description: str
    mime_type: str
    read: Callable[[Call], Awaitable[JsonObject]] = field(repr=False)
    size: int | None = None
    meta: JsonObject = field(default_factory=dict, repr=False)
    """``_meta`` of the list entry."""
    extension: str = ""
    """The protocol extension that a client must declare to see it in lists. Any client can read it."""
    other_uris: re.Pattern[str] | None = None
    """Matches other URIs that return the same document."""
    cache_milliseconds: int = 0
    """How long clients may cache what they read at *uri*. 0 for documents that show current data."""


@dataclass(frozen=True, slots=True)
class ResourceTemplate:
    """Documents whose URI has variables (RFC 6570, level 1). *read* raises ResourceNotFound for unknown ones."""

    uri_template: str
    name: str
    title: str
    description: str
    mime_type: str
    read: Callable[[Call, Mapping[str, str]], Awaitable[JsonObject]] = field(repr=False)
    completers: Mapping[str, Completer] = field(default_factory=dict, repr=False)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables, in order."""
        return tuple(URI_VARIABLE_PATTERN.findall(self.uri_template))

    def match(self, uri: str) -> dict[str, str] | None:
        """Return the decoded values of the variables in *uri*; None if it does not match this template."""
        parts = URI_VARIABLE_PATTERN.split(self.uri_template)
        pattern = "".join(f"(?P<{part}>[^/?#]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
        match = re.fullmatch(pattern, uri)
        if match is None:
            return None
        try:
            return {name: unquote(value, errors="strict") for name, value in match.groupdict().items()}
        except UnicodeDecodeError:
            return None
