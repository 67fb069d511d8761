"""The customer itself and its account team: /customers/v1."""

from __future__ import annotations

from aiohttp import web

from ...accounts import CUSTOMERS
from ..access import permit
from ..responses import JsonObject, Refusal, answer
from ..routes import Route
from ..schemas import CURRENCIES, EMAIL, FLAG, compiled, one_of, or_null, record, text
from ..seeds import customer_account
from ..tenants import Ask

MERGE_PATCH = "application/merge-patch+json"
OLD_SLUGS = 5
SLUG: JsonObject = {"type": "string", "pattern": "^([a-z0-9][a-z0-9-]{1,10}[a-z0-9])?$"}
DOMAINS: JsonObject = {"type": "array", "items": text(253, minLength=1), "maxItems": 100}
SETTINGS = record(
    "",
    currency=or_null(one_of(*CURRENCIES)),
    allowedInviteDomains=or_null(DOMAINS),
    mfaRequired=or_null(FLAG),
)
CONTACT = record("", emails=or_null({"type": "array", "items": EMAIL, "maxItems": 100}))
CHANGES = compiled("", urlSlug=or_null(SLUG), settings=or_null(SETTINGS), contact=or_null(CONTACT))


async def get_customer(ask: Ask) -> web.Response:
    """GET /customers/v1/customers/{customerId}: the caller's own."""
    return answer({name: value for name, value in _customer(ask).items() if name != "oldSlugs"})


async def update_customer(ask: Ask) -> web.Response:
    """PATCH /customers/v1/customers/{customerId}, a merge patch; null changes nothing, the answer has no body."""
    customer = _customer(ask)
    if ask.request.content_type != MERGE_PATCH:
        raise Refusal(415, f"Content-Type must be {MERGE_PATCH}")
    body = await ask.body(CHANGES)
    settings = _given(body.get("settings"))
    if "allowedInviteDomains" in settings:
        permit(ask.user, "users.write")
    if body.get("urlSlug") is not None:
        _rename(ask, customer, body["urlSlug"])
    customer["settings"] = {**customer["settings"], **settings}
    customer["contact"] = {**customer["contact"], **_given(body.get("contact"))}
    return web.Response()


async def list_team(ask: Ask) -> web.Response:
    """GET /customers/v1/accountTeam."""
    found = ask.tenant.collection("account team", customer_account.team).values()
    return answer({"accountManagers": list(found)})


def _customer(ask: Ask) -> JsonObject:
    own = ask.tenant.customer.id
    if ask.part("customerId") != own:
        raise Refusal(403, "customerId is not the customer of this credential")
    return ask.tenant.collection("customer", customer_account.customer)[own]


def _given(found: JsonObject | None) -> JsonObject:
    return {name: value for name, value in (found or {}).items() if value is not None}


def _rename(ask: Ask, customer: JsonObject, slug: str) -> None:
    """Another slug, or none; one that was ever a customer's stays its own."""
    own, before = ask.tenant.customer.id, customer.get("urlSlug", "")
    if slug == before:
        return
    people = ask.tenant.people
    others = {customer_account.slug(one): one.id for one in CUSTOMERS}
    if (numbered := people.customer_of(f"{slug}.example")) is not None:
        others[slug] = numbered.id
    if slug and {**others, **ask.tenant.claims}.get(slug, own) != own:
        raise Refusal(409, f"urlSlug: {slug} belongs to another customer")
    if people.customer(slug) is not None or any(slug == one.id.lower() for one in CUSTOMERS):
        raise Refusal(409, f"urlSlug: {slug} is the id of a customer")
    old = [one for one in customer["oldSlugs"] if one != slug] + ([before] if before else [])
    if len(old) > OLD_SLUGS:
        raise Refusal(422, f"urlSlug: a customer has {OLD_SLUGS} former slugs at most")
    customer["oldSlugs"] = old
    if slug:
        customer["urlSlug"] = slug
        ask.tenant.claims[slug] = own
    else:
        customer.pop("urlSlug", None)


ROUTES = (
    Route("GET", "/customers/v1/accountTeam", list_team, "team.read"),
    Route("GET", "/customers/v1/customers/{customerId}", get_customer, "settings.read"),
    Route("PATCH", "/customers/v1/customers/{customerId}", update_customer, "settings.write"),
)
