"""Users of a customer and its organizations: /iam/v1."""

from __future__ import annotations

from aiohttp import web

from ..idempotency import run_once
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import EMAIL, TEXT, compile_object, enum_schema, text_schema
from ..seeds import customer_account
from ..tenants import ApiRequest, Records, add_record, get_existing
from . import roles

INVITE_SECONDS = 48 * 3600
JOB = enum_schema(
    "Data Engineer / Data Analysts",
    "Executive Team",
    "Finance / Accounting",
    "Founder",
    "Legal / Purchasing",
    "Management",
    "Sales / Marketing",
    "Software / Ops Engineer",
)
NAMES = {"firstName": text_schema(200), "lastName": text_schema(200), "jobTitle": JOB, "roleId": TEXT}
INVITE_BODY = compile_object("email", email=EMAIL, organizationId=TEXT, **NAMES)
USER_CHANGES = compile_object(
    "",
    **NAMES,
    jobFunction=JOB,
    phone={**text_schema(20), "pattern": r"^\+[0-9]+$"},
    phoneExtension={"type": "string", "pattern": "^[0-9]{8,15}$"},
    language=enum_schema("en", "ja"),
)
USER_FIELDS = (
    "id email displayName firstName lastName jobTitle phone phoneExtension language roleId organizationId status"
).split()
CANCELED, PENDING = "cancelled", "pending"


async def list_users(request: ApiRequest) -> web.Response:
    """GET /iam/v1/users: all users, or the one with this email address."""
    email = request.query.get("email", "").lower()
    users = [
        _serialize(item) for item in _user_records(request).values() if not email or item["email"].lower() == email
    ]
    return json_response({"users": users, "rowCount": len(users)})


async def invite_user(request: ApiRequest) -> web.Response:
    """POST /iam/v1/users/invite."""
    body = await request.read_body(INVITE_BODY)
    if any(item["email"].lower() == body["email"].lower() for item in _user_records(request).values()):
        raise bad_request("email: a user with this address already exists", field="email")
    organizations = _organization_records(request)
    user: JsonObject = {
        "roleId": next(reversed(roles.role_records(request))),
        "organizationId": next(iter(organizations)),
        **body,
        "id": request.tenant.new_id(),
        "status": "invited",
        "invite": PENDING,
        "expires": request.now + INVITE_SECONDS,
    }
    _check_references(request, user)
    add_record(_user_records(request), _with_display_name(user))
    fields = ("id", "email", "firstName", "lastName", "displayName", "jobTitle", "roleId", "organizationId", "status")
    return json_response(
        {"message": "Invitation sent", "user": {name: user[name] for name in fields if name in user}}, 201
    )


async def update_user(request: ApiRequest) -> web.Response:
    """PATCH /iam/v1/users/{id}: omitted or blank members stay unchanged."""
    user = _get_user(request)
    body = {name: value for name, value in (await request.read_body(USER_CHANGES)).items() if value != ""}
    old_title = body.pop("jobFunction", None)
    if old_title:
        body.setdefault("jobTitle", old_title)
    changed = {**user, **body}
    _check_references(request, changed)
    _user_records(request)[user["id"]] = _with_display_name(changed)
    response = {name: value for name, value in _serialize(changed).items() if name != "status"}
    return json_response({"message": "User updated", "user": response})


async def delete_user(request: ApiRequest) -> web.Response:
    """DELETE /iam/v1/users/{id}: users cannot delete themselves."""
    user = _get_user(request)
    if user["email"] == request.user.email:
        raise bad_request("id: you cannot delete yourself", field="id")
    del _user_records(request)[user["id"]]
    return json_response({"message": "User deleted"})


async def resend_invite(request: ApiRequest) -> web.Response:
    """POST /iam/v1/users/{id}/actions/resend: reopens a canceled invitation."""
    user = _get_invite(request)

    def resend(dry_run: bool) -> JsonObject:
        if not dry_run:
            user.update(invite=PENDING, expires=request.now + INVITE_SECONDS)
        return {"message": "Invitation sent again", "inviteId": user["id"]}

    return json_response(await run_once(request, resend))


async def cancel_invite(request: ApiRequest) -> web.Response:
    """POST /iam/v1/users/{id}/actions/cancel; the user stays in the list."""
    user = _get_invite(request)

    def cancel(dry_run: bool) -> JsonObject:
        if user["invite"] == CANCELED:
            raise ApiError(409, "the invitation is already canceled")
        if not dry_run:
            user.update(invite=CANCELED)
        return {"message": "Invitation canceled", "inviteId": user["id"]}

    return json_response(await run_once(request, cancel))


async def list_organizations(request: ApiRequest) -> web.Response:
    """GET /iam/v1/organizations."""
    organizations = list(_organization_records(request).values())
    return json_response({"organizations": organizations, "rowCount": len(organizations)})


def _user_records(request: ApiRequest) -> Records:
    return request.tenant.collection("users", customer_account.seed_users)


def _organization_records(request: ApiRequest) -> Records:
    return request.tenant.collection("organizations", customer_account.seed_organizations)


def _get_user(request: ApiRequest) -> JsonObject:
    """The user; 400 if it does not exist, because these operations declare no 404."""
    user = _user_records(request).get(request.path_parameter("id"))
    if user is None:
        raise bad_request("id: user not found", field="id")
    return user


def _get_invite(request: ApiRequest) -> JsonObject:
    user = get_existing(_user_records(request), request.path_parameter("id"), "invite")
    if user["status"] != "invited":
        raise ApiError(404, "invite not found")
    return user


def _check_references(request: ApiRequest, user: JsonObject) -> None:
    for name, allowed in (("roleId", roles.role_records(request)), ("organizationId", _organization_records(request))):
        if user[name] not in allowed:
            raise bad_request(f"{name}: unknown id {user[name][:80]!r}", field=name)


def _with_display_name(user: JsonObject) -> JsonObject:
    name = " ".join(filter(None, (user.get("firstName"), user.get("lastName"))))
    user["displayName"] = name or user.get("displayName") or user["email"]
    return user


def _serialize(user: JsonObject) -> JsonObject:
    return {name: user[name] for name in USER_FIELDS if name in user}


ROUTES: tuple[Route, ...] = (
    Route("GET", "/iam/v1/users", list_users, "users.read"),
    Route("POST", "/iam/v1/users/invite", invite_user, "users.write"),
    Route("PATCH", "/iam/v1/users/{id}", update_user, "users.write"),
    Route("DELETE", "/iam/v1/users/{id}", delete_user, "users.write"),
    Route("POST", "/iam/v1/users/{id}/actions/resend", resend_invite, "users.write"),
    Route("POST", "/iam/v1/users/{id}/actions/cancel", cancel_invite, "users.write"),
    Route("GET", "/iam/v1/organizations", list_organizations, "users.read"),
)
