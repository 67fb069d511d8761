"""Folders of reports and allocations: /analytics/v1/folders."""

from __future__ import annotations

from itertools import count

from aiohttp import web

from ..analytics_objects import ROOT, check_folder, list_records
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import TEXT, compile_object, text_schema
from ..tenants import ApiRequest, Records, add_record, get_existing

MEMBERS = {"name": text_schema(200, minLength=1), "description": text_schema(5000), "parentFolderId": TEXT}
NEW_FOLDER = compile_object("name", **MEMBERS)
FOLDER_CHANGES = compile_object("", **MEMBERS)
FOLDER_ITEM_KINDS = ("report", "allocation")


async def list_folders(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/folders, by id."""
    rows = sorted(_folder_records(request).values(), key=lambda folder: str(folder["id"]))
    page = request.paginate(rows)
    return json_response(request.list_body("folders", page))


async def get_folder(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/folders/{id}."""
    return json_response(_get_folder(request))


async def create_folder(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/folders."""
    body = await request.read_body(NEW_FOLDER)
    folder = {"id": request.tenant.new_id(), "description": "", "parentFolderId": ROOT, **body}
    return json_response(add_record(_folder_records(request), _prepare_folder(request, folder)), 201)


async def update_folder(request: ApiRequest) -> web.Response:
    """PATCH /analytics/v1/folders/{id}: omitted members stay unchanged; a folder cannot move into itself."""
    folder = _get_folder(request)
    changed = _prepare_folder(request, {**folder, **await request.read_body(FOLDER_CHANGES)})
    if changed["parentFolderId"] in _find_descendants(request, folder["id"]):
        raise bad_request("parentFolderId: a folder cannot be moved into itself", field="parentFolderId")
    _folder_records(request)[folder["id"]] = changed
    return json_response(changed)


async def delete_folder(request: ApiRequest) -> web.Response:
    """DELETE /analytics/v1/folders/{id}, with its subfolders; their contents move to the root."""
    deleted = _find_descendants(request, _get_folder(request)["id"])
    for identifier in deleted:
        del _folder_records(request)[identifier]
    for kind in FOLDER_ITEM_KINDS:
        for item in list_records(request.tenant, kind).values():
            if item["folderId"] in deleted:
                item["folderId"] = ROOT
    return web.Response(status=204)


def _folder_records(request: ApiRequest) -> Records:
    return list_records(request.tenant, "folder")


def _get_folder(request: ApiRequest) -> JsonObject:
    return get_existing(_folder_records(request), request.path_parameter("id"), "folder")


def _prepare_folder(request: ApiRequest, folder: JsonObject) -> JsonObject:
    """The folder with an existing parent and a name that is unique in it; 400 for an unknown parent."""
    parent = check_folder(request.tenant, folder["parentFolderId"], "parentFolderId")
    other_folders = (item for item in _folder_records(request).values() if item["id"] != folder["id"])
    used_names = {item["name"] for item in other_folders if item["parentFolderId"] == parent}
    name = folder["name"]
    if name in used_names:
        name = next(candidate for number in count(1) if (candidate := f"{name} ({number})") not in used_names)
    return {**folder, "name": name, "parentFolderId": parent}


def _find_descendants(request: ApiRequest, identifier: str) -> set[str]:
    """The folder and all its descendants."""
    folder_ids = {identifier}
    while subfolder_ids := {
        str(item["id"])
        for item in _folder_records(request).values()
        if item["parentFolderId"] in folder_ids and item["id"] not in folder_ids
    }:
        folder_ids |= subfolder_ids
    return folder_ids


ROUTES = (
    Route("GET", "/analytics/v1/folders", list_folders, "folders.read"),
    Route("POST", "/analytics/v1/folders", create_folder, "folders.write"),
    Route("GET", "/analytics/v1/folders/{id}", get_folder, "folders.read"),
    Route("PATCH", "/analytics/v1/folders/{id}", update_folder, "folders.write"),
    Route("DELETE", "/analytics/v1/folders/{id}", delete_folder, "folders.write"),
)
