"""CloudFlow connections: access of flows to cloud accounts."""

from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Range
from ..common_types import AnyMembers, ListPage
from ..entity_tags import read_entity_tag
from ..errors import ApiError
from ..markers import EXTERNAL_TARGET, IDENTIFIER
from ..operation import Area, delete, get, offers, patch, post
from ..parameters import Id, MaxResults, PageToken, Rfc3339

FIELDS = "connectionId, name, description, enabled, status, gcpConfig or awsConfig, collaborators"

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

    name: Required[Annotated[str, "Its name.", Length(1, 300), IDENTIFIER]]


class ConnectionChanges(Connection, total=False):
    """Changes to a connection."""

    name: Annotated[str, "Its name.", Length(1, 300), IDENTIFIER]


def _overtaken(before: JsonObject, after: JsonObject) -> ApiError:
    """Return the error for an update of a connection that another update changed from *before* to *after*."""
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    fields = ", ".join(name for name in names if name not in ("etag", "updatedAt")) or "none of its fields"
    reason = f"another update changed this connection at the same time ({fields}), so this update was not applied"
    return ApiError(f"{reason}. Show the user the current state, then call again", kind="conflict", status=412)


class CloudflowConnections(Area):
    """CloudFlow connections: access of automations to AWS accounts and Google Cloud, roles, permissions."""

    @get("/cloudflow/v1/connections", items="items")
    async def list_cloudflow_connections(
        self, *, maxResults: Annotated[MaxResults, Range(1, 100)] = None, pageToken: PageToken = None
    ) -> Annotated[JsonObject, ConnectionPage]:
        """List the connections of CloudFlow automations to cloud accounts, and whether each works."""
        ...

    @get("/cloudflow/v1/connections/{connectionId}")
    async def get_cloudflow_connection(self, *, connectionId: ConnectionId) -> Annotated[JsonObject, ConnectionDetails]:
        """Show one CloudFlow connection: accounts, roles, permissions, status and who can use it."""
        ...

    @post(
        "/cloudflow/v1/connections",
        confirm=True,
        verify_with=get_cloudflow_connection,
        needs_idempotency_key=True,
    )
    async def _create(self, **connection: Unpack[NewConnection]) -> JsonObject: ...

    @offers(_create)
    async def create_cloudflow_connection(
        self, **connection: Unpack[NewConnection]
    ) -> Annotated[JsonObject, ConnectionDetails]:
        """Create a connection that lets CloudFlow automations act on AWS accounts or Google Cloud. It grants
        permissions: show the user what it allows first. For Google Cloud, run the returned deploymentCommand there."""
        if ("gcpConfig" in connection) == ("awsConfig" in connection):
            raise ApiError("Exactly one of gcpConfig and awsConfig is required", kind="argument")
        return await self._create(**connection)

    @patch(
        "/cloudflow/v1/connections/{connectionId}",
        confirm=True,
        preview_with=get_cloudflow_connection,
        etag_argument="etag",
    )
    async def _update(self, *, connectionId: Id, etag: str, **changes: Unpack[ConnectionChanges]) -> JsonObject: ...

    @offers(_update)
    async def update_cloudflow_connection(
        self, *, connectionId: ConnectionId, **changes: Unpack[ConnectionChanges]
    ) -> Annotated[JsonObject, ConnectionDetails]:
        """Change a CloudFlow connection; omitted fields stay unchanged, and gcpConfig, awsConfig and collaborators
        replace the stored value as a whole. enabled false stops the flows that use it. Its permissions in the cloud can
        change: show the user first."""
        if "gcpConfig" in changes and "awsConfig" in changes:
            raise ApiError("Only one of gcpConfig and awsConfig is allowed", kind="argument")
        before = await self.get_cloudflow_connection(connectionId=connectionId)
        try:
            # Not every version of the API has entity tags: without one, the update carries no If-Match.
            return await self._update(connectionId=connectionId, etag=read_entity_tag(before), **changes)
        except ApiError as error:
            if error.status != 412:
                raise
        after = await self.get_cloudflow_connection(connectionId=connectionId)
        raise _overtaken(before, after)

    @delete(
        "/cloudflow/v1/connections/{connectionId}",
        confirm=True,
        preview_with=get_cloudflow_connection,
        open_world=False,
    )
    async def delete_cloudflow_connection(self, *, connectionId: ConnectionId) -> None:
        """Delete a CloudFlow connection. Refused while flows use it. This cannot be undone: ask the user first."""
        ...
