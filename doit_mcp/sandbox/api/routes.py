"""One operation: its method and path as the document spells them, who may call it, and what answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from .responses import ApiError
from .tenants import ApiRequest

OperationHandler = Callable[[ApiRequest], Awaitable[web.StreamResponse]]
ErrorFormatter = Callable[[ApiError], web.Response | None]


@dataclass(frozen=True, slots=True)
class Route:
    """An operation of the API; *permission* is what people.User needs for it.

    *format_error* makes the answers to refusals that have a shape of the operation's own, and None of the others.
    """

    method: str
    path: str
    handle: OperationHandler
    permission: str
    format_error: ErrorFormatter | None = None
