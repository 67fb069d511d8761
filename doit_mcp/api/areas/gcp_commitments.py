"""PerfectScale for Commitments, Google Cloud: billing accounts, committed use discounts, what to buy.

Purchases are approved in the DoiT console: this API only reads.
"""

from typing import Annotated, Literal, TypedDict

from ...protocol.json_schema import JsonObject, Pattern, Range
from ..common_types import ListPage
from ..markers import IDENTIFIER
from ..operation import Area, get
from ..parameters import EligibleUsage, MaxResults, PageToken, UsageGranularity
from ..value_kinds import UsDollars

BY_SERVICE = "one entry for each service (compute, cloud_sql)"
STATS = f"stats30d (esr: share of eligible spend saved; savings) and savingsTotals (ytd, lifetime): {BY_SERVICE}"

BillingAccount = Annotated[
    str,
    "Billing account, e.g. 01A2B3-C4D5E6-F70819, from list_gcp_billing_accounts.",
    Pattern(r"^[A-Z0-9]{6}-[A-Z0-9]{6}-[A-Z0-9]{6}$"),
    IDENTIFIER,
]
GcpService = Literal["compute", "cloud_sql"]
Region = Annotated[
    str | None,
    "Region with underscores, e.g. us_east1. compute is global only, cloud_sql has regions. Only with gcp_service.",
    Pattern(r"^(global|[a-z]+(_[a-z0-9]+)+)$"),
    IDENTIFIER,
]
RowLimit = Annotated[MaxResults, Range(1, 500)]
CudStatus = Literal["active", "expired", "creating", "pending", "cancelled", "not_yet_active"]


class BillingAccountPage(ListPage, total=False):
    """A page of billing accounts."""

    items: Annotated[
        list[JsonObject],
        f"Each with billingAccountId, displayName, currency, onboardingStatus ({BY_SERVICE}), cudExportHealthy, "
        f"commitmentsSyncTime, {STATS}.",
    ]


class BillingAccountDetails(TypedDict, total=False):
    """One billing account."""

    billingAccountId: str
    displayName: str | None
    currency: Annotated[str | None, "Of its bills; the amounts here are US dollars."]
    onboardingStatus: Annotated[list[JsonObject], "service, status (not_started, onboarding, done, error)."]
    cudExportHealthy: Annotated[bool | None, "Whether DoiT receives the export of commitments."]
    commitmentsSyncTime: str | None
    stats30d: list[JsonObject]
    savingsTotals: list[JsonObject]
    monthlyStats: Annotated[list[JsonObject], "By service, the last 6 months: esr, onDemandCost, costWithSavings."]
    dailyCoverage: Annotated[
        list[JsonObject], "By service, the last 30 days: cost on demand and by kind of commitment."
    ]


class ResourceCudPage(ListPage, total=False):
    """A page of resource-based commitments."""

    items: Annotated[
        list[JsonObject],
        "Each with commitmentNumericId, name, state, plan (TWELVE_MONTH), region, startTime, endTime, autoRenew, "
        "reservedResources, and of the last month, for CPU and memory: utilization and coverage (0 to 1), savings.",
    ]


class SpendCudPage(ListPage, total=False):
    """A page of spend-based commitments."""

    items: Annotated[
        list[JsonObject],
        "Each with cudId, cudProductName, state, commitmentAmount (per hour), commitmentUnit, term (P1Y), region "
        "(us-east1 or global), startTime, endTime, lastMonthUtilization (0 to 1), lastMonthSavings.",
    ]


class GcpRecommendations(ListPage, total=False):
    """What to buy, by service and region."""

    items: Annotated[
        list[JsonObject],
        "Each with service, region, policy, currentCommitment and recommendedCommitment (USD per hour), "
        "potentialAdditionalSavings (USD per month), estimatedAverageCoverage (0 to 1).",
    ]


class GcpRecommendation(TypedDict, total=False):
    """What to buy of one service, and the usage behind it."""

    estimatedEquivalentRecommendedCommitment: Annotated[
        float, "Estimate in USD per hour; 0: no recommendation.", UsDollars
    ]
    recommendation: Annotated[JsonObject, "As in list_gcp_recommendations; can be missing."]
    eligibleUsage: EligibleUsage


class GcpPlannedPurchasePage(ListPage, total=False):
    """A page of planned purchases, by service."""

    items: Annotated[
        list[JsonObject],
        "Each with service, billingAccountId, and regions: region, status (valid, expired), purchaseApprovalStatus "
        "(pending_approval, approved, paused), requiresApproval, profile (the policy), term, finalCommitment, "
        "estimatedSavings, and steps: scheduledDate, purchaseAmount, cumulativeCommitment, requiresApproval.",
    ]


