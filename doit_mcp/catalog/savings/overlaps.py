"""Overlaps: recommendations and commitment purchases that would save the same money."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from ...api.report_config import normalize_provider
from ...protocol.jsonrpc import JsonObject
from ..commitments.aws import AWS, RecommendedPurchase
from .recommendations import summarize_recommendation

NOT_A_LETTER = re.compile(r"[^a-z]+")
SHRINKING_WORDS = ("rightsiz", "downsiz", "idle", "underutiliz", "underus", "overprovision", "terminat", "shutdown")
"""Parts of the words by which a recommendation says that it makes instances smaller or removes them."""
SERVICE_WORDS = {
    "database": ("rds", "relational database", "aurora", "elasticache", "dynamodb", "documentdb", "neptune"),
    "compute": ("ec2", "elastic compute cloud", "instance", "lambda", "fargate"),
}
"""Words that name the usage that a type of Savings Plans covers. Databases first: they run on instances too."""
WHY = "both count the same {service} cost: after one, the other saves less"


def find_overlaps(
    recommendations: Iterable[JsonObject], purchases: Iterable[RecommendedPurchase], shown: Container[str]
) -> list[JsonObject]:
    """Return the groups of ids whose savings overlap, and why. Overlapping savings must not be added up.

    Only ids that are *shown* count: a list of all pairs would be far longer than the lists of what they save.
    """
    shrinking: dict[str, list[str]] = {}
    for row in recommendations:
        identifier = f"recommendation:{row.get('source') or ''}/{row.get('key') or ''}"
        if identifier in shown and (service := _shrinking_service(row)) is not None:
            shrinking.setdefault(service, []).append(identifier)
    return [
        {"ids": [purchase.id, *shrinking[purchase.service]], "why": WHY.format(service=purchase.service)}
        for purchase in purchases
        # Recommendations that shrink instances are recognized on AWS only.
        if purchase.cloud == AWS and purchase.id in shown and purchase.service in shrinking
    ]


def _shrinking_service(row: JsonObject) -> str | None:
    """Return the type of Savings Plans that cover the usage that a recommendation shrinks; None if it shrinks none."""
    summary = summarize_recommendation(row)
    tags = " ".join(map(str, summary["tags"])) if isinstance(summary["tags"], list) else ""
    title = f"{summary['key']} {summary['title']} {tags}".casefold()
    letters = NOT_A_LETTER.sub("", title)
    if (
        normalize_provider(str(summary["provider"])) != AWS
        or summary["potentialDailySavings"] <= 0
        or not any(word in letters for word in SHRINKING_WORDS)
    ):
        return None
    return _covered_service(f"{title} {summary['shortDescription']}".casefold())


def _covered_service(text: str) -> str | None:
    words = set(re.findall(r"[a-z0-9]+", text))
    for service, names in SERVICE_WORDS.items():
        if any(name in words or name + "s" in words or (" " in name and name in text) for name in names):
            return service
    return None
