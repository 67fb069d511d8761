"""Published API documents without their prose: structure, names, types and values that tests compare code with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

# The permissions that the prose of an operation requires, and whether its path was only guessed. Other extensions are
# dropped.
PERMISSIONS, PATH_EVIDENCE = "x-permissions", "x-path-evidence"
# Keywords whose values are written for readers; x- keywords are tool settings and code samples.
PROSE = frozenset(
    ("$comment", "contact", "description", "example", "examples", "externalDocs", "license", "scopes", "summary")
    + ("termsOfService", "title")
)
# Keywords whose values map names to parts: a property named "description" is not prose.
NAME_MAPS = frozenset(
    ("$defs", "callbacks", "content", "definitions", "dependentSchemas", "encoding", "headers", "links", "parameters")
    + ("paths", "patternProperties", "properties", "requestBodies", "responses", "schemas", "securitySchemes")
    + ("variables",)
)
# Keywords whose values are data.
VALUES = frozenset(("const", "default", "enum", "required"))


def strip_prose(part: Any) -> Any:
    """*part* of an OpenAPI document or a JSON Schema, without the text for readers."""
    if isinstance(part, list):
        return [strip_prose(item) for item in part]
    if not isinstance(part, dict):
        return part
    stripped: Json = {}
    for key, value in part.items():
        if key in VALUES:
            stripped[key] = value
        elif key in NAME_MAPS and isinstance(value, dict):
            stripped[key] = {str(name): strip_prose(member) for name, member in value.items()}
        elif key in (PERMISSIONS, PATH_EVIDENCE) or (key not in PROSE and not str(key).startswith("x-")):
            stripped[key] = strip_prose(value)
    return stripped


def read_document(path: Path) -> Json:
    """The document at *path*, JSON or YAML."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        loaded: Json = json.loads(text)
        return loaded
    loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded


def format_document(document: Json) -> str:
    """JSON with a line for each path, schema or definition, so that a diff shows what changed."""
    return _format_members(document, levels=3 if "components" in document else 2) + "\n"


def _format_members(value: Any, levels: int) -> str:
    if not levels or not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    members = (f"{json.dumps(name)}:{_format_members(member, levels - 1)}" for name, member in value.items())
    return "{\n" + ",\n".join(members) + "\n}"
