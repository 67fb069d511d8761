"""Connections of flows to clouds: /cloudflow/v1/connections."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from .. import listing
from ..costs.calendar_days import DAY_SECONDS, rfc3339
from ..responses import JsonObject, answer
from ..routes import Route
from ..schemas import EMAIL, FLAG, compiled, one_of, record, text
from ..seeds.analytics_core import admin
from ..tenants import Ask, Records, Tenant, added, existing

PATH = "/cloudflow/v1/connections"
SHORT = text(500)
NAMES: JsonObject = {"type": "array", "items": SHORT, "maxItems": 500}
GOOGLE_CONFIG = record(
    "",
    organizationId=SHORT,
    folderId=SHORT,
    projectId=SHORT,
    level=one_of("organization", "folder", "project"),
    serviceAccountName=SHORT,
    predefinedRoles=NAMES,
    customRole=record("", roleId=SHORT, permissions=NAMES),
    infraManagerProject=SHORT,
    infraManagerLocation=SHORT,
    infraManagerServiceAccount=SHORT,
)
AWS_CONFIG = record(
    "",
    context={"type": "array", "items": record("", accountId=SHORT, regions=NAMES), "maxItems": 500},
    roleName=SHORT,
    permissions={"type": "object"},
    managementAccount=SHORT,
    organizationRootId=SHORT,
    scopeTargetedOrganizationalUnitIds=NAMES,
    scopeExplicitAccountIds=NAMES,
    scopeExcludedAccountIds=NAMES,
    scopeManagementAccountExplicitInScope=FLAG,
)
PEOPLE: JsonObject = {
    "type": "array",
    "maxItems": 100,
    "items": record("email role", email=EMAIL, role=one_of("owner", "editor", "user")),
}
MEMBERS: dict[str, JsonObject] = {
    "name": text(200, minLength=1),
    "description": text(2000),
    "gcpConfig": GOOGLE_CONFIG,
    "awsConfig": AWS_CONFIG,
    "collaborators": PEOPLE,
    "enabled": FLAG,
}
NEW, CHANGES = compiled("name", **MEMBERS), compiled("", **MEMBERS)


def connections(tenant: Tenant) -> Iterator[JsonObject]:
    """One that a flow uses, and one that is free."""
    people = [{"email": admin(tenant.customer), "role": "owner"}]
    for name, used, age in (("Production accounts", True, 60), ("Old sandbox account", False, 200)):
        made = rfc3339(tenant.born - age * DAY_SECONDS)
        yield {
            "name": name,
            "description": "",
            "awsConfig": {"roleName": "doit-cloudflow"},
            "collaborators": people,
            "enabled": used,
            "createdAt": made,
            "updatedAt": made,
            "used": used,
        }


def records(ask: Ask) -> Records:
    """The tenant's connections; *used* says that a flow needs it."""
    return ask.tenant.collection("flow connections", connections)


async def list_connections(ask: Ask) -> web.Response:
    """GET /cloudflow/v1/connections, the latest first."""
    found = sorted(reversed(records(ask).values()), key=lambda one: str(one["createdAt"]), reverse=True)
    page = listing.page(found, ask.query.get("pageToken", ""), ask.page_size(50, 100), scope=ask.scope)
    return answer({"items": [_shown(one) for one in page.rows], "pageToken": page.token, "rowCount": len(page.rows)})


async def create_connection(ask: Ask) -> web.Response:
    """POST /cloudflow/v1/connections: whoever makes it owns it unless others are named."""
    body = await ask.body(NEW)
    now = rfc3339(ask.now)
    usual = {"description": "", "enabled": True, "collaborators": [{"email": ask.user.email, "role": "owner"}]}
    made = {**usual, **body, "id": ask.tenant.new_id(), "createdAt": now, "updatedAt": now, "used": False}
    return answer(_shown(added(records(ask), made)), 201)


async def get_connection(ask: Ask) -> web.Response:
    """GET /cloudflow/v1/connections/{connectionId}."""
    return answer(_shown(_connection(ask)))


async def update_connection(ask: Ask) -> web.Response:
    """PATCH /cloudflow/v1/connections/{connectionId}: what is absent stays."""
    connection = _connection(ask)
    connection.update({**await ask.body(CHANGES), "updatedAt": rfc3339(ask.now)})
    return answer(_shown(connection))


async def delete_connection(ask: Ask) -> web.Response:
    """DELETE /cloudflow/v1/connections/{connectionId}: 409 in a shape of its own while a flow uses it."""
    connection = _connection(ask)
    if connection["used"]:
        problem = {"type": "about:blank", "title": "The connection is used by a flow", "status": 409}
        return answer(problem | {"code": "connection_in_use"}, 409)
    del records(ask)[connection["id"]]
    return web.Response(status=204)


def _connection(ask: Ask) -> JsonObject:
    return existing(records(ask), ask.part("connectionId"), "connection")


def _shown(connection: JsonObject) -> JsonObject:
    shown = {name: value for name, value in connection.items() if name not in ("id", "used")}
    return {"connectionId": connection["id"], **shown, "status": "active" if connection["enabled"] else "disabled"}


ROUTES = (
    Route("GET", PATH, list_connections, "flows.read"),
    Route("POST", PATH, create_connection, "flows.write"),
    Route("GET", PATH + "/{connectionId}", get_connection, "flows.read"),
    Route("PATCH", PATH + "/{connectionId}", update_connection, "flows.write"),
    Route("DELETE", PATH + "/{connectionId}", delete_connection, "flows.write"),
)
