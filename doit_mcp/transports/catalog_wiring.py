"""The catalog of a server, made from its settings. Every transport uses this function, so none can forget a setting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..catalog.toolsets import Selection
from ..protocol.jsonrpc import JsonObject
from ..server.catalog import catalog_factory
from ..server.request_context import Catalog
from ..settings import Settings
from .api_document import load_api_document


def catalog_from_settings(settings: Settings, icons: Sequence[JsonObject] = ()) -> Callable[[Selection, bool], Catalog]:
    """Return a function that makes the catalog for a selection and for employees or other users. Raise BadSettings."""
    return catalog_factory(
        icons,
        settings.view_domain,
        offer_secrets=settings.offer_secrets,
        confirm_changes=settings.confirm_changes,
        document=load_api_document(settings.openapi),
    )
