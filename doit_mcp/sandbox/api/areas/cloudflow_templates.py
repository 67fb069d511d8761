"""CloudFlow templates: /cloudflow/v1/templates, the same for all customers."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from ..costs.calendar_days import DAY_SECONDS, format_rfc3339
from ..responses import JsonObject, json_response
from ..routes import Route
from ..tenants import ApiRequest, Records, Tenant, get_existing

TEMPLATES = (
    ("Delete unattached disks", "Finds disks that belong to no machine and deletes them after approval.", 300),
    ("Report untagged resources", "Sends a list of resources without an owner's tag.", 210),
    ("Stop machines at night", "Stops machines of development projects outside working hours.", 95),
)


def seed_templates(tenant: Tenant) -> Iterator[JsonObject]:
    """The library of templates."""
    for name, description, age in TEMPLATES:
        yield {
            "name": name,
            "description": description,
            "instructions": f"{description} Ask which accounts to include.",
            "createTime": format_rfc3339(tenant.started_at - age * DAY_SECONDS),
            "updateTime": None,
        }


def template_records(request: ApiRequest) -> Records:
    """The templates by id."""
    return request.tenant.collection("flow templates", seed_templates)


async def list_templates(request: ApiRequest) -> web.Response:
    """GET /cloudflow/v1/templates, latest first."""
    rows = sorted(template_records(request).values(), key=lambda item: str(item["createTime"]), reverse=True)
    page = request.paginate(rows, 50, 500)
    return json_response({"items": page.rows, "pageToken": page.token, "rowCount": len(page.rows)})


async def get_template(request: ApiRequest) -> web.Response:
    """GET /cloudflow/v1/templates/{templateId}."""
    return json_response(get_existing(template_records(request), request.path_parameter("templateId"), "template"))


ROUTES = (
    Route("GET", "/cloudflow/v1/templates", list_templates, "flows.read"),
    Route("GET", "/cloudflow/v1/templates/{templateId}", get_template, "flows.read"),
)
