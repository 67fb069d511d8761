"""Sharing: /sharing/v1/{resourceType}/{resourceId}, roles on Cloud Analytics objects.

Users without a role do not see an object in lists and get 403 for it; editors and owners can change and share it.
"""

from __future__ import annotations

from aiohttp import web

from ..analytics_objects import get_record, list_collaborators
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import compile_object, enum_schema, nullable_schema, object_schema, text_schema
from ..tenants import ApiRequest

TYPES = {"alerts": "alert", "allocations": "allocation", "budgets": "budget", "reports": "report"}
PERMISSION = object_schema(
    "user role", user=text_schema(320, minLength=3), role=enum_schema("owner", "editor", "viewer")
)
PERMISSIONS_BODY = compile_object(
    "permissions",
    permissions={"type": "array", "items": PERMISSION, "maxItems": 100},
    # Clients of allocations send "" for objects that are not public.
    public=nullable_schema(enum_schema("editor", "viewer", "")),
)


async def get_permissions(request: ApiRequest) -> web.Response:
    """GET /sharing/v1/{resourceType}/{resourceId}."""
    return json_response(_serialize(_get_resource(request)))


async def set_permissions(request: ApiRequest) -> web.Response:
    """PUT /sharing/v1/{resourceType}/{resourceId}: replaces the whole list, which must have exactly one owner."""
    resource = _get_resource(request, "editor")
    body = await request.read_body(PERMISSIONS_BODY)
    permissions = body["permissions"]
    if sum(item["role"] == "owner" for item in permissions) != 1:
        raise bad_request("permissions: exactly one owner is needed", field="permissions")
    if len({item["user"].lower() for item in permissions}) < len(permissions):
        raise bad_request("permissions: a user is duplicated", field="permissions")
    if request.path_parameter("resourceType") == "allocations" and body.get("public") is None:
        # The DoiT API returns this error, too.
        raise ApiError(500, "Internal Server Error")
    resource["collaborators"] = [{"email": item["user"], "role": item["role"]} for item in permissions]
    resource.pop("public", None)
    if body.get("public"):
        resource["public"] = body["public"]
    resource["updateTime"] = request.now_milliseconds
    return json_response(_serialize(resource))


def _get_resource(request: ApiRequest, role: str = "viewer") -> JsonObject:
    kind = request.path_parameter("resourceType")
    if kind not in TYPES:
        raise bad_request(f"resourceType must be one of {', '.join(TYPES)}", field="resourceType")
    return get_record(request, TYPES[kind], request.path_parameter("resourceId"), role)


def _serialize(resource: JsonObject) -> JsonObject:
    public = resource.get("public")
    return {
        "id": resource["id"],
        "name": resource["name"],
        "description": resource.get("description", ""),
        "createTime": resource["createTime"],
        "updateTime": resource["updateTime"],
        "permissions": [{"user": item["email"], "role": item["role"]} for item in list_collaborators(resource)],
        "public": public if public in ("editor", "viewer") else None,
    }


ROUTES = (
    Route("GET", "/sharing/v1/{resourceType}/{resourceId}", get_permissions, "costs.read"),
    Route("PUT", "/sharing/v1/{resourceType}/{resourceId}", set_permissions, "sharing.write"),
)
