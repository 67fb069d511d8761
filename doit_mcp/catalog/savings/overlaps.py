"""Overlaps: recommendations and commitment purchases that would save the same money."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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


def find_overlaps(recommendations: Sequence[JsonObject], purchases: Sequence[RecommendedPurchase]) -> list[JsonObject]:
    """Return the groups of ids whose savings partly are the same money, and why. They must not be added up."""
    found = []
    for purchase in purchases:
        ids = [
            f"recommendation:{row.get('source') or ''}/{row.get('key') or ''}"
            for row in _shrinking(recommendations, purchase.service)
        ]
        if ids:
            found.append({"ids": [purchase.id, *ids], "why": WHY.format(service=purchase.service)})
    return found


def _shrinking(recommendations: Sequence[JsonObject], service: str) -> Iterator[JsonObject]:
    """Yield the recommendations that shrink the usage that Savings Plans of a type cover."""
    for row in recommendations:
        summary = summarize_recommendation(row)
        tags = " ".join(map(str, summary["tags"])) if isinstance(summary["tags"], list) else ""
        title = f"{summary['key']} {summary['title']} {tags}".casefold()
        letters = NOT_A_LETTER.sub("", title)
        if (
            normalize_provider(str(summary["provider"])) == AWS
            and summary["potentialDailySavings"] > 0
            and any(word in letters for word in SHRINKING_WORDS)
            and _covered_service(f"{title} {summary['shortDescription']}".casefold()) == service
        ):
            yield row


def _covered_service(text: str) -> str | None:
    words = set(re.findall(r"[a-z0-9]+", text))
    for service, names in SERVICE_WORDS.items():
        if any(name in words or name + "s" in words or (" " in name and name in text) for name in names):
            return service
    return None
