"""Settings of Cloud Analytics: custom colour themes of the customer, and the one that each user has chosen."""

from __future__ import annotations

from aiohttp import web

from ..costs.calendar_days import rfc3339
from ..responses import JsonObject, answer
from ..routes import Route
from ..schemas import TEXT, compiled, or_null, record, text
from ..seeds import analytics
from ..tenants import Ask, Records, added, existing, newest_first

DEFAULT = "default"
COLOR: JsonObject = {"type": "string", "pattern": "^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$"}
PALETTE: JsonObject = {"type": "array", "items": COLOR, "minItems": 1, "maxItems": 32}
COLORS = record("light dark", light=PALETTE, dark=PALETTE)
NAME = text(200, minLength=1)
NEW = compiled("name primaryColor colors", name=NAME, primaryColor=COLOR, colors=COLORS)
CHANGES = compiled("", name=or_null(NAME), primaryColor=or_null(COLOR), colors=or_null(COLORS))
ACTIVE = compiled("themeId", themeId=TEXT)


async def list_themes(ask: Ask) -> web.Response:
    """GET /analytics/v1/settings/themes: all of them."""
    found = newest_first(_themes(ask))
    return answer({"themes": found, "rowCount": len(found)})


async def get_theme(ask: Ask) -> web.Response:
    """GET /analytics/v1/settings/themes/{id}."""
    return answer(_theme(ask))


async def create_theme(ask: Ask) -> web.Response:
    """POST /analytics/v1/settings/themes."""
    body = await ask.body(NEW)
    now = rfc3339(ask.now)
    theme = {"id": ask.tenant.new_id(), **body, "createTime": now, "updateTime": now}
    return answer(added(_themes(ask), theme), 201)


async def update_theme(ask: Ask) -> web.Response:
    """PATCH /analytics/v1/settings/themes/{id}: what is left out or null stays."""
    theme = _theme(ask)
    body = await ask.body(CHANGES)
    theme.update({name: value for name, value in body.items() if value is not None}, updateTime=rfc3339(ask.now))
    return answer(theme)


async def delete_theme(ask: Ask) -> web.Response:
    """DELETE /analytics/v1/settings/themes/{id}: who used it falls back to the default."""
    del _themes(ask)[_theme(ask)["id"]]
    return answer({})


async def get_active(ask: Ask) -> web.Response:
    """GET /analytics/v1/settings/active-theme."""
    chosen = _choices(ask).get(ask.user.email, {}).get("themeId", DEFAULT)
    return answer({"themeId": chosen if chosen in _themes(ask) else DEFAULT})


async def set_active(ask: Ask) -> web.Response:
    """PUT /analytics/v1/settings/active-theme: for the user who asks; "default" clears it."""
    theme = (await ask.body(ACTIVE))["themeId"]
    if theme == DEFAULT:
        _choices(ask).pop(ask.user.email, None)
    else:
        existing(_themes(ask), theme, "theme")
        _choices(ask)[ask.user.email] = {"themeId": theme}
    return answer({"themeId": theme})


def _themes(ask: Ask) -> Records:
    return ask.tenant.collection("themes", analytics.themes)


def _theme(ask: Ask) -> JsonObject:
    return existing(_themes(ask), ask.part("id"), "theme")


def _choices(ask: Ask) -> Records:
    """The theme of each user, by e-mail address."""
    return ask.tenant.collection("active themes", lambda tenant: ())


ROUTES = (
    Route("GET", "/analytics/v1/settings/themes", list_themes, "themes.read"),
    Route("POST", "/analytics/v1/settings/themes", create_theme, "themes.write"),
    Route("GET", "/analytics/v1/settings/themes/{id}", get_theme, "themes.read"),
    Route("PATCH", "/analytics/v1/settings/themes/{id}", update_theme, "themes.write"),
    Route("DELETE", "/analytics/v1/settings/themes/{id}", delete_theme, "themes.write"),
    Route("GET", "/analytics/v1/settings/active-theme", get_active, "themes.read"),
    # Everybody's own choice: it needs no more than to see the themes.
    Route("PUT", "/analytics/v1/settings/active-theme", set_active, "themes.read"),
)
