"""``skills/*`` and directories of skills (extension io.modelcontextprotocol/skills, SEP-2640)."""

from __future__ import annotations

import base64

from ...catalog.resources.skill import DIRECTORY_TYPE, MANIFEST, SCHEME, Skill
from ...protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError
from ..request_context import Context
from .pagination import hints, page


async def list_skills(context: Context, request: Request) -> JsonObject:
    """One page of the skills on offer."""
    return page(context, request, "skills", [skill.entry for skill in context.offer.skills])


async def get(context: Context, request: Request) -> JsonObject:
    """One skill's entry, by the URI of its SKILL.md."""
    skill, path = _named(context, request)
    if path != MANIFEST:
        raise _unserved(request)
    return {"skill": skill.entry, **hints(context, context.offer.cache_ms)}


async def read_directory(context: Context, request: Request) -> JsonObject:
    """One page of what is right under a directory of a skill."""
    skill, path = _named(context, request)
    children = skill.children(path)
    if children is None:
        raise RpcError(INVALID_PARAMS, f"Invalid params: params.uri names no {DIRECTORY_TYPE}", id=request.id)
    return page(context, request, "resources", children)


def manifests(context: Context) -> list[JsonObject]:
    """The SKILL.md files as resources."""
    return [
        {
            "uri": skill.uri,
            "name": skill.name,
            "description": skill.frontmatter["description"],
            "mimeType": "text/markdown",
        }
        for skill in context.offer.skills
    ]


def file_of(context: Context, uri: str) -> JsonObject | None:
    """The content of a skill's file, None where there is none."""
    found = _find(context, uri)
    content = found[0].files.get(found[1]) if found is not None else None
    if content is None:
        return None
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"blob": base64.b64encode(content).decode()}


def _find(context: Context, uri: str) -> tuple[Skill, str] | None:
    name, _, path = uri.removeprefix(SCHEME).partition("/")
    skill = next((skill for skill in context.offer.skills if skill.name == name), None)
    return None if skill is None or not uri.startswith(SCHEME) else (skill, path.rstrip("/"))


def _named(context: Context, request: Request) -> tuple[Skill, str]:
    uri = request.params.get("uri")
    found = _find(context, uri) if isinstance(uri, str) else None
    if found is None:
        raise _unserved(request)
    return found


def _unserved(request: Request) -> RpcError:
    return RpcError(INVALID_PARAMS, "Invalid params: params.uri names no skill that is served here", id=request.id)
