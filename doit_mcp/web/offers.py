"""Which offer a request gets: read from its path, its query and its headers, and made once for each choice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

from ..auth.principal import Principal
from ..catalogue.selection import Selection, UnknownToolset
from ..server.context import Offer
from .body import Refused

# Many choices are possible; those that clients really make are few.
MOST_OFFERS = 128
MOST_NAMES = 60

Make = Callable[[Selection, bool], Offer]


class Offers:
    """Offers by selection and by whether an employee asks; the least used are forgotten and made anew."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._made: OrderedDict[tuple[Selection, bool], Offer] = OrderedDict()

    def __call__(self, request: web.Request, principal: Principal) -> Offer:
        """The offer for this request; raises Refused 404 for names that select nothing."""
        return self.of(selection(request), principal.employee)

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


def selection(request: web.Request) -> Selection:
    """What the request selects. Reading only always wins, wherever it is said; a header can but narrow it (A4)."""
    path, query, headers = request.match_info, request.query, request.headers
    if not (path or query or "X-MCP-Toolsets" in headers or "X-MCP-Readonly" in headers or request.path != "/mcp"):
        return USUAL
    toolsets = _names(path.get("toolsets"), query.get("toolsets"))
    if not toolsets:
        toolsets = _names(headers.get("X-MCP-Toolsets"))
    tools = _names(query.get("tools"))
    readonly = request.path.endswith("/readonly") or _switched_on(query.get("readonly"))
    readonly = readonly or _switched_on(headers.get("X-MCP-Readonly"))
    return Selection(toolsets, tools, readonly) if toolsets or tools or readonly else USUAL


def _names(*texts: str | None) -> frozenset[str]:
    names = frozenset(part.strip() for text in texts if text for part in text.split(",") if part.strip())
    if len(names) > MOST_NAMES:
        raise Refused(400, f"At most {MOST_NAMES} names can be selected; use the toolset all")
    return names


def _switched_on(text: str | None) -> bool:
    return text is not None and text.strip().lower() in ("1", "true", "yes", "on", "")
