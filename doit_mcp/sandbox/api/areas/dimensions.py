"""Dimensions: GET /analytics/v1/dimensions and /analytics/v1/dimension."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..analytics_objects import custom_dimensions
from ..costs.dimensions import DIMENSIONS, TYPES, Dimension, find_dimension
from ..costs.ledger import DerivedColumn
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..tenants import ApiRequest

FILTERS = ("type", "label", "key")
"""Keys of filters. The API accepts "key", but no dimension has a value for it, so it matches nothing."""


async def list_dimensions(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/dimensions."""
    query = request.query
    field = listing.query_choice(query, "sortBy", ("type", "label", "key", "timestamp"), "type")
    order = listing.query_choice(query, "sortOrder", ("asc", "desc"), "asc")
    criteria = listing.parse_filter(query.get("filter", ""), FILTERS, repeatable=False)
    rows: list[JsonObject] = [
        {"id": item.id, "label": item.label, "type": item.type} for item in _all_dimensions(request)
    ]
    rows = listing.filter_rows(rows, criteria, _filter_text)
    # Dimensions have no time here, so sorting by it keeps their order.
    if field != "timestamp":
        rows.sort(key=lambda row: _field_text(row, field), reverse=order == "desc")
    page = request.paginate(rows)
    return json_response(request.list_body("dimensions", page))


async def get_dimension(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/dimension: the dimension with its values."""
    type_, identifier = request.query.get("type", ""), request.query.get("id", "")
    if not type_ or not identifier:
        raise bad_request("type and id are required", field="id" if type_ else "type")
    if type_ not in TYPES:
        raise bad_request(f"type must be one of {', '.join(TYPES)}", field="type")
    try:
        dimension = find_dimension(type_, identifier, "id", custom_dimensions(request.tenant))
    except ApiError as error:
        raise ApiError(404, error.message) from error
    return json_response(
        {
            "id": dimension.id,
            "label": dimension.label,
            "type": dimension.type,
            "values": _dimension_values(request, dimension),
        }
    )


def _all_dimensions(request: ApiRequest) -> tuple[Dimension, ...]:
    return (*DIMENSIONS, *custom_dimensions(request.tenant).values())


def _dimension_values(request: ApiRequest, dimension: Dimension) -> list[JsonObject]:
    if isinstance(dimension.column, DerivedColumn):
        return [{"value": value} for value in dimension.column.values()]
    members = request.tenant.ledger.members(dimension.table, dimension.column)
    if dimension.table == "days":
        return [{"value": value} for value in sorted({value for _, value in members if value is not None})]
    clouds = dict(request.tenant.ledger.members("series", "cloud_provider"))
    pairs = {(value, clouds[series]) for series, value in members if value is not None}
    return [{"value": value, "cloud": cloud} for value, cloud in sorted(pairs, key=str)]


def _field_text(row: JsonObject, key: str) -> str:
    return str(row["id" if key == "key" else key])


def _filter_text(row: JsonObject, key: str) -> str:
    return "" if key == "key" else _field_text(row, key)


ROUTES = (
    Route("GET", "/analytics/v1/dimensions", list_dimensions, "costs.read"),
    Route("GET", "/analytics/v1/dimension", get_dimension, "costs.read"),
)
