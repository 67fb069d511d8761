"""Support tickets and their comments and tags."""

from typing import Annotated, Any, Literal, Required, TypedDict, Unpack, cast

from ...protocol.json_schema import JsonObject, Length, Range
from ..common_types import ListPage
from ..facts import REVERSIBLE, WORDS_OF_THE_USER
from ..markers import EXTERNAL_TARGET, IDENTIFIER
from ..operation import Area, delete, get, offers, patch, post
from ..pagination import parse_page, search_pages, text_filter
from ..parameters import ConsoleLink, CreatedSinceTime, CreatedUntilTime, PageToken, Rfc3339
from ..timestamps import format_timestamp, parse_optional_time, with_iso_times
from .tickets_types import AppliedTags, TagList, Tags

TIME_FORMATS = dict.fromkeys(("createTime", "updateTime", "created"), format_timestamp)
MAX_ROWS, PAGE_SIZE = 100, 40
CURRENT_PLATFORMS = {
    "cloud_management_platform": "doit",
    "perfectscale": "doit",
    "google_g_suite": "google_cloud_platform",
    "microsoft_office_365": "microsoft_azure",
}
"""Platform names that the previous server accepted and the API rejects, with the current platform of each."""

Severity = Literal["low", "normal", "high", "urgent"]
Subject = Annotated[str, "Subject, in one line.", Length(1, 1000)]
Body = Annotated[str, "Everything support needs to know; HTML is allowed.", Length(1, 100_000)]
Product = Annotated[str, "The affected product.", Length(1, 300)]
TicketId = Annotated[int, "Ticket number.", Range(1), IDENTIFIER]


class TicketPage(ListPage, total=False):
    """A page of tickets."""

    tickets: Annotated[
        list[JsonObject],
        "Each with id, subject, status, severity, platform, product, requester, createTime, updateTime, tags, urlUI.",
    ]


class CreatedTicket(TypedDict, total=False):
    """A created ticket."""

    id: Annotated[int | str, "Ticket number."]
    status: str
    subject: str
    severity: str
    platform: str
    product: str
    requester: str
    urlUI: ConsoleLink


class NewTicket(TypedDict, total=False):
    """A ticket to create."""

    subject: Required[Subject]
    body: Required[Body]
    platform: Required[
        Annotated[
            Literal[
                "doit",
                "google_cloud_platform",
                "amazon_web_services",
                "microsoft_azure",
                "cloud_management_platform",
                "google_g_suite",
                "microsoft_office_365",
                "perfectscale",
            ],
            "The affected platform. The last four are former names, mapped to current platforms.",
        ]
    ]
    product: Required[Product]
    severity: Required[Annotated[Severity, "urgent: production is down."]]
    created: Annotated[str, "When the problem was noticed, RFC 3339. Default: now."]
    requester: Annotated[
        str, "Email address to reply to. Only for service accounts, which must give it.", EXTERNAL_TARGET
    ]


class Ticket(TypedDict, total=False):
    """One ticket."""

    id: int
    subject: str
    description: Annotated[str, "The first message."]
    status: str
    severity: str
    platform: str
    product: str
    platform_info: Annotated[str, "Affected projects or accounts, comma-separated."]
    requester: str
    tags: list[str]
    createTime: Rfc3339
    updateTime: Rfc3339
    urlUI: ConsoleLink


class TicketChanges(TypedDict, total=False):
    """Changes to a ticket; at least one."""

    status: Annotated[Literal["open", "pending", "hold", "solved"], "Customers: only solved. DoiT employees: any."]
    assignee: Annotated[
        str, "Email address of the assignee at DoiT. For DoiT employees only.", Length(3, 320), EXTERNAL_TARGET
    ]


class ChangedTicket(TypedDict, total=False):
    """The changed fields of a ticket."""

    id: int
    status: str
    assignee: str


class Comment(TypedDict, total=False):
    """A comment on a ticket."""

    id: int
    body: str
    author: str
    created: Rfc3339
    attachments: list[JsonObject]
    public: Annotated[bool, "Whether the customer sees it."]


class CommentList(TypedDict, total=False):
    """The comments of a ticket."""

    comments: Annotated[list[JsonObject], "Each with id, body, author, created, attachments, public."]


class NewComment(TypedDict, total=False):
    """A comment to add."""

    body: Required[Annotated[str, "The reply.", Length(1, 100_000)]]
    private: Annotated[bool, "For DoiT employees: true hides it from the customer. Others' stay public."]


class TicketRequest(TypedDict):
    """The body of the API's request."""

    ticket: NewTicket


