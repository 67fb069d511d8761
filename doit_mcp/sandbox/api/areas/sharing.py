"""Sharing: /sharing/v1/{resourceType}/{resourceId}, who may do what with an object of Cloud Analytics.

Whoever has no part in one does not find it in lists and gets 403 for it; editors and owners change it and share it.
"""

from __future__ import annotations

from aiohttp import web

from ..analytics_objects import opened, shares
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..schemas import compiled, one_of, or_null, record, text
from ..tenants import Ask

TYPES = {"alerts": "alert", "allocations": "allocation", "budgets": "budget", "reports": "report"}
PERMISSION = record("user role", user=text(320, minLength=3), role=one_of("owner", "editor", "viewer"))
BODY = compiled(
    "permissions",
    permissions={"type": "array", "items": PERMISSION, "maxItems": 100},
    # "" is how the allocations' own clients say that it is not public (facts, section 9).
    public=or_null(one_of("editor", "viewer", "")),
)


async def get_permissions(ask: Ask) -> web.Response:
    """GET /sharing/v1/{resourceType}/{resourceId}."""
    return answer(_shown(_resource(ask)))


async def set_permissions(ask: Ask) -> web.Response:
    """PUT /sharing/v1/{resourceType}/{resourceId}: replaces the whole list, which has exactly one owner."""
    resource = _resource(ask, "editor")
    body = await ask.body(BODY)
    found = body["permissions"]
    if sum(one["role"] == "owner" for one in found) != 1:
        raise bad("permissions: exactly one owner is needed", field="permissions")
    if len({one["user"].lower() for one in found}) < len(found):
        raise bad("permissions: a user is there twice", field="permissions")
    if ask.part("resourceType") == "allocations" and body.get("public") is None:
        # That is what DoiT does (facts, section 9).
        raise Refusal(500, "Internal Server Error")
    resource["collaborators"] = [{"email": one["user"], "role": one["role"]} for one in found]
    resource.pop("public", None)
    if body.get("public"):
        resource["public"] = body["public"]
    resource["updateTime"] = ask.millis
    return answer(_shown(resource))


def _resource(ask: Ask, role: str = "viewer") -> JsonObject:
    kind = ask.part("resourceType")
    if kind not in TYPES:
        raise bad(f"resourceType must be one of {', '.join(TYPES)}", field="resourceType")
    return opened(ask, TYPES[kind], ask.part("resourceId"), role)


def _shown(resource: JsonObject) -> JsonObject:
    public = resource.get("public")
    return {
        "id": resource["id"],
        "name": resource["name"],
        "description": resource.get("description", ""),
        "createTime": resource["createTime"],
        "updateTime": resource["updateTime"],
        "permissions": [{"user": one["email"], "role": one["role"]} for one in shares(resource)],
        "public": public if public in ("editor", "viewer") else None,
    }


ROUTES = (
    Route("GET", "/sharing/v1/{resourceType}/{resourceId}", get_permissions, "costs.read"),
    Route("PUT", "/sharing/v1/{resourceType}/{resourceId}", set_permissions, "sharing.write"),
)
