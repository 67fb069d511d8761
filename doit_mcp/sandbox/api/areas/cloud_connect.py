"""Cloud Connect: /core/v1/cloudconnect, the roles that give DoiT access to the customer's accounts."""

from __future__ import annotations

import re

from aiohttp import web

from ..costs.calendar_days import format_rfc3339
from ..costs.estate_types import AWS
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import compile_object, enum_schema, text_schema
from ..seeds import cloud_accounts
from ..seeds.cloud_accounts import AWS_FEATURES, AZURE_FEATURES, CORE, QUOTAS, REAL_TIME, SPOT
from ..tenants import ApiRequest, Records, add_record, get_existing

PATH = "/core/v1/cloudconnect"
ACCOUNT_PATTERN = re.compile(r"[0-9]{12}")
ROLE_PATTERN = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/[\w+=,.@/-]{1,512}")
FEATURES: JsonObject = {"type": "array", "items": enum_schema(*AWS_FEATURES), "maxItems": 100, "uniqueItems": True}
BUCKET: JsonObject = {"type": "string", "pattern": r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"}
REGION: JsonObject = {"type": "string", "pattern": r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$", "maxLength": 40}
BUCKET_MEMBERS = ("s3Bucket", "s3BucketRegion")
MEMBERS: dict[str, JsonObject] = {"s3Bucket": BUCKET, "s3BucketRegion": REGION, "enabledFeatures": FEATURES}
SETTINGS = compile_object("enabledFeatures", **MEMBERS)
NEW_ACCOUNT = compile_object(
    "accountID roleArn enabledFeatures", accountID=text_schema(12), roleArn=text_schema(2048), **MEMBERS
)
# Fictional roles cannot be inspected, so new ones grant what DoiT's own template grants.
GRANTED_FEATURES = (CORE, QUOTAS, SPOT)


async def list_features(request: ApiRequest) -> web.Response:
    """GET /core/v1/cloudconnect/supportedFeatures/{accountID}, for an AWS account or an Azure tenant."""
    return json_response(
        {
            "supportedFeatures": _list_features(
                get_existing(_account_records(request), request.path_parameter("accountID"), "account")
            )
        }
    )


async def get_account(request: ApiRequest) -> web.Response:
    """GET /core/v1/cloudconnect/aws/accounts/{accountID}."""
    return json_response(_serialize(_get_account(request)))


async def connect_account(request: ApiRequest) -> web.Response:
    """POST /core/v1/cloudconnect/aws/accounts: connects an account, or replaces the role of a connected one."""
    body = await request.read_body(NEW_ACCOUNT)
    account, role = body.pop("accountID"), ROLE_PATTERN.fullmatch(body["roleArn"])
    if not ACCOUNT_PATTERN.fullmatch(account):
        raise bad_request("accountID must have 12 digits", field="accountID")
    if role is None or role.group(1) != account:
        raise bad_request(f"roleArn must be the ARN of an IAM role in account {account}", field="roleArn")
    _check_bucket(body)
    if cloud_accounts.is_owned_elsewhere(request.tenant, account):
        raise ApiError(409, f"account {account} already belongs to another customer")
    connected = _account_records(request).get(account)
    link = {"granted": list(GRANTED_FEATURES), "timeLinked": format_rfc3339(request.now)}
    if connected is not None and connected["roleArn"] == body["roleArn"]:
        link = {name: connected[name] for name in link}
    new_account = {**body, "id": account, "cloud": AWS, **link}
    if connected is None:
        add_record(_account_records(request), new_account)
    _account_records(request)[account] = new_account
    return json_response(_serialize(new_account))


async def set_features(request: ApiRequest) -> web.Response:
    """PUT /core/v1/cloudconnect/aws/accounts/{accountID}: replaces the features, including the bucket of real-time
    data.
    """
    account = _get_account(request)
    body = await request.read_body(SETTINGS)
    _check_bucket(body)
    for name in BUCKET_MEMBERS:
        account.pop(name, None)
    account.update(body)
    return json_response(_serialize(account))


async def disconnect_account(request: ApiRequest) -> web.Response:
    """DELETE /core/v1/cloudconnect/aws/accounts/{accountID}; the response has no body."""
    del _account_records(request)[_get_account(request)["id"]]
    return web.Response()


def _account_records(request: ApiRequest) -> Records:
    return request.tenant.collection("connected accounts", cloud_accounts.seed_connected_accounts)


def _get_account(request: ApiRequest) -> JsonObject:
    account = get_existing(_account_records(request), request.path_parameter("accountID"), "account")
    if account["cloud"] != AWS:
        raise ApiError(404, "account not found")
    return account


def _check_bucket(body: JsonObject) -> None:
    """Raise 400 unless real-time data comes with a bucket and its region, and other features without."""
    real_time = REAL_TIME in body["enabledFeatures"]
    for name in BUCKET_MEMBERS:
        if real_time and name not in body:
            raise bad_request(f"{name} is required when enabledFeatures has {REAL_TIME}", field=name)
        if not real_time and name in body:
            raise bad_request(f"{name} is not allowed unless enabledFeatures has {REAL_TIME}", field=name)


def _list_features(account: JsonObject) -> list[JsonObject]:
    """DoiT's features, and whether the role grants them; bucket access has its own policy."""
    granted = {*account["granted"], *([REAL_TIME] if "s3Bucket" in account else [])}
    names = AWS_FEATURES if account["cloud"] == AWS else AZURE_FEATURES
    return [{"name": name, "hasRequiredPermissions": name in granted} for name in names]


def _serialize(account: JsonObject) -> JsonObject:
    members = {name: value for name, value in account.items() if name not in ("id", "cloud", "granted")}
    return {"accountID": account["id"], **members, "supportedFeatures": _list_features(account)}


_ACCOUNT_PATH = PATH + "/aws/accounts/{accountID}"
ROUTES = (
    Route("GET", PATH + "/supportedFeatures/{accountID}", list_features, "settings.read"),
    Route("POST", PATH + "/aws/accounts", connect_account, "settings.write"),
    Route("GET", _ACCOUNT_PATH, get_account, "settings.read"),
    Route("PUT", _ACCOUNT_PATH, set_features, "settings.write"),
    Route("DELETE", _ACCOUNT_PATH, disconnect_account, "settings.write"),
)
