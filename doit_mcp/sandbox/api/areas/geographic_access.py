"""Geographic access: countries, custom regions, and the scopes of customers and users: /rbac/v1."""

from __future__ import annotations

from aiohttp import web

from ..costs.calendar_days import format_rfc3339
from ..hierarchy import DESCENDANTS, list_members, require_root
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import compile_object, text_schema
from ..seeds import customer_account, identity
from ..tenants import ApiRequest, Records, add_record, get_existing

COUNTRIES = {
    "AU": "Australia",
    "BR": "Brazil",
    "CA": "Canada",
    "CH": "Switzerland",
    "DE": "Germany",
    "DK": "Denmark",
    "ES": "Spain",
    "FR": "France",
    "GB": "United Kingdom",
    "IE": "Ireland",
    "IL": "Israel",
    "IN": "India",
    "JP": "Japan",
    "MX": "Mexico",
    "NL": "Netherlands",
    "NO": "Norway",
    "SE": "Sweden",
    "SG": "Singapore",
    "US": "United States",
    "ZA": "South Africa",
}
CODE: JsonObject = {"type": "string", "pattern": "^[A-Z]{2}$"}
ID = text_schema(200, minLength=1)
MEMBERS: dict[str, JsonObject] = {
    "name": text_schema(200, minLength=1),
    "countryCodes": {"type": "array", "items": CODE, "uniqueItems": True, "minItems": 1},
}
NEW_REGION, REGION_CHANGES = compile_object("name countryCodes", **MEMBERS), compile_object("", **MEMBERS)
TYPE: JsonObject = {"enum": ["global", "country", "customRegion"]}
ANY_SCOPE = compile_object("type", type=TYPE, countryCode=CODE, customRegionId=ID)
SCOPES = {
    "global": compile_object("type", type=TYPE),
    "country": compile_object("type countryCode", type=TYPE, countryCode=CODE),
    "customRegion": compile_object("type customRegionId", type=TYPE, customRegionId=ID),
}
UNASSIGNED: JsonObject = {"type": "unassigned"}
PERMISSION = "users.write"


async def list_countries(request: ApiRequest) -> web.Response:
    """GET /rbac/v1/countries."""
    return json_response({"countries": [{"countryCode": code, "name": name} for code, name in COUNTRIES.items()]})


async def list_regions(request: ApiRequest) -> web.Response:
    """GET /rbac/v1/custom-regions."""
    return json_response({"customRegions": list(_region_records(request).values())})


async def create_region(request: ApiRequest) -> web.Response:
    """POST /rbac/v1/custom-regions: only at the top of the hierarchy; names are unique."""
    require_root(request)
    body = await request.read_body(NEW_REGION)
    region: JsonObject = {"id": f"cr_{request.tenant.new_id()}", "customerId": request.tenant.customer.id, **body}
    _check_region(request, region)
    now = format_rfc3339(request.now)
    region |= {"createdBy": request.user.email, "timeCreated": now, "timeModified": now}
    return json_response(add_record(_region_records(request), region), 201)


async def get_region(request: ApiRequest) -> web.Response:
    """GET /rbac/v1/custom-regions/{customRegionId}."""
    return json_response(_get_region(request))


async def update_region(request: ApiRequest) -> web.Response:
    """PATCH /rbac/v1/custom-regions/{customRegionId}: omitted members stay unchanged."""
    require_root(request)
    region = _get_region(request)
    body = await request.read_body(REGION_CHANGES)
    if not body:
        raise bad_request("the body has no changes")
    _check_region(request, {**region, **body})
    region.update(body, timeModified=format_rfc3339(request.now))
    return json_response(region)


async def delete_region(request: ApiRequest) -> web.Response:
    """DELETE /rbac/v1/custom-regions/{customRegionId}: 409 while it is the scope of a customer or user."""
    require_root(request)
    region = _get_region(request)
    if any(scope.get("customRegionId") == region["id"] for scope in _scope_records(request).values()):
        raise ApiError(409, "the region is assigned to a customer or user")
    del _region_records(request)[region["id"]]
    return web.Response(status=204)


