"""Operations of the API document that the sandbox lacks, each with the file and the line to add."""

from __future__ import annotations

from os.path import commonprefix

from doit_mcp.api.declaration_checks import source_file
from doit_mcp.sandbox.api import signup
from doit_mcp.sandbox.api.app import VALIDATE_PATH
from doit_mcp.sandbox.api.areas import ROUTES
from doit_mcp.sandbox.api.routes import Route
from tests import api_document

# It needs no customer, so it is not an ordinary route.
VALIDATE_OPERATION = ("GET", VALIDATE_PATH)


def describe_missing_routes() -> list[str]:
    """Return what to add to the sandbox; empty if it has all documented operations."""
    present = {(route.method, route.path) for route in ROUTES} | {VALIDATE_OPERATION}
    present |= {(method, path) for method, path, _ in signup.ROUTES}
    return [
        f'{source_file(_find_neighbor(path).handle)}: add Route("{method}", "{path}", <handler>, <permission>) to ROUTES'
        for method, path in sorted({*api_document.operations()} - present)
    ]


def _find_neighbor(path: str) -> Route:
    """Return the route whose path begins most like *path*: its area is the right one, or the nearest."""
    return max(ROUTES, key=lambda route: len(commonprefix([route.path, path])))
