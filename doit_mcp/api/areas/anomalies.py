"""Anomalies: unusual spending that DoiT detected."""

from collections.abc import Collection
from typing import Annotated, Literal, Required, TypedDict, Unpack, cast, get_args

from ...protocol.json_schema import JsonObject, Length
from ...resilience.compute_thread import run_in_thread
from ..common_types import ListPage, WriteResult
from ..errors import ApiError
from ..facts import REVERSIBLE
from ..markers import TEXT_WITH_LINKS
from ..operation import Area, get, offers, patch
from ..pagination import LARGE_PAGE_SIZE, parse_page
from ..parameters import TIME_FORMS, Id, MaxResults, PageToken, SortOrder
from ..permissions import ANOMALIES_MANAGER
from ..timestamps import format_timestamp, parse_optional_time
from ..value_kinds import Label, Members, Moment, UsDollars, Verbatim

TEXT_FIELDS = ("platform", "serviceName", "scope", "severityLevel", "status", "id", "billingAccount", "attribution")
CURRENCY = "USD"
"""The API states all amounts of anomalies in US dollars."""
PAGE_SIZE = 20
NOTIFICATIONS = "notifications"
AnomalyCount = Annotated[MaxResults, f"Maximum rows. Default: {PAGE_SIZE}."]
AnomalyFilter = Annotated[
    str | None,
    "key:value terms joined by |. Keys: serviceName (DoiT's short form), billingAccount, platform, "
    "severityLevel (information, warning, critical). Repeated keys mean OR, different keys AND.",
]
AnomalySort = Annotated[Literal["startTime", "severityLevel", "costOfAnomaly"] | None, "Default: startTime."]
StartedSince = Annotated[int | str | None, f"Only anomalies that started since: {TIME_FORMS}"]
StartedUntil = Annotated[int | str | None, f"Only anomalies that started until: {TIME_FORMS}"]
WithNotifications = Annotated[bool | None, "Include who was notified of each."]
FIELDS = (
    "id, platform, serviceName, entityLabel and entityName (project, account or user), billingAccount, severityLevel, "
    "status, startTime, endTime, costOfAnomaly (above expected), actualCost, expectedMaxCost, top3SKUs, resourceData, "
    "allocations, linkedAnomalies, acknowledged"
)
ReviewStatus = Literal["NEEDS_REVIEW", "UNDER_REVIEW", "RESOLVED"]
Resolution = Literal["ANOMALY_CONFIRMED", "NOT_ANOMALY"]
ConfirmedReason = Literal[
    "SECURITY_BREACH", "MISCONFIGURATION", "UNINTENTIONAL_PROVISIONING", "EXPECTED_COST_SPIKE", "ANOMALOUS_OTHER"
]
OtherReason = Literal["FAULTY_ANOMALY_DETECTION_MODEL", "INCORRECT_DATA", "LOW_IMPACT", "NON_ANOMALOUS_OTHER"]
Reason = Literal[ConfirmedReason, OtherReason]
REASONS: dict[str, tuple[str, ...]] = {
    "ANOMALY_CONFIRMED": get_args(ConfirmedReason),
    "NOT_ANOMALY": get_args(OtherReason),
}
"""The reasons that fit each resolution."""
RESOLVED = "RESOLVED"
MAX_COMMENT_CHARACTERS = 5_000


class AnomalyPage(ListPage, total=False):
    """A page of anomalies."""

    anomalies: Annotated[list[JsonObject], f"Each with {FIELDS}."]
    totalCount: Annotated[int, "Number of anomalies on all pages."]
    anomalySummary: Annotated[JsonObject, "For all pages: countBySeverity and totalCostOfAnomaly.", Verbatim]


class SkuCost(TypedDict):
    """The cost of one SKU in an anomaly."""

    name: Annotated[str, Label]
    cost: Annotated[float, UsDollars]


class Notice(TypedDict, total=False):
    """A notification about an anomaly."""

    timestamp: Annotated[str, Moment]
    channel: str


class AnomalyRow(TypedDict, total=False):
    """The service, costs and times of an anomaly in a list."""

    entityName: Annotated[str, Label]
    acknowledgedAt: Annotated[str, Moment]
    notifications: Annotated[list[JsonObject], Members(Notice)]
    initialNotifications: Annotated[list[JsonObject], Members(Notice)]

    serviceName: Annotated[str | None, Label]
    costOfAnomaly: Annotated[float, UsDollars]
    actualCost: Annotated[float, UsDollars]
    expectedMaxCost: Annotated[float, UsDollars]
    startTime: Annotated[str | None, Moment]
    endTime: Annotated[str | None, Moment]
    top3SKUs: list[SkuCost] | None


