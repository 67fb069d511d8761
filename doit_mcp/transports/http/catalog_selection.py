"""Selects the catalog of a request from its path, query and headers, and caches one catalog per selection."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from ...auth.principal import Principal
from ...catalog.tools.tool import Tool
from ...catalog.toolsets import ALL_TOOLSET, Selection, UnknownToolset, check_selection, toolset_names
from ...protocol.endpoint_urls import ENDPOINT_PATTERN, MCP_PATH, canonical_path, selection_parameter
from ...server.request_context import Catalog
from .request_body import RequestRejected

# Many selections are possible, but clients use few of them.
MAX_CACHED_CATALOGS = 128
MAX_SELECTED_NAMES = 60

MakeCatalog = Callable[[Selection, bool], Catalog]


class SelectableNames:
    """The toolsets and tools that exist. Their names are public, so they are checked before the user signs in."""

    def __init__(self, make: MakeCatalog) -> None:
        everything = Selection(frozenset({ALL_TOOLSET}))
        self._public_tools, tools = _all_tools(make(everything, False)), _all_tools(make(everything, True))
        self._toolsets, self._tools = frozenset(toolset_names(tools)), frozenset(tool.name for tool in tools)

    def check(self, selection: Selection) -> None:
        """Raise RequestRejected 404 for names that exist for no user. Its text does not name those of employees."""
        if selection.toolsets <= self._toolsets and selection.tools <= self._tools:
            return
        try:
            check_selection(self._public_tools, selection)
        except UnknownToolset as error:
            raise RequestRejected(404, str(error)) from None


def _all_tools(catalog: Catalog) -> Collection[Tool]:
    return (*catalog.tools, *catalog.unlisted_tools)


class CatalogSelector:
    """Catalogs by selection and by whether the principal is a DoiT employee. The least recently used are evicted."""

    def __init__(self, make: MakeCatalog) -> None:
        self._make = make
        self._catalogs: OrderedDict[tuple[Selection, bool], Catalog] = OrderedDict()
        # The catalogs of most requests, by whether the principal is an employee.
        self._default_catalogs: dict[bool, Catalog] = {}

    @cached_property
    def _names(self) -> SelectableNames:
        return SelectableNames(self._make)

    def __call__(self, request: web.Request, principal: Principal) -> Catalog:
        """Return the catalog for this request. Raise RequestRejected 404 for unknown names, and 400 for too many."""
        selection, employee = parse_selection(request), principal.employee
        if selection is not DEFAULT_SELECTION:
            return self.catalog_for(selection, employee)
        if employee not in self._default_catalogs:
            self._default_catalogs[employee] = self.catalog_for(selection, employee)
        return self._default_catalogs[employee]

    def check_existence(self, request: web.Request) -> None:
        """Raise RequestRejected 404 if no user can select what *request* selects, and 400 for too many names."""
        selection = parse_selection(request)
        if selection is not DEFAULT_SELECTION:
            self._names.check(selection)

    def find_problem(self, target: str) -> str:
        """Return why *target*, the path and query of an endpoint, does not exist, or "" if it exists."""
        try:
            self._names.check(parse_target(target))
        except RequestRejected as rejected:
            return str(rejected)
        return ""

    def catalog_for(self, selection: Selection, employee: bool) -> Catalog:
        """Return the catalog for *selection*. Raise RequestRejected 404 for unknown names."""
        key = (selection, employee)
        catalog = self._catalogs.get(key)
        if catalog is None:
            try:
                catalog = self._catalogs[key] = self._make(selection, employee)
            except UnknownToolset as error:
                raise RequestRejected(404, str(error)) from None
            if len(self._catalogs) > MAX_CACHED_CATALOGS:
                self._catalogs.popitem(last=False)
        self._catalogs.move_to_end(key)
        return catalog


DEFAULT_SELECTION = Selection()
ENABLED, DISABLED = frozenset({"1", "true", "yes", "on", ""}), frozenset({"0", "false", "no", "off"})


def parse_selection(request: web.Request) -> Selection:
    """Return what the request selects. Raise RequestRejected 400 for too many names, 404 for an unknown read-only value.

    Read-only applies wherever it is requested. The X-MCP-Toolsets header counts only if the path and the query do not
    name toolsets.
    """
    headers = request.headers
    has_no_headers = "X-MCP-Toolsets" not in headers and "X-MCP-Readonly" not in headers
    if has_no_headers and request.raw_path == MCP_PATH:
        return DEFAULT_SELECTION
    path, query = request.match_info, _selection_parameters(request.query.items())
    # Most other requests select nothing either: those to /sse/message, for example, whose query names only the session.
    if has_no_headers and not path and not query and not request.path.endswith("/readonly"):
        return DEFAULT_SELECTION
    toolsets = _parse_names(path.get("toolsets", ""), *query.get("toolsets", ()))
    if not toolsets:
        toolsets = _parse_names(*headers.getall("X-MCP-Toolsets", ()))
    tools = _parse_names(*query.get("tools", ()))
    flags = [_is_enabled(text) for text in (*query.get("readonly", ()), *headers.getall("X-MCP-Readonly", ()))]
    readonly = request.path.endswith("/readonly") or any(flags)
    return Selection(toolsets, tools, readonly) if toolsets or tools or readonly else DEFAULT_SELECTION


def parse_target(target: str) -> Selection:
    """Return what *target*, the path and query of an endpoint, selects. Raise RequestRejected as `parse_selection`."""
    text, _, query_text = target.partition("?")
    path = ENDPOINT_PATTERN.fullmatch(canonical_path(text))
    if path is None:
        raise RequestRejected(404, "There is no endpoint at this path")
    query = _selection_parameters(parse_qsl(query_text, keep_blank_values=True))
    flags = [_is_enabled(value) for value in query.get("readonly", ())]
    toolsets = _parse_names(unquote(path["toolsets"] or ""), *query.get("toolsets", ()))
    return Selection(toolsets, _parse_names(*query.get("tools", ())), path["readonly"] is not None or any(flags))


def selection_query(request: web.Request) -> dict[str, str]:
    """Return the query parameters that select tools, for a URL with the same selection."""
    query = _selection_parameters(request.query.items())
    selected = {name: ",".join(texts) for name, texts in query.items() if name != "readonly"}
    return selected | ({"readonly": "true"} if any(map(_is_enabled, query.get("readonly", ()))) else {})


def _selection_parameters(query: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the values of each selection parameter, whose name a client may spell and repeat in any way."""
    found: dict[str, list[str]] = {}
    for name, value in query:
        if (parameter := selection_parameter(name)) is not None:
            found.setdefault(parameter, []).append(value)
    return found


def _parse_names(*texts: str) -> frozenset[str]:
    names = frozenset(part.strip().lower() for text in texts for part in text.split(",") if part.strip())
    if len(names) > MAX_SELECTED_NAMES:
        raise RequestRejected(
            400, f"At most {MAX_SELECTED_NAMES} names can be selected. To select more, use the toolset all"
        )
    return names


def _is_enabled(text: str) -> bool:
    value = text.strip().lower()
    if value not in ENABLED | DISABLED:
        raise RequestRejected(404, "Unknown value of readonly. Available: true, false")
    return value in ENABLED
