"""Overlaps: recommendations and commitment purchases that would save the same money."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType

from ...api.report_config import normalize_provider
from ...protocol.jsonrpc import JsonObject
from ..commitments.aws import AWS, RecommendedPurchase
from ..commitments.google import GOOGLE
from .recommendations import summarize_recommendation
from .rows import SERVICE_NAMES

NOT_A_LETTER = re.compile(r"[^a-z]+")
WORD = re.compile(r"[a-z0-9]+")
SHRINKING_WORDS = ("rightsiz", "downsiz", "idle", "underutiliz", "underus", "overprovision", "terminat", "shutdown")
"""Parts of words in recommendations that make instances smaller or remove them."""
SERVICE_WORDS: Mapping[str, Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        AWS: {
            "database": ("rds", "relational database", "aurora", "elasticache", "dynamodb", "documentdb", "neptune"),
            "compute": ("ec2", "elastic compute cloud", "instance", "lambda", "fargate"),
        },
        # Without "instance": Memorystore, Spanner and Bigtable have instances too.
        GOOGLE: {
            "cloud_sql": ("cloud sql", "cloudsql"),
            "compute": ("compute engine", "gce", "vm", "virtual machine", "gke", "kubernetes engine", "cloud run"),
        },
    }
)
"""Words that name the usage that a type of commitments covers, by cloud. Databases first: they run on instances too."""
UNCOVERED_WORDS = frozenset(
    "address addresses balancer balancers disk disks image images ip ips nat snapshot snapshots volume volumes".split()
)
"""Words in titles about resources that no commitment covers, even if the description names their instance."""
WHY = "both count the same {service} cost: after you apply one, the other saves less"


def find_overlaps(
    recommendations: Iterable[JsonObject], purchases: Iterable[RecommendedPurchase], shown: Container[str]
) -> list[JsonObject]:
    """Return the groups of ids whose savings overlap, and why. Overlapping savings must not be added up.

    Only ids that are *shown* count: a list of all pairs would be far longer than the lists of savings.
    """
    shrinking: dict[tuple[str, str], list[str]] = {}
    for row in recommendations:
        identifier = f"recommendation:{row.get('source') or ''}/{row.get('key') or ''}"
        if identifier in shown and (usage := _find_shrinking_usage(row)) is not None:
            shrinking.setdefault(usage, []).append(identifier)
    return [
        {
            "ids": [purchase.id, *shrinking[purchase.cloud, purchase.service]],
            "why": WHY.format(service=SERVICE_NAMES.get(purchase.service, purchase.service)),
        }
        for purchase in purchases
        if purchase.id in shown and (purchase.cloud, purchase.service) in shrinking
    ]


def _find_shrinking_usage(row: JsonObject) -> tuple[str, str] | None:
    """Return the cloud, and the type of commitments that cover the usage that a recommendation shrinks.

    None if it does not shrink any usage.
    """
    summary = summarize_recommendation(row)
    tags = " ".join(map(str, summary["tags"])) if isinstance(summary["tags"], list) else ""
    title = f"{summary['key']} {summary['title']} {tags}".casefold()
    letters = NOT_A_LETTER.sub("", title)
    cloud = normalize_provider(str(summary["provider"]))
    if (
        cloud not in SERVICE_WORDS
        or summary["potentialDailySavings"] <= 0
        or not any(word in letters for word in SHRINKING_WORDS)
    ):
        return None
    service = _find_covered_service(cloud, title)
    if service is None and UNCOVERED_WORDS.isdisjoint(WORD.findall(title)):
        service = _find_covered_service(cloud, str(summary["shortDescription"]).casefold())
    return None if service is None else (cloud, service)


def _find_covered_service(cloud: str, text: str) -> str | None:
    words = set(WORD.findall(text))
    for service, names in SERVICE_WORDS[cloud].items():
        if any(name in words or name + "s" in words or (" " in name and name in text) for name in names):
            return service
    return None
