"""Geographic access: the countries whose data customers and users of a hierarchy can see, and custom regions."""

from collections.abc import Mapping
from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Pattern
from ..errors import ApiError
from ..facts import Dependents, refused_while
from ..markers import EXTERNAL_TARGET, IDENTIFIER
from ..operation import Area, delete, get, offers, patch, post, put
from ..parameters import Rfc3339
from ..permissions import USERS_MANAGER
from .users import ROLE_NAMES, Users

MAX_COUNTRIES = 250
REGIONS, SCOPE = "/rbac/v1/custom-regions", "/rbac/v1/customers/{targetCustomerId}/geographic-scope"
USER_SCOPE = "/rbac/v1/customers/{targetCustomerId}/users/{userId}/geographic-scope"

CountryCode = Annotated[str, Pattern("^[A-Z]{2}$")]
CountryCodes = Annotated[
    list[CountryCode],
    "Two-letter codes, from list_geographic_countries.",
    Length(1, MAX_COUNTRIES),
    EXTERNAL_TARGET,
]
RegionId = Annotated[str, "Custom region id, from list_custom_regions.", Length(1, 200), IDENTIFIER]
RegionName = Annotated[str, "Display name.", Length(1, 200), IDENTIFIER]
CustomerId = Annotated[
    str, "Customer id: your own, or that of a customer below it in the hierarchy.", Length(1, 200), IDENTIFIER
]
UserId = Annotated[str, "Id of a user of that customer, from list_users.", Length(1, 200), IDENTIFIER]
REPLACES_SCOPE = "This changes the countries whose data can be seen."
UNASSIGNED = {"type": "unassigned"}
REMOVES_SCOPE = "The scope is unassigned afterwards. It can be set again."


SCOPED_CUSTOMER = {"targetCustomerId": "{customerId}"}
REGION_SCOPES = (
    Dependents(
        "scope of all users of your customer",
        "get_customer_geographic_scope",
        "customRegionId",
        arguments=SCOPED_CUSTOMER,
        row_id="customRegionId",
        names_with="list_custom_regions",
    ),
    Dependents(
        "user with it as scope",
        Users.list_users,
        details_with="get_user_geographic_scope",
        details_arguments={**SCOPED_CUSTOMER, "userId": "{row}"},
    ),
)
ALSO_BELOW = (
    "Customers below yours in the hierarchy can have it as scope too, and so can their users: they are not listed."
)


class CountryList(TypedDict, total=False):
    """Countries."""

    countries: Annotated[list[JsonObject], "Each with countryCode and name."]


class CustomRegionList(TypedDict, total=False):
    """Custom regions."""

    customRegions: Annotated[
        list[JsonObject], "Each with id, name, countryCodes, customerId, createdBy, timeCreated and timeModified."
    ]


class CustomRegion(TypedDict, total=False):
    """One custom region."""

    id: str
    customerId: str
    name: str
    countryCodes: list[str]
    createdBy: str
    timeCreated: Rfc3339
    timeModified: Rfc3339


class NewCustomRegion(TypedDict):
    """A custom region to create."""

    name: RegionName
    countryCodes: CountryCodes


class CustomRegionChanges(TypedDict, total=False):
    """Changes to a custom region."""

    name: RegionName
    countryCodes: Annotated[CountryCodes, "All of its countries: replaces the current ones."]


class Scope(TypedDict, total=False):
    """A geographic scope."""

    type: Literal["unassigned", "global", "country", "customRegion"]
    countryCode: str
    countryName: str
    customRegionId: str


class NewScope(TypedDict, total=False):
    """The scope to set."""

    type: Required[
        Annotated[
            Literal["global", "country", "customRegion"],
            "global: all countries. country needs countryCode, customRegion needs customRegionId.",
            EXTERNAL_TARGET,
        ]
    ]
    countryCode: Annotated[CountryCode, "Two-letter code, from list_geographic_countries.", EXTERNAL_TARGET]
    customRegionId: Annotated[RegionId, EXTERNAL_TARGET]


MEMBER_BY_TYPE = {"global": "", "country": "countryCode", "customRegion": "customRegionId"}


def scope_problem(scope: Mapping[str, object], current: JsonObject) -> str:
    """Return what is wrong with a scope, which has the member that its type needs and no other; "" if nothing is."""
    type = str(scope["type"])
    needed = MEMBER_BY_TYPE[type]
    given = [name for name in MEMBER_BY_TYPE.values() if name in scope]
    if given == ([needed] if needed else []):
        return ""
    return f"type {type} {f'requires {needed} and nothing else' if needed else 'has no further arguments'}"


def check_scope(scope: NewScope) -> None:
    """Raise ApiError ("argument") for a scope with a problem."""
    if problem := scope_problem(scope, {}):
        raise ApiError(problem, kind="argument")


def refuse_unassigned(arguments: JsonObject, current: JsonObject) -> str:
    """Return why a scope that is not assigned cannot be deleted; "" for other scopes."""
    return "No scope is assigned." if UNASSIGNED.items() <= current.items() else ""


