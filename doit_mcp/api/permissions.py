"""Permissions that operations require, as the DoiT console and the API name them."""

import re
from collections.abc import Collection
from dataclasses import dataclass

NAME = re.compile("[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission. *label* ends the sentence "this requires the permission …".

    *name* is its name in the response of GET /auth/v1/validate; "" if the document does not say which name suffices.
    """

    label: str
    name: str = ""

    def __str__(self) -> str:
        return self.label

    def is_granted(self, names: Collection[str]) -> bool | None:
        """Return whether a user with these permissions has it; None if that is unknown.

        *names* come from GET /auth/v1/validate, where they begin with a capital letter; service accounts have the same
        names with a lowercase one. The ids of permissions in roles are ignored.
        """
        known = {name[:1].upper() + name[1:] for name in names if NAME.fullmatch(name)}
        return self.name in known if known and self.name else None


ANOMALIES_MANAGER = Permission("Anomalies Manager", "AnomaliesManager")
BILLING_PROFILES_ADMIN = Permission("Billing Profiles Admin", "BillingProfilesAdmin")
BILLING_TRANSFER_ADMIN = Permission("BillingTransferAdmin", "BillingTransferAdmin")
CLOUD_ANALYTICS_ADMIN = Permission("Cloud Analytics Admin", "CloudAnalyticsAdmin")
CONTRACTS_EDITOR = Permission(
    "to change contracts (contractsViewer and contractsReadOnly only allow reading; only for users of partners)"
)
CONTRACTS_VIEWER = Permission("contractsViewer or contractsReadOnly (only for users of partners)")
CONTRACT_TEMPLATES_ADMIN = Permission(
    "ContractTemplatesAdmin (only for customers entitled to contract templates)", "ContractTemplatesAdmin"
)
SERVICE_ACCOUNT_CREATOR = Permission("Service Account Creator", "ServiceAccountCreator")
SERVICE_ACCOUNT_MANAGER = Permission("Service Account Manager", "ServiceAccountManager")
SERVICE_ACCOUNT_VIEWER = Permission("Service Account Viewer", "ServiceAccountViewer")
SETTINGS = Permission("Settings", "Settings")
SETTINGS_OF_INVITES = Permission("Settings (and Users Manager to change allowedInviteDomains)", "Settings")
SHARED_PAYERS_ADMIN = Permission("SharedPayersAdmin (only for users of partners)", "SharedPayersAdmin")
USERS_MANAGER = Permission("Users Manager", "UsersManager")