class AnomalyDetails(TypedDict, total=False):
    """One anomaly."""

    id: str
    platform: str
    serviceName: Annotated[str, Label]
    scope: Annotated[str, "Project or account."]
    costOfAnomaly: Annotated[float, "Cost above the expected range.", UsDollars]
    actualCost: Annotated[float, UsDollars]
    expectedMaxCost: Annotated[float, UsDollars]
    severityLevel: str
    status: str
    startTime: Annotated[str, Moment]
    endTime: Annotated[str, "Empty while it is open.", Moment]
    resourceData: Annotated[list[JsonObject], Verbatim]
    entityLabel: Annotated[str, "What scope names: Project, Account or User."]
    entityName: Annotated[str, "Readable form of scope.", Label]
    providerDisplayName: Annotated[str, Label]
    monitorLevel: Annotated[str, "service or sku."]
    allocations: Annotated[list[JsonObject], "Each with id and name, the primary one first.", Verbatim]
    linkedAnomalies: Annotated[
        list[str], "Ids of anomalies about the same spike. Their costs overlap: do not add them up."
    ]
    acknowledged: bool
    acknowledgedAt: Annotated[str, "When someone first reviewed it.", Moment]
    acknowledgedBy: str
    initialNotifications: Annotated[list[JsonObject], "First notice by channel.", Members(Notice)]


class ResolutionNote(TypedDict, total=False):
    """The reason for the resolution of a review."""

    reason: Reason
    comment: str


class CustomerFeedback(TypedDict, total=False):
    """The review of an anomaly."""

    reviewStatus: ReviewStatus
    resolution: Resolution
    resolutionNote: ResolutionNote


class Review(TypedDict, total=False):
    """The review of an anomaly, in the form of the tool's arguments."""

    reviewStatus: Annotated[ReviewStatus, "UNDER_REVIEW acknowledges it. RESOLVED needs resolution."]
    resolution: Annotated[Resolution, "Only with RESOLVED: was it an anomaly?"]
    reason: Annotated[
        Reason, f"Why. For ANOMALY_CONFIRMED: {', '.join(REASONS['ANOMALY_CONFIRMED'])}; the others for NOT_ANOMALY."
    ]
    comment: Annotated[str, "Note for other users.", Length(1, MAX_COMMENT_CHARACTERS), TEXT_WITH_LINKS]


class ReviewUpdate(TypedDict, total=False):
    """Changes to the review of an anomaly."""

    customerFeedback: Required[CustomerFeedback]


class Explanation(TypedDict, total=False):
    """An explanation of an anomaly by the API."""

    facts: Annotated[JsonObject, Verbatim]
    evidence: list[JsonObject]
    explanation: Annotated[JsonObject, "text, written by an AI model."]


