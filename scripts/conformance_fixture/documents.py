"""Prompts, resources, a resource template and a skill of the fixture."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.prompts.prompt import Prompt, PromptArgument, user_message
from doit_mcp.catalog.resources.resource import Resource, ResourceTemplate
from doit_mcp.catalog.skills.skill import Skill

from .builders import IMAGE, PIXEL, JsonObject
from .content import resource_block


async def simple_prompt(call: Call, arguments: Mapping[str, str]) -> list[JsonObject]:
    return [user_message("This is a simple prompt for testing.")]


async def prompt_with_arguments(call: Call, arguments: Mapping[str, str]) -> list[JsonObject]:
    return [user_message(f"Prompt with arguments: arg1='{arguments['arg1']}', arg2='{arguments['arg2']}'")]


async def prompt_with_resource(call: Call, arguments: Mapping[str, str]) -> list[JsonObject]:
    block = resource_block(arguments["resourceUri"], "text/plain", "Embedded resource content for testing.")
    return [{"role": "user", "content": block}, user_message("Please process the embedded resource above.")]


async def prompt_with_image(call: Call, arguments: Mapping[str, str]) -> list[JsonObject]:
    return [{"role": "user", "content": IMAGE}, user_message("Please analyze the image above.")]


async def complete_argument(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    return [word for word in ("test", "testing", "tested") if word.startswith(typed)]


PROMPTS: tuple[Prompt, ...] = (
    Prompt("test_simple_prompt", "Simple prompt", "A prompt without arguments", simple_prompt),
    Prompt(
        "test_prompt_with_arguments",
        "Prompt with arguments",
        "A prompt with two arguments",
        prompt_with_arguments,
        (
            PromptArgument("arg1", "The first argument", True, complete_argument),
            PromptArgument("arg2", "The second argument", True),
        ),
    ),
    Prompt(
        "test_prompt_with_embedded_resource",
        "Prompt with a resource",
        "A prompt with an embedded resource",
        prompt_with_resource,
        (PromptArgument("resourceUri", "The resource's address", True),),
    ),
    Prompt("test_prompt_with_image", "Prompt with an image", "A prompt with an image", prompt_with_image),
)


async def read_static_text(call: Call) -> JsonObject:
    return {"text": "This is the content of the static text resource."}


async def read_static_binary(call: Call) -> JsonObject:
    return {"blob": PIXEL}


async def read_watched(call: Call) -> JsonObject:
    return {"text": "This resource can be watched."}


async def read_template(call: Call, variables: Mapping[str, str]) -> JsonObject:
    data = {"id": variables["id"], "templateTest": True, "data": f"Data for ID: {variables['id']}"}
    return {"text": orjson.dumps(data).decode()}


RESOURCES: tuple[Resource, ...] = (
    Resource("test://static-text", "static-text", "Static text", "A text", "text/plain", read_static_text),
    Resource("test://static-binary", "static-binary", "Static image", "An image", "image/png", read_static_binary),
    Resource("test://watched-resource", "watched", "Watched text", "A text to watch", "text/plain", read_watched),
)
TEMPLATES: tuple[ResourceTemplate, ...] = (
    ResourceTemplate(
        "test://template/{id}/data", "data", "Data by id", "Data of an id", "application/json", read_template
    ),
)

MANIFEST = b"""---
name: conformance-notes
description: Shows how a skill with files in a folder of its own is served
---

# Notes

Read `references/levels.md` for the levels.
"""
SKILLS: tuple[Skill, ...] = (
    Skill(
        {
            "name": "conformance-notes",
            "description": "Shows how a skill with files in a folder of its own is served",
        },
        {"SKILL.md": MANIFEST, "references/levels.md": b"# Levels\n\nMust, should, may.\n"},
    ),
)