class BillingAccountSettingsPage(ListPage, total=False):
    """A page of purchase settings."""

    items: Annotated[
        list[JsonObject],
        "Each with billingAccountId and services: service, region and settings: purchaseMode (autonomous, "
        "requires_approval), policy, term, minimumCommitment (USD per hour and purchase), maximumCommitment (USD per "
        "hour; 0: no limit), lastDayOfMonthForPurchase.",
    ]


class GcpCommitments(Area):
    """Google Cloud commitments: committed use discounts (CUDs), coverage, utilization, what to buy, planned purchases."""

    @get("/ps4commitments/v1/gcp/billing-accounts", items="items")
    async def list_gcp_billing_accounts(
        self, *, pageToken: PageToken = None, maxResults: RowLimit = None
    ) -> Annotated[JsonObject, BillingAccountPage]:
        """List the Google Cloud billing accounts whose commitments DoiT manages (PerfectScale), with their savings.
        Amounts are {amount, currency}. For AWS, use list_aws_organizations."""
        ...

    @get("/ps4commitments/v1/gcp/billing-accounts/{billingAccountId}")
    async def get_gcp_billing_account(
        self, *, billingAccountId: BillingAccount
    ) -> Annotated[JsonObject, BillingAccountDetails]:
        """Show the commitments of one Google Cloud billing account: savings, coverage by day and cost by month."""
        ...

    @get(
        "/ps4commitments/v1/gcp/billing-accounts/{billingAccountId}/resource-based",
        items="items",
        title="List GCP resource CUDs",
    )
    async def list_gcp_resource_cuds(
        self,
        *,
        billingAccountId: BillingAccount,
        status: CudStatus | None = None,
        pageToken: PageToken = None,
        maxResults: RowLimit = None,
    ) -> Annotated[JsonObject, ResourceCudPage]:
        """List a billing account's resource-based committed use discounts (CUDs for CPU and memory): when each expires,
        its utilization and savings."""
        ...

    @get(
        "/ps4commitments/v1/gcp/billing-accounts/{billingAccountId}/spend-based",
        items="items",
        title="List GCP spend CUDs",
    )
    async def list_gcp_spend_cuds(
        self,
        *,
        billingAccountId: BillingAccount,
        status: CudStatus | None = None,
        gcp_service: GcpService | None = None,
        region: Region = None,
        pageToken: PageToken = None,
        maxResults: RowLimit = None,
    ) -> Annotated[JsonObject, SpendCudPage]:
        """List a billing account's spend-based committed use discounts (flexible CUDs, Cloud SQL): when each expires,
        its utilization and savings."""
        ...

    @get("/ps4commitments/v1/gcp/billing-accounts/{billingAccountId}/recommendations", items="items")
    async def list_gcp_recommendations(
        self, *, billingAccountId: BillingAccount, gcp_service: GcpService | None = None, region: Region = None
    ) -> Annotated[JsonObject, GcpRecommendations]:
        """Show which committed use discounts to buy for a Google Cloud billing account, and the savings. For all kinds
        of savings, use get_savings_summary."""
        ...

    @get("/ps4commitments/v1/gcp/billing-accounts/{billingAccountId}/recommendations/{gcp_service}")
    async def get_gcp_recommendation(
        self,
        *,
        billingAccountId: BillingAccount,
        gcp_service: Annotated[GcpService, "Kind of commitment.", IDENTIFIER],
        region: Annotated[
            str | None,
            "Region with underscores, e.g. us_east1. Required for cloud_sql; compute is global.",
            Pattern(r"^(global|[a-z]+(_[a-z0-9]+)+)$"),
            IDENTIFIER,
        ] = None,
        granularity: UsageGranularity = None,
    ) -> Annotated[JsonObject, GcpRecommendation]:
        """Show how much of one committed use discount to buy, and the eligible usage behind it."""
        ...

    @get("/ps4commitments/v1/gcp/billing-accounts/{billingAccountId}/planned-purchases", items="items")
    async def list_gcp_planned_purchases(
        self,
        *,
        billingAccountId: BillingAccount,
        gcp_service: GcpService | None = None,
        region: Region = None,
        pageToken: PageToken = None,
        maxResults: RowLimit = None,
    ) -> Annotated[JsonObject, GcpPlannedPurchasePage]:
        """List the planned purchases of committed use discounts for a billing account, step by step, and what needs
        approval. Approve them in the DoiT console."""
        ...

    @get("/ps4commitments/v1/gcp/settings", items="items")
    async def list_gcp_billing_accounts_settings(
        self, *, pageToken: PageToken = None, maxResults: RowLimit = None
    ) -> Annotated[JsonObject, BillingAccountSettingsPage]:
        """List how commitments are bought for each Google Cloud billing account: autonomously or with approval, policy,
        term and limits. Change them in the DoiT console."""
        ...
