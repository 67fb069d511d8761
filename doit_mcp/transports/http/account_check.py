"""The account of a signed-in user: who they are, for which customer, and which tools the API will refuse."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ...api import Doit
from ...api.errors import ApiError, explain
from ...api.permissions import BILLING_PROFILES_ADMIN
from ...auth.principal import Principal
from ...catalog.tools.permissions import MAX_NAME_CHARACTERS, find_refused_tools, read_permissions
from ...catalog.tools.tool import Tool
from ...check.findings import Finding
from ...protocol.jsonrpc import JsonObject
from ...protocol.request_metadata import Caller
from ...protocol.revisions import DEFAULT_REVISION
from .app_keys import PrincipalApiFactory

DEADLINE_SECONDS = 15.0
PURPOSE = "check"
INCOMPLETE = (
    "The lists have the tools whose permission the API reference names. The API can refuse other tools for the role of the"
    " user."
)


async def check_account(connect: PrincipalApiFactory, principal: Principal, tools: Iterable[Tool]) -> JsonObject:
    """Return the members user, refusedTools, uncertainTools and checks.

    *uncertainTools* require a permission that the API's list does not show, or all that require one if it has no list,
    as for DoiT employees.
    """
    doit = connect(principal, PURPOSE, Caller(DEFAULT_REVISION), _ignore_progress, DEADLINE_SECONDS)
    user: JsonObject = {"email": principal.email or principal.subject}
    if principal.customer:
        # API tokens do not contain the customer's id.
        user["customer"] = principal.customer
    try:
        validated = await doit.auth.validate_user()
    except ApiError as error:
        finding = _describe_failure(error, principal)
        return {"user": user, "refusedTools": [], "uncertainTools": [], "checks": [finding.as_json()]}
    permissions = read_permissions(validated)
    user |= {
        "email": str(validated.get("email", user["email"])),
        "domain": str(validated.get("domain", "")),
        "role": await _find_role(doit, user["email"]),
        "permissions": sorted(permissions),
    }
    refused, uncertain = find_refused_tools(tools, permissions)
    return {
        "user": user,
        "refusedTools": refused,
        "uncertainTools": uncertain,
        "note": INCOMPLETE,
        "checks": [_check_permissions(permissions).as_json()],
    }


def _describe_failure(error: ApiError, principal: Principal) -> Finding:
    """Return what a failed read of the account means."""
    if principal.employee and error.kind == "refused":
        return Finding(
            "account", "ok", "a DoiT employee, who acts for the customer that change_customer or a call names"
        )
    reason = explain(error, "validate_user")
    if error.kind == "forbidden":
        return Finding("account", "fail", reason, "Until this is solved, the API refuses every tool.")
    return Finding("account", "fail", reason, "Check again in a minute.")


async def _ignore_progress(message: str) -> None:
    """Ignore progress: no client waits for it."""


def _check_permissions(permissions: Collection[str]) -> Finding:
    if permissions and BILLING_PROFILES_ADMIN.name not in permissions:
        return Finding(
            "account",
            "warn",
            f"the user lacks the permission {BILLING_PROFILES_ADMIN}, which signing in requires",
            "Ask an administrator of your company to add it to your role in the DoiT console.",
        )
    return Finding("account", "ok", "the DoiT API accepts this user")


async def _find_role(doit: Doit, email: str) -> str | None:
    """Return the name of the user's role, or None if the user may not read it."""
    try:
        users = (await doit.users.list_users(email=email)).get("users") or []
        role = next((item.get("roleId") for item in users if isinstance(item, dict)), None)
        roles = (await doit.roles.list_roles()).get("roles") or []
    except ApiError:
        return None
    names = [item.get("name") for item in roles if isinstance(item, dict) and role and item.get("id") == role]
    return str(names[0])[:MAX_NAME_CHARACTERS] if names else None