class GeographicAccess(Area):
    """Geographic access: countries and custom regions whose data customers and users can see, data residency."""

    @get("/rbac/v1/countries", items="countries", permission=USERS_MANAGER)
    async def list_geographic_countries(self) -> Annotated[JsonObject, CountryList]:
        """List the countries that geographic scopes and custom regions can name, with their codes."""
        ...

    @get(REGIONS, items="customRegions", permission=USERS_MANAGER)
    async def list_custom_regions(self) -> Annotated[JsonObject, CustomRegionList]:
        """List the custom regions of geographic access: named sets of countries."""
        ...

    @get(f"{REGIONS}/{{customRegionId}}", permission=USERS_MANAGER)
    async def get_custom_region(self, *, customRegionId: RegionId) -> Annotated[JsonObject, CustomRegion]:
        """Show one custom region and its countries."""
        ...

    @post(
        REGIONS,
        permission=USERS_MANAGER,
        confirm=True,
        verify_with=get_custom_region,
        unique_in=list_custom_regions,
    )
    async def create_custom_region(self, **region: Unpack[NewCustomRegion]) -> Annotated[JsonObject, CustomRegion]:
        """Create a custom region, a named set of countries. Only the customer at the top of a hierarchy can create one.
        To restrict someone to it, call update_customer_geographic_scope or update_user_geographic_scope."""
        ...

    @patch(
        f"{REGIONS}/{{customRegionId}}",
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_custom_region,
        dependents=REGION_SCOPES,
        effect=ALSO_BELOW,
        unique_in=list_custom_regions,
    )
    async def update_custom_region(
        self, *, customRegionId: RegionId, **changes: Unpack[CustomRegionChanges]
    ) -> Annotated[JsonObject, CustomRegion]:
        """Change the name or the countries of a custom region. This changes the access of every customer and user that
        has it as scope: ask the user first."""
        ...

    @delete(
        f"{REGIONS}/{{customRegionId}}",
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_custom_region,
        dependents=refused_while(REGION_SCOPES),
        effect=ALSO_BELOW,
        restore_with=create_custom_region,
        open_world=False,
    )
    async def delete_custom_region(self, *, customRegionId: RegionId) -> None:
        """Delete a custom region. Refused while a customer or user has it as scope. Confirm its name with the user
        first."""
        ...

    @get(SCOPE, permission=USERS_MANAGER)
    async def get_customer_geographic_scope(self, *, targetCustomerId: CustomerId) -> Annotated[JsonObject, Scope]:
        """Show the geographic scope of a customer: unassigned, global, one country or a custom region."""
        ...

    @put(
        SCOPE,
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_customer_geographic_scope,
        effect=REPLACES_SCOPE,
        refusal=scope_problem,
        replaces=True,
        unset_with="delete_customer_geographic_scope",
        unset_state=UNASSIGNED,
    )
    async def _update_customer_scope(
        self, *, targetCustomerId: CustomerId, **scope: Unpack[NewScope]
    ) -> JsonObject: ...

    @offers(_update_customer_scope)
    async def update_customer_geographic_scope(
        self, *, targetCustomerId: CustomerId, **scope: Unpack[NewScope]
    ) -> Annotated[JsonObject, Scope]:
        """Set the geographic scope of a customer, which limits the countries whose data its users see. It replaces the
        current scope: ask the user first."""
        check_scope(scope)
        return await self._update_customer_scope(targetCustomerId=targetCustomerId, **scope)

    @delete(
        SCOPE,
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_customer_geographic_scope,
        restore_with=update_customer_geographic_scope,
        effect=REMOVES_SCOPE,
        refusal=refuse_unassigned,
        can_be_restored=True,
        open_world=False,
    )
    async def delete_customer_geographic_scope(self, *, targetCustomerId: CustomerId) -> None:
        """Remove the geographic scope of a customer, which is unassigned afterwards. Ask the user first."""
        ...

    @get(USER_SCOPE, permission=USERS_MANAGER)
    async def get_user_geographic_scope(
        self, *, targetCustomerId: CustomerId, userId: UserId
    ) -> Annotated[JsonObject, Scope]:
        """Show the geographic scope of one user: unassigned, global, one country or a custom region."""
        ...

    @put(
        USER_SCOPE,
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_user_geographic_scope,
        also_shows={"userId": Users.list_users},
        names_with=ROLE_NAMES,
        effect=REPLACES_SCOPE,
        refusal=scope_problem,
        replaces=True,
        unset_with="delete_user_geographic_scope",
        unset_state=UNASSIGNED,
    )
    async def _update_user_scope(
        self, *, targetCustomerId: CustomerId, userId: UserId, **scope: Unpack[NewScope]
    ) -> JsonObject: ...

    @offers(_update_user_scope)
    async def update_user_geographic_scope(
        self, *, targetCustomerId: CustomerId, userId: UserId, **scope: Unpack[NewScope]
    ) -> Annotated[JsonObject, Scope]:
        """Set the geographic scope of one user, which limits the countries whose data they see. It replaces the current
        scope: ask the user first."""
        check_scope(scope)
        return await self._update_user_scope(targetCustomerId=targetCustomerId, userId=userId, **scope)

    @delete(
        USER_SCOPE,
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_user_geographic_scope,
        also_shows={"userId": Users.list_users},
        names_with=ROLE_NAMES,
        restore_with=update_user_geographic_scope,
        effect=REMOVES_SCOPE,
        refusal=refuse_unassigned,
        can_be_restored=True,
        open_world=False,
    )
    async def delete_user_geographic_scope(self, *, targetCustomerId: CustomerId, userId: UserId) -> None:
        """Remove the geographic scope of one user, which is unassigned afterwards. Ask the user first."""
        ...
