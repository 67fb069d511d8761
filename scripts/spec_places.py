"""Where the code of an operation is, and where that of a new one belongs, for the differences between API documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import getmodule, unwrap

from doit_mcp.api import AREAS
from doit_mcp.api.declaration_checks import source_file
from doit_mcp.api.operation import PLACEHOLDER, Operation
from doit_mcp.sandbox.api.areas import ROUTES

EXAMPLE = "add an example to doit_mcp/sandbox/tool_examples.py, if a required argument has no fixed set of values"
STEP = "add a step to tests/server/test_all_tools.py: STEPS"
Key = tuple[str, str]
"""Method, and path without the names of its parameters."""


@dataclass(slots=True)
class Place:
    """The file and the methods of an operation, and its handler in the sandbox; "" if it has none."""

    file: str = ""
    methods: list[str] = field(default_factory=list)
    handler: str = ""


def place_key(method: str, path: str) -> Key:
    """Return the key of an operation."""
    return method, PLACEHOLDER.sub("{}", path)


def declared_places() -> dict[Key, Place]:
    """Return the places of all operations of the release."""
    places: dict[Key, Place] = {}
    for area in AREAS.values():
        for member in vars(area).values():
            declared = getattr(member, "operation", None)
            if isinstance(declared, Operation):
                place = places.setdefault(place_key(declared.method, declared.path), Place())
                place.file = source_file(unwrap(member))
                place.methods.append(member.__name__)
    for route in ROUTES:
        module = getmodule(route.handle)
        name = module.__name__.replace(".", "/") if module else ""
        place = places.setdefault(place_key(route.method, route.path), Place())
        place.handler = f"{name}.py: {getattr(route.handle, '__name__', 'handler')}"
    return places


def what_to_edit(name: str, differences: Iterable[str], places: Mapping[Key, Place]) -> Iterator[str]:
    """Yield the files and methods to edit for the *differences* of one operation, such as "GET /a: new (getA, A)"."""
    method, _, path = name.partition(" ")
    place = places.get(place_key(method, path))
    sentences = [difference.removeprefix(f"{name}: ") for difference in differences]
    if place is None:
        if not any(sentence.startswith("gone") for sentence in sentences):
            yield from _new_places(method, path, places)
        return
    action = "remove" if any(sentence.startswith("gone") for sentence in sentences) else "edit"
    if place.file:
        yield f"{action} {place.file}: {', '.join(place.methods)}"
    if place.handler:
        yield f"{action} {place.handler}"


def _new_places(method: str, path: str, places: Mapping[Key, Place]) -> Iterator[str]:
    """Yield where the code of a new operation belongs: beside those whose paths begin alike."""
    example = EXAMPLE if method == "GET" else STEP
    steps = path.strip("/").split("/")
    for length in range(len(steps), 1, -1):
        start = PLACEHOLDER.sub("{}", "/" + "/".join(steps[:length]))
        near = [place for (_, other), place in places.items() if other == start or other.startswith(f"{start}/")]
        files = Counter(place.file for place in near if place.file)
        handlers = Counter(place.handler.partition(":")[0] for place in near if place.handler)
        if files and handlers:
            yield f"add a method to {files.most_common(1)[0][0]}"
            yield f"add a handler to {handlers.most_common(1)[0][0]}"
            yield example
            return
    yield "add an area: docs/development/add-operation.rst"
    yield example


def annotate(differences: Iterable[str], places: Mapping[Key, Place]) -> Iterator[str]:
    """Yield the differences, those of each operation followed by what to edit."""
    grouped: dict[str, list[str]] = {}
    for difference in differences:
        grouped.setdefault(difference.partition(": ")[0], []).append(difference)
    for name, sentences in grouped.items():
        yield from sentences
        yield from (f"    {line}" for line in what_to_edit(name, sentences, places))
