"""Slack channels of alerts: /analytics/v1/alerts/slack-channels, and the check of those that an alert names."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from .. import listing
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..tenants import ApiRequest, Tenant


async def list_slack_channels(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/alerts/slack-channels, by name; rowCount counts all pages."""
    rows = listing.filter_by_name(request.query, list(_channel_records(request).values()), "name")
    page = request.paginate(rows, 50, 500)
    body: JsonObject = {
        "items": page.rows,
        "rowCount": len(rows),
        "workspaceStatus": "ok",
        "isWorkspaceConnected": True,
        "hasSharedChannel": any(row["shared"] for row in _channel_records(request).values()),
    }
    return json_response(body | ({"pageToken": page.token} if page.token else {}))


def resolve_channels(request: ApiRequest, channels: list[JsonObject]) -> list[JsonObject]:
    """The channels of an alert, with the name and type of those that are known; 400 for one that is inconsistent."""
    return [_resolve(request, channel) for channel in channels]


def _resolve(request: ApiRequest, channel: JsonObject) -> JsonObject:
    shared, customer = channel.get("shared", False), request.tenant.customer.id
    if shared == ("workspace" in channel):
        raise bad_request(
            "recipientsSlackChannels: a channel is shared, or has a workspace",
            code="validation_failed",
            field="recipientsSlackChannels",
        )
    if channel.get("customerId", customer) != customer:
        raise bad_request("recipientsSlackChannels: customerId is another customer", field="recipientsSlackChannels")
    known = _channel_records(request).get(channel["id"], {})
    return {**channel, **{name: known[name] for name in ("name", "type") if name in known}}


def _channel_records(request: ApiRequest) -> dict[str, JsonObject]:
    return request.tenant.collection("slack channels", _seed_channels)


def _seed_channels(tenant: Tenant) -> Iterator[JsonObject]:
    """Channels of the customer's workspace, one of them private, and one shared with DoiT."""
    workspace = f"T{tenant.stable_id('slack workspace')[:9].upper()}"
    own = {"shared": False, "workspace": workspace}
    for name, kind, place in (
        ("cloud-costs", "public", own),
        ("finops-private", "private", own),
        ("incidents", "public", own),
        (f"doit-{tenant.customer.domain.partition('.')[0]}", "public", {"shared": True}),
    ):
        identifier = f"C{tenant.stable_id('slack channel', name)[:10].upper()}"
        yield {"id": identifier, "name": name, "type": kind, "customerId": tenant.customer.id, **place}


ROUTES = (Route("GET", "/analytics/v1/alerts/slack-channels", list_slack_channels, "alerts.read"),)
