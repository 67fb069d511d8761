"""Batch operations of AWS billing transfer: handshakes with resellers, and mappings of end customers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import jsonschema_rs
from aiohttp import web

from .. import idempotency
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..schemas import BOOLEAN, compile_object, text_schema
from ..seeds import cloud_accounts
from ..tenants import MAX_RECORDS, MAX_REPORTED_PROBLEMS, ApiRequest
from . import billing_transfer_nodes as nodes

ID = text_schema(500, minLength=1)
ACCOUNT: JsonObject = {"type": "string", "pattern": "^[0-9]{12}$"}
ITEMS: JsonObject = {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 100}
ANY_OBJECT = jsonschema_rs.validator_for({"type": "object"})
HANDSHAKES_BODY = compile_object("dpmaId items", dpmaId=ID, sendHandshakes=BOOLEAN, items=ITEMS)
HANDSHAKE_ITEM = compile_object(
    "resellerCustomerId resellerPmaAccountId", resellerCustomerId=ID, resellerPmaAccountId=ACCOUNT
)
MAPPINGS_BODY = compile_object(
    "dpmaId resellerPmaAccountId items", dpmaId=ID, resellerPmaAccountId=ACCOUNT, items=ITEMS
)
MAPPING_ITEM = compile_object(
    "ecAccountId ecCustomerId", ecAccountId=ACCOUNT, ecCustomerId=ID, curBasePath=text_schema(2000)
)
OUTCOMES = ("handshake_issued", "no_op", "mapped", "remapped", "failed")


async def create_handshakes(request: ApiRequest) -> web.Response:
    """POST /billingtransfer/v1/resellerhandshakes: items succeed or fail separately; idempotent; dry runs change
    nothing.
    """
    nodes.require_distributor(request)
    body = await _read_batch(request, HANDSHAKES_BODY, HANDSHAKE_ITEM, {"resellerPmaAccountId": "duplicate_pma"})
    if body["dpmaId"] not in nodes.root_records(request):
        raise ApiError(403, "dpmaId is not a program management account of the customer", code="not_the_owner")
    send = body.get("sendHandshakes", False)

    def create(dry_run: bool) -> JsonObject:
        accounts = [item["resellerPmaAccountId"] for item in body["items"]]
        resellers = nodes.reseller_records(request)
        allowed = (
            resellers.keys()
            | [account for account in accounts if account not in resellers][: max(0, MAX_RECORDS - len(resellers))]
        )
        results = [
            _process_handshake(request, body["dpmaId"], item, allowed, send=send, dry_run=dry_run)
            for item in body["items"]
        ]
        counts = Counter(result["status"] for result in results)
        summary = {outcome: counts[outcome] for outcome in OUTCOMES}
        return {"dpmaId": body["dpmaId"], "results": results, "summary": summary}

    return json_response(await idempotency.run_once(request, create))


def _process_handshake(
    request: ApiRequest, root: str, item: JsonObject, allowed: set[str], *, send: bool, dry_run: bool
) -> JsonObject:
    """Process an item, without changes in a dry run; returns its ResellerHandshakeResult.

    *allowed* are the accounts that exist or fit within the limit.
    """
    node = nodes.reseller_records(request).get(item["resellerPmaAccountId"])
    error = _item_error(request, item, allowed)
    if error is not None:
        return {**item, "status": "failed", "error": error}
    issue = send and (node is None or not nodes.has_live_handshake(request, node))
    place = {"customerId": item["resellerCustomerId"], "dpmaId": root}
    if issue:
        status = "handshake_issued"
    elif node is None:
        status = "mapped"
    else:
        status = "no_op" if place.items() <= node.items() else "remapped"
    if dry_run:
        return {**item, "status": status}
    node = _store_reseller(request, node, item, place, issue)
    handshake = {"handshakeId": node["handshakeId"]} if issue else {}
    return {
        **item,
        "status": status,
        **handshake,
        "handshakeState": "open" if issue else nodes.handshake_progress(request, node)[0],
    }


def _store_reseller(
    request: ApiRequest, node: JsonObject | None, item: JsonObject, place: JsonObject, issue: bool
) -> JsonObject:
    """Store the reseller's account, with a new handshake if requested."""
    if node is None:
        node = {
            "id": item["resellerPmaAccountId"],
            "created": request.now,
            "issued": None,
            "outcome": "accepted",
            "handshakeId": "",
        }
        nodes.reseller_records(request)[node["id"]] = node
    node.update(place, displayName=cloud_accounts.list_partners(request.tenant)[place["customerId"]])
    if issue:
        identifier = cloud_accounts.handshake_id(request.tenant.new_id())
        node.update(issued=request.now, outcome="accepted", handshakeId=identifier)
    return node


def _item_error(request: ApiRequest, item: JsonObject, allowed: set[str]) -> JsonObject | None:
    """The error of an item, or None."""
    account, customer = item["resellerPmaAccountId"], item["resellerCustomerId"]
    if customer not in cloud_accounts.list_partners(request.tenant):
        return {"code": "reseller_not_found", "message": f"{customer[:80]} is not a reseller of this distributor"}
    if any(account == root["accountId"] for root in nodes.root_records(request).values()):
        return {"code": "account_of_distributor", "message": f"{account} is the distributor's own account"}
    if account not in allowed:
        return {
            "code": "too_many_accounts",
            "message": f"a distributor has {MAX_RECORDS} accounts of resellers at most",
        }
    return None


