"""Support tickets."""

from typing import Annotated, Any, Literal, Required, TypedDict, Unpack, cast

from ...protocol.schema import JsonObject, Length, Range
from ..operation import Area, get, offers, post
from ..pages import MOST, pages
from ..params import PageToken, SinceCreated, UntilCreated
from ..records import Page

MOST_ROWS = 100
PAGE = 40
PLATFORMS = {
    "cloud_management_platform": "doit",
    "perfectscale": "doit",
    "google_g_suite": "google_cloud_platform",
    "microsoft_office_365": "microsoft_azure",
}
"""Names of the old server that the API does not know, and the platform each belongs to."""

Severity = Literal["low", "normal", "high", "urgent"]
Subject = Annotated[str, "What it is about, in one line.", Length(1, 1000)]
Body = Annotated[str, "Everything support needs to know; may have HTML.", Length(1, 100_000)]
Product = Annotated[str, "The product in question.", Length(1, 300)]


class TicketPage(Page, total=False):
    """A page of tickets."""

    tickets: Annotated[
        list[JsonObject],
        "Each with id, subject, status, severity, platform, product, requester, createTime, updateTime, tags, urlUI.",
    ]


class TicketDetails(TypedDict, total=False):
    """One ticket, just created."""

    id: Annotated[int | str, "Number of the ticket."]
    status: str
    subject: str
    severity: str
    platform: str
    product: str
    requester: str
    urlUI: Annotated[str, "Where people open it."]


class NewTicket(TypedDict, total=False):
    """A support request."""

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
            "Where the problem is. The last four are old names, filed under the platform they belong to.",
        ]
    ]
    product: Required[Product]
    severity: Required[Annotated[Severity, "urgent is for production being down."]]
    created: Annotated[str, "When the problem was noticed, RFC 3339; now, if left out."]
    requester: Annotated[str, "E-mail address of the person to answer. Only for service accounts, which need it."]


class Request(TypedDict):
    """The body of the API's request."""

    ticket: NewTicket


class Tickets(Area):
    """Support tickets: ask DoiT's experts, requests to support, cases, status of a case."""

    @get("/support/v1/tickets", items="tickets")
    async def _tickets(
        self,
        *,
        maxResults: int | None = None,
        pageToken: PageToken = None,
        filter: str | None = None,
        minCreationTime: SinceCreated = None,
        maxCreationTime: UntilCreated = None,
    ) -> JsonObject: ...

    @offers(_tickets)
    async def list_tickets(
        self,
        *,
        maxResults: Annotated[int | None, f"Tickets of a page, at most 100; {PAGE} if left out.", Range(1)] = None,
        pageSize: Annotated[int | None, "The same as maxResults.", Range(1)] = None,
        pageToken: PageToken = None,
        filter: Annotated[
            str | None,
            "key:[value], joined by |, e.g. severity:[urgent]. The same key twice means or, different keys mean and.",
        ] = None,
        subject: Annotated[
            str | None, "Only tickets whose subject has this text, any case. Reads several pages."
        ] = None,
        minCreationTime: SinceCreated = None,
        maxCreationTime: UntilCreated = None,
    ) -> Annotated[JsonObject, TicketPage]:
        """List support tickets, the newest first: subject, status, severity, product. With subject, a pageToken in the
        answer means that older tickets have not been looked at yet."""
        rows = min(maxResults or pageSize or PAGE, MOST_ROWS)
        wanted = (subject or "").strip().casefold()
        found: list[JsonObject] = []
        page = None
        async for page in pages(
            self._tickets,
            most=MOST if wanted else 1,
            token=pageToken or "",
            maxResults=MOST_ROWS if wanted else rows,
            filter=filter,
            minCreationTime=minCreationTime,
            maxCreationTime=maxCreationTime,
        ):
            found += [row for row in page.rows if wanted in str(row.get("subject") or "").casefold()]
            if len(found) >= rows:
                break
        whole: JsonObject = page.whole if page is not None else {}
        return {**whole, "tickets": found} | ({"rowCount": len(found)} if wanted else {})

    @post("/support/v1/tickets", outward=True)
    async def _ticket(self, **body: Unpack[Request]) -> JsonObject: ...

    @offers(_ticket)
    async def create_ticket(self, *, ticket: NewTicket) -> Annotated[JsonObject, TicketDetails]:
        """Open a support ticket: DoiT's experts read it and answer by e-mail. Only when the user asks for it, and after
        they have seen and approved subject and body."""
        platform = PLATFORMS.get(ticket["platform"], ticket["platform"])
        filed: Any = {**ticket, "platform": platform}
        return await self._ticket(ticket=cast(NewTicket, filed))
