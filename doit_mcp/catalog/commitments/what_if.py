"""What a new commitment would save: a purchase modeled on the usage of the last 60 days."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from ...api.errors import ApiError
from ...api.markers import IDENTIFIER
from ...api.report_config import normalize_provider
from ...protocol.json_schema import Length, Range, short_json
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import percent_as_json
from ..costs.scope import CloudArgument, Scope
from ..costs.statement import cost_statement
from ..partial_results import make_failures_member
from ..periods.period import ReportedPeriod, utc_date
from ..tools.composed import composed_tool
from .aws import AWS
from .discounts import Terms, find_discount
from .figures import USD
from .google import GOOGLE
from .purchase_model import PurchaseTerms, UsageSample, describe_usage, model_purchase
from .what_if_assumptions import describe_assumptions
from .what_if_covered import find_covered, model_usage
from .what_if_evidence import Evidence, read_aws_evidence, read_google_evidence
from .what_if_members import existing_members, planned_members, purchase_members, scope_and_usage
from .what_if_types import CommitmentWhatIf

METRIC = "usage that the commitment can cover, per hour, at on-demand rates"
YEARS = {"one_year": 1, "three_year": 3}
NO_UPFRONT = "no_upfront"
DATABASE_TERMS = ("one_year", NO_UPFRONT)
CLOUD_OF_SERVICE = {"database": AWS, "cloud_sql": GOOGLE}


Payment = Annotated[Literal["no_upfront", "partial_upfront", "all_upfront"], "Google Cloud has no_upfront only."]
Coverage = Annotated[
    float, "Share of the median eligible usage that all commitments together shall cover.", Range(1, 100)
]
CommitmentType = Annotated[
    Literal["compute", "database", "cloud_sql"] | None, "AWS: compute (default), database. GCP: compute, cloud_sql."
]
Region = Annotated[str | None, "For cloud_sql, e.g. us_east1.", Length(1, 100), IDENTIFIER]
Account = Annotated[
    str | None, "AWS management account or Google billing account, if there are several.", Length(1, 100), IDENTIFIER
]
DiscountPercent = Annotated[
    float | None, "Discount from on-demand rates, from the price list; required if DoiT does not know it.", Range(1, 90)
]


@composed_tool(
    area="commitments",
    title="Model a commitment purchase",
    search_hint="What if we buy a Savings Plan or committed use discount for 1 or 3 years: savings, break-even, risk",
    slow=True,
    default_list=False,
)
async def what_if_commitment(
    call: Call,
    *,
    term: Literal["one_year", "three_year"],
    payment: Payment = "no_upfront",
    coveragePercent: Coverage = 80,
    cloud: CloudArgument = None,
    commitmentType: CommitmentType = None,
    region: Region = None,
    account: Account = None,
    discountPercent: DiscountPercent = None,
) -> Annotated[JsonObject, CommitmentWhatIf]:
    """Model the purchase of a Savings Plan (AWS) or spend-based committed use discount (Google Cloud) on the usage of the
    last 60 days: savings per month with low and high, break-even month, hourly commitment, unused share, assumptions.
    Buys nothing. Other clouds are not supported."""
    today = utc_date(call.now)
    provider, kind = _resolve_target(cloud, commitmentType, region)
    _check_terms(provider, kind, term, payment)
    if provider == AWS:
        evidence = await read_aws_evidence(call, kind, account, today)
    else:
        evidence = await read_google_evidence(call, kind, account, region, today)
    wanted: Terms = (term, payment if provider == AWS else None)
    discount = find_discount(discountPercent, wanted, evidence.discounts)
    used = evidence.owned.utilization
    target = Decimal(str(coveragePercent)) / 100
    terms = PurchaseTerms(YEARS[term], payment, discount.share, target, Decimal(1) if used is None else used)
    covered = find_covered(evidence)
    usage = model_usage(evidence, covered)
    purchase = model_purchase(usage.later, terms)
    if purchase is None:
        raise _already_covered_error(coveragePercent, evidence, usage.later)
    period = ReportedPeriod(evidence.usage.period, today)
    statement = cost_statement(period, USD, Scope(), [provider])
    return {
        **statement,
        "basis": {**statement["basis"], "metric": METRIC},
        **scope_and_usage(evidence, usage),
        **purchase_members(purchase, terms, discount, wanted, usage),
        "existing": existing_members(evidence, terms.years, today),
        **planned_members(evidence, terms, purchase, usage),
        "assumptions": describe_assumptions(evidence, covered, terms, discount, purchase, today),
        **make_failures_member(evidence.failures),
    }


def _resolve_target(cloud: str | None, service: str | None, region: str | None) -> tuple[str, str]:
    """Return the cloud and the service to commit for. Raise ApiError for a combination that is not sold."""
    usual = CLOUD_OF_SERVICE.get(service or "", AWS)
    provider, kind = usual if cloud is None else normalize_provider(cloud), service or "compute"
    if provider not in (AWS, GOOGLE):
        raise ApiError(
            f"cloud: {short_json(cloud)} is not supported. what_if_commitment works for aws and gcp: for other clouds, the "
            "DoiT API has no usage that commitments can cover",
            kind="argument",
        )
    if kind in CLOUD_OF_SERVICE and CLOUD_OF_SERVICE[kind] != provider:
        choices = "compute and database" if provider == AWS else "compute and cloud_sql"
        raise ApiError(f"commitmentType: {kind} is not sold by this cloud, which has {choices}", kind="argument")
    if region is not None and kind != "cloud_sql":
        raise ApiError("region: only commitments for cloud_sql have a region; leave it out", kind="argument")
    return provider, kind


def _check_terms(provider: str, service: str, term: str, payment: str) -> None:
    """Raise ApiError for terms that are not sold."""
    if provider == GOOGLE and payment != NO_UPFRONT:
        raise ApiError("payment: Google Cloud commitments are paid monthly, so it must be no_upfront", kind="argument")
    if service == "database" and (term, payment) != DATABASE_TERMS:
        raise ApiError(
            "term: AWS sells Database Savings Plans for 1 year without upfront payment only; use term one_year and payment "
            "no_upfront",
            kind="argument",
        )


def _already_covered_error(target: float, evidence: Evidence, samples: list[UsageSample]) -> ApiError:
    usage = describe_usage(samples)
    share = percent_as_json(usage.covered / usage.eligible) if usage.eligible else 0.0
    return ApiError(
        f"coveragePercent: commitments that are active or bought cover {share:g} % of the median usage of {evidence.scope.service} already "
        f"({percent_as_json(usage.coverage):g} % of all usage of the period), so nothing has to be bought for {target:g} %; "
        "ask for more",
        kind="argument",
    )
