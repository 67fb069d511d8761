"""Settings: color themes of reports."""

from typing import Annotated, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Pattern
from ..facts import REVERSIBLE, Dependents
from ..markers import IDENTIFIER
from ..operation import Area, delete, get, offers, patch, post, put
from ..pagination import find_id
from ..parameters import Id, Name, OptionalId, Rfc3339
from ..permissions import CLOUD_ANALYTICS_ADMIN

COLOR_PATTERN = Pattern("^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$")
Color = Annotated[str, "Hex: #rgb, #rrggbb or #rrggbbaa.", COLOR_PATTERN]
Palette = Annotated[list[Color], Length(1, 32)]
ThemeId = Annotated[Id, "Theme id, from list_themes."]
ThemeName = Annotated[str, "Name of the theme.", Length(1, 200), IDENTIFIER]


class ThemeList(TypedDict, total=False):
    """Color themes."""

    themes: Annotated[list[JsonObject], "Each with id, name, primaryColor, colors, createTime and updateTime."]
    rowCount: int


class ThemeDetails(TypedDict, total=False):
    """One theme."""

    id: str
    name: str
    primaryColor: str
    colors: Annotated[JsonObject, "light and dark, each a list of colors."]
    createTime: Rfc3339
    updateTime: Rfc3339


class Palettes(TypedDict):
    """Colors of a theme."""

    light: Annotated[Palette, "Light mode."]
    dark: Annotated[Palette, "Dark mode."]


class NewTheme(TypedDict):
    """A theme to create."""

    name: ThemeName
    primaryColor: Color
    colors: Annotated[Palettes, "1 to 32 colors for each mode."]


class ThemeChanges(TypedDict, total=False):
    """Changes to a theme, in the API's form."""

    name: ThemeName
    primaryColor: Color
    colors: Palettes


class ThemeUpdate(TypedDict, total=False):
    """Changes to a theme, in the tool's form: *name* finds the theme, so the new name is *newName*."""

    newName: ThemeName
    primaryColor: Color
    colors: Annotated[Palettes, "Replaced as a whole."]


class ActiveTheme(TypedDict, total=False):
    """The theme in use."""

    themeId: Annotated[str, "default: the built-in theme."]


class ThemeChoice(TypedDict):
    """The theme to use."""

    themeId: Annotated[str, "Theme id, or default for the built-in one.", Length(1, 500), IDENTIFIER]


class Settings(Area):
    """Settings of reports: color themes, palettes of charts, the theme in use."""

    @get("/analytics/v1/settings/themes", items="themes", permission=None)
    async def list_themes(self) -> Annotated[JsonObject, ThemeList]:
        """List the customer's custom color themes for reports. For the active theme, use get_active_theme."""
        ...

    @get("/analytics/v1/settings/themes/{id}", permission=None)
    async def _theme(self, *, id: Id) -> JsonObject: ...

    @offers(_theme)
    async def get_theme(self, *, id: OptionalId = None, name: Name = None) -> Annotated[JsonObject, ThemeDetails]:
        """Show one color theme. Give its id or its name."""
        return await self._theme(id=id or await self._find_id(name))

    @post(
        "/analytics/v1/settings/themes",
        permission=CLOUD_ANALYTICS_ADMIN,
        confirm=False,
        verify_with=get_theme,
        open_world=False,
    )
    async def create_custom_theme(self, **theme: Unpack[NewTheme]) -> Annotated[JsonObject, ThemeDetails]:
        """Create a color theme for reports. Requires the Cloud Analytics Admin permission. To use it, call
        set_active_theme."""
        ...

    @patch(
        "/analytics/v1/settings/themes/{id}",
        permission=CLOUD_ANALYTICS_ADMIN,
        confirm=REVERSIBLE,
        preview_with=get_theme,
        preview_arguments={"name": "name"},
        targets=("name",),
        open_world=False,
    )
    async def _update(self, *, id: Id, **changes: Unpack[ThemeChanges]) -> JsonObject: ...

    @offers(_update)
    async def update_theme(
        self, *, id: OptionalId = None, name: Name = None, **update: Unpack[ThemeUpdate]
    ) -> Annotated[JsonObject, ThemeDetails]:
        """Change a color theme, given by its id or its current name; omitted fields stay unchanged. Requires the
        Cloud Analytics Admin permission."""
        changes: ThemeChanges = {}
        if "newName" in update:
            changes["name"] = update["newName"]
        if "primaryColor" in update:
            changes["primaryColor"] = update["primaryColor"]
        if "colors" in update:
            changes["colors"] = update["colors"]
        return await self._update(id=id or await self._find_id(name), **changes)

    @delete(
        "/analytics/v1/settings/themes/{id}",
        permission=CLOUD_ANALYTICS_ADMIN,
        confirm=True,
        preview_with=get_theme,
        restore_with=create_custom_theme,
        effect="Users for whom it is active get the default theme. The API shows only whether it is your own.",
        dependents=(
            Dependents(
                "your active theme, in place of which you get the default",
                "get_active_theme",
                "themeId",
                row_id="themeId",
                names_with="list_themes",
            ),
        ),
        after_restoring="The new theme is not active until set_active_theme chooses it.",
        open_world=False,
    )
    async def delete_custom_theme(self, *, id: ThemeId) -> None:
        """Delete a color theme. Requires the Cloud Analytics Admin permission. Confirm its name with the user first."""
        ...

    @get("/analytics/v1/settings/active-theme", permission=None)
    async def get_active_theme(self) -> Annotated[JsonObject, ActiveTheme]:
        """Show the color theme of the signed-in user's reports."""
        ...

    @put(
        "/analytics/v1/settings/active-theme",
        permission=None,
        confirm=REVERSIBLE,
        preview_with=get_active_theme,
        open_world=False,
    )
    async def set_active_theme(self, **choice: Unpack[ThemeChoice]) -> Annotated[JsonObject, ActiveTheme]:
        """Set the color theme of the signed-in user's reports."""
        ...

    async def _find_id(self, name: str | None) -> str:
        # The list has no pages, so find_id's paging arguments are not sent.
        return await find_id(name or "", self.list_themes, "name")
