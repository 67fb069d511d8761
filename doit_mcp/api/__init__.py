"""The DoiT API. Operations are methods of the classes in areas/; each class is an attribute of :class:`Doit`."""

from collections.abc import Callable, Mapping
from inspect import get_annotations
from types import MappingProxyType
from typing import Any, Self

from .areas.account_team import AccountTeam
from .areas.alerts import Alerts
from .areas.allocations import Allocations
from .areas.annotations import Annotations
from .areas.anomalies import Anomalies
from .areas.assets import Assets
from .areas.auth import Auth
from .areas.ava import Ava
from .areas.aws_commitments import AwsCommitments
from .areas.billing_explainer import BillingExplainer
from .areas.billing_transfer import BillingTransfer
from .areas.budget_suggestions import BudgetSuggestions
from .areas.budgets import Budgets
from .areas.cloud_connect import CloudConnect
from .areas.cloud_diagrams import CloudDiagrams
from .areas.cloud_incidents import CloudIncidents
from .areas.cloudflow import Cloudflow
from .areas.cloudflow_connections import CloudflowConnections
from .areas.commitment_policies import CommitmentPolicies
from .areas.commitments import Commitments
from .areas.contract_templates import ContractTemplates
from .areas.contracts import Contracts
from .areas.customer_groups import CustomerGroups
from .areas.customers import Customers
from .areas.datahub import Datahub
from .areas.dimensions import Dimensions
from .areas.folders import Folders
from .areas.gcp_commitments import GcpCommitments
from .areas.geographic_access import GeographicAccess
from .areas.insights import Insights
from .areas.invoices import Invoices
from .areas.labels import Labels
from .areas.organizations import Organizations
from .areas.platforms import Platforms
from .areas.products import Products
from .areas.report_runs import ReportRuns
from .areas.reports import Reports
from .areas.roles import Roles
from .areas.service_accounts import ServiceAccounts
from .areas.service_quotas import ServiceQuotas
from .areas.settings import Settings
from .areas.shared_payers import SharedPayers
from .areas.sharing import Sharing
from .areas.signup import Signup
from .areas.tickets import Tickets
from .areas.users import Users
from .areas.widgets import Widgets
from .console import Console
from .operation import Area, Operation, Sender

__all__ = ["AREAS", "Doit"]


class Doit:
    """The API for one caller, with an attribute for each area, in the order in which tools are listed.

    An area is created on first use, because a call uses one or two areas.
    """

    reports: Reports
    report_runs: ReportRuns
    widgets: Widgets
    budgets: Budgets
    budget_suggestions: BudgetSuggestions
    alerts: Alerts
    allocations: Allocations
    dimensions: Dimensions
    settings: Settings
    anomalies: Anomalies
    annotations: Annotations
    labels: Labels
    folders: Folders
    sharing: Sharing
    assets: Assets
    datahub: Datahub
    invoices: Invoices
    billing_explainer: BillingExplainer
    service_quotas: ServiceQuotas
    cloud_incidents: CloudIncidents
    account_team: AccountTeam
    contracts: Contracts
    contract_templates: ContractTemplates
    customers: Customers
    shared_payers: SharedPayers
    users: Users
    roles: Roles
    customer_groups: CustomerGroups
    geographic_access: GeographicAccess
    service_accounts: ServiceAccounts
    organizations: Organizations
    platforms: Platforms
    products: Products
    tickets: Tickets
    cloud_diagrams: CloudDiagrams
    commitments: Commitments
    ava: Ava
    insights: Insights
    cloud_connect: CloudConnect
    cloudflow: Cloudflow
    cloudflow_connections: CloudflowConnections
    aws_commitments: AwsCommitments
    gcp_commitments: GcpCommitments
    commitment_policies: CommitmentPolicies
    billing_transfer: BillingTransfer
    signup: Signup
    auth: Auth

    def __init__(self, sender: Sender, console: Callable[[], Sender] | None = None) -> None:
        self._sender = sender
        self._console = console

    @classmethod
    def for_sender(cls, sender: Sender, console: Callable[[], Sender] | None = None) -> Self:
        """Return the API for *sender*. *console* creates the sender for DoiT's console."""
        return cls(sender, console)

    @property
    def tenant(self) -> str:
        """The customer id of all requests; "" if the credential determines it."""
        return self._sender.tenant

    @property
    def console(self) -> Console | None:
        """DoiT's console, or None if it is not configured."""
        return None if self._console is None else Console(self._console())

    async def send(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        """Send an operation that no area declares, and return the response value. Raises ApiError."""
        return await self._sender.send(operation, arguments)

    def __getattr__(self, name: str) -> Area:
        if name not in AREAS:
            raise AttributeError(f"the DoiT API has no area {name}")
        area = AREAS[name](self._sender)
        setattr(self, name, area)
        return area


AREAS: Mapping[str, type[Area]] = MappingProxyType(get_annotations(Doit))
"""Area classes by attribute name. The catalog makes tools from them."""
