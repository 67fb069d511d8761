"""PerfectScale for Commitments on AWS: Savings Plans and Reserved Instances that DoiT plans and buys."""

from typing import Annotated, Literal, TypedDict

from ...protocol.json_schema import JsonObject, Length, Pattern, Range
from ..common_types import ListPage
from ..markers import IDENTIFIER, FormerName
from ..operation import Area, get, offers
from ..parameters import EligibleUsage, MaxResults, PageToken, UsageGranularity

BY_TYPE = "by commitment type (compute, database)"
STATS = (
    f"{BY_TYPE}: stats30d (esr: share of eligible spend saved; savings), savingsTotals (ytd, lifetime) and "
    "monthlyPotentialSavings"
)

ManagementAccount = Annotated[
    str, "Management (payer) account, 12 digits, from list_aws_organizations.", Pattern(r"^\d{12}$"), IDENTIFIER
]
MemberAccount = Annotated[str, "Member account, 12 digits.", Pattern(r"^\d{12}$"), IDENTIFIER]
RowLimit = Annotated[MaxResults, Range(1, 500)]
Service = Literal["compute", "database"]
ShortText = Annotated[str | None, Length(1, 100)]
MonthlyStats = Annotated[JsonObject, "Last 6 months: esr, onDemandCost, costWithSavings."]
DailyCoverage = Annotated[JsonObject, "Last 30 days: cost on demand and by kind of commitment."]


class OrganizationPage(ListPage, total=False):
    """A page of organizations."""

    items: Annotated[list[JsonObject], f"Each with managementAccountId, displayName, onboardingStatus, and {STATS}."]


class Organization(TypedDict, total=False):
    """One organization."""

    managementAccountId: str
    displayName: str
    onboardingStatus: Annotated[JsonObject, f"{BY_TYPE.capitalize()}: status not_started, onboarding, done or error."]
    stats30d: JsonObject
    savingsTotals: JsonObject
    monthlyPotentialSavings: Annotated[JsonObject, "Additional monthly savings if all recommendations are bought."]
    monthlyStats: MonthlyStats
    dailyCoverage: DailyCoverage


class MemberPage(ListPage, total=False):
    """A page of member accounts."""

    items: Annotated[list[JsonObject], "Each with memberAccountId, displayName, stats30d, monthlyPotentialSavings."]


class Member(TypedDict, total=False):
    """One member account."""

    memberAccountId: str
    managementAccountId: str
    displayName: str
    stats30d: JsonObject
    savingsTotals: JsonObject
    monthlyPotentialSavings: JsonObject
    monthlyStats: MonthlyStats
    dailyCoverage: DailyCoverage


class SavingsPlanPage(ListPage, total=False):
    """A page of Savings Plans."""

    items: Annotated[
        list[JsonObject],
        "Each with commitmentId, savingsPlanType, state, paymentOption, termDuration, commitment (per hour), "
        "region, startTime, endTime, lastMonthUtilization (0 to 1), lastMonthSavings.",
    ]


class ReservedInstancePage(ListPage, total=False):
    """A page of Reserved Instances."""

    items: Annotated[
        list[JsonObject],
        "Each with commitmentId, accountId, state, instanceType, instanceCount, region, offeringClass, startTime, "
        "endTime, utilizationPercentage (0 to 1), netRiSavings, unusedHours, mtdSavings.",
    ]


class Recommendations(TypedDict, total=False):
    """What to buy, by type of commitment. Types that are not onboarded or have no recommendation are missing."""

    compute: Annotated[
        JsonObject,
        "policy, currentCommitment and recommendedCommitment (USD per hour), potentialAdditionalSavings (USD "
        "per month), estimatedAverageCoverage (0 to 1).",
    ]
    database: Annotated[JsonObject, "Same as compute."]


class Recommendation(TypedDict, total=False):
    """What to buy of one type, and the usage behind it."""

    recommendation: Annotated[
        JsonObject,
        "policy, currentCommitment and recommendedCommitment (USD per hour), potentialAdditionalSavings (USD "
        "per month).",
    ]
    eligibleUsage: EligibleUsage


class PlannedPurchasePage(ListPage, total=False):
    """A page of planned purchases, by type of commitment."""

    items: Annotated[
        list[JsonObject],
        "Each with service, status (valid, expired), purchaseApprovalStatus (pending_approval, approved, paused), "
        "requiresApproval, profile, term, paymentOption, finalCommitment, estimatedSavings, and steps: scheduledDate, "
        "purchaseAmount, cumulativeCommitment, requiresApproval.",
    ]


class OrganizationSettingsPage(ListPage, total=False):
    """A page of purchase settings."""

    items: Annotated[
        list[JsonObject],
        "Each with managementAccountId, purchaseAccountId and services: service and settings: purchaseMode "
        "(autonomous, requires_approval), policy, term, paymentOption, minimumCommitment (USD per hour and "
        "purchase), maximumCommitment (USD per hour; 0: no limit), lastDayOfMonthForPurchase.",
    ]


