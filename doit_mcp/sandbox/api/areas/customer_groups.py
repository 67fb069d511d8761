"""Customer groups: /rbac/v1/customer-groups."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from ..costs.calendar_days import DAY_SECONDS, format_rfc3339
from ..hierarchy import list_members
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import compile_object, text_schema
from ..seeds import customer_account
from ..seeds.analytics_core import admin_email
from ..tenants import ApiRequest, Records, Tenant, add_record, get_existing

PATH = "/rbac/v1/customer-groups"
ID = text_schema(200, minLength=1)
MEMBERS: dict[str, JsonObject] = {
    "name": text_schema(200, minLength=1),
    "memberCustomerIds": {"type": "array", "items": ID, "uniqueItems": True, "minItems": 1},
}
NEW_GROUP, GROUP_CHANGES = compile_object("name memberCustomerIds", **MEMBERS), compile_object("", **MEMBERS)
ASSIGNED = ("users", "userGroups")
PERMISSION = "users.write"


async def list_groups(request: ApiRequest) -> web.Response:
    """GET /rbac/v1/customer-groups."""
    return json_response({"customerGroups": [_serialize(group) for group in _group_records(request).values()]})


async def create_group(request: ApiRequest) -> web.Response:
    """POST /rbac/v1/customer-groups: customers of the hierarchy; names are unique."""
    body = await request.read_body(NEW_GROUP)
    now = format_rfc3339(request.now)
    group: JsonObject = {
        "id": f"cg_{request.tenant.new_id()}",
        "customerId": request.tenant.customer.id,
        **body,
        "createdBy": request.user.email,
        "timeCreated": now,
        "timeModified": now,
        **{kind: [] for kind in ASSIGNED},
    }
    _check_group(request, group)
    return json_response(_serialize(add_record(_group_records(request), group)), 201)


async def get_group(request: ApiRequest) -> web.Response:
    """GET /rbac/v1/customer-groups/{customerGroupId}."""
    return json_response(_serialize(_get_group(request)))


async def update_group(request: ApiRequest) -> web.Response:
    """PATCH /rbac/v1/customer-groups/{customerGroupId}: omitted members stay unchanged."""
    group = _get_group(request)
    body = await request.read_body(GROUP_CHANGES)
    if not body:
        raise bad_request("the body has no changes")
    _check_group(request, {**group, **body})
    group.update(body, timeModified=format_rfc3339(request.now))
    return json_response(_serialize(group))


async def delete_group(request: ApiRequest) -> web.Response:
    """DELETE /rbac/v1/customer-groups/{customerGroupId}: 409 while users or user groups are assigned."""
    group = _get_group(request)
    if any(group[kind] for kind in ASSIGNED):
        raise ApiError(409, "users are assigned to the group")
    del _group_records(request)[group["id"]]
    return web.Response(status=204)


async def list_group_users(request: ApiRequest) -> web.Response:
    """GET /rbac/v1/customer-groups/{customerGroupId}/users, by id."""
    group = _get_group(request)
    return json_response(
        {"customerGroupId": group["id"], "users": [{"userId": user} for user in sorted(group["users"])]}
    )


async def assign_user(request: ApiRequest) -> web.Response:
    """PUT /rbac/v1/customer-groups/{customerGroupId}/users/{userId}, even if already assigned."""
    user = get_existing(request.tenant.collection("users", customer_account.seed_users), _path_user(request), "user")
    return _assign(request, "users", user["id"])


async def unassign_user(request: ApiRequest) -> web.Response:
    """DELETE /rbac/v1/customer-groups/{customerGroupId}/users/{userId}, even if not assigned."""
    return _unassign(request, "users", _path_user(request))


async def list_user_groups(request: ApiRequest) -> web.Response:
    """GET /rbac/v1/customer-groups/{customerGroupId}/user-groups, by id."""
    group = _get_group(request)
    rows = [{"userGroupId": user_group} for user_group in sorted(group["userGroups"])]
    return json_response({"customerGroupId": group["id"], "userGroups": rows})


async def assign_user_group(request: ApiRequest) -> web.Response:
    """PUT /rbac/v1/customer-groups/{customerGroupId}/user-groups/{userGroupId}."""
    return _assign(request, "userGroups", _path_user_group(request))


async def unassign_user_group(request: ApiRequest) -> web.Response:
    """DELETE /rbac/v1/customer-groups/{customerGroupId}/user-groups/{userGroupId}."""
    return _unassign(request, "userGroups", _path_user_group(request))


def user_group_id(tenant: Tenant) -> str:
    """The id of the only user group of the customer. No operation lists user groups."""
    return f"ug_{tenant.stable_id('user group')}"


def seed_customer_groups(tenant: Tenant) -> Iterator[JsonObject]:
    """A group of the customers below this one, to which the user group is assigned."""
    created = format_rfc3339(tenant.started_at - 90 * DAY_SECONDS)
    yield {
        "id": f"cg_{tenant.stable_id('customer groups')}",
        "customerId": tenant.customer.id,
        "name": "Partners",
        "memberCustomerIds": [identifier for identifier in list_members(tenant) if identifier != tenant.customer.id],
        "createdBy": admin_email(tenant.customer),
        "timeCreated": created,
        "timeModified": created,
        "users": [],
        "userGroups": [user_group_id(tenant)],
    }


def _assign(request: ApiRequest, kind: str, identifier: str) -> web.Response:
    group = _get_group(request)
    group[kind] = sorted({*group[kind], identifier})
    return web.Response(status=204)


def _unassign(request: ApiRequest, kind: str, identifier: str) -> web.Response:
    group = _get_group(request)
    group[kind] = [item for item in group[kind] if item != identifier]
    return web.Response(status=204)


def _path_user(request: ApiRequest) -> str:
    return request.path_parameter("userId")


def _path_user_group(request: ApiRequest) -> str:
    identifier = request.path_parameter("userGroupId")
    if identifier != user_group_id(request.tenant):
        raise ApiError(404, "user group not found")
    return identifier


def _group_records(request: ApiRequest) -> Records:
    return request.tenant.collection("customer groups", seed_customer_groups)


def _get_group(request: ApiRequest) -> JsonObject:
    return get_existing(_group_records(request), request.path_parameter("customerGroupId"), "customer group")


def _check_group(request: ApiRequest, group: JsonObject) -> None:
    known = list_members(request.tenant)
    if any(customer not in known for customer in group["memberCustomerIds"]):
        raise ApiError(404, "memberCustomerIds: customer not found")
    if any(item["name"] == group["name"] and item["id"] != group["id"] for item in _group_records(request).values()):
        raise ApiError(409, "a customer group with this name exists")


def _serialize(group: JsonObject) -> JsonObject:
    return {name: value for name, value in group.items() if name not in ASSIGNED}


_GROUP = f"{PATH}/{{customerGroupId}}"
ROUTES: tuple[Route, ...] = (
    Route("GET", PATH, list_groups, PERMISSION),
    Route("POST", PATH, create_group, PERMISSION),
    Route("GET", _GROUP, get_group, PERMISSION),
    Route("PATCH", _GROUP, update_group, PERMISSION),
    Route("DELETE", _GROUP, delete_group, PERMISSION),
    Route("GET", f"{_GROUP}/users", list_group_users, PERMISSION),
    Route("PUT", f"{_GROUP}/users/{{userId}}", assign_user, PERMISSION),
    Route("DELETE", f"{_GROUP}/users/{{userId}}", unassign_user, PERMISSION),
    Route("GET", f"{_GROUP}/user-groups", list_user_groups, PERMISSION),
    Route("PUT", f"{_GROUP}/user-groups/{{userGroupId}}", assign_user_group, PERMISSION),
    Route("DELETE", f"{_GROUP}/user-groups/{{userGroupId}}", unassign_user_group, PERMISSION),
)
