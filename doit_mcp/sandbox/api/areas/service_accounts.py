"""Service accounts and their API tokens: /iam/v1/service-accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jsonschema_rs
from aiohttp import web

from ...accounts import CONNECT_PERMISSION, PERMISSION_NAMES, SERVICE_ACCOUNT_ROLE
from ..costs.calendar_days import format_rfc3339, parse_seconds
from ..entity_tags import make_etag, require_version
from ..idempotency import run_once
from ..listing import query_flag
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import TEXT, compile_object, enum_schema, nullable_schema, text_schema
from ..seeds import identity
from ..service_tokens import PREFIX, has_expired, to_camel_case
from ..tenants import ApiRequest, Records, add_record, get_existing

PATH = "/iam/v1/service-accounts"
MERGE_PATCH = "application/merge-patch+json"
MAX_TOKENS = 10
KNOWN_PERMISSIONS = frozenset(map(to_camel_case, (*PERMISSION_NAMES, CONNECT_PERMISSION)))
NAME = text_schema(100, minLength=1)
PERMISSIONS: JsonObject = {"type": "array", "items": TEXT}
NEW_ACCOUNT = compile_object("name", name=NAME, description=TEXT, permissions=PERMISSIONS)
NULLABLE_PERMISSIONS = {**PERMISSIONS, "type": ["array", "null"]}
ACCOUNT_CHANGES = compile_object("", name=NAME, description=nullable_schema(TEXT), permissions=NULLABLE_PERMISSIONS)
NEW_TOKEN = compile_object("name", name=NAME, expiresTime=TEXT)
TOKEN_CHANGES = compile_object("state", state=enum_schema("active", "disabled"))
DRY_RUN = {"X-Dry-Run": "true"}
VIEW, CREATE, MANAGE = "users.read", "users.write", "users.write"


async def list_accounts(request: ApiRequest) -> web.Response:
    """GET /iam/v1/service-accounts."""
    return json_response({"items": [_with_etag(account) for account in _account_records(request).values()]})


async def create_account(request: ApiRequest) -> web.Response:
    """POST /iam/v1/service-accounts; in a dry run, the id, the times and the entity tag are null."""
    body = await request.read_body(NEW_ACCOUNT)

    def create(dry_run: bool) -> JsonObject:
        by_user = request.user.role != SERVICE_ACCOUNT_ROLE
        creator = request.user.email if by_user else None
        now = format_rfc3339(request.now)
        account: JsonObject = {
            "id": request.tenant.new_id(),
            "customerId": request.tenant.customer.id,
            "description": "",
            "permissions": [],
            **body,
            "createdBy": creator,
            "createdByEmail": creator,
            "createdByUserId": request.tenant.stable_id("user", request.user.email) if by_user else None,
            "createTime": now,
            "updateTime": now,
        }
        _check_account(request, account)
        if dry_run:
            return {**account, "id": None, "createTime": None, "updateTime": None, "etag": None}
        return _with_etag(add_record(_account_records(request), account))

    return await _respond(request, create, created_at=lambda made: f"{PATH}/{made['id']}")


async def get_account(request: ApiRequest) -> web.Response:
    """GET /iam/v1/service-accounts/{id}."""
    account = _with_etag(_get_account(request, "id"))
    return json_response(account, headers={"ETag": account["etag"]})


async def update_account(request: ApiRequest) -> web.Response:
    """PATCH /iam/v1/service-accounts/{id}: a merge patch in which null changes nothing. Needs If-Match."""
    body = await _read_merge_patch(request, ACCOUNT_CHANGES)

    def update(dry_run: bool) -> JsonObject:
        account = _get_account(request, "id")
        require_version(request, account)
        changes = {name: value for name, value in body.items() if value is not None}
        changed = {**account, **changes, "updateTime": format_rfc3339(request.now)}
        _check_account(request, changed)
        if not dry_run:
            account.update(changed)
        return _with_etag(changed)

    return await _respond(request, update)


async def delete_account(request: ApiRequest) -> web.Response:
    """DELETE /iam/v1/service-accounts/{id}, with its tokens. Needs If-Match."""

    def delete(dry_run: bool) -> JsonObject:
        account = _get_account(request, "id")
        require_version(request, account)
        if not dry_run:
            for token in _list_tokens_of(request, account["id"]):
                _remove_token(request, token)
            del _account_records(request)[account["id"]]
        return {}

    return await _respond(request, delete, has_body=False)


async def list_tokens(request: ApiRequest) -> web.Response:
    """GET /iam/v1/service-accounts/{serviceAccountId}/api-tokens, without secrets."""
    return json_response({"items": _list_tokens_of(request, _get_account(request, "serviceAccountId")["id"])})


async def create_token(request: ApiRequest) -> web.Response:
    """POST /iam/v1/service-accounts/{serviceAccountId}/api-tokens: the only response with the secret.

    A dry run checks only the name.
    """
    body = await request.read_body(NEW_TOKEN)

    def create(dry_run: bool) -> JsonObject:
        account = _get_account(request, "serviceAccountId")
        tokens = _list_tokens_of(request, account["id"])
        _check_name(body["name"], tokens)
        token: JsonObject = {
            "id": None if dry_run else request.tenant.new_id(),
            "serviceAccountId": account["id"],
            "customerId": request.tenant.customer.id,
            "name": body["name"],
            "state": "active",
            "createTime": None if dry_run else format_rfc3339(request.now),
            "expiresTime": body.get("expiresTime"),
            "lastUsedTime": None,
        }
        if dry_run:
            return {**token, "accessToken": ""}
        _check_expiry(token["expiresTime"], request.now)
        if len(tokens) >= MAX_TOKENS:
            raise ApiError(422, f"a service account has at most {MAX_TOKENS} API tokens", code="too_many_tokens")
        secret = f"{PREFIX}{request.tenant.new_id()}{request.tenant.new_id()}"
        add_record(_token_records(request), token)
        request.tenant.service_tokens.add(secret, request.tenant.customer.id, account, token)
        return {**token, "accessToken": secret}

    return await _respond(
        request,
        create,
        created_at=lambda made: f"https://api.doit.com{request.http_request.path}/{made['id']}",
        has_etag=False,
    )


async def get_token(request: ApiRequest) -> web.Response:
    """GET /iam/v1/service-accounts/{serviceAccountId}/api-tokens/{id}."""
    return json_response(_get_token(request))


async def update_token(request: ApiRequest) -> web.Response:
    """PATCH /iam/v1/service-accounts/{serviceAccountId}/api-tokens/{id}: 422 to enable an expired one."""
    body = await request.read_body(TOKEN_CHANGES)

    def update(dry_run: bool) -> JsonObject:
        token = _get_token(request)
        if body["state"] == "active" and token["state"] != "active" and has_expired(token, request.now):
            raise ApiError(422, "the token has expired", code="token_expired")
        if not dry_run:
            token.update(body)
        return {**token, **body}

    return await _respond(request, update, has_etag=False)


async def delete_token(request: ApiRequest) -> web.Response:
    """DELETE /iam/v1/service-accounts/{serviceAccountId}/api-tokens/{id}."""

    def delete(dry_run: bool) -> JsonObject:
        token = _get_token(request)
        if not dry_run:
            _remove_token(request, token)
        return {}

    return await _respond(request, delete, has_body=False)


async def _respond(
    request: ApiRequest,
    operation: Callable[[bool], JsonObject],
    *,
    created_at: Callable[[JsonObject], str] | None = None,
    has_body: bool = True,
    has_etag: bool = True,
) -> web.Response:
    """The response of a write with an idempotency key. *created_at* returns the location of what it creates."""
    result = await run_once(request, operation, reused_status=422, per_path=True)
    is_dry_run = query_flag(request.query, "dryRun")
    headers = dict(DRY_RUN) if is_dry_run else {}
    if not has_body:
        return web.Response(status=204, headers=headers)
    if has_etag and result["etag"]:
        headers["ETag"] = result["etag"]
    if created_at is None or is_dry_run:
        return json_response(result, headers=headers)
    return json_response(result, 201, {**headers, "Location": created_at(result)})


async def _read_merge_patch(request: ApiRequest, schema: jsonschema_rs.Validator) -> JsonObject:
    if request.http_request.content_type != MERGE_PATCH:
        raise ApiError(415, f"Content-Type must be {MERGE_PATCH}")
    return await request.read_body(schema)


def _account_records(request: ApiRequest) -> Records:
    return request.tenant.collection("service accounts", identity.seed_service_accounts)


def _token_records(request: ApiRequest) -> Records:
    return request.tenant.collection("service account tokens", identity.seed_service_account_tokens)


def _list_tokens_of(request: ApiRequest, account_id: str) -> list[JsonObject]:
    return [token for token in _token_records(request).values() if token["serviceAccountId"] == account_id]


def _get_account(request: ApiRequest, parameter: str) -> JsonObject:
    return get_existing(_account_records(request), request.path_parameter(parameter), "service account")


def _get_token(request: ApiRequest) -> JsonObject:
    account = _get_account(request, "serviceAccountId")
    token = get_existing(_token_records(request), request.path_parameter("id"), "API token")
    if token["serviceAccountId"] != account["id"]:
        raise ApiError(404, "API token not found")
    return token


def _remove_token(request: ApiRequest, token: JsonObject) -> None:
    request.tenant.service_tokens.remove(token)
    del _token_records(request)[token["id"]]


def _check_account(request: ApiRequest, account: Mapping[str, object]) -> None:
    """Raise 400 for outer white space, 409 for a name in use, 422 for an unknown permission."""
    others = [item for item in _account_records(request).values() if item["id"] != account["id"]]
    _check_name(str(account["name"]), others)
    permissions = account["permissions"]
    assert isinstance(permissions, list)
    if unknown := [name for name in permissions if name not in KNOWN_PERMISSIONS]:
        message = f"permissions: unknown permission {unknown[0][:80]!r}"
        raise ApiError(422, message, code="console-iam.invalid_permission", field="permissions")


def _check_name(name: str, others: list[JsonObject]) -> None:
    if name != name.strip():
        raise bad_request("name: must not begin or end with white space", field="name")
    if any(item["name"] == name for item in others):
        raise ApiError(409, "name: already in use", field="name")


def _check_expiry(expires: str | None, now: float) -> None:
    try:
        is_valid = expires is None or parse_seconds(expires) > now
    except ValueError:
        is_valid = False
    if not is_valid:
        raise bad_request("expiresTime must be an RFC 3339 time in the future", field="expiresTime")


def _with_etag(account: JsonObject) -> JsonObject:
    return {**account, "etag": make_etag({name: value for name, value in account.items() if name != "etag"})}


_ACCOUNT, _TOKENS = PATH + "/{id}", PATH + "/{serviceAccountId}/api-tokens"
ROUTES: tuple[Route, ...] = (
    Route("GET", PATH, list_accounts, VIEW),
    Route("POST", PATH, create_account, CREATE),
    Route("GET", _ACCOUNT, get_account, VIEW),
    Route("PATCH", _ACCOUNT, update_account, MANAGE),
    Route("DELETE", _ACCOUNT, delete_account, MANAGE),
    Route("GET", _TOKENS, list_tokens, VIEW),
    Route("POST", _TOKENS, create_token, CREATE),
    Route("GET", f"{_TOKENS}/{{id}}", get_token, VIEW),
    Route("PATCH", f"{_TOKENS}/{{id}}", update_token, MANAGE),
    Route("DELETE", f"{_TOKENS}/{{id}}", delete_token, MANAGE),
)
