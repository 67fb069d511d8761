"""Cloud Analytics settings: the customer's color themes, and each user's active theme."""

from __future__ import annotations

from aiohttp import web

from ..costs.calendar_days import format_rfc3339
from ..responses import JsonObject, json_response
from ..routes import Route
from ..schemas import TEXT, compile_object, nullable_schema, object_schema, text_schema
from ..seeds import analytics
from ..tenants import ApiRequest, Records, add_record, get_existing, newest_first

DEFAULT_THEME = "default"
COLOR: JsonObject = {"type": "string", "pattern": "^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$"}
PALETTE: JsonObject = {"type": "array", "items": COLOR, "minItems": 1, "maxItems": 32}
COLORS = object_schema("light dark", light=PALETTE, dark=PALETTE)
NAME = text_schema(200, minLength=1)
NEW_THEME = compile_object("name primaryColor colors", name=NAME, primaryColor=COLOR, colors=COLORS)
THEME_CHANGES = compile_object(
    "", name=nullable_schema(NAME), primaryColor=nullable_schema(COLOR), colors=nullable_schema(COLORS)
)
ACTIVE_THEME_BODY = compile_object("themeId", themeId=TEXT)


async def list_themes(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/settings/themes: all of them."""
    themes = newest_first(_theme_records(request))
    return json_response({"themes": themes, "rowCount": len(themes)})


async def get_theme(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/settings/themes/{id}."""
    return json_response(_get_theme(request))


async def create_theme(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/settings/themes."""
    body = await request.read_body(NEW_THEME)
    now = format_rfc3339(request.now)
    theme = {"id": request.tenant.new_id(), **body, "createTime": now, "updateTime": now}
    return json_response(add_record(_theme_records(request), theme), 201)


async def update_theme(request: ApiRequest) -> web.Response:
    """PATCH /analytics/v1/settings/themes/{id}: omitted or null members stay unchanged."""
    theme = _get_theme(request)
    body = await request.read_body(THEME_CHANGES)
    theme.update(
        {name: value for name, value in body.items() if value is not None}, updateTime=format_rfc3339(request.now)
    )
    return json_response(theme)


async def delete_theme(request: ApiRequest) -> web.Response:
    """DELETE /analytics/v1/settings/themes/{id}: its users fall back to the default."""
    del _theme_records(request)[_get_theme(request)["id"]]
    return json_response({})


async def get_active_theme(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/settings/active-theme."""
    theme = _active_themes(request).get(request.user.email, {}).get("themeId", DEFAULT_THEME)
    return json_response({"themeId": theme if theme in _theme_records(request) else DEFAULT_THEME})


async def set_active_theme(request: ApiRequest) -> web.Response:
    """PUT /analytics/v1/settings/active-theme, for the calling user; "default" clears it."""
    theme = (await request.read_body(ACTIVE_THEME_BODY))["themeId"]
    if theme == DEFAULT_THEME:
        _active_themes(request).pop(request.user.email, None)
    else:
        get_existing(_theme_records(request), theme, "theme")
        _active_themes(request)[request.user.email] = {"themeId": theme}
    return json_response({"themeId": theme})


def _theme_records(request: ApiRequest) -> Records:
    return request.tenant.collection("themes", analytics.seed_themes)


def _get_theme(request: ApiRequest) -> JsonObject:
    return get_existing(_theme_records(request), request.path_parameter("id"), "theme")


def _active_themes(request: ApiRequest) -> Records:
    """The theme of each user, by email address."""
    return request.tenant.collection("active themes", lambda tenant: ())


ROUTES = (
    Route("GET", "/analytics/v1/settings/themes", list_themes, "themes.read"),
    Route("POST", "/analytics/v1/settings/themes", create_theme, "themes.write"),
    Route("GET", "/analytics/v1/settings/themes/{id}", get_theme, "themes.read"),
    Route("PATCH", "/analytics/v1/settings/themes/{id}", update_theme, "themes.write"),
    Route("DELETE", "/analytics/v1/settings/themes/{id}", delete_theme, "themes.write"),
    Route("GET", "/analytics/v1/settings/active-theme", get_active_theme, "themes.read"),
    # A user's own choice requires only access to the themes.
    Route("PUT", "/analytics/v1/settings/active-theme", set_active_theme, "themes.read"),
)
