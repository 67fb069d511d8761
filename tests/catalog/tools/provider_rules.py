"""Rules of model providers for the definitions of tools, each as a function that yields the violations of one tool.

Sources: OpenAI, guides "Function calling" and "Structured outputs"; Anthropic, "Define tools" and "Strict tool use";
Google, the Schema and FunctionDeclaration of the Gemini API, and google-genai's types.Schema; AWS, ToolSpecification and
ToolInputSchema of the Bedrock runtime API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]
Checker = Callable[[str, str, Schema], Iterator[str]]
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
COMBINATORS = frozenset({"anyOf", "oneOf", "allOf", "not", "enum"})
MAX_DEPTH, MAX_PROPERTIES, MAX_OPTIONS, MAX_NAME_CHARACTERS = 10, 5_000, 1_000, 120_000


def parts(schema: Schema, path: str = "", depth: int = 1) -> Iterator[tuple[str, int, Schema]]:
    """Yield *schema* and all schemas in it, each with its path and its level of nested objects."""
    yield path, depth, schema
    for name, inner in schema.get("properties", {}).items():
        yield from parts(inner, f"{path}.{name}", depth + 1)
    for option in schema.get("anyOf", ()):
        yield from parts(option, f"{path}|", depth)
    if "items" in schema:
        yield from parts(schema["items"], f"{path}[]", depth)


def openai(name: str, description: str, schema: Schema) -> Iterator[str]:
    """Functions without strict mode: an object at the root, without combinators; lists with items."""
    if not TOOL_NAME.fullmatch(name):
        yield f"name {name}"
    if schema.get("type") != "object" or "properties" not in schema or COMBINATORS & schema.keys():
        yield "the root is not a plain object"
    for path, _, part in parts(schema):
        if part.get("type") == "array" and "items" not in part:
            yield f"{path}: a list without items"


def openai_strict(name: str, description: str, schema: Schema) -> Iterator[str]:
    """Strict mode, after a client has closed all objects and made all members required: keywords and sizes."""
    yield from openai(name, description, schema)
    all_parts = list(parts(schema))
    allowed = {"type", "properties", "required", "items", "anyOf", "enum", "description", "default"}
    allowed |= {"pattern", "minimum", "maximum"}
    for path, depth, part in all_parts:
        if is_open(part):
            # A strict mode has no open objects: clients send such a tool without it.
            continue
        if unknown := part.keys() - allowed:
            yield f"{path}: {', '.join(sorted(unknown))}"
        if depth > MAX_DEPTH:
            yield f"{path}: more than {MAX_DEPTH} levels"
        if part.get("type") == "object" and not part.get("properties") and path:
            yield f"{path}: an object without properties would always be empty"
    names = [name for _, _, part in all_parts for name in part.get("properties", ())]
    options = [str(option) for _, _, part in all_parts for option in part.get("enum", ())]
    if len(names) > MAX_PROPERTIES or len(options) > MAX_OPTIONS:
        yield "too many properties or options"
    if sum(map(len, names + options)) > MAX_NAME_CHARACTERS:
        yield "too many characters in names and options"


def anthropic(name: str, description: str, schema: Schema) -> Iterator[str]:
    """Tools: no combinator at the root, and names of properties that the API accepts."""
    if not TOOL_NAME.fullmatch(name):
        yield f"name {name}"
    if schema.get("type") != "object" or {"anyOf", "oneOf", "allOf"} & schema.keys():
        yield "a combinator at the root"
    for path, _, part in parts(schema):
        for member in part.get("properties", ()):
            if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", member):
                yield f"{path}.{member}: a name that is refused"


def gemini(name: str, description: str, schema: Schema) -> Iterator[str]:
    """Function declarations: the subset of OpenAPI's Schema, with one type each, and no empty objects inside."""
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,63}", name):
        yield f"name {name}"
    known = {"type", "properties", "required", "items", "anyOf", "enum", "description", "default", "pattern"}
    known |= {"minimum", "maximum", "oneOf"}
    for path, _, part in parts(schema):
        if unknown := part.keys() - known:
            yield f"{path}: {', '.join(sorted(unknown))}"
        if not isinstance(part.get("type", ""), str) or not ("type" in part or "anyOf" in part):
            yield f"{path}: needs one type"
        if path and part.get("type") == "object" and not part.get("properties"):
            yield f"{path}: an object without properties"
        if part.get("type") == "array" and "items" not in part:
            yield f"{path}: a list without items"
        if "enum" in part and part["type"] != "string":
            yield f"{path}: options that are not text"
        if missing := set(part.get("required", ())) - part.get("properties", {}).keys():
            yield f"{path}: requires unknown members {missing}"


def bedrock(name: str, description: str, schema: Schema) -> Iterator[str]:
    """Tool specifications: a name without dots or hyphens, a description, and an object at the root."""
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,63}", name):
        yield f"name {name}"
    if not description:
        yield "no description"
    if schema.get("type") != "object":
        yield "the root is not an object"


def is_open(part: Schema) -> bool:
    """Return whether an object says that it has any members."""
    return part.get("oneOf") == [{"type": "object"}]


CHECKERS: tuple[Checker, ...] = (openai, openai_strict, anthropic, gemini, bedrock)