class AwsCommitments(Area):
    """AWS commitments: Savings Plans, Reserved Instances, coverage, utilization, what to buy, planned purchases."""

    @get("/ps4commitments/v1/aws/organizations", items="items")
    async def list_aws_organizations(
        self, *, pageToken: PageToken = None, maxResults: RowLimit = None
    ) -> Annotated[JsonObject, OrganizationPage]:
        """List the AWS organizations whose commitments DoiT manages, with current and potential savings. Each amount is
        an object with amount and currency. For committed spend with a cloud, use list_commitments."""
        ...

    @get("/ps4commitments/v1/aws/organizations/{managementAccountId}")
    async def get_aws_organization(
        self, *, managementAccountId: ManagementAccount
    ) -> Annotated[JsonObject, Organization]:
        """Show the commitments of one AWS organization: savings, coverage by day and cost by month."""
        ...

    @get("/ps4commitments/v1/aws/organizations/{managementAccountId}/member-accounts", items="items")
    async def list_aws_member_accounts(
        self, *, managementAccountId: ManagementAccount, pageToken: PageToken = None, maxResults: RowLimit = None
    ) -> Annotated[JsonObject, MemberPage]:
        """List the member accounts of an AWS organization with the savings from commitments in each."""
        ...

    @get("/ps4commitments/v1/aws/organizations/{managementAccountId}/member-accounts/{memberAccountId}")
    async def get_aws_member_account(
        self, *, managementAccountId: ManagementAccount, memberAccountId: MemberAccount
    ) -> Annotated[JsonObject, Member]:
        """Show one member account: savings from commitments, coverage by day and cost by month."""
        ...

    @get(
        "/ps4commitments/v1/aws/organizations/{managementAccountId}/savings-plans",
        items="items",
        title="List AWS Savings Plans",
    )
    async def list_aws_savings_plans(
        self,
        *,
        managementAccountId: ManagementAccount,
        type: Literal["compute", "ec2_instance", "sagemaker", "database"] | None = None,
        status: Literal[
            "pending_return",
            "returning",
            "active",
            "expired",
            "queued",
            "queued_returning",
            "payment_failed",
            "payment_pending",
        ]
        | None = None,
        pageToken: PageToken = None,
        maxResults: RowLimit = None,
    ) -> Annotated[JsonObject, SavingsPlanPage]:
        """List an AWS organization's Savings Plans with utilization and savings."""
        ...

    @get("/ps4commitments/v1/aws/organizations/{managementAccountId}/reserved-instances", items="items")
    async def list_aws_reserved_instances(
        self,
        *,
        managementAccountId: ManagementAccount,
        status: Literal["active", "retired", "payment_pending", "payment_failed", "queued", "queued_deleted"]
        | None = None,
        instanceType: Annotated[ShortText, "Exact match, case-sensitive, e.g. m5.large."] = None,
        instanceFamily: Annotated[ShortText, "Exact match, case-sensitive, e.g. m5."] = None,
        region: Annotated[ShortText, "Exact match, case-sensitive, e.g. us-east-1."] = None,
        offeringClass: Literal["standard", "convertible"] | None = None,
        pageToken: PageToken = None,
        maxResults: RowLimit = None,
    ) -> Annotated[JsonObject, ReservedInstancePage]:
        """List an AWS organization's Reserved Instances with utilization and savings."""
        ...

    @get("/ps4commitments/v1/aws/organizations/{managementAccountId}/recommendations")
    async def list_aws_recommendations(
        self, *, managementAccountId: ManagementAccount
    ) -> Annotated[JsonObject, Recommendations]:
        """Show how much commitment to buy for an AWS organization, and the savings. For all kinds of savings, use
        get_savings_summary."""
        ...

    @get("/ps4commitments/v1/aws/organizations/{managementAccountId}/recommendations/{serviceId}")
    async def get_aws_recommendation(
        self,
        *,
        managementAccountId: ManagementAccount,
        serviceId: Annotated[Service, "Type of commitment.", IDENTIFIER],
        granularity: UsageGranularity = None,
    ) -> Annotated[JsonObject, Recommendation]:
        """Show how much of one type of commitment to buy, and the eligible usage behind it."""
        ...

    @get("/ps4commitments/v1/aws/organizations/{managementAccountId}/planned-purchases", items="items")
    async def _planned_purchases(
        self,
        *,
        managementAccountId: ManagementAccount,
        service: Service | None = None,
        pageToken: PageToken = None,
        maxResults: RowLimit = None,
    ) -> JsonObject: ...

    @offers(_planned_purchases)
    async def list_aws_planned_purchases(
        self,
        *,
        managementAccountId: ManagementAccount,
        commitmentType: Annotated[Service | None, "Only this type of commitment.", FormerName("service")] = None,
        pageToken: PageToken = None,
        maxResults: RowLimit = None,
    ) -> Annotated[JsonObject, PlannedPurchasePage]:
        """List the planned purchases for an AWS organization, step by step, and what needs approval. Approve them in
        the DoiT console."""
        return await self._planned_purchases(
            managementAccountId=managementAccountId,
            service=commitmentType,
            pageToken=pageToken,
            maxResults=maxResults,
        )

    @get("/ps4commitments/v1/aws/settings", items="items")
    async def list_aws_organizations_settings(
        self, *, pageToken: PageToken = None, maxResults: RowLimit = None
    ) -> Annotated[JsonObject, OrganizationSettingsPage]:
        """List how commitments are bought for each AWS organization: autonomously or with approval, policy, term,
        payment and limits. Change them in the DoiT console."""
        ...
