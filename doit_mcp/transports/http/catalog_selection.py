"""Which offer a request gets: read from its path, its query and its headers, and made once for each choice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

from ...auth.principal import Principal
from ...catalog.toolsets import Selection, UnknownToolset
from ...server.request_context import Offer
from .request_body import Refused

# Many choices are possible; those that clients really make are few.
MOST_OFFERS = 128
MOST_NAMES = 60

Make = Callable[[Selection, bool], Offer]


class Offers:
    """Offers by selection and by whether an employee asks; the least used are forgotten and made anew."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._made: OrderedDict[tuple[Selection, bool], Offer] = OrderedDict()
        # Those of nearly all requests, by employee or not.
        self._usual: dict[bool, Offer] = {}

    def __call__(self, request: web.Request, principal: Principal) -> Offer:
        """The offer for this request; raises Refused 404 for names that select nothing."""
        chosen, employee = selection(request), principal.employee
        if chosen is not USUAL:
            return self.of(chosen, employee)
        if employee not in self._usual:
            self._usual[employee] = self.of(chosen, employee)
        return self._usual[employee]

    def of(self, chosen: Selection, employee: bool) -> Offer:
        """The offer for this choice."""
        key = (chosen, employee)
        made = self._made.get(key)
        if made is None:
            try:
                made = self._made[key] = self._make(chosen, employee)
            except UnknownToolset as unknown:
                raise Refused(404, f"This path selects what does not exist: {unknown}") from None
            if len(self._made) > MOST_OFFERS:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return made


USUAL = Selection()
SELECTING = ("toolsets", "tools", "readonly")


def selection(request: web.Request) -> Selection:
    """What the request selects. Reading only always wins, wherever it is said; a header can but narrow it (A4)."""
    headers = request.headers
    plain = "X-MCP-Toolsets" not in headers and "X-MCP-Readonly" not in headers
    if plain and request.raw_path == "/mcp":
        return USUAL
    path, query = request.match_info, request.query
    # Most others select nothing either: those to /sse/message, for one, whose query names the session alone.
    if plain and not path and not any(name in query for name in SELECTING) and not request.path.endswith("/readonly"):
        return USUAL
    toolsets = _names(path.get("toolsets"), query.get("toolsets"))
    if not toolsets:
        toolsets = _names(headers.get("X-MCP-Toolsets"))
    tools = _names(query.get("tools"))
    readonly = request.path.endswith("/readonly") or _switched_on(query.get("readonly"))
    readonly = readonly or _switched_on(headers.get("X-MCP-Readonly"))
    return Selection(toolsets, tools, readonly) if toolsets or tools or readonly else USUAL


def selecting(request: web.Request) -> dict[str, str]:
    """The part of the query that selects, for an address that is to select the same."""
    return {name: request.query[name] for name in SELECTING if name in request.query}


def _names(*texts: str | None) -> frozenset[str]:
    names = frozenset(part.strip() for text in texts if text for part in text.split(",") if part.strip())
    if len(names) > MOST_NAMES:
        raise Refused(400, f"At most {MOST_NAMES} names can be selected; use the toolset all")
    return names


def _switched_on(text: str | None) -> bool:
    return text is not None and text.strip().lower() in ("1", "true", "yes", "on", "")
