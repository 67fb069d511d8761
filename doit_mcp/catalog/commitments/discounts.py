"""The discount of a commitment: from the caller, from the bill, or implied by DoiT's recommendation; never guessed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ONE_TENTH, ZERO
from ..partial_results import FailedPart
from .aws import HOURS_PER_MONTH, TERM_NAMES, parse_decimal

PAYMENT_NAMES = {"no_upfront": "no upfront", "partial_upfront": "partial upfront", "all_upfront": "all upfront"}
Terms = tuple[str, str | None]
"""A term and a payment option as the API names them; no payment option for Google Cloud."""


class Discount(NamedTuple):
    """A discount from on-demand rates: a *share* from 0 to 1, in tenths of a percent, and its *source*, a phrase."""

    share: Decimal
    source: str


class DiscountEvidence(NamedTuple):
    """What is known about discounts: *seen* on the bill for active commitments with the *owned* terms, and *advice* (a
    recommendation of the API) for the *advised* terms; None if unknown. *unread* are failed parts."""

    seen: Decimal | None = None
    owned: Collection[Terms] = ()
    advice: Mapping[str, Any] | None = None
    advised: Terms | None = None
    unread: Collection[FailedPart] = ()


def find_discount(given: float | None, wanted: Terms, evidence: DiscountEvidence) -> Discount:
    """Return the discount of a commitment with the *wanted* terms. Raise ApiError if it is not known.

    The bill shows one discount for all active commitments together, so it counts only if all of them have these terms.
    """
    if given is not None:
        return Discount(Decimal(str(given)) / 100, "given as discountPercent")
    if (known := find_known_discount(wanted, evidence)) is not None:
        return known
    raise ApiError(
        f"discountPercent: required, because the discount of a commitment for {describe_terms(wanted)} is not known. {_describe_unread_parts(evidence)}"
        f"{_describe_known_terms(evidence)}Pass the discount from on-demand rates that the cloud's price list has for these terms. If you do "
        "not have it, ask the user; do not estimate it",
        kind="argument",
    )


def find_known_discount(terms: Terms, evidence: DiscountEvidence) -> Discount | None:
    """Return the discount for *terms* that the bill or a recommendation shows, from 0 to 1; None without one."""
    name = describe_terms(terms)
    if evidence.seen is not None and evidence.seen > 0 and set(evidence.owned) == {terms}:
        return Discount(_to_tenth(evidence.seen), f"seen on the bill: all active commitments of this kind are {name}")
    implied = derive_discount(evidence.advice) if evidence.advised == terms else None
    if implied is None:
        return None
    source = f"implied by DoiT's recommendation, which is for {name}: its savings per month and its commitment"
    return Discount(_to_tenth(implied), source)


def derive_discount(advice: Mapping[str, Any] | None) -> Decimal | None:
    """Return the discount that a recommendation implies; None if it recommends no further commitment.

    Its savings are the on-demand cost that it replaces minus the commitment, which it expects to be fully used.
    """
    if advice is None:
        return None
    current, recommended, savings = (
        parse_decimal(advice.get(name)) or ZERO
        for name in ("currentCommitment", "recommendedCommitment", "potentialAdditionalSavings")
    )
    commitment = (recommended - current) * HOURS_PER_MONTH
    return savings / (savings + commitment) if savings > 0 and commitment > 0 else None


def read_advised_terms(settings: JsonObject) -> Terms:
    """Return the terms of recommendations under purchase *settings* of the API."""
    payment = settings.get("paymentOption")
    return str(settings.get("term") or ""), None if payment is None else str(payment)


def describe_terms(terms: Terms) -> str:
    """Return terms as text, such as "3 years, no upfront"."""
    term, payment = terms
    return ", ".join([TERM_NAMES.get(term, term), *([PAYMENT_NAMES.get(payment, payment)] if payment else [])])


def _describe_known_terms(evidence: DiscountEvidence) -> str:
    """Return a sentence about the terms for which a discount is known."""
    known = [describe_terms(evidence.advised)] if evidence.advised and derive_discount(evidence.advice) else []
    if evidence.seen is not None and len(set(evidence.owned)) == 1:
        known += [text for terms in evidence.owned if (text := describe_terms(terms)) not in known][:1]
    return f"It is known for {' and '.join(known)}. " if known else ""


def _describe_unread_parts(evidence: DiscountEvidence) -> str:
    """Return a sentence about why a discount may be unknown although it exists."""
    parts = "; ".join(f"{part['part']}: {part['why']}" for part in evidence.unread)
    return f"Not read: {parts}. " if parts else ""


def _to_tenth(share: Decimal) -> Decimal:
    return (100 * share).quantize(ONE_TENTH) / 100
