"""CloudFlow connections to clouds: /cloudflow/v1/connections."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from ..costs.calendar_days import DAY_SECONDS, format_rfc3339
from ..entity_tags import make_etag, require_version
from ..idempotency import run_once
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import BOOLEAN, EMAIL, compile_object, enum_schema, object_schema, text_schema
from ..seeds.analytics_core import admin_email
from ..tenants import ApiRequest, Records, Tenant, add_record, get_existing

PATH = "/cloudflow/v1/connections"
PAGE_TOKEN_SECONDS = 300  # how long page tokens are valid
SHORT_TEXT = text_schema(500)
NAMES: JsonObject = {"type": "array", "items": SHORT_TEXT, "maxItems": 500}
GOOGLE_CONFIG = object_schema(
    "",
    organizationId=SHORT_TEXT,
    folderId=SHORT_TEXT,
    projectId=SHORT_TEXT,
    level=enum_schema("organization", "folder", "project"),
    serviceAccountName=SHORT_TEXT,
    predefinedRoles=NAMES,
    customRole=object_schema("", roleId=SHORT_TEXT, permissions=NAMES),
    infraManagerProject=SHORT_TEXT,
    infraManagerLocation=SHORT_TEXT,
    infraManagerServiceAccount=SHORT_TEXT,
)
AWS_CONFIG = object_schema(
    "",
    context={"type": "array", "items": object_schema("", accountId=SHORT_TEXT, regions=NAMES), "maxItems": 500},
    roleName=SHORT_TEXT,
    permissions={"type": "object"},
    managementAccount=SHORT_TEXT,
    organizationRootId=SHORT_TEXT,
    scopeTargetedOrganizationalUnitIds=NAMES,
    scopeExplicitAccountIds=NAMES,
    scopeExcludedAccountIds=NAMES,
    scopeManagementAccountExplicitInScope=BOOLEAN,
)
COLLABORATORS: JsonObject = {
    "type": "array",
    "maxItems": 100,
    "items": object_schema("email role", email=EMAIL, role=enum_schema("owner", "editor", "user")),
}
MEMBERS: dict[str, JsonObject] = {
    "name": text_schema(200, minLength=1),
    "description": text_schema(2000),
    "gcpConfig": GOOGLE_CONFIG,
    "awsConfig": AWS_CONFIG,
    "collaborators": COLLABORATORS,
    "enabled": BOOLEAN,
}
NEW_CONNECTION, CONNECTION_CHANGES = compile_object("name", **MEMBERS), compile_object("", **MEMBERS)


def seed_connections(tenant: Tenant) -> Iterator[JsonObject]:
    """One connection used by a flow, and one that is unused."""
    collaborators = [_make_owner(admin_email(tenant.customer))]
    for name, used, age in (("Production accounts", True, 60), ("Old sandbox account", False, 200)):
        created = format_rfc3339(tenant.started_at - age * DAY_SECONDS)
        yield {
            "name": name,
            "description": "",
            "awsConfig": {"roleName": "doit-cloudflow"},
            "collaborators": collaborators,
            "enabled": used,
            "createdAt": created,
            "updatedAt": created,
            "used": used,
        }


def connection_records(request: ApiRequest) -> Records:
    """The tenant's connections; *used* says that a flow uses it."""
    return request.tenant.collection("flow connections", seed_connections)


async def list_connections(request: ApiRequest) -> web.Response:
    """GET /cloudflow/v1/connections, latest first; as in the DoiT API, rowCount is always null."""
    rows = sorted(reversed(connection_records(request).values()), key=lambda item: str(item["createdAt"]), reverse=True)
    page = request.paginate(rows, 50, 100, lifetime=PAGE_TOKEN_SECONDS)
    return json_response({"items": [_serialize(item) for item in page.rows], "pageToken": page.token, "rowCount": None})


async def create_connection(request: ApiRequest) -> web.Response:
    """POST /cloudflow/v1/connections: the user becomes the owner unless others are named. Needs an idempotency key."""
    body = await request.read_body(NEW_CONNECTION)
    if ("gcpConfig" in body) == ("awsConfig" in body):
        raise bad_request("exactly one of gcpConfig and awsConfig is required", code="invalid_connection_config")

    def create(dry_run: bool) -> JsonObject:
        now = format_rfc3339(request.now)
        times = {"createdAt": now, "updatedAt": now}
        defaults = {"description": "", "enabled": True, "collaborators": [_make_owner(request.user.email)]}
        connection = {**defaults, **body, "id": request.tenant.new_id(), **times, "used": False}
        return _serialize(connection if dry_run else add_record(connection_records(request), connection))

    return json_response(await run_once(request, create, reused_status=422, per_path=True), 201)


async def get_connection(request: ApiRequest) -> web.Response:
    """GET /cloudflow/v1/connections/{connectionId}."""
    return json_response(_serialize(_get_connection(request)))


async def update_connection(request: ApiRequest) -> web.Response:
    """PATCH /cloudflow/v1/connections/{connectionId}: omitted members stay unchanged, others replace the stored value.

    If-Match has the entity tag of the connection.
    """
    connection = _get_connection(request)
    require_version(request, connection)
    body = await request.read_body(CONNECTION_CHANGES)
    if "gcpConfig" in body and "awsConfig" in body:
        raise bad_request("at most one of gcpConfig and awsConfig is allowed", code="invalid_connection_config")
    connection.update({**body, "updatedAt": format_rfc3339(request.now)})
    return json_response(_serialize(connection))


async def delete_connection(request: ApiRequest) -> web.Response:
    """DELETE /cloudflow/v1/connections/{connectionId}: 409 with its own error shape while a flow uses it."""
    connection = _get_connection(request)
    if connection["used"]:
        problem = {"type": "about:blank", "title": "The connection is used by a flow", "status": 409}
        return json_response(problem | {"code": "connection_in_use"}, 409)
    del connection_records(request)[connection["id"]]
    return web.Response(status=204)


def _get_connection(request: ApiRequest) -> JsonObject:
    return get_existing(connection_records(request), request.path_parameter("connectionId"), "connection")


def _make_owner(email: str) -> JsonObject:
    return {"email": email, "role": "owner"}


def _serialize(connection: JsonObject) -> JsonObject:
    members = {name: value for name, value in connection.items() if name not in ("id", "used")}
    status = "active" if connection["enabled"] else "disabled"
    return {"connectionId": connection["id"], **members, "status": status, "etag": make_etag(connection)}


ROUTES = (
    Route("GET", PATH, list_connections, "flows.read"),
    Route("POST", PATH, create_connection, "flows.write", problem_statuses=(409, 422)),
    Route("GET", PATH + "/{connectionId}", get_connection, "flows.read"),
    Route("PATCH", PATH + "/{connectionId}", update_connection, "flows.write", problem_statuses=(412, 428)),
    Route("DELETE", PATH + "/{connectionId}", delete_connection, "flows.write"),
)
