"""What a new commitment would save: a purchase modeled on the usage of the last 60 days."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from ...api.errors import ApiError
from ...api.markers import IDENTIFIER
from ...api.report_config import normalize_provider
from ...protocol.json_schema import Length, Range, short_json
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import amount_as_json, percent_as_json
from ..costs.scope import CloudArgument, Scope
from ..costs.statement import cost_statement
from ..partial_results import failed_members
from ..periods.period import ReportedPeriod, utc_date
from ..tools.composed import composed_tool
from .aws import AWS, OwnedCommitment
from .discounts import Discount, Terms, find_discount
from .figures import USD
from .google import GOOGLE
from .purchase_model import (
    Purchase,
    PurchaseTerms,
    UsageSample,
    describe_usage,
    model_purchase,
)
from .what_if_assumptions import COVERAGE_BASIS, describe_assumptions, ending
from .what_if_evidence import Evidence, read_aws_evidence, read_google_evidence
from .what_if_types import CommitmentWhatIf

METRIC = "usage that the commitment can cover, per hour, at on-demand rates"
YEARS = {"one_year": 1, "three_year": 3}
NO_UPFRONT = "no_upfront"
DATABASE_TERMS = ("one_year", NO_UPFRONT)
MAX_LISTED_COMMITMENTS = 20
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
    provider, kind = _target(cloud, commitmentType, region)
    _check_terms(provider, kind, term, payment)
    if provider == AWS:
        evidence = await read_aws_evidence(call, kind, account, today)
    else:
        evidence = await read_google_evidence(call, kind, account, region, today)
    wanted: Terms = (term, payment if provider == AWS else None)
    discount = find_discount(discountPercent, wanted, evidence.discounts)
    terms = PurchaseTerms(YEARS[term], payment, discount.share, Decimal(str(coveragePercent)) / 100)
    samples = evidence.usage.samples(evidence.owned.hourly, evidence.owned.added_hourly, discount.share)
    purchase = model_purchase(samples, terms)
    if purchase is None:
        raise _reached(coveragePercent, evidence, samples)
    period = ReportedPeriod(evidence.usage.period, today)
    statement = cost_statement(period, USD, Scope(), [provider])
    return {
        **statement,
        "basis": {**statement["basis"], "metric": METRIC},
        **_scope_and_usage(evidence, samples),
        **_purchase_members(purchase, wanted, terms, discount),
        "existing": _existing(evidence, terms.years, today),
        "assumptions": describe_assumptions(evidence, terms, discount, purchase, today),
        **failed_members(evidence.failures),
    }


def _target(cloud: str | None, service: str | None, region: str | None) -> tuple[str, str]:
    """Return the cloud and the service to commit for. Raise ApiError for what they do not offer."""
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


def _reached(target: float, evidence: Evidence, samples: list[UsageSample]) -> ApiError:
    usage = describe_usage(samples)
    share = percent_as_json(usage.covered / usage.eligible) if usage.eligible else 0.0
    return ApiError(
        f"coveragePercent: existing commitments cover {share:g} % of the median usage of {evidence.scope.service} already "
        f"({percent_as_json(usage.coverage):g} % of all usage of the period), so nothing has to be bought for {target:g} %; "
        "ask for more",
        kind="argument",
    )


def _scope_and_usage(evidence: Evidence, samples: list[UsageSample]) -> JsonObject:
    scope, usage = evidence.scope, describe_usage(samples)
    levels = {
        "eligibleMedian": usage.eligible,
        "onDemandMedian": usage.on_demand,
        "onDemandLow": usage.on_demand_low,
        "onDemandHigh": usage.on_demand_high,
    }
    return {
        "scope": {
            "cloud": scope.cloud,
            "service": scope.service,
            **({"region": scope.region} if scope.region else {}),
            "account": scope.account,
            "accountName": scope.name or None,
        },
        "usage": {
            **{name: amount_as_json(amount, USD) for name, amount in levels.items()},
            "samples": len(samples),
            "unit": evidence.usage.unit,
            "source": evidence.usage.source,
        },
    }


def _purchase_members(purchase: Purchase, wanted: Terms, terms: PurchaseTerms, discount: Discount) -> JsonObject:
    estimates = {"expected": purchase.expected, "low": purchase.low, "high": purchase.high}
    amounts = {
        "commitmentPerHour": purchase.hourly,
        "coversPerHour": purchase.covers,
        "upfront": purchase.upfront,
        "perMonth": purchase.monthly_payment,
        "total": purchase.total,
    }
    return {
        "purchase": {
            "term": wanted[0],
            "payment": wanted[1],
            "discountPercent": float(100 * discount.share),
            "discountSource": discount.source,
            **{name: amount_as_json(amount, USD) for name, amount in amounts.items()},
        },
        "savingsPerMonth": {name: amount_as_json(item.savings, USD) for name, item in estimates.items()},
        "unusedPercent": {name: percent_as_json(item.unused) for name, item in estimates.items()},
        "coveragePercent": {
            "target": float(100 * terms.target),
            "before": percent_as_json(purchase.coverage_before),
            "after": percent_as_json(purchase.coverage_after),
            "basis": COVERAGE_BASIS,
        },
        "breakEvenMonth": purchase.break_even_month,
        "breakEvenMonthLow": purchase.break_even_low,
        **({"paybackMonth": purchase.payback_month} if purchase.upfront else {}),
    }


def _existing(evidence: Evidence, years: int, today: date) -> JsonObject:
    """Return the commitments that exist or are bought, and which of them end within the term."""
    owned = evidence.owned
    ends = ending([*owned.active, *owned.other], years, today)
    return {
        "perHour": amount_as_json(owned.hourly, USD),
        "count": len(owned.active),
        "otherKinds": len(owned.other),
        "endWithinTerm": [
            {**_describe(item), "ends": last.isoformat()} for last, item in ends[:MAX_LISTED_COMMITMENTS]
        ],
        "notStarted": [
            {
                **_describe(item.commitment),
                "starts": item.starts and item.starts.isoformat(),
                "isRenewal": item.is_renewal,
            }
            for item in owned.later[:MAX_LISTED_COMMITMENTS]
        ],
    }


def _describe(item: OwnedCommitment) -> JsonObject:
    hourly = None if item.hourly_cost is None else amount_as_json(item.hourly_cost, USD)
    return {"id": item.id, "title": item.title, "perHour": hourly}
