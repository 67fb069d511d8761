"""Support requests: /support/v1/tickets, with comments and tags."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import COMMENT_BODY, TAGS_BODY, TICKET_BODY, TICKET_CHANGES_BODY
from ..seeds import analytics_core
from ..tenants import MAX_RECORDS, ApiRequest, Records, add_record, get_existing, newest_first

FILTERS = ("severity", "status", "platform", "product", "requester", "subject")
PAGE_SIZE = 100
CUSTOMER_TAG = "customer_tag/"
LIST_FIELDS = "id subject requester severity platform product status createTime updateTime is_public".split()


def ticket_records(request: ApiRequest) -> Records:
    """The tenant's tickets: TicketDetailExtAPI with comments, and tags with their internal prefix."""
    return request.tenant.collection("tickets", analytics_core.seed_tickets)


async def list_tickets(request: ApiRequest) -> web.Response:
    """GET /support/v1/tickets, latest first."""
    criteria = listing.parse_filter(request.query.get("filter", ""), FILTERS)
    tickets = listing.filter_by_creation(request.query, newest_first(ticket_records(request)))
    tickets = listing.filter_rows(tickets, criteria, lambda ticket, key: str(ticket[key]))
    rows = [_summarize_ticket(request, ticket) for ticket in tickets]
    page = request.paginate(rows, PAGE_SIZE, PAGE_SIZE)
    return json_response(request.list_body("tickets", page))


async def get_ticket(request: ApiRequest) -> web.Response:
    """GET /support/v1/tickets/{ticketId}."""
    ticket = _get_ticket(request)
    details = {"description": ticket["description"], "platform_info": ticket["platform_info"]}
    return json_response(_summarize_ticket(request, ticket) | details)


async def create_ticket(request: ApiRequest) -> web.Response:
    """POST /support/v1/tickets: the requester is the calling user; 400 if another one is named."""
    ticket_fields = (await request.read_body(TICKET_BODY))["ticket"]
    if "requester" in ticket_fields and ticket_fields["requester"] != request.user.email:
        raise bad_request("requester: users ask for themselves; leave it out", field="ticket.requester")
    ticket: JsonObject = {
        "id": max((record["id"] for record in ticket_records(request).values()), default=analytics_core.FIRST_TICKET_ID)
        + 7,
        "subject": ticket_fields["subject"],
        "description": ticket_fields["body"],
        "requester": request.user.email,
        "severity": ticket_fields["severity"],
        "platform": ticket_fields["platform"],
        "product": ticket_fields["product"],
        "platform_info": "",
        "status": "new",
        "createTime": request.now_milliseconds,
        "updateTime": request.now_milliseconds,
        "is_public": True,
        "tags": [],
        "comments": [],
    }
    add_record(ticket_records(request), ticket)
    fields = ("id", "platform", "product", "requester", "severity", "status", "subject")
    metadata = {"created": ticket["createTime"], "urlUI": _ticket_url(request, ticket)}
    return json_response({name: ticket[name] for name in fields} | metadata, 201)


async def update_ticket(request: ApiRequest) -> web.Response:
    """PATCH /support/v1/tickets/{ticketId}: customers can solve tickets, employees can change more."""
    ticket = _get_ticket(request)
    body = await request.read_body(TICKET_CHANGES_BODY)
    if not request.user.employee and ("assignee" in body or body["status"] != "solved"):
        raise ApiError(403, "customers can only set the status solved")
    if "assignee" in body and not str(body["assignee"]).endswith("@doit.example"):
        raise bad_request("assignee is not an active agent", field="assignee")
    if "status" in body:
        ticket["status"] = body["status"]
    ticket["updateTime"] = request.now_milliseconds
    return json_response({"id": ticket["id"], **body})


async def list_comments(request: ApiRequest) -> web.Response:
    """GET /support/v1/tickets/{ticketId}/comments: customers see only public ones."""
    comments = [item for item in _get_ticket(request)["comments"] if request.user.employee or not item["private"]]
    return json_response({"comments": [_serialize_comment(item) for item in comments]})


async def create_comment(request: ApiRequest) -> web.Response:
    """POST /support/v1/tickets/{ticketId}/comments; private is for employees only and otherwise ignored."""
    ticket = _get_ticket(request)
    body = await request.read_body(COMMENT_BODY)
    if not body["body"].strip():
        raise bad_request("body must not be empty", field="body")
    if ticket["status"] == "closed":
        raise bad_request("the request is closed for comments", field="ticketId")
    if len(ticket["comments"]) >= MAX_RECORDS:
        raise ApiError(409, f"the request already has {MAX_RECORDS} comments")
    comment = {
        "id": ticket["id"] * 10_000 + len(ticket["comments"]) + 1,
        "body": body["body"],
        "author": request.user.email,
        "created": request.now_milliseconds,
        "private": request.user.employee and body.get("private", False),
    }
    ticket["comments"].append(comment)
    ticket["updateTime"] = request.now_milliseconds
    return json_response(_serialize_comment(comment), 201)


async def list_tags(request: ApiRequest) -> web.Response:
    """GET /support/v1/tickets/{ticketId}/tags."""
    return json_response({"tags": _visible_tags(request, _get_ticket(request))})


async def change_tags(request: ApiRequest) -> web.Response:
    """POST and DELETE /support/v1/tickets/{ticketId}/tags: add or remove tags."""
    ticket = _get_ticket(request)
    prefix = "" if request.user.employee else CUSTOMER_TAG
    tags = [prefix + tag.strip().lower() for tag in (await request.read_body(TAGS_BODY))["tags"]]
    if prefix in tags:
        raise bad_request("tags: a tag must not be blank", field="tags")
    other_tags = [tag for tag in ticket["tags"] if tag not in tags]
    ticket["tags"] = other_tags + list(dict.fromkeys(tags)) if request.http_request.method == "POST" else other_tags
    if len(ticket["tags"]) > MAX_RECORDS:
        ticket["tags"] = other_tags
        raise ApiError(409, f"the request has too many tags: at most {MAX_RECORDS}")
    return json_response({"applied_tags": tags})


def _get_ticket(request: ApiRequest) -> JsonObject:
    number = listing.parse_integer(request.path_parameter("ticketId"), "ticketId", "ticketId")
    return get_existing(ticket_records(request), str(number), "ticket")


def _summarize_ticket(request: ApiRequest, ticket: JsonObject) -> JsonObject:
    return {name: ticket[name] for name in LIST_FIELDS} | {
        "urlUI": _ticket_url(request, ticket),
        "tags": _visible_tags(request, ticket),
    }


def _visible_tags(request: ApiRequest, ticket: JsonObject) -> list[str]:
    """Employees see all tags unchanged, customers their own without the prefix."""
    if request.user.employee:
        return list(ticket["tags"])
    return [tag.removeprefix(CUSTOMER_TAG) for tag in ticket["tags"] if tag.startswith(CUSTOMER_TAG)]


def _serialize_comment(comment: JsonObject) -> JsonObject:
    shown = {name: value for name, value in comment.items() if name != "private"}
    return shown | {"attachments": [], "public": not comment["private"]}


def _ticket_url(request: ApiRequest, ticket: JsonObject) -> str:
    return analytics_core.console_url(request.tenant.customer, "support/tickets", str(ticket["id"]))


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
