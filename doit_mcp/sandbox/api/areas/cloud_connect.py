"""Cloud Connect: /core/v1/cloudconnect, the roles by which DoiT reaches the customer's accounts."""

from __future__ import annotations

import re

from aiohttp import web

from ..costs.calendar_days import rfc3339
from ..costs.catalog import AWS
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..schemas import compiled, one_of, text
from ..seeds import cloud_accounts
from ..seeds.cloud_accounts import AWS_FEATURES, AZURE_FEATURES, CORE, QUOTAS, REAL_TIME, SPOT
from ..tenants import Ask, Records, added, existing

PATH = "/core/v1/cloudconnect"
ACCOUNT = re.compile(r"[0-9]{12}")
ROLE = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/[\w+=,.@/-]{1,512}")
FEATURES: JsonObject = {"type": "array", "items": one_of(*AWS_FEATURES), "maxItems": 100, "uniqueItems": True}
BUCKET: JsonObject = {"type": "string", "pattern": r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"}
REGION: JsonObject = {"type": "string", "pattern": r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$", "maxLength": 40}
BUCKET_MEMBERS = ("s3Bucket", "s3BucketRegion")
MEMBERS: dict[str, JsonObject] = {"s3Bucket": BUCKET, "s3BucketRegion": REGION, "enabledFeatures": FEATURES}
SETTINGS = compiled("enabledFeatures", **MEMBERS)
NEW = compiled("accountID roleArn enabledFeatures", accountID=text(12), roleArn=text(2048), **MEMBERS)
# Nobody can look into the account of a made-up role: a new one is as DoiT's own template makes it.
GRANTED = (CORE, QUOTAS, SPOT)


async def list_features(ask: Ask) -> web.Response:
    """GET /core/v1/cloudconnect/supportedFeatures/{accountID}: of an AWS account or an Azure tenant."""
    return answer({"supportedFeatures": _features(existing(_records(ask), ask.part("accountID"), "account"))})


async def get_account(ask: Ask) -> web.Response:
    """GET /core/v1/cloudconnect/aws/accounts/{accountID}."""
    return answer(_shown(_account(ask)))


async def connect_account(ask: Ask) -> web.Response:
    """POST /core/v1/cloudconnect/aws/accounts: connects it, or gives a connected one another role."""
    body = await ask.body(NEW)
    account, role = body.pop("accountID"), ROLE.fullmatch(body["roleArn"])
    if not ACCOUNT.fullmatch(account):
        raise bad("accountID must have 12 digits", field="accountID")
    if role is None or role.group(1) != account:
        raise bad(f"roleArn must be the ARN of an IAM role in account {account}", field="roleArn")
    _check_bucket(body)
    if cloud_accounts.owned_elsewhere(ask.tenant, account):
        raise Refusal(409, f"account {account} exists already, with another customer")
    known = _records(ask).get(account)
    link = {"granted": list(GRANTED), "timeLinked": rfc3339(ask.now)}
    if known is not None and known["roleArn"] == body["roleArn"]:
        link = {name: known[name] for name in link}
    made = {**body, "id": account, "cloud": AWS, **link}
    if known is None:
        added(_records(ask), made)
    _records(ask)[account] = made
    return answer(_shown(made))


async def set_features(ask: Ask) -> web.Response:
    """PUT /core/v1/cloudconnect/aws/accounts/{accountID}: all that is used of it; the bucket comes and goes with it."""
    account = _account(ask)
    body = await ask.body(SETTINGS)
    _check_bucket(body)
    for name in BUCKET_MEMBERS:
        account.pop(name, None)
    account.update(body)
    return answer(_shown(account))


async def disconnect_account(ask: Ask) -> web.Response:
    """DELETE /core/v1/cloudconnect/aws/accounts/{accountID}; the answer has no body."""
    del _records(ask)[_account(ask)["id"]]
    return web.Response()


def _records(ask: Ask) -> Records:
    return ask.tenant.collection("connected accounts", cloud_accounts.connected_accounts)


def _account(ask: Ask) -> JsonObject:
    found = existing(_records(ask), ask.part("accountID"), "account")
    if found["cloud"] != AWS:
        raise Refusal(404, "account not found")
    return found


def _check_bucket(body: JsonObject) -> None:
    """400 unless there is a bucket with its region for data in real time, and none without."""
    wanted = REAL_TIME in body["enabledFeatures"]
    for name in BUCKET_MEMBERS:
        if wanted and name not in body:
            raise bad(f"{name} is required when enabledFeatures has {REAL_TIME}", field=name)
        if not wanted and name in body:
            raise bad(f"{name} is not allowed unless enabledFeatures has {REAL_TIME}", field=name)


def _features(account: JsonObject) -> list[JsonObject]:
    """What DoiT offers, and whether the role is enough for it; a bucket is read by a policy of its own."""
    granted = {*account["granted"], *([REAL_TIME] if "s3Bucket" in account else [])}
    offered = AWS_FEATURES if account["cloud"] == AWS else AZURE_FEATURES
    return [{"name": name, "hasRequiredPermissions": name in granted} for name in offered]


def _shown(account: JsonObject) -> JsonObject:
    shown = {name: value for name, value in account.items() if name not in ("id", "cloud", "granted")}
    return {"accountID": account["id"], **shown, "supportedFeatures": _features(account)}


_ONE = PATH + "/aws/accounts/{accountID}"
ROUTES = (
    Route("GET", PATH + "/supportedFeatures/{accountID}", list_features, "settings.read"),
    Route("POST", PATH + "/aws/accounts", connect_account, "settings.write"),
    Route("GET", _ONE, get_account, "settings.read"),
    Route("PUT", _ONE, set_features, "settings.write"),
    Route("DELETE", _ONE, disconnect_account, "settings.write"),
)
