"""Users of a customer, with the roles and organizations they may have: /iam/v1."""

from __future__ import annotations

from aiohttp import web

from ..idempotency import once
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..schemas import EMAIL, TEXT, compiled, one_of, text
from ..seeds import customer_account
from ..tenants import Ask, Records, added, existing

INVITE_SECONDS = 48 * 3600
JOB = one_of(
    "Data Engineer / Data Analysts",
    "Executive Team",
    "Finance / Accounting",
    "Founder",
    "Legal / Purchasing",
    "Management",
    "Sales / Marketing",
    "Software / Ops Engineer",
)
NAMES = {"firstName": text(200), "lastName": text(200), "jobTitle": JOB, "roleId": TEXT}
INVITE = compiled("email", email=EMAIL, organizationId=TEXT, **NAMES)
CHANGES = compiled(
    "",
    **NAMES,
    jobFunction=JOB,
    phone={**text(20), "pattern": r"^\+[0-9]+$"},
    phoneExtension={"type": "string", "pattern": "^[0-9]{8,15}$"},
    language=one_of("en", "ja"),
)
SHOWN = (
    "id email displayName firstName lastName jobTitle phone phoneExtension language roleId organizationId status"
).split()
CANCELLED, PENDING = "cancelled", "pending"


async def list_users(ask: Ask) -> web.Response:
    """GET /iam/v1/users: all of them, or the one with this address."""
    email = ask.query.get("email", "").lower()
    found = [_shown(one) for one in _users(ask).values() if not email or one["email"].lower() == email]
    return answer({"users": found, "rowCount": len(found)})


async def invite_user(ask: Ask) -> web.Response:
    """POST /iam/v1/users/invite."""
    body = await ask.body(INVITE)
    if any(one["email"].lower() == body["email"].lower() for one in _users(ask).values()):
        raise bad("email: there is a user with this address already", field="email")
    roles, organizations = _roles(ask), _organizations(ask)
    user: JsonObject = {
        "roleId": next(reversed(roles)),
        "organizationId": next(iter(organizations)),
        **body,
        "id": ask.tenant.new_id(),
        "status": "invited",
        "invite": PENDING,
        "expires": ask.now + INVITE_SECONDS,
    }
    _check(ask, user)
    added(_users(ask), _named(user))
    shown = ("id", "email", "firstName", "lastName", "displayName", "jobTitle", "roleId", "organizationId", "status")
    return answer({"message": "Invitation sent", "user": {name: user[name] for name in shown if name in user}}, 201)


async def update_user(ask: Ask) -> web.Response:
    """PATCH /iam/v1/users/{id}: what is left out stays, and so does what would be blank."""
    user = _user(ask)
    body = {name: value for name, value in (await ask.body(CHANGES)).items() if value != ""}
    old_title = body.pop("jobFunction", None)
    if old_title:
        body.setdefault("jobTitle", old_title)
    changed = {**user, **body}
    _check(ask, changed)
    _users(ask)[user["id"]] = _named(changed)
    shown = {name: value for name, value in _shown(changed).items() if name != "status"}
    return answer({"message": "User updated", "user": shown})


async def delete_user(ask: Ask) -> web.Response:
    """DELETE /iam/v1/users/{id}: nobody deletes themselves."""
    user = _user(ask)
    if user["email"] == ask.user.email:
        raise bad("id: you cannot delete yourself", field="id")
    del _users(ask)[user["id"]]
    return answer({"message": "User deleted"})


async def resend_invite(ask: Ask) -> web.Response:
    """POST /iam/v1/users/{id}/actions/resend: a cancelled invitation is open again."""
    user = _invited(ask)

    def carry_out(dry: bool) -> JsonObject:
        if not dry:
            user.update(invite=PENDING, expires=ask.now + INVITE_SECONDS)
        return {"message": "Invitation sent again", "inviteId": user["id"]}

    return answer(await once(ask, carry_out))


async def cancel_invite(ask: Ask) -> web.Response:
    """POST /iam/v1/users/{id}/actions/cancel; the user stays on the list."""
    user = _invited(ask)

    def carry_out(dry: bool) -> JsonObject:
        if user["invite"] == CANCELLED:
            raise Refusal(409, "the invitation is cancelled already")
        if not dry:
            user.update(invite=CANCELLED)
        return {"message": "Invitation cancelled", "inviteId": user["id"]}

    return answer(await once(ask, carry_out))


async def list_roles(ask: Ask) -> web.Response:
    """GET /iam/v1/roles."""
    return answer({"roles": list(_roles(ask).values())})


async def list_organizations(ask: Ask) -> web.Response:
    """GET /iam/v1/organizations."""
    found = list(_organizations(ask).values())
    return answer({"organizations": found, "rowCount": len(found)})


def _users(ask: Ask) -> Records:
    return ask.tenant.collection("users", customer_account.users)


def _roles(ask: Ask) -> Records:
    return ask.tenant.collection("roles", customer_account.roles)


def _organizations(ask: Ask) -> Records:
    return ask.tenant.collection("organizations", customer_account.organizations)


def _user(ask: Ask) -> JsonObject:
    """The user; 400 where there is none: these operations declare no 404."""
    found = _users(ask).get(ask.part("id"))
    if found is None:
        raise bad("id: user not found", field="id")
    return found


def _invited(ask: Ask) -> JsonObject:
    found = existing(_users(ask), ask.part("id"), "invite")
    if found["status"] != "invited":
        raise Refusal(404, "invite not found")
    return found


def _check(ask: Ask, user: JsonObject) -> None:
    for name, known in (("roleId", _roles(ask)), ("organizationId", _organizations(ask))):
        if user[name] not in known:
            raise bad(f"{name}: nothing has the id {user[name][:80]!r}", field=name)


def _named(user: JsonObject) -> JsonObject:
    name = " ".join(filter(None, (user.get("firstName"), user.get("lastName"))))
    user["displayName"] = name or user.get("displayName") or user["email"]
    return user


def _shown(user: JsonObject) -> JsonObject:
    return {name: user[name] for name in SHOWN if name in user}


ROUTES: tuple[Route, ...] = (
    Route("GET", "/iam/v1/users", list_users, "users.read"),
    Route("POST", "/iam/v1/users/invite", invite_user, "users.write"),
    Route("PATCH", "/iam/v1/users/{id}", update_user, "users.write"),
    Route("DELETE", "/iam/v1/users/{id}", delete_user, "users.write"),
    Route("POST", "/iam/v1/users/{id}/actions/resend", resend_invite, "users.write"),
    Route("POST", "/iam/v1/users/{id}/actions/cancel", cancel_invite, "users.write"),
    Route("GET", "/iam/v1/roles", list_roles, "users.read"),
    Route("GET", "/iam/v1/organizations", list_organizations, "users.read"),
)
