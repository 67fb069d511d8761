"""Support requests: /support/v1/tickets, with comments and tags."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..schemas import COMMENT_BODY, TAGS_BODY, TICKET_BODY, TICKET_CHANGES
from ..seeds import analytics_core
from ..tenants import RECORDS, Ask, Records, added, existing, newest_first

FILTERS = ("severity", "status", "platform", "product", "requester", "subject")
PAGE = 100
CUSTOMER_TAG = "customer_tag/"
LISTED = "id subject requester severity platform product status createTime updateTime is_public".split()


def records(ask: Ask) -> Records:
    """The tenant's tickets: TicketDetailExtAPI with comments, and tags as the service keeps them."""
    return ask.tenant.collection("tickets", analytics_core.tickets)


async def list_tickets(ask: Ask) -> web.Response:
    """GET /support/v1/tickets, latest first."""
    criteria = listing.filters(ask.query.get("filter", ""), FILTERS)
    found = listing.created_between(ask.query, newest_first(records(ask)))
    found = listing.matching(found, criteria, lambda ticket, key: str(ticket[key]))
    rows = [_summary(ask, ticket) for ticket in found]
    page = listing.page(rows, ask.query.get("pageToken", ""), ask.page_size(PAGE, PAGE), scope=ask.scope)
    return answer(ask.listed("tickets", page))


async def get_ticket(ask: Ask) -> web.Response:
    """GET /support/v1/tickets/{ticketId}."""
    ticket = _ticket(ask)
    more = {"description": ticket["description"], "platform_info": ticket["platform_info"]}
    return answer(_summary(ask, ticket) | more)


async def create_ticket(ask: Ask) -> web.Response:
    """POST /support/v1/tickets: a user is the requester, whoever else is named."""
    wanted = (await ask.body(TICKET_BODY))["ticket"]
    if "requester" in wanted and wanted["requester"] != ask.user.email:
        raise bad("requester: users ask for themselves; leave it out", field="ticket.requester")
    ticket: JsonObject = {
        "id": max((record["id"] for record in records(ask).values()), default=analytics_core.FIRST_TICKET) + 7,
        "subject": wanted["subject"],
        "description": wanted["body"],
        "requester": ask.user.email,
        "severity": wanted["severity"],
        "platform": wanted["platform"],
        "product": wanted["product"],
        "platform_info": "",
        "status": "new",
        "createTime": ask.millis,
        "updateTime": ask.millis,
        "is_public": True,
        "tags": [],
        "comments": [],
    }
    added(records(ask), ticket)
    shown = ("id", "platform", "product", "requester", "severity", "status", "subject")
    times = {"created": ticket["createTime"], "urlUI": _url(ask, ticket)}
    return answer({name: ticket[name] for name in shown} | times, 201)


async def update_ticket(ask: Ask) -> web.Response:
    """PATCH /support/v1/tickets/{ticketId}: customers may solve, employees may do more."""
    ticket = _ticket(ask)
    body = await ask.body(TICKET_CHANGES)
    if not ask.user.employee and ("assignee" in body or body["status"] != "solved"):
        raise Refusal(403, "customers may set the status solved, and nothing else")
    if "assignee" in body and not str(body["assignee"]).endswith("@doit.example"):
        raise bad("assignee is not an active agent", field="assignee")
    if "status" in body:
        ticket["status"] = body["status"]
    ticket["updateTime"] = ask.millis
    return answer({"id": ticket["id"], **body})


async def list_comments(ask: Ask) -> web.Response:
    """GET /support/v1/tickets/{ticketId}/comments: customers see the public ones."""
    comments = [one for one in _ticket(ask)["comments"] if ask.user.employee or not one["private"]]
    return answer({"comments": [_comment(one) for one in comments]})


async def create_comment(ask: Ask) -> web.Response:
    """POST /support/v1/tickets/{ticketId}/comments; private is for employees, and ignored for others."""
    ticket = _ticket(ask)
    body = await ask.body(COMMENT_BODY)
    if not body["body"].strip():
        raise bad("body must not be empty", field="body")
    if ticket["status"] == "closed":
        raise bad("the request is closed and takes no comments", field="ticketId")
    if len(ticket["comments"]) >= RECORDS:
        raise Refusal(409, f"the request has {RECORDS} comments already")
    comment = {
        "id": ticket["id"] * 10_000 + len(ticket["comments"]) + 1,
        "body": body["body"],
        "author": ask.user.email,
        "created": ask.millis,
        "private": ask.user.employee and body.get("private", False),
    }
    ticket["comments"].append(comment)
    ticket["updateTime"] = ask.millis
    return answer(_comment(comment), 201)


async def list_tags(ask: Ask) -> web.Response:
    """GET /support/v1/tickets/{ticketId}/tags."""
    return answer({"tags": _tags(ask, _ticket(ask))})


async def change_tags(ask: Ask) -> web.Response:
    """POST and DELETE /support/v1/tickets/{ticketId}/tags: add some, or take some away."""
    ticket = _ticket(ask)
    prefix = "" if ask.user.employee else CUSTOMER_TAG
    tags = [prefix + tag.strip().lower() for tag in (await ask.body(TAGS_BODY))["tags"]]
    if prefix in tags:
        raise bad("tags: a tag must not be blank", field="tags")
    kept = [tag for tag in ticket["tags"] if tag not in tags]
    ticket["tags"] = kept + list(dict.fromkeys(tags)) if ask.request.method == "POST" else kept
    if len(ticket["tags"]) > RECORDS:
        ticket["tags"] = kept
        raise Refusal(409, f"the request has too many tags: {RECORDS} at most")
    return answer({"applied_tags": tags})


def _ticket(ask: Ask) -> JsonObject:
    number = listing.number(ask.part("ticketId"), "ticketId", "ticketId")
    return existing(records(ask), str(number), "ticket")


def _summary(ask: Ask, ticket: JsonObject) -> JsonObject:
    return {name: ticket[name] for name in LISTED} | {"urlUI": _url(ask, ticket), "tags": _tags(ask, ticket)}


def _tags(ask: Ask, ticket: JsonObject) -> list[str]:
    """Employees see all tags as they are, customers their own without the prefix."""
    if ask.user.employee:
        return list(ticket["tags"])
    return [tag.removeprefix(CUSTOMER_TAG) for tag in ticket["tags"] if tag.startswith(CUSTOMER_TAG)]


def _comment(comment: JsonObject) -> JsonObject:
    return {name: value for name, value in comment.items() if name != "private"} | {"attachments": []}


def _url(ask: Ask, ticket: JsonObject) -> str:
    return analytics_core.console_url(ask.tenant.customer, "support/tickets", str(ticket["id"]))


ROUTES = (
    Route("GET", "/support/v1/tickets", list_tickets, "tickets.read"),
    Route("POST", "/support/v1/tickets", create_ticket, "tickets.write"),
    Route("GET", "/support/v1/tickets/{ticketId}", get_ticket, "tickets.read"),
    Route("PATCH", "/support/v1/tickets/{ticketId}", update_ticket, "tickets.write"),
    Route("GET", "/support/v1/tickets/{ticketId}/comments", list_comments, "tickets.read"),
    Route("POST", "/support/v1/tickets/{ticketId}/comments", create_comment, "tickets.write"),
    Route("GET", "/support/v1/tickets/{ticketId}/tags", list_tags, "tickets.read"),
    Route("POST", "/support/v1/tickets/{ticketId}/tags", change_tags, "tickets.write"),
    Route("DELETE", "/support/v1/tickets/{ticketId}/tags", change_tags, "tickets.write"),
)
