"""What users ask for in words that no operation has in its name: which operations answer it, and how."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple


class Topic(NamedTuple):
    """Operations that answer questions with some *words*, and a *hint* on how."""

    words: tuple[str, ...]
    operations: tuple[str, ...]
    hint: str


TOPICS = (
    Topic(
        ("kubernetes", "k8s", "cluster", "namespace", "pod", "container", "gke", "eks", "aks"),
        ("run_query", "list_dimensions", "get_dimension"),
        "run_query groups costs by Kubernetes clusters and namespaces: dimensions of type gke and gke_label, or tags such"
        " as aws:eks:namespace. list_dimensions names those in the data.",
    ),
    Topic(
        ("gpu", "accelerator"),
        ("cost_breakdown", "run_query"),
        'cost_breakdown with groupBy sku shows what accelerators cost; in run_query, filter sku_description by "GPU".',
    ),
    Topic(
        ("marketplace",),
        ("get_commitment", "list_commitments"),
        "Commitments state marketplace spend and its limit. For its cost by product, group run_query by service.",
    ),
)


AREA_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "account_team": "contact representative manager",
        "alerts": "notify notification warn warning email threshold exceed over",
        "allocations": "rule split chargeback showback team department owner divide",
        "annotations": "note remark event chart",
        "anomalies": "spike unusual unexpected jump",
        "assets": "license seat subscription",
        "aws_commitments": "reservation",
        "budgets": "limit used overspend spend cap",
        "cloud_connect": "connect link onboard",
        "cloud_diagrams": "architecture topology network map",
        "cloud_incidents": "outage disruption down status",
        "cloudflow": "workflow automation automate",
        "cloudflow_connections": "credential integration",
        "commitment_policies": "automatic rule govern strategy",
        "contracts": "agreement",
        "customers": "company organization domain",
        "customer_groups": "partner reseller",
        "datahub": "custom external saas own dataset",
        "gcp_commitments": "google cud discount reservation purchase buy",
        "geographic_access": "country region see restrict",
        "insights": "waste idle unused optimize",
        "invoices": "bill payment owe",
        "labels": "tag",
        "reports": "chart graph query dashboard",
        "roles": "permission right access",
        "service_accounts": "machine bot robot api key token credential",
        "service_quotas": "limit",
        "settings": "color palette branding",
        "sharing": "share access permission collaborator colleague see",
        "signup": "register",
        "tickets": "case request help support",
        "widgets": "dashboard tile number figure",
        "users": "colleague teammate person member access",
    }
)
"""Words that users choose for what an area is about, and that its tools do not have in their names."""


def topic_words(operation: str) -> str:
    """Return the words of the topics that an operation answers."""
    return " ".join(word for topic in TOPICS if operation in topic.operations for word in topic.words)


def topic_hints(words: Collection[str], operations: Collection[str]) -> list[str]:
    """Return the hints of the topics that any of *words* belongs to, as far as their *operations* are offered."""
    return [
        topic.hint
        for topic in TOPICS
        if not set(words).isdisjoint(topic.words) and not set(operations).isdisjoint(topic.operations)
    ]
