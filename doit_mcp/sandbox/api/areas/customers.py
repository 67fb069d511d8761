"""The customer and its account team: /customers/v1."""

from __future__ import annotations

from aiohttp import web

from ...accounts import CUSTOMERS
from ..access import require_permission
from ..responses import ApiError, JsonObject, json_response
from ..routes import Route
from ..schemas import (
    BOOLEAN,
    CURRENCIES,
    EMAIL,
    compile_object,
    enum_schema,
    nullable_schema,
    object_schema,
    text_schema,
)
from ..seeds import customer_account
from ..tenants import ApiRequest

MERGE_PATCH = "application/merge-patch+json"
MAX_OLD_SLUGS = 5
SLUG: JsonObject = {"type": "string", "pattern": "^([a-z0-9][a-z0-9-]{1,10}[a-z0-9])?$"}
DOMAINS: JsonObject = {"type": "array", "items": text_schema(253, minLength=1), "maxItems": 100}
SETTINGS = object_schema(
    "",
    currency=nullable_schema(enum_schema(*CURRENCIES)),
    allowedInviteDomains=nullable_schema(DOMAINS),
    mfaRequired=nullable_schema(BOOLEAN),
)
CONTACT = object_schema("", emails=nullable_schema({"type": "array", "items": EMAIL, "maxItems": 100}))
CUSTOMER_CHANGES = compile_object(
    "", urlSlug=nullable_schema(SLUG), settings=nullable_schema(SETTINGS), contact=nullable_schema(CONTACT)
)


async def get_customer(request: ApiRequest) -> web.Response:
    """GET /customers/v1/customers/{customerId}: the caller's own."""
    return json_response({name: value for name, value in _get_customer(request).items() if name != "oldSlugs"})


async def update_customer(request: ApiRequest) -> web.Response:
    """PATCH /customers/v1/customers/{customerId}: a merge patch in which null changes nothing; the response has no
    body.
    """
    customer = _get_customer(request)
    if request.http_request.content_type != MERGE_PATCH:
        raise ApiError(415, f"Content-Type must be {MERGE_PATCH}")
    body = await request.read_body(CUSTOMER_CHANGES)
    settings = _without_nulls(body.get("settings"))
    if "allowedInviteDomains" in settings:
        require_permission(request.user, "users.write")
    if body.get("urlSlug") is not None:
        _change_slug(request, customer, body["urlSlug"])
    customer["settings"] = {**customer["settings"], **settings}
    customer["contact"] = {**customer["contact"], **_without_nulls(body.get("contact"))}
    return web.Response()


async def list_team(request: ApiRequest) -> web.Response:
    """GET /customers/v1/accountTeam."""
    managers = request.tenant.collection("account team", customer_account.seed_team).values()
    return json_response({"accountManagers": list(managers)})


def _get_customer(request: ApiRequest) -> JsonObject:
    customer_id = request.tenant.customer.id
    if request.path_parameter("customerId") != customer_id:
        raise ApiError(403, "customerId is not the customer of this credential")
    return request.tenant.collection("customer", customer_account.seed_customer)[customer_id]


def _without_nulls(members: JsonObject | None) -> JsonObject:
    return {name: value for name, value in (members or {}).items() if value is not None}


def _change_slug(request: ApiRequest, customer: JsonObject, slug: str) -> None:
    """Change or remove the slug; previous slugs stay reserved for their customer."""
    customer_id, old_slug = request.tenant.customer.id, customer.get("urlSlug", "")
    if slug == old_slug:
        return
    directory = request.tenant.directory
    owners = {customer_account.initial_slug(item): item.id for item in CUSTOMERS}
    if (generated := directory.customer_by_domain(f"{slug}.example")) is not None:
        owners[slug] = generated.id
    if slug and {**owners, **request.tenant.slug_owners}.get(slug, customer_id) != customer_id:
        raise ApiError(409, f"urlSlug: {slug} belongs to another customer")
    if directory.customer_by_id(slug) is not None or any(slug == item.id.lower() for item in CUSTOMERS):
        raise ApiError(409, f"urlSlug: {slug} is the id of a customer")
    old_slugs = [item for item in customer["oldSlugs"] if item != slug] + ([old_slug] if old_slug else [])
    if len(old_slugs) > MAX_OLD_SLUGS:
        raise ApiError(422, f"urlSlug: a customer has {MAX_OLD_SLUGS} former slugs at most")
    customer["oldSlugs"] = old_slugs
    if slug:
        customer["urlSlug"] = slug
        request.tenant.slug_owners[slug] = customer_id
    else:
        customer.pop("urlSlug", None)


ROUTES = (
    Route("GET", "/customers/v1/accountTeam", list_team, "team.read"),
    Route("GET", "/customers/v1/customers/{customerId}", get_customer, "settings.read"),
    Route("PATCH", "/customers/v1/customers/{customerId}", update_customer, "settings.write"),
)
