"""Folders: where reports and allocations are stored."""

from typing import Annotated, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..common_types import ListPage
from ..facts import REVERSIBLE, Dependents
from ..markers import IDENTIFIER
from ..operation import Area, delete, get, offers, patch, post
from ..pagination import find_id
from ..parameters import Id, MaxResults, Name, OptionalId, PageToken

PAGE_SIZE = 500

FolderId = Annotated[Id, "Folder id, from list_folders."]
FolderName = Annotated[str, "Name of the folder.", Length(1, 300), IDENTIFIER]
ParentId = Annotated[str, "Id of its parent folder; root for the top.", Length(maximum=500), IDENTIFIER]
FolderDescription = Annotated[str, "What it contains.", Length(maximum=5000)]


class FolderPage(ListPage, total=False):
    """A page of folders."""

    folders: Annotated[list[JsonObject], "Each with id, name, description and parentFolderId (root at the top)."]


class FolderDetails(TypedDict, total=False):
    """One folder."""

    id: str
    name: str
    description: str
    parentFolderId: Annotated[str, "root at the top."]


class NewFolder(TypedDict, total=False):
    """A folder to create."""

    name: Required[FolderName]
    description: FolderDescription
    parentFolderId: ParentId


class FolderChanges(TypedDict, total=False):
    """Changes to a folder."""

    name: FolderName
    description: FolderDescription
    parentFolderId: ParentId


class Folders(Area):
    """Folders: where reports and allocations are kept, nested."""

    @get("/analytics/v1/folders", items="folders", page_size=PAGE_SIZE)
    async def list_folders(
        self,
        *,
        maxResults: Annotated[MaxResults, f"Maximum rows. Default: {PAGE_SIZE}."] = None,
        pageToken: PageToken = None,
    ) -> Annotated[JsonObject, FolderPage]:
        """List the folders of reports and allocations, ordered by id. For the reports in a folder, use list_reports
        with filter folderId:ID."""
        ...

    @get("/analytics/v1/folders/{id}")
    async def _folder(self, *, id: Id) -> JsonObject: ...

    @offers(_folder)
    async def get_folder(self, *, id: OptionalId = None, name: Name = None) -> Annotated[JsonObject, FolderDetails]:
        """Show one folder: name, description and parent folder. Give its id or its name."""
        return await self._folder(id=id or await find_id(name or "", self.list_folders, "name"))

    @post("/analytics/v1/folders", confirm=False, verify_with=get_folder, open_world=False)
    async def create_folder(self, **folder: Unpack[NewFolder]) -> Annotated[JsonObject, FolderDetails]:
        """Create a folder for reports and allocations, at the top level or in another folder."""
        ...

    @patch("/analytics/v1/folders/{id}", confirm=REVERSIBLE, preview_with=get_folder, open_world=False)
    async def update_folder(
        self, *, id: FolderId, **changes: Unpack[FolderChanges]
    ) -> Annotated[JsonObject, FolderDetails]:
        """Rename, describe or move a folder; omitted fields stay unchanged. If the name is taken, the API appends a
        number. To move reports and allocations, use their own update tools."""
        ...

    @delete(
        "/analytics/v1/folders/{id}",
        confirm=True,
        preview_with=get_folder,
        effect="All folders in it are deleted with it. Their reports and allocations move to the top level.",
        no_undo="Folders in it cannot be restored, and its reports and allocations do not move back.",
        dependents=(
            Dependents("folder in it, deleted", list_folders, "parentFolderId", is_nested=True),
            Dependents("report that moves", "list_reports", arguments={"filter": "folderId:{id}"}),
            Dependents("allocation that moves", "list_allocations", arguments={"filter": "folderId:{id}"}),
        ),
        open_world=False,
    )
    async def delete_folder(self, *, id: FolderId) -> None:
        """Delete a folder and all folders in it. Their reports and allocations move to the top level. This cannot be
        undone: confirm its name with the user first."""
        ...
