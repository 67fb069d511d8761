"""Handlers of ``skills/*`` and of skill directories (extension io.modelcontextprotocol/skills, SEP-2640)."""

from __future__ import annotations

import base64

from ...catalog.skills.skill import DIRECTORY_MIME_TYPE, MANIFEST, SCHEME, Skill
from ...protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError
from ..request_context import RequestContext
from .pagination import cache_hints, paginate


async def list_skills(context: RequestContext, request: Request) -> JsonObject:
    """Return one page of the catalog's skills."""
    return paginate(context, request, "skills", [skill.list_entry for skill in context.catalog.skills])


async def get_skill(context: RequestContext, request: Request) -> JsonObject:
    """Return the entry of one skill, by the URI of its SKILL.md."""
    skill, path = _requested_skill(context, request)
    if path != MANIFEST:
        raise _unknown_skill_error(request)
    return {"skill": skill.list_entry, **cache_hints(context, context.catalog.cache_milliseconds)}


async def read_directory(context: RequestContext, request: Request) -> JsonObject:
    """Return one page of the direct children of a skill directory."""
    skill, path = _requested_skill(context, request)
    children = skill.list_children(path)
    if children is None:
        raise RpcError(
            INVALID_PARAMS,
            f"Invalid params: params.uri does not name a directory ({DIRECTORY_MIME_TYPE})",
            id=request.id,
        )
    return paginate(context, request, "resources", children)


def manifest_resources(context: RequestContext) -> list[JsonObject]:
    """Return the SKILL.md files as resources."""
    return [
        {
            "uri": skill.uri,
            "name": skill.name,
            "description": skill.frontmatter["description"],
            "mimeType": "text/markdown",
        }
        for skill in context.catalog.skills
    ]


def skill_file(context: RequestContext, uri: str) -> JsonObject | None:
    """Return the content of a skill's file, or None if the file does not exist."""
    located = _find_skill(context, uri)
    content = located[0].files.get(located[1]) if located is not None else None
    if content is None:
        return None
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"blob": base64.b64encode(content).decode()}


def _find_skill(context: RequestContext, uri: str) -> tuple[Skill, str] | None:
    name, _, path = uri.removeprefix(SCHEME).partition("/")
    skill = next((skill for skill in context.catalog.skills if skill.name == name), None)
    return None if skill is None or not uri.startswith(SCHEME) else (skill, path.rstrip("/"))


def _requested_skill(context: RequestContext, request: Request) -> tuple[Skill, str]:
    uri = request.params.get("uri")
    located = _find_skill(context, uri) if isinstance(uri, str) else None
    if located is None:
        raise _unknown_skill_error(request)
    return located


def _unknown_skill_error(request: Request) -> RpcError:
    return RpcError(INVALID_PARAMS, "Invalid params: params.uri does not name a skill", id=request.id)
