"""The objects of Cloud Analytics as a whole: where each kind is kept, which labels it has, what its folder is.

Areas use this to speak of each other's records without importing each other.
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
# Types of objects, as label assignments name them, with the collections they are kept in.
OBJECT_KINDS: dict[str, tuple[str, Seed]] = {
    "alert": ("alerts", analytics.alerts),
    "allocation": ("allocations", analytics.allocations),
    "annotation": ("annotations", analytics.annotation_records),
    "budget": ("budgets", analytics_core.budgets),
    "folder": ("folders", analytics.folders),
    "label": ("labels", analytics.labels),
    "report": ("reports", analytics_core.reports),
}


ROLES = ("", "viewer", "editor", "owner")  # each may do more than the one before


def records(tenant: Tenant, kind: str) -> Records:
    """The records of a kind (one of KINDS)."""
    return tenant.collection(*OBJECT_KINDS[kind])


def custom_dimensions(tenant: Tenant) -> CustomDimensions:
    """The dimensions that the tenant's allocations make."""
    return allocation_dimensions(records(tenant, "allocation"), tenant.ledger)


def labels_of(tenant: Tenant, kind: str, identifier: str) -> list[JsonObject]:
    """LabelInfo {id, name} of each label that an object has."""
    wanted = {"objectId": identifier, "objectType": kind}
    labels = records(tenant, "label").values()
    return [{"id": label["id"], "name": label["name"]} for label in labels if wanted in label["objects"]]


def check_labels(tenant: Tenant, identifiers: Iterable[str]) -> None:
    """400 for a label that is not there."""
    for identifier in identifiers:
        if identifier not in records(tenant, "label"):
            raise bad_request(f"labels: no label {identifier[:80]!r}", field="labels")


def set_labels(tenant: Tenant, kind: str, identifier: str, wanted: Iterable[str]) -> None:
    """Give an object these labels and no others; none of them takes them all away."""
    chosen = set(wanted)
    this = {"objectId": identifier, "objectType": kind}
    for label in records(tenant, "label").values():
        label["objects"] = [one for one in label["objects"] if one != this]
        if label["id"] in chosen:
            label["objects"].append(this)


def remove_object(tenant: Tenant, kind: str, identifier: str) -> JsonObject:
    """Take an object away, with its labels; 404 if it is not there."""
    found = get_existing(records(tenant, kind), identifier, kind)
    set_labels(tenant, kind, identifier, ())
    del records(tenant, kind)[identifier]
    return found


def check_folder(tenant: Tenant, identifier: str, field: str = "folderId") -> str:
    """The folder's id ("" is the root); 400 if there is none."""
    if identifier and identifier != ROOT and identifier not in records(tenant, "folder"):
        raise bad_request(f"{field}: no folder {identifier[:80]!r}", field=field)
    return identifier or ROOT


def collaborators_of(record: JsonObject) -> list[JsonObject]:
    """Who may do what with a record: Collaborator {email, role}; one of them is the owner."""
    found: list[JsonObject] = record.get("collaborators") or [{"email": record["owner"], "role": "owner"}]
    return found


def owner_of(record: JsonObject) -> str:
    """The e-mail address of a record's owner."""
    return next((str(one["email"]) for one in collaborators_of(record) if one["role"] == "owner"), "")


def role_of(user: User, record: JsonObject) -> str:
    """One of ROLES: what a user may do with what is shared, as themselves or as somebody of the customer's."""
    if user.employee:
        return "owner"
    everybody = "viewer" if record.get("type") in ("preset", "managed") else record.get("public") or ""
    own = [one["role"] for one in collaborators_of(record) if one["email"].lower() == user.email]
    role: str = max([everybody, *own], key=ROLES.index)
    return role


def visible_records(request: ApiRequest, kind: str) -> Records:
    """The records of a kind that the user has access to."""
    return {name: one for name, one in records(request.tenant, kind).items() if role_of(request.user, one)}


def get_record(request: ApiRequest, kind: str, identifier: str, role: str = "viewer") -> JsonObject:
    """A record; 404 if it is not there, 403 if the user has less than this *role* in it."""
    found = get_existing(records(request.tenant, kind), identifier, kind)
    if ROLES.index(role_of(request.user, found)) < ROLES.index(role):
        raise ApiError(403, f"{request.user.email} is no {role} of this {kind}")
    return found
