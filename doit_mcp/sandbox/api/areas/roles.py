"""Roles: /iam/v1/roles."""

from __future__ import annotations

from aiohttp import web

from ..idempotency import run_once
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import compile_object, text_schema
from ..seeds import customer_account
from ..tenants import ApiRequest, Records, add_record, get_existing

PATH = "/iam/v1/roles"
MEMBERS: dict[str, JsonObject] = {
    "name": text_schema(300, minLength=1),
    "description": text_schema(2000),
    "permissions": {"type": "array", "items": text_schema(200), "uniqueItems": True},
}
NEW_ROLE, ROLE_CHANGES = compile_object("name", **MEMBERS), compile_object("", **MEMBERS)
READ_PERMISSION, WRITE_PERMISSION = "users.read", "users.write"


async def list_roles(request: ApiRequest) -> web.Response:
    """GET /iam/v1/roles."""
    return json_response({"roles": list(role_records(request).values())})


async def create_role(request: ApiRequest) -> web.Response:
    """POST /iam/v1/roles: a custom role. Needs an idempotency key: 422 if it belongs to another request."""
    body = await request.read_body(NEW_ROLE)

    def create(dry_run: bool) -> JsonObject:
        role: JsonObject = {
            "id": request.tenant.new_id(),
            "type": "custom",
            "customer": request.tenant.customer.id,
            "description": "",
            "permissions": [],
            "childTenantEligible": False,
            **body,
        }
        _check_role(request, role)
        return add_record(role_records(request), role)

    return json_response(await run_once(request, create, reused_status=422, per_path=True), 201)


async def get_role(request: ApiRequest) -> web.Response:
    """GET /iam/v1/roles/{id}."""
    return json_response(_get_role(request))


async def update_role(request: ApiRequest) -> web.Response:
    """PATCH /iam/v1/roles/{id}: omitted members stay unchanged; 400 for presets."""
    role = _get_custom_role(request)
    body = await request.read_body(ROLE_CHANGES)
    if not body:
        raise bad_request("the body has no changes")
    changed = {**role, **body}
    _check_role(request, changed)
    role.update(changed)
    return json_response(role)


async def delete_role(request: ApiRequest) -> web.Response:
    """DELETE /iam/v1/roles/{id}: 400 for presets, 409 while a user has it."""
    role = _get_custom_role(request)
    users = request.tenant.collection("users", customer_account.seed_users).values()
    count = sum(user["roleId"] == role["id"] for user in users)
    if count:
        raise ApiError(409, f"the role is assigned to users: {count}")
    del role_records(request)[role["id"]]
    return web.Response(status=204)


def role_records(request: ApiRequest) -> Records:
    """The roles of the customer by id."""
    return request.tenant.collection("roles", customer_account.seed_roles)


def _get_role(request: ApiRequest) -> JsonObject:
    return get_existing(role_records(request), request.path_parameter("id"), "role")


def _get_custom_role(request: ApiRequest) -> JsonObject:
    role = _get_role(request)
    if role["type"] == "preset":
        raise bad_request("preset roles cannot be changed")
    return role


def _check_role(request: ApiRequest, role: JsonObject) -> None:
    """Raise 400 for a name with outer white space and for unknown permissions, 409 for a name in use."""
    if role["name"] != role["name"].strip():
        raise bad_request("name: must not begin or end with white space", field="name")
    known = {identifier for item in role_records(request).values() for identifier in item["permissions"]}
    if unknown := [identifier for identifier in role["permissions"] if identifier not in known]:
        raise bad_request(f"permissions: unknown id {unknown[0]!r}", field="permissions")
    if any(item["name"] == role["name"] and item["id"] != role["id"] for item in role_records(request).values()):
        raise ApiError(409, "a role with this name exists")


ROUTES: tuple[Route, ...] = (
    Route("GET", PATH, list_roles, READ_PERMISSION),
    Route("POST", PATH, create_role, WRITE_PERMISSION, problem_statuses=(422,)),
    Route("GET", PATH + "/{id}", get_role, READ_PERMISSION),
    Route("PATCH", PATH + "/{id}", update_role, WRITE_PERMISSION),
    Route("DELETE", PATH + "/{id}", delete_role, WRITE_PERMISSION),
)
