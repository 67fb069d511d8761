"""Cloud Connect: IAM roles that give DoiT access to the customer's cloud accounts."""

from typing import Annotated, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..markers import EXTERNAL_TARGET
from ..operation import Area, delete, get, post, put
from ..parameters import Id, Rfc3339

FEATURE = "hasRequiredPermissions: whether the role allows it"

AccountId = Annotated[Id, "AWS account, 12 digits."]


class Features(TypedDict, total=False):
    """Features that DoiT supports for an account."""

    supportedFeatures: Annotated[list[JsonObject], f"Each with name; {FEATURE}."]


class Account(TypedDict, total=False):
    """A connected AWS account."""

    accountID: str
    roleArn: str
    s3Bucket: Annotated[str, "For real-time anomaly detection."]
    s3BucketRegion: str
    supportedFeatures: Annotated[list[JsonObject], f"Each with name; {FEATURE}."]
    enabledFeatures: list[str]
    timeLinked: Rfc3339


class FeatureSettings(TypedDict, total=False):
    """The features to use with an account."""

    s3Bucket: Annotated[str, "CloudTrail log bucket; only with, and required by, feature real-time-data.", Length(1)]
    s3BucketRegion: Annotated[str, "Region of the bucket, e.g. us-east-1; with s3Bucket.", Length(1)]
    enabledFeatures: Required[
        Annotated[
            list[str],
            "All features to enable, e.g. real-time-data, from get_cloud_connect_supported_features.",
            Length(maximum=100),
        ]
    ]


class NewAccount(FeatureSettings, total=False):
    """An account to connect."""

    accountID: Required[AccountId]
    roleArn: Required[
        Annotated[
            str,
            "IAM role created for DoiT, e.g. arn:aws:iam::123456789012:role/DoiTRole.",
            Length(1, 2048),
            EXTERNAL_TARGET,
        ]
    ]


class CloudConnect(Area):
    """Cloud Connect: connected cloud accounts, IAM roles for DoiT, permissions, features."""

    @get(
        "/core/v1/cloudconnect/supportedFeatures/{accountID}",
        items="supportedFeatures",
        title="Get Cloud Connect features",
    )
    async def get_cloud_connect_supported_features(
        self, *, accountID: Annotated[Id, "AWS account or Azure tenant."]
    ) -> Annotated[JsonObject, Features]:
        """List the features that DoiT offers for a connected account, and whether its role has the required
        permissions."""
        ...

    @get("/core/v1/cloudconnect/aws/accounts/{accountID}")
    async def get_aws_account(self, *, accountID: AccountId) -> Annotated[JsonObject, Account]:
        """Show how an AWS account is connected to DoiT: role, features in use, features that the role allows, and
        bucket."""
        ...

    @post(
        "/core/v1/cloudconnect/aws/accounts",
        destructive=True,
        confirm=True,
        preview_with=get_aws_account,
        verify_with=None,
        targets=("accountID",),
        no_undo="delete_account_role disconnects the account. A replaced role is restored with another call of this tool.",
    )
    async def create_account_role(self, **role: Unpack[NewAccount]) -> Annotated[JsonObject, Account]:
        """Connect an AWS account to DoiT with an existing IAM role, or replace the role of a connected account. This
        gives DoiT access to the account: use it only on request, after the user approves the account and the role."""
        ...

    @put(
        "/core/v1/cloudconnect/aws/accounts/{accountID}",
        confirm=True,
        preview_with=get_aws_account,
        verify_with=None,
        replaces=True,
        open_world=False,
    )
    async def update_aws_feature(
        self, *, accountID: AccountId, **settings: Unpack[FeatureSettings]
    ) -> Annotated[JsonObject, Account]:
        """Set the features of a connected AWS account. The list replaces the current one: read get_aws_account
        first."""
        ...

    @delete(
        "/core/v1/cloudconnect/aws/accounts/{accountID}",
        confirm=True,
        preview_with=get_aws_account,
        verify_with=None,
        restore_with=create_account_role,
        can_be_restored=True,
        open_world=False,
    )
    async def delete_account_role(self, *, accountID: AccountId) -> None:
        """Disconnect an AWS account from DoiT. The role in AWS stays. Features that need it stop: ask the user
        first."""
        ...
