"""Folders: /analytics/v1/folders, where reports and allocations are kept."""

from __future__ import annotations

from itertools import count

from aiohttp import web

from .. import listing
from ..analytics_objects import ROOT, check_folder, records
from ..responses import JsonObject, answer, bad
from ..routes import Route
from ..schemas import TEXT, compiled, text
from ..tenants import Ask, Records, added, existing

MEMBERS = {"name": text(200, minLength=1), "description": text(5000), "parentFolderId": TEXT}
NEW = compiled("name", **MEMBERS)
CHANGES = compiled("", **MEMBERS)
FILED = ("report", "allocation")


async def list_folders(ask: Ask) -> web.Response:
    """GET /analytics/v1/folders, by id."""
    rows = sorted(_folders(ask).values(), key=lambda folder: str(folder["id"]))
    page = listing.page(rows, ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope)
    return answer(ask.listed("folders", page))


async def get_folder(ask: Ask) -> web.Response:
    """GET /analytics/v1/folders/{id}."""
    return answer(_folder(ask))


async def create_folder(ask: Ask) -> web.Response:
    """POST /analytics/v1/folders."""
    body = await ask.body(NEW)
    folder = {"id": ask.tenant.new_id(), "description": "", "parentFolderId": ROOT, **body}
    return answer(added(_folders(ask), _placed(ask, folder)), 201)


async def update_folder(ask: Ask) -> web.Response:
    """PATCH /analytics/v1/folders/{id}: what is left out stays; a folder does not go into itself."""
    folder = _folder(ask)
    changed = _placed(ask, {**folder, **await ask.body(CHANGES)})
    if changed["parentFolderId"] in _within(ask, folder["id"]):
        raise bad("parentFolderId: a folder cannot be moved into itself", field="parentFolderId")
    _folders(ask)[folder["id"]] = changed
    return answer(changed)


async def delete_folder(ask: Ask) -> web.Response:
    """DELETE /analytics/v1/folders/{id}, with the folders in it; what was kept there goes to the root."""
    gone = _within(ask, _folder(ask)["id"])
    for identifier in gone:
        del _folders(ask)[identifier]
    for kind in FILED:
        for one in records(ask.tenant, kind).values():
            if one["folderId"] in gone:
                one["folderId"] = ROOT
    return web.Response(status=204)


def _folders(ask: Ask) -> Records:
    return records(ask.tenant, "folder")


def _folder(ask: Ask) -> JsonObject:
    return existing(_folders(ask), ask.part("id"), "folder")


def _placed(ask: Ask, folder: JsonObject) -> JsonObject:
    """The folder under a parent that is there, by a name that no sibling has."""
    parent = check_folder(ask.tenant, folder["parentFolderId"], "parentFolderId")
    others = (one for one in _folders(ask).values() if one["id"] != folder["id"])
    taken = {one["name"] for one in others if one["parentFolderId"] == parent}
    name = folder["name"]
    if name in taken:
        name = next(found for number in count(1) if (found := f"{name} ({number})") not in taken)
    return {**folder, "name": name, "parentFolderId": parent}


def _within(ask: Ask, identifier: str) -> set[str]:
    """The folder and all below it."""
    found = {identifier}
    while more := {
        str(one["id"]) for one in _folders(ask).values() if one["parentFolderId"] in found and one["id"] not in found
    }:
        found |= more
    return found


ROUTES = (
    Route("GET", "/analytics/v1/folders", list_folders, "folders.read"),
    Route("POST", "/analytics/v1/folders", create_folder, "folders.write"),
    Route("GET", "/analytics/v1/folders/{id}", get_folder, "folders.read"),
    Route("PATCH", "/analytics/v1/folders/{id}", update_folder, "folders.write"),
    Route("DELETE", "/analytics/v1/folders/{id}", delete_folder, "folders.write"),
)
