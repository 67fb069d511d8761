"""PerfectScale for Commitments: the policies that purchases for AWS and Google Cloud follow."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject, Pattern, Range
from ..common_types import ListPage
from ..markers import IDENTIFIER
from ..operation import Area, get
from ..parameters import MaxResults, PageToken
from ..value_kinds import Moment, Percent

PolicyId = Annotated[
    str,
    "Policy id, from list_commitment_policies: conservative, balanced, max_savings, or one that the customer defined.",
    Pattern(r"^[A-Za-z0-9_-]{1,64}$"),
    IDENTIFIER,
]


class Policy(TypedDict, total=False):
    """How much to buy, and in which steps."""

    id: str
    name: str
    isBuiltIn: Annotated[bool, "false: the customer defined it."]
    targetCoverage: Annotated[float, "Share of eligible usage to cover, 1 to 100.", Percent]
    lookbackDays: Annotated[int, "Days of usage that it looks at."]
    ladderStepPercent: Annotated[float, "Size of each step, 1 to 100.", Percent]
    ladderIntervalDays: Annotated[int, "Days between steps."]
    bootstrapPercent: Annotated[float, "Size of the first purchase, 1 to 100.", Percent]


class PolicyPage(ListPage, total=False):
    """A page of policies; built-in ones first."""

    items: Annotated[
        list[JsonObject],
        "Each with id, name, isBuiltIn, and in percent: targetCoverage, ladderStepPercent, bootstrapPercent; "
        "lookbackDays, ladderIntervalDays.",
    ]


class PolicyDetails(Policy, total=False):
    """One policy, and where it applies."""

    createdTime: Annotated[str | None, "null: built-in.", Moment]
    updatedTime: Annotated[str | None, Moment]
    assignments: Annotated[
        list[JsonObject],
        "Where it was chosen: cloud (aws, gcp), accountId, service, region (null unless cloud_sql). Accounts without a "
        "choice follow balanced, and are not listed.",
    ]


class CommitmentPolicies(Area):
    """Commitment policies: how much AWS and Google Cloud commitment PerfectScale buys, and in which steps."""

    @get("/ps4commitments/v1/general/policies", items="items")
    async def list_commitment_policies(
        self, *, pageToken: PageToken = None, maxResults: Annotated[MaxResults, Range(1, 500)] = None
    ) -> Annotated[JsonObject, PolicyPage]:
        """List the policies by which DoiT buys AWS and Google Cloud commitments: built-in ones and the customer's own.
        Coverage is in percent here, and from 0 to 1 elsewhere. For the chosen ones, use
        list_aws_organizations_settings and list_gcp_billing_accounts_settings."""
        ...

    @get("/ps4commitments/v1/general/policies/{policyId}")
    async def get_commitment_policy(self, *, policyId: PolicyId) -> Annotated[JsonObject, PolicyDetails]:
        """Show one commitment policy, and the accounts for which it was chosen."""
        ...
