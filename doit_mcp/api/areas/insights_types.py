"""Request and response bodies of Insights."""

from typing import Annotated, Literal, Required, TypedDict

from ...protocol.json_schema import JsonObject, Length
from ..common_types import AnyMembers
from ..markers import EXTERNAL_TARGET, IDENTIFIER, TEXT_WITH_LINKS
from ..parameters import Rfc3339

InsightStatus = Literal[
    "actionable", "acknowledged", "optimized", "dismissed", "in progress", "upgrade needed", "permissions needed"
]
NewInsightKey = Annotated[str, "Name of the insight in its source; a new name creates an insight.", Length(1, 500)]
Text = Annotated[str, Length(1, 20_000), TEXT_WITH_LINKS]
CloudProvider = Annotated[str, "aws, gcp or azure.", Length(1, 100)]


class Dismissal(TypedDict, total=False):
    """The reason for dismissing an insight."""

    reason: Literal[
        "not relevant", "not enough information", "not worth the effort", "inaccurate optimization opportunities"
    ]
    comment: Annotated[str, "Free text.", Length(maximum=20_000)]


class Finding(TypedDict, total=False):
    """A finding about a resource."""

    value: Annotated[float, "Savings per day, USD."]
    critical: Annotated[int, "Number of critical risks; likewise high, medium, low."]
    high: int
    medium: int
    low: int
    current: Annotated[str, "E.g. the current instance type."]
    recommendation: Annotated[str, "E.g. the recommended one."]
    agentInstalled: bool


class NewResource(TypedDict, total=False):
    """A resource that an insight is about, identified by resource, account, provider and result type.

    The API ignores changes to type, provider, account and location of existing resources.
    """

    resourceId: Required[Annotated[str, "Id in the cloud.", Length(1, 2000)]]
    resourceType: Annotated[str, "Kind of resource, e.g. instance."]
    cloudProvider: Required[CloudProvider]
    account: Required[Annotated[str, "Its account or project.", Length(1, 500)]]
    location: Annotated[str, "Region or zone."]
    externalId: Annotated[str, "Id in the system the finding comes from."]
    externalUrl: Annotated[str, "Link to the finding there.", EXTERNAL_TARGET]
    metadata: Annotated[AnyMembers, "Any other data."]
    resultType: Required[
        Annotated[
            Literal[
                "security_risk",
                "potential_daily_savings",
                "potential_daily_savings_with_recommendation",
                "potential_daily_savings_with_cluster_agent",
            ],
            "Fields of result: critical, high, medium, low for risks; value for savings, with current and "
            "recommendation or agentInstalled.",
        ]
    ]
    result: Annotated[Finding, "The finding, with the fields for resultType."]


class NewInsight(TypedDict, total=False):
    """Fields of an insight."""

    key: Required[NewInsightKey]
    title: Required[Annotated[str, "Display title.", Length(1, 500), TEXT_WITH_LINKS]]
    shortDescription: Required[Annotated[Text, "One or two sentences."]]
    detailedDescriptionMdx: Annotated[str, "Markdown (MDX).", Length(maximum=100_000), TEXT_WITH_LINKS]
    cloudProvider: Required[CloudProvider]
    categories: Required[Annotated[list[Literal["FinOps", "Security"]], Length(1, 2)]]
    reportUrl: Annotated[str, "Link to a report about it.", EXTERNAL_TARGET]
    cloudFlowTemplateId: Annotated[str, "A CloudFlow template that fixes it.", IDENTIFIER]
    easyWinDescription: Annotated[str, "Why it is easy to do.", TEXT_WITH_LINKS]


class NewInsightWithResources(NewInsight, total=False):
    """An insight of a batch."""

    resourceResults: Required[Annotated[list[NewResource], "The affected resources.", Length(maximum=5000)]]


class InsightBatch(TypedDict, total=False):
    """Insights to create or replace."""

    results: Required[Annotated[list[NewInsightWithResources], "The insights.", Length(1, 500)]]


class InsightWithStatus(NewInsight, total=False):
    """One insight."""

    status: Annotated[InsightStatus, "Default: actionable."]
    dismissalDetails: Annotated[Dismissal, "With status dismissed."]


class StatusChange(TypedDict, total=False):
    """A new status of an insight."""

    status: Required[InsightStatus]
    dismissalDetails: Annotated[Dismissal, "With status dismissed."]


class ResourceSet(TypedDict, total=False):
    """All resources of an insight."""

    resourceResults: Required[
        Annotated[list[NewResource], "The full list; an empty list deletes all.", Length(maximum=5000)]
    ]


class InsightDetails(TypedDict, total=False):
    """One insight."""

    source: str
    key: str
    title: str
    shortDescription: str
    detailedDescriptionMdx: str
    displayStatus: str
    cloudProvider: str
    categories: list[str]
    summary: Annotated[JsonObject, "potentialDailySavings (USD) and numbers of risks, e.g. securityRisks."]
    tags: list[str]
    easyWinDescription: str
    cloudFlowTemplateId: str
    reportUrl: str
    lastUpdated: Rfc3339


class ResourcePage(TypedDict, total=False):
    """A page of resources."""

    resourceResults: Annotated[
        list[JsonObject],
        "Each with resourceId, resourceType, cloudProvider, account, location, resolved, severity, resultType "
        "and result: value (savings per day, USD), current, recommendation, or numbers of risks.",
    ]
    pageToken: Annotated[str | None, "Of the next page; absent or empty on the last."]
    rowCount: int


class Failures(TypedDict, total=False):
    """Failed items of a batch."""

    failures: Annotated[list[JsonObject], "Each with insightKey, error and code. Empty if all succeeded."]


class StatusResult(TypedDict, total=False):
    """The new status of an insight."""

    success: bool
    source: str
    key: str
    status: str
