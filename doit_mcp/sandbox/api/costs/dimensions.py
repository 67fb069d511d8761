"""Dimensions for grouping and filtering costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..responses import JsonObject, bad_request
from .ledger import ColumnSource

TYPES = (
    "datetime",
    "fixed",
    "optional",
    "label",
    "tag",
    "project_label",
    "system_label",
    "attribution",
    "attribution_group",
    "allocation",
    "allocation_rule",
    "gke",
    "gke_label",
)
RULE, GROUP = "attribution", "attribution_group"
# Request types and their names in responses.
RESPONSE_TYPES = {"allocation_rule": RULE, "allocation": GROUP}


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension: its *column* of the ledger's *table* (series or days)."""

    type: str
    id: str
    label: str
    column: ColumnSource
    table: str = "series"


CustomDimensions = Mapping[tuple[str, str], Dimension]
"""Dimensions defined by a customer's allocations, by type and id."""

NO_CUSTOM_DIMENSIONS: CustomDimensions = {}


DIMENSIONS = (
    Dimension("datetime", "year", "Year", "year", "days"),
    Dimension("datetime", "quarter", "Quarter", "quarter", "days"),
    Dimension("datetime", "month", "Month", "month", "days"),
    Dimension("datetime", "week", "Week", "week", "days"),
    Dimension("datetime", "isoweek", "ISO week", "isoweek", "days"),
    Dimension("datetime", "day", "Day", "day_of_month", "days"),
    Dimension("datetime", "week_day", "Weekday", "week_day", "days"),
    Dimension("fixed", "cloud_provider", "Cloud", "cloud_provider"),
    Dimension("fixed", "billing_account_id", "Billing account", "billing_account_id"),
    Dimension("fixed", "project_id", "Project/Account ID", "project_id"),
    Dimension("fixed", "project_name", "Project/Account name", "project_name"),
    Dimension("fixed", "service_id", "Service ID", "service_id"),
    Dimension("fixed", "service_description", "Service", "service_description"),
    Dimension("fixed", "sku_id", "SKU ID", "sku_id"),
    Dimension("fixed", "sku_description", "SKU", "sku_description"),
    Dimension("fixed", "pricing_unit", "Unit", "pricing_unit"),
    Dimension("fixed", "region", "Region", "region"),
    Dimension("fixed", "cost_type", "Cost type", "cost_type"),
    Dimension("fixed", "credit", "Credit", "credit"),
    Dimension("label", "team", "team", "label_team"),
    Dimension("label", "env", "env", "label_env"),
    Dimension("tag", "cost-center", "cost-center", "tag_cost_center"),
    # Keys of cost allocation in the billing exports of the clouds.
    Dimension("tag", "aws:eks:cluster-name", "aws:eks:cluster-name", "eks_cluster"),
    Dimension("tag", "aws:eks:namespace", "aws:eks:namespace", "eks_namespace"),
    Dimension("gke", "goog-k8s-cluster-name", "GKE cluster", "gke_cluster"),
    Dimension("gke", "k8s-namespace", "GKE namespace", "gke_namespace"),
)


def find_dimension(
    type_: str, identifier: str, where: str, custom: CustomDimensions = NO_CUSTOM_DIMENSIONS
) -> Dimension:
    """The dimension with this type and id; 400 naming *where* if it does not exist."""
    type_, identifier = _response_names(type_, identifier)
    if (type_, identifier) in custom:
        return custom[type_, identifier]
    for found in DIMENSIONS:
        if (found.type, found.id) == (type_, identifier):
            return found
    raise bad_request(f"{where}: no dimension {identifier[:80]!r} of type {type_[:40]}", field=where)


def make_response_form(item: JsonObject) -> JsonObject:
    """A filter or group in responses, with its type and the id of rules."""
    type_, identifier = _response_names(item["type"], item["id"])
    return {**item, "type": type_, "id": identifier}


def _response_names(type_: str, identifier: str) -> tuple[str, str]:
    type_ = RESPONSE_TYPES.get(type_, type_)
    return type_, RULE if type_ == RULE and identifier in (RULE, "allocation_rule") else identifier