async def get_scope(request: ApiRequest) -> web.Response:
    """GET the scope of a customer or user of the hierarchy."""
    return json_response(_without_id(_scope_records(request).get(await _scope_key(request), UNASSIGNED)))


async def update_scope(request: ApiRequest) -> web.Response:
    """PUT the scope of a customer or user."""
    key = await _scope_key(request)
    body = await request.read_body(ANY_SCOPE)
    body = await request.read_body(SCOPES[body["type"]])
    if body["type"] == "country":
        code = body["countryCode"]
        if code not in COUNTRIES:
            raise bad_request(f"countryCode: unknown country {code}", field="countryCode")
        body["countryName"] = COUNTRIES[code]
    elif body["type"] == "customRegion" and body["customRegionId"] not in _region_records(request):
        raise ApiError(404, "custom region not found")
    _scope_records(request).pop(key, None)
    return json_response(_without_id(add_record(_scope_records(request), {"id": key, **body})))


async def delete_scope(request: ApiRequest) -> web.Response:
    """DELETE the scope of a customer or user, even if it has none."""
    _scope_records(request).pop(await _scope_key(request), None)
    return web.Response(status=204)


def _region_records(request: ApiRequest) -> Records:
    return request.tenant.collection("custom regions", identity.seed_custom_regions)


def _scope_records(request: ApiRequest) -> Records:
    return request.tenant.collection("geographic scopes", lambda tenant: ())


def _get_region(request: ApiRequest) -> JsonObject:
    return get_existing(_region_records(request), request.path_parameter("customRegionId"), "custom region")


def _check_region(request: ApiRequest, region: JsonObject) -> None:
    unknown = [code for code in region["countryCodes"] if code not in COUNTRIES]
    if unknown:
        raise bad_request(f"countryCodes: unknown {', '.join(unknown)}"[:200], field="countryCodes")
    if any(item["name"] == region["name"] and item["id"] != region["id"] for item in _region_records(request).values()):
        raise ApiError(409, "a custom region with this name exists")


async def _scope_key(request: ApiRequest) -> str:
    """The key of the scope that the path names; 404 for customers outside the hierarchy, and for their users."""
    require_root(request)
    customer_id = request.path_parameter("targetCustomerId")
    if customer_id not in list_members(request.tenant):
        raise ApiError(404, "customer not found")
    user_id = request.http_request.match_info.get("userId", "")
    if user_id and user_id not in await _user_records(request, customer_id):
        raise ApiError(404, "user not found")
    return f"{customer_id}/{user_id}"


async def _user_records(request: ApiRequest, customer_id: str) -> Records:
    """The users of a customer of the hierarchy, by id."""
    own = request.tenant.customer.id
    if customer_id == own:
        return request.tenant.collection("users", customer_account.seed_users)
    below = [customer for customer in DESCENDANTS.get(own, ()) if customer.id == customer_id]
    return (await request.open_tenant(below[0])).collection("users", customer_account.seed_users) if below else {}


def _without_id(scope: JsonObject) -> JsonObject:
    return {name: value for name, value in scope.items() if name != "id"}


_CUSTOMER, _REGION = "/rbac/v1/customers/{targetCustomerId}", "/rbac/v1/custom-regions/{customRegionId}"
ROUTES: tuple[Route, ...] = (
    Route("GET", "/rbac/v1/countries", list_countries, PERMISSION),
    Route("GET", "/rbac/v1/custom-regions", list_regions, PERMISSION),
    Route("POST", "/rbac/v1/custom-regions", create_region, PERMISSION),
    Route("GET", _REGION, get_region, PERMISSION),
    Route("PATCH", _REGION, update_region, PERMISSION),
    Route("DELETE", _REGION, delete_region, PERMISSION),
    *(
        Route(method, f"{_CUSTOMER}{part}/geographic-scope", handle, PERMISSION)
        for part in ("", "/users/{userId}")
        for method, handle in (("GET", get_scope), ("PUT", update_scope), ("DELETE", delete_scope))
    ),
)
