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
from ..costs.amounts import ZERO, amount_as_json, percent_as_json
from ..costs.scope import CloudArgument, Scope
from ..costs.statement import cost_statement
from ..partial_results import failed_members
from ..periods.period import ReportedPeriod, months_back, utc_date
from ..tools.composed import composed_tool
from .aws import AWS, PER_MONTH
from .discounts import Discount, Terms, find_discount
from .eligible_usage import UsageReading
from .figures import USD
from .google import GOOGLE
from .purchase_model import (
    MONTHS_PER_YEAR,
    Purchase,
    PurchaseTerms,
    UsageSample,
    describe_usage,
    edge_count,
    model_purchase,
)
from .what_if_evidence import Evidence, current_commitment, read_aws_evidence, read_google_evidence
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
    samples = evidence.usage.samples(current_commitment(evidence), discount.share)
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
        "assumptions": _assumptions(evidence, terms, discount),
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
    share = percent_as_json((usage.eligible - usage.on_demand) / usage.eligible) if usage.eligible else 0.0
    return ApiError(
        f"coveragePercent: existing commitments cover about {share:g} % of the median usage of {evidence.scope.service} "
        f"already, so nothing has to be bought for {target:g} %; ask for more",
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
        },
        "breakEvenMonth": purchase.break_even_month,
        "paybackMonth": purchase.payback_month,
    }


def _existing(evidence: Evidence, years: int, today: date) -> JsonObject:
    """Return the active commitments of the same kind, and which of them end within the term."""
    # Month arithmetic, because 29 February has no day in most years.
    last = months_back(today, -MONTHS_PER_YEAR * years)
    ending = sorted((item.ends, item.id, item) for item in evidence.owned if item.ends is not None and item.ends < last)
    return {
        "perHour": amount_as_json(current_commitment(evidence), USD),
        "count": len(evidence.owned),
        "endWithinTerm": [
            {
                "id": item.id,
                "title": item.title,
                "ends": ends.isoformat(),
                "perHour": amount_as_json(item.hourly_cost or ZERO, USD),
            }
            for ends, _, item in ending[:MAX_LISTED_COMMITMENTS]
        ],
    }


def _assumptions(evidence: Evidence, terms: PurchaseTerms, discount: Discount) -> list[str]:
    """Return what the figures take for granted, as sentences."""
    usage, edge = evidence.usage, edge_count(evidence.usage.eligible)
    spread = f"{edge} {usage.unit}s" if edge > 1 else usage.unit
    found = [
        f"Usage stays as in the {len(usage.eligible)} {usage.unit}s of the period, for the whole term: no growth, no "
        "change of prices.",
        f"All usage that the commitment covers costs {float(100 * discount.share):g} % less than on demand.",
        f"expected is the mean of all {usage.unit}s; low and high are the mean of the {spread} with the least and the most "
        "usage that no commitment covers.",
        f"Amounts per month are {PER_MONTH}; the term has {MONTHS_PER_YEAR * terms.years} of them.",
        _existing_assumption(usage),
        _unit_assumption(usage),
    ]
    if terms.payment == "partial_upfront":
        found.append("Half of the commitment is paid upfront.")
    if evidence.scope.cloud == GOOGLE and evidence.scope.service == "compute":
        found.append(
            "The commitment is a spend-based (flexible) one; usage that resource-based ones cover is left out."
        )
    return found


def _existing_assumption(usage: UsageReading) -> str:
    how = "as the bill shows" if usage.on_demand is not None else "before the new one, at the same discount"
    return f"Existing commitments keep covering usage, {how}, and are renewed when they end."


def _unit_assumption(usage: UsageReading) -> str:
    within = "a day" if usage.unit == "day" else "a week"
    return f"Usage is even within {within}; commitments apply by the hour, so hours below that leave more unused."