class Tickets(Area):
    """Support tickets: ask DoiT's experts, requests to support, cases, status of a case."""

    @get("/support/v1/tickets", items="tickets", default_list=True)
    async def _tickets(
        self,
        *,
        maxResults: int | None = None,
        pageToken: PageToken = None,
        filter: str | None = None,
        minCreationTime: int | None = None,
        maxCreationTime: int | None = None,
    ) -> JsonObject: ...

    @offers(_tickets)
    async def list_tickets(
        self,
        *,
        maxResults: Annotated[int | None, f"Tickets per page, at most 100. Default: {PAGE_SIZE}.", Range(1)] = None,
        pageSize: Annotated[int | None, "Same as maxResults.", Range(1)] = None,
        pageToken: PageToken = None,
        filter: Annotated[
            str | None,
            "key:value terms joined by |, e.g. severity:urgent. Repeated keys mean OR, different keys AND.",
        ] = None,
        subject: Annotated[
            str | None, "Only tickets whose subject contains this text, ignoring case. Reads several pages."
        ] = None,
        minCreationTime: CreatedSinceTime = None,
        maxCreationTime: CreatedUntilTime = None,
    ) -> Annotated[JsonObject, TicketPage]:
        """List support tickets, newest first: subject, status, severity and product. With subject, a pageToken in the
        result means that older tickets were not searched yet."""
        page = await search_pages(
            self._tickets,
            text_filter("subject", subject),
            row_count=min(maxResults or pageSize or PAGE_SIZE, MAX_ROWS),
            max_page_size=MAX_ROWS,
            token=pageToken,
            filter=filter,
            minCreationTime=parse_optional_time(minCreationTime, "minCreationTime"),
            maxCreationTime=parse_optional_time(maxCreationTime, "maxCreationTime"),
        )
        return {**page, "tickets": [with_iso_times(row, TIME_FORMATS) for row in page["tickets"]]}

    @post(
        "/support/v1/tickets",
        open_world=True,
        default_list=True,
        confirm=WORDS_OF_THE_USER,
        verify_with="get_ticket",
        no_undo="A ticket cannot be deleted. update_ticket marks it as solved.",
    )
    async def _create(self, **body: Unpack[TicketRequest]) -> JsonObject: ...

    @offers(_create)
    async def create_ticket(self, *, ticket: NewTicket) -> Annotated[JsonObject, CreatedTicket]:
        """Open a support ticket. DoiT's experts answer by email. Use it only on request, after the user approves the
        subject and the body."""
        platform = CURRENT_PLATFORMS.get(ticket["platform"], ticket["platform"])
        body: Any = {**ticket, "platform": platform}
        return await self._create(ticket=cast(NewTicket, body))

    @get("/support/v1/tickets/{ticketId}")
    async def _ticket(self, *, ticketId: TicketId) -> JsonObject: ...

    @offers(_ticket)
    async def get_ticket(self, *, id: TicketId) -> Annotated[JsonObject, Ticket]:
        """Show one support ticket with its first message. For the conversation, use list_ticket_comments."""
        return with_iso_times(await self._ticket(ticketId=id), TIME_FORMATS)

    @patch(
        "/support/v1/tickets/{ticketId}",
        open_world=True,
        confirm=WORDS_OF_THE_USER,
        preview_with=get_ticket,
        preview_arguments={"ticketId": "id"},
        no_undo="Only DoiT employees can restore the former status or assignee of a ticket.",
        employees_can_undo=True,
        not_shown=("assignee",),
    )
    async def update_ticket(
        self, *, ticketId: TicketId, **changes: Unpack[TicketChanges]
    ) -> Annotated[JsonObject, ChangedTicket]:
        """Mark a support ticket as solved. DoiT employees can also assign it. To reply, use create_ticket_comment."""
        ...

    @get("/support/v1/tickets/{ticketId}/comments", items="comments")
    async def _comments(self, *, ticketId: TicketId) -> JsonObject: ...

    @offers(_comments)
    async def list_ticket_comments(self, *, ticketId: TicketId) -> Annotated[JsonObject, CommentList]:
        """Show the conversation of a support ticket: all comments with author and time."""
        page = parse_page(await self._comments(ticketId=ticketId), "comments")
        return {**page.response, "comments": [with_iso_times(row, TIME_FORMATS) for row in page.rows]}

    @post(
        "/support/v1/tickets/{ticketId}/comments",
        destructive=False,
        open_world=True,
        confirm=WORDS_OF_THE_USER,
        preview_with=None,
        undone_by="nothing",
        no_undo="A comment cannot be deleted or changed.",
    )
    async def _reply(self, *, ticketId: TicketId, **comment: Unpack[NewComment]) -> JsonObject: ...

    @offers(_reply)
    async def create_ticket_comment(
        self, *, ticketId: TicketId, **comment: Unpack[NewComment]
    ) -> Annotated[JsonObject, Comment]:
        """Reply to a support ticket. DoiT's experts read it. Use it only after the user approves the text."""
        return with_iso_times(await self._reply(ticketId=ticketId, **comment) or {}, TIME_FORMATS)  # may be empty

    @get("/support/v1/tickets/{ticketId}/tags", items="tags")
    async def list_ticket_tags(self, *, ticketId: TicketId) -> Annotated[JsonObject, TagList]:
        """List the tags of a support ticket."""
        ...

    @post(
        "/support/v1/tickets/{ticketId}/tags",
        destructive=False,
        confirm=False,
        preview_with=None,
        verify_with=list_ticket_tags,
        adds="tags",
        undo_with="remove_ticket_tags",
        open_world=False,
    )
    async def add_ticket_tags(self, *, ticketId: TicketId, **body: Unpack[Tags]) -> Annotated[JsonObject, AppliedTags]:
        """Add tags to a support ticket. Existing tags stay."""
        ...

    @delete(
        "/support/v1/tickets/{ticketId}/tags",
        confirm=REVERSIBLE,
        preview_with=None,
        verify_with=list_ticket_tags,
        removes="tags",
        undo_with=add_ticket_tags,
        open_world=False,
    )
    async def remove_ticket_tags(
        self, *, ticketId: TicketId, **body: Unpack[Tags]
    ) -> Annotated[JsonObject, AppliedTags]:
        """Remove tags from a support ticket. Other tags stay. Name them as list_ticket_tags shows them."""
        ...
