"""Subjects of support requests: /support/v1/metadata/platforms and /support/v1/metadata/products."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..costs.estate_types import AWS, AZURE, GOOGLE
from ..costs.estates import SERVICES
from ..responses import JsonObject, json_response
from ..routes import Route
from ..tenants import ApiRequest

PLATFORMS = {
    "doit": "DoiT",
    "google_cloud_platform": "Google Cloud",
    "amazon_web_services": "Amazon Web Services",
    "microsoft_azure": "Microsoft Azure",
}
CLOUDS = {AWS: "amazon_web_services", GOOGLE: "google_cloud_platform", AZURE: "microsoft_azure"}
DOIT_PRODUCTS = {"cloud_analytics": "Cloud Analytics", "billing": "Billing", "access": "Users and access"}


async def list_platforms(request: ApiRequest) -> web.Response:
    """GET /support/v1/metadata/platforms."""
    return json_response({"platforms": [{"id": key, "displayName": name} for key, name in PLATFORMS.items()]})


async def list_products(request: ApiRequest) -> web.Response:
    """GET /support/v1/metadata/products, optionally of one platform."""
    platform = listing.optional_choice(request.query, "platform", tuple(PLATFORMS))
    products: list[JsonObject] = [
        {"id": key, "displayName": name, "platform": "doit"} for key, name in DOIT_PRODUCTS.items()
    ]
    products += [
        {"id": service.short, "displayName": service.description, "platform": CLOUDS[service.provider]}
        for service in SERVICES
    ]
    return json_response({"products": [item for item in products if not platform or item["platform"] == platform]})


ROUTES = (
    Route("GET", "/support/v1/metadata/platforms", list_platforms, "tickets.read"),
    Route("GET", "/support/v1/metadata/products", list_products, "tickets.read"),
)