class Anomalies(Area):
    """Cost anomalies: unusual spending, spikes, unexpected cost, severity, what caused them."""

    @get("/anomalies/v1", items="anomalies", default_list=True, permission=None)
    async def _anomalies(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: str | None = None,
        sortBy: str | None = None,
        sortOrder: SortOrder = None,
        minCreationTime: int | None = None,
        maxCreationTime: int | None = None,
        includeNotifications: bool | None = None,
    ) -> JsonObject: ...

    @offers(_anomalies)
    async def get_anomalies(
        self,
        *,
        maxResults: AnomalyCount = None,
        pageToken: PageToken = None,
        filter: AnomalyFilter = None,
        sortBy: AnomalySort = None,
        sortOrder: SortOrder = None,
        minCreationTime: StartedSince = None,
        maxCreationTime: StartedUntil = None,
        includeNotifications: WithNotifications = None,
    ) -> Annotated[JsonObject, AnomalyPage]:
        """List cost anomalies, newest first: unexpected spending with its size, severity and causes. An empty list does
        not prove normal spending: detection depends on the customer's sensitivity setting."""
        response = await self._anomalies(
            maxResults=maxResults or PAGE_SIZE,
            pageToken=pageToken,
            filter=filter,
            sortBy=sortBy,
            sortOrder=sortOrder,
            minCreationTime=parse_optional_time(minCreationTime, "minCreationTime"),
            maxCreationTime=parse_optional_time(maxCreationTime, "maxCreationTime"),
            includeNotifications=includeNotifications,
        )
        page = parse_page(response, "anomalies")
        # Without the argument, the API always returns an empty list.
        hidden = () if includeNotifications else (NOTIFICATIONS,)
        rows = (
            _format_anomalies(page.rows, hidden)
            if len(page.rows) <= LARGE_PAGE_SIZE
            else await run_in_thread(_format_anomalies, page.rows, hidden)
        )
        return {**page.response, "rowCount": len(rows), "anomalies": rows, "pageToken": page.next_token or None}

    @get("/anomalies/v1/{id}", default_list=True, permission=None)
    async def _anomaly(self, *, id: Id) -> JsonObject: ...

    @offers(_anomaly)
    async def get_anomaly(self, *, id: Id) -> Annotated[JsonObject, AnomalyDetails]:
        """Show one cost anomaly: when and where it happened, how far cost exceeded the expected range, and which SKUs
        and resources caused it."""
        return {**format_anomaly(await self._anomaly(id=id)), "id": id}

    @get("/anomalies/v1/{id}/explanation", slow=True, permission=None)
    async def explain_anomaly(self, *, id: Id) -> Annotated[JsonObject, Explanation]:
        """Explain one cost anomaly in a text written by an AI model."""
        ...

    @patch(
        "/anomalies/v1/{id}",
        confirm=REVERSIBLE,
        preview_with=get_anomaly,
        permission=ANOMALIES_MANAGER,
        no_undo="get_anomaly shows whether an anomaly is acknowledged, but not its review, so it cannot be restored.",
        not_shown=("reviewStatus", "resolution", "reason", "comment"),
        shown_by={"reviewStatus": "acknowledged"},
    )
    async def _review(self, *, id: Id, **update: Unpack[ReviewUpdate]) -> JsonObject: ...

    @offers(_review)
    async def update_anomaly_review(
        self, *, id: Annotated[Id, "Anomaly id."], **review: Unpack[Review]
    ) -> Annotated[JsonObject, WriteResult]:
        """Acknowledge or resolve a cost anomaly, or reopen its review. Omitted fields keep their values. Ask the user
        for the resolution and its reason: DoiT learns from them."""
        check_review(review.get("reviewStatus"), review.get("resolution"), review.get("reason"))
        note = {name: review[name] for name in ("reason", "comment") if name in review}
        feedback: JsonObject = {name: review[name] for name in ("reviewStatus", "resolution") if name in review}
        feedback |= {"resolutionNote": note} if note else {}
        return await self._review(id=id, customerFeedback=cast(CustomerFeedback, feedback))


def check_review(status: str | None, resolution: str | None, reason: str | None) -> None:
    """Raise ApiError ("argument") if the fields of a review contradict each other."""
    if status == RESOLVED and resolution is None:
        raise ApiError("resolution is required with reviewStatus RESOLVED", kind="argument")
    if resolution is not None and status not in (None, RESOLVED):
        raise ApiError(f"resolution: only with reviewStatus RESOLVED, not {status}", kind="argument")
    if reason is not None and status not in (None, RESOLVED):
        raise ApiError(f"reason: only with reviewStatus RESOLVED, not {status}", kind="argument")
    if reason is not None and resolution is not None and reason not in REASONS[resolution]:
        raise ApiError(f"reason: with {resolution}, one of {', '.join(REASONS[resolution])}", kind="argument")


def _format_anomalies(rows: list[JsonObject], hidden: Collection[str]) -> list[JsonObject]:
    return [{name: value for name, value in format_anomaly(row).items() if name not in hidden} for row in rows]


def format_anomaly(anomaly: JsonObject) -> JsonObject:
    """Return an anomaly with its times as RFC 3339 and a value for every field that the previous server returned."""
    return {
        **dict.fromkeys((*TEXT_FIELDS, "timeFrame"), ""),
        "costOfAnomaly": 0,
        "acknowledged": False,
        **{name: value for name, value in anomaly.items() if value is not None},
        "top3SKUs": anomaly.get("top3SKUs") or None,
        "startTime": format_timestamp(anomaly.get("startTime")),
        "endTime": format_timestamp(anomaly.get("endTime")),
    }
