"""Cloud Analytics objects of all kinds: collections, labels, folders and roles.

Areas use this module to read each other's records without importing each other.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..accounts import User
from .costs.allocations import allocation_dimensions
from .costs.dimensions import CustomDimensions
from .responses import ApiError, JsonObject, bad_request
from .seeds import analytics, analytics_core
from .tenants import ApiRequest, Records, Seed, Tenant, get_existing

ROOT = "root"
# Object types of label assignments, with their collections.
OBJECT_KINDS: dict[str, tuple[str, Seed]] = {
    "alert": ("alerts", analytics.seed_alerts),
    "allocation": ("allocations", analytics.seed_allocations),
    "annotation": ("annotations", analytics.seed_annotations),
    "budget": ("budgets", analytics_core.seed_budgets),
    "folder": ("folders", analytics.seed_folders),
    "label": ("labels", analytics.seed_labels),
    "report": ("reports", analytics_core.seed_reports),
}


ROLES = ("", "viewer", "editor", "owner")  # each includes the ones before


def list_records(tenant: Tenant, kind: str) -> Records:
    """The records of a kind (one of OBJECT_KINDS)."""
    return tenant.collection(*OBJECT_KINDS[kind])


def custom_dimensions(tenant: Tenant) -> CustomDimensions:
    """The dimensions defined by the tenant's allocations."""
    return allocation_dimensions(list_records(tenant, "allocation"), tenant.ledger)


def list_labels(tenant: Tenant, kind: str, identifier: str) -> list[JsonObject]:
    """The labels of an object: LabelInfo {id, name}."""
    assignment = {"objectId": identifier, "objectType": kind}
    labels = list_records(tenant, "label").values()
    return [{"id": label["id"], "name": label["name"]} for label in labels if assignment in label["objects"]]


def check_labels(tenant: Tenant, identifiers: Iterable[str]) -> None:
    """Raise 400 for an unknown label."""
    for identifier in identifiers:
        if identifier not in list_records(tenant, "label"):
            raise bad_request(f"labels: no label {identifier[:80]!r}", field="labels")


def set_labels(tenant: Tenant, kind: str, identifier: str, label_ids: Iterable[str]) -> None:
    """Replace the labels of an object; an empty list removes them all."""
    new_labels = set(label_ids)
    assignment = {"objectId": identifier, "objectType": kind}
    for label in list_records(tenant, "label").values():
        label["objects"] = [item for item in label["objects"] if item != assignment]
        if label["id"] in new_labels:
            label["objects"].append(assignment)


def remove_object(tenant: Tenant, kind: str, identifier: str) -> JsonObject:
    """Delete an object and its label assignments; 404 if it does not exist."""
    record = get_existing(list_records(tenant, kind), identifier, kind)
    set_labels(tenant, kind, identifier, ())
    del list_records(tenant, kind)[identifier]
    return record


def check_folder(tenant: Tenant, identifier: str, field: str = "folderId") -> str:
    """The id of an existing folder ("" is the root); 400 if it does not exist."""
    if identifier and identifier != ROOT and identifier not in list_records(tenant, "folder"):
        raise bad_request(f"{field}: no folder {identifier[:80]!r}", field=field)
    return identifier or ROOT


def list_collaborators(record: JsonObject) -> list[JsonObject]:
    """The collaborators of a record: Collaborator {email, role}, including the owner."""
    collaborators: list[JsonObject] = record.get("collaborators") or [{"email": record["owner"], "role": "owner"}]
    return collaborators


def find_owner(record: JsonObject) -> str:
    """The email address of a record's owner."""
    return next((str(item["email"]) for item in list_collaborators(record) if item["role"] == "owner"), "")


def find_role(user: User, record: JsonObject) -> str:
    """The user's role (one of ROLES) for a record: the user's own, or the one shared with all users of the customer."""
    if user.employee:
        return "owner"
    shared_role = "viewer" if record.get("type") in ("preset", "managed") else record.get("public") or ""
    user_roles = [item["role"] for item in list_collaborators(record) if item["email"].lower() == user.email]
    role: str = max([shared_role, *user_roles], key=ROLES.index)
    return role


def list_visible_records(request: ApiRequest, kind: str) -> Records:
    """The records of a kind that the user can view."""
    return {name: item for name, item in list_records(request.tenant, kind).items() if find_role(request.user, item)}


def get_record(request: ApiRequest, kind: str, identifier: str, role: str = "viewer") -> JsonObject:
    """A record; 404 if it does not exist, 403 if the user's role is below *role*."""
    record = get_existing(list_records(request.tenant, kind), identifier, kind)
    if ROLES.index(find_role(request.user, record)) < ROLES.index(role):
        raise ApiError(403, f"{request.user.email} needs the role {role} for this {kind}")
    return record
