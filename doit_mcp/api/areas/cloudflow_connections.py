"""CloudFlow connections: access of flows to cloud accounts."""

from collections.abc import Mapping
from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Range
from ..common_types import AnyMembers, ListPage
from ..errors import ApiError
from ..markers import EXTERNAL_TARGET, IDENTIFIER
from ..operation import Area, delete, get, offers, patch, post
from ..parameters import Id, MaxResults, PageToken, Rfc3339

FIELDS = "connectionId, name, description, enabled, status, gcpConfig or awsConfig, collaborators, etag"

ConnectionId = Annotated[Id, "Connection id, from list_cloudflow_connections."]
TextList = Annotated[list[str], Length(maximum=1000)]


class ConnectionPage(ListPage, total=False):
    """A page of connections."""

    items: Annotated[list[JsonObject], f"Each with {FIELDS}."]


class ConnectionDetails(TypedDict, total=False):
    """One connection."""

    connectionId: str
    name: str
    description: str
    enabled: bool
    status: str
    gcpConfig: Annotated[JsonObject, "With status and deploymentCommand, which must be run in Google Cloud."]
    awsConfig: Annotated[JsonObject, "With the status of each account in context."]
    collaborators: list[JsonObject]
    createdAt: Rfc3339
    updatedAt: Rfc3339
    etag: Annotated[str, "Its version."]


class CustomRole(TypedDict, total=False):
    """A custom role."""

    roleId: Annotated[str, EXTERNAL_TARGET]
    permissions: Annotated[TextList, EXTERNAL_TARGET]


class GcpConfig(TypedDict, total=False):
    """A connection to Google Cloud."""

    organizationId: str
    folderId: str
    projectId: str
    level: Annotated[Literal["organization", "folder", "project"], "Where the permissions apply."]
    serviceAccountName: str
    predefinedRoles: Annotated[TextList, EXTERNAL_TARGET]
    customRole: CustomRole
    infraManagerProject: str
    infraManagerLocation: str
    infraManagerServiceAccount: str


class AwsAccount(TypedDict, total=False):
    """An AWS account."""

    accountId: str
    regions: TextList


class AwsConfig(TypedDict, total=False):
    """A connection to AWS."""

    context: Annotated[list[AwsAccount], Length(maximum=1000)]
    roleName: Annotated[str, EXTERNAL_TARGET]
    permissions: Annotated[AnyMembers, EXTERNAL_TARGET]
    managementAccount: str
    organizationRootId: str
    scopeTargetedOrganizationalUnitIds: TextList
    scopeExplicitAccountIds: TextList
    scopeExcludedAccountIds: TextList
    scopeManagementAccountExplicitInScope: bool


class Collaborator(TypedDict, total=False):
    """A user with access to the connection."""

    email: str
    role: Literal["owner", "editor", "user"]


class Connection(TypedDict, total=False):
    """Fields of a connection."""

    description: Annotated[str, "Its purpose."]
    gcpConfig: Annotated[GcpConfig, "Google Cloud: either this or awsConfig."]
    awsConfig: Annotated[AwsConfig, "AWS: either this or gcpConfig."]
    collaborators: Annotated[
        list[Collaborator], "Users who can use or change it.", Length(maximum=1000), EXTERNAL_TARGET
    ]
    enabled: Annotated[bool, "false disables it. Default for a new one: true."]


class NewConnection(Connection, total=False):
    """A connection to create."""

    name: Required[Annotated[str, "Display name.", Length(1, 300), IDENTIFIER]]


class ConnectionChanges(Connection, total=False):
    """Changes to a connection."""

    name: Annotated[str, "Display name.", Length(1, 300), IDENTIFIER]


def provider_problem(connection: Mapping[str, object], current: JsonObject) -> str:
    """Return what is wrong with a new connection, which is for one cloud; "" if nothing is."""
    is_for_one = ("gcpConfig" in connection) != ("awsConfig" in connection)
    return "" if is_for_one else "Exactly one of gcpConfig and awsConfig is required"


class CloudflowConnections(Area):
    """CloudFlow connections: access of automations to AWS accounts and Google Cloud, roles, permissions."""

    @get("/cloudflow/v1/connections", items="items")
    async def list_cloudflow_connections(
        self, *, maxResults: Annotated[MaxResults, Range(1, 100)] = None, pageToken: PageToken = None
    ) -> Annotated[JsonObject, ConnectionPage]:
        """List the connections of CloudFlow automations to cloud accounts, and whether each works. A pageToken is valid
        for five minutes."""
        ...

    @get("/cloudflow/v1/connections/{connectionId}")
    async def get_cloudflow_connection(self, *, connectionId: ConnectionId) -> Annotated[JsonObject, ConnectionDetails]:
        """Show one CloudFlow connection: accounts, roles, permissions, status and who can use it."""
        ...

    @post(
        "/cloudflow/v1/connections",
        confirm=True,
        verify_with=get_cloudflow_connection,
        refusal=provider_problem,
        needs_idempotency_key=True,
    )
    async def _create(self, **connection: Unpack[NewConnection]) -> JsonObject: ...

    @offers(_create)
    async def create_cloudflow_connection(
        self, **connection: Unpack[NewConnection]
    ) -> Annotated[JsonObject, ConnectionDetails]:
        """Create a connection that lets CloudFlow automations act on AWS accounts or Google Cloud. It grants
        permissions: show the user what it allows first. For Google Cloud, run the returned deploymentCommand there."""
        if problem := provider_problem(connection, {}):
            raise ApiError(problem, kind="argument")
        return await self._create(**connection)

    @patch(
        "/cloudflow/v1/connections/{connectionId}",
        confirm=True,
        preview_with=get_cloudflow_connection,
        effect="Flows that use it change with it, or stop. The DoiT API does not show which flows these are.",
        needs_if_match=True,
    )
    async def _update(self, *, connectionId: Id, **changes: Unpack[ConnectionChanges]) -> JsonObject: ...

    @offers(_update)
    async def update_cloudflow_connection(
        self, *, connectionId: ConnectionId, **changes: Unpack[ConnectionChanges]
    ) -> Annotated[JsonObject, ConnectionDetails]:
        """Change a CloudFlow connection; omitted fields stay unchanged, and gcpConfig, awsConfig and collaborators
        replace the stored value as a whole, [] removing all collaborators. enabled false stops the flows that use it.
        Its permissions in the cloud can change: show the user first."""
        if "gcpConfig" in changes and "awsConfig" in changes:
            raise ApiError("Only one of gcpConfig and awsConfig is allowed", kind="argument")
        return await self._update(connectionId=connectionId, **changes)

    @delete(
        "/cloudflow/v1/connections/{connectionId}",
        confirm=True,
        preview_with=get_cloudflow_connection,
        effect="Refused while flows use it. The DoiT API does not show which flows these are.",
        restore_with=create_cloudflow_connection,
        open_world=False,
    )
    async def delete_cloudflow_connection(self, *, connectionId: ConnectionId) -> None:
        """Delete a CloudFlow connection. Refused while flows use it. Ask the user first."""
        ...