async def create_mappings(request: ApiRequest) -> web.Response:
    """POST /billingtransfer/v1/end-customer-mappings: all items, or none if one is invalid."""
    nodes.require_reseller(request)
    unique = {"ecAccountId": "duplicate_ec_account", "ecCustomerId": "duplicate_ec_customer"}
    body = await _read_batch(request, MAPPINGS_BODY, MAPPING_ITEM, unique)
    account = body["resellerPmaAccountId"]
    _check_reseller(request, account, body["dpmaId"])
    _check_customers(request, body["items"])
    end_customers = nodes.end_customer_records(request)
    if len(end_customers.keys() | {item["ecAccountId"] for item in body["items"]}) > MAX_RECORDS:
        raise bad_request(f"items: a reseller has {MAX_RECORDS} accounts of end customers at most", field="items")
    results = [_map_customer(request, account, item) for item in body["items"]]
    return json_response({"dpmaId": body["dpmaId"], "resellerPmaAccountId": account, "results": results})


def _check_reseller(request: ApiRequest, account: str, root: str) -> None:
    node = nodes.reseller_records(request).get(account)
    if node is None:
        raise ApiError(403, "resellerPmaAccountId is not an account of this reseller", code="not_the_owner")
    if node["dpmaId"] != root or nodes.has_lapsed_handshake(request, node):
        raise ApiError(403, "the reseller's account is not mapped to this dpmaId", code="reseller_not_mapped")


def _check_customers(request: ApiRequest, items: list[JsonObject]) -> None:
    customers = cloud_accounts.list_partners(request.tenant)
    unknown = [at for at, item in enumerate(items) if item["ecCustomerId"] not in customers]
    if unknown:
        reason = "ecCustomerId is not a customer of this reseller"
        errors = [{"index": at, "code": "unknown_customer", "reason": reason} for at in unknown]
        raise nodes.BatchError(f"{len(errors)} of {len(items)} items name no customer of this reseller", errors)


def _map_customer(request: ApiRequest, account: str, item: JsonObject) -> JsonObject:
    """Map an item; returns its EndCustomerMappingResult. An account that moves keeps its handshake unless it was
    revoked.
    """
    end_customers = nodes.end_customer_records(request)
    node = end_customers.get(item["ecAccountId"])
    mapping = {"resellerPmaAccountId": account, **{name: item[name] for name in item if name != "ecAccountId"}}
    is_new = node is None or node["revoked"] is not None
    if node is None:
        status, node = "mapped", {"id": item["ecAccountId"], "created": request.now, "curBasePath": ""}
        end_customers[node["id"]] = node
    else:
        status = "remapped" if is_new or not mapping.items() <= node.items() else "already_mapped"
    if is_new:
        node.update(issued=request.now, outcome="accepted", revoked=None)
    node.update(mapping)
    path = {"curBasePath": node["curBasePath"]} if node["curBasePath"] else {}
    return {"ecAccountId": node["id"], "ecCustomerId": node["ecCustomerId"], **path, "status": status}


async def _read_batch(
    request: ApiRequest,
    batch_schema: jsonschema_rs.Validator,
    item_schema: jsonschema_rs.Validator,
    unique: Mapping[str, str],
) -> JsonObject:
    """The body; 422 with the errors of the batch or its items. *unique*: fields and codes of duplicates."""
    body = await request.read_body(ANY_OBJECT)
    problem = _schema_errors(batch_schema, body)
    if problem:
        raise nodes.BatchError(problem)
    invalid = list(_invalid_items(body["items"], item_schema, unique))
    if invalid:
        raise nodes.BatchError(f"{len(invalid)} of {len(body['items'])} items are not valid", invalid)
    return body


def _schema_errors(schema: jsonschema_rs.Validator, document: JsonObject) -> str:
    errors = list(schema.iter_errors(document))[:MAX_REPORTED_PROBLEMS]
    messages = ((".".join(map(str, item.instance_path)), item.message[:200]) for item in errors)
    return "; ".join(f"{place}: {message}" if place else message for place, message in messages)


def _invalid_items(
    items: list[JsonObject], schema: jsonschema_rs.Validator, unique: Mapping[str, str]
) -> Iterator[JsonObject]:
    """InvalidHandshakeItem of each invalid item."""
    seen: dict[str, set[str]] = {name: set() for name in unique}
    for index, item in enumerate(items):
        customer = item.get("resellerCustomerId")
        identity = {"index": index, **({"resellerCustomerId": customer} if isinstance(customer, str) else {})}
        reason = _schema_errors(schema, item)
        if reason:
            yield {**identity, "code": "invalid_item", "reason": reason}
            continue
        for name, code in unique.items():
            if item[name] in seen[name]:
                yield {**identity, "code": code, "reason": f"{name}: {item[name][:80]} is in the batch twice"}
                break
        for name in unique:
            seen[name].add(item[name])
