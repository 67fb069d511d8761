"""Dimensions: GET /analytics/v1/dimensions and /analytics/v1/dimension."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..analytics_objects import made
from ..costs.dimensions import DIMENSIONS, TYPES, Dimension, dimension
from ..costs.ledger import Parts
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..tenants import Ask


async def list_dimensions(ask: Ask) -> web.Response:
    """GET /analytics/v1/dimensions."""
    query = ask.query
    field = listing.chosen(query, "sortBy", ("type", "label", "key", "timestamp"), "type")
    order = listing.chosen(query, "sortOrder", ("asc", "desc"), "asc")
    criteria = listing.filters(query.get("filter", ""), ("type", "label", "key"))
    rows: list[JsonObject] = [{"id": one.id, "label": one.label, "type": one.type} for one in _all(ask)]
    rows = listing.matching(rows, criteria, _read)
    # Dimensions carry no time here: sorting by it keeps their order.
    if field != "timestamp":
        rows.sort(key=lambda row: _read(row, field), reverse=order == "desc")
    page = listing.page(rows, query.get("pageToken", ""), ask.page_size(), scope=ask.scope, key="id")
    return answer(ask.listed("dimensions", page))


async def get_dimension(ask: Ask) -> web.Response:
    """GET /analytics/v1/dimension: the dimension with its values."""
    type_, identifier = ask.query.get("type", ""), ask.query.get("id", "")
    if not type_ or not identifier:
        raise bad("type and id are required", field="id" if type_ else "type")
    if type_ not in TYPES:
        raise bad(f"type must be one of {', '.join(TYPES)}", field="type")
    try:
        found = dimension(type_, identifier, "id", made(ask.tenant))
    except Refusal as refusal:
        raise Refusal(404, refusal.message) from refusal
    return answer({"id": found.id, "label": found.label, "type": found.type, "values": _values(ask, found)})


def _all(ask: Ask) -> tuple[Dimension, ...]:
    return (*DIMENSIONS, *made(ask.tenant).values())


def _values(ask: Ask, found: Dimension) -> list[JsonObject]:
    if isinstance(found.column, Parts):
        return [{"value": value} for value in found.column.values()]
    members = ask.tenant.ledger.members(found.table, found.column)
    if found.table == "days":
        return [{"value": value} for value in sorted({value for _, value in members if value is not None})]
    clouds = dict(ask.tenant.ledger.members("series", "cloud_provider"))
    pairs = {(value, clouds[series]) for series, value in members if value is not None}
    return [{"value": value, "cloud": cloud} for value, cloud in sorted(pairs, key=str)]


def _read(row: JsonObject, key: str) -> str:
    return str(row["id" if key == "key" else key])


ROUTES = (
    Route("GET", "/analytics/v1/dimensions", list_dimensions, "costs.read"),
    Route("GET", "/analytics/v1/dimension", get_dimension, "costs.read"),
)
