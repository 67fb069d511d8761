"""Markers of arguments that name users, addresses, channels, external systems, roles to grant, or public access.

An argument is marked where it is declared, at any depth: ``recipients: Annotated[list[str], "...", EXTERNAL_TARGET]``.
A write with such an argument asks the user first, and its hints say that it can reach outside the account.

Free text on which an automation acts, or which others see with its links, is marked with TEXT_WITH_LINKS instead: it
reaches outside if it contains an email address or a URL.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, signature
from typing import Annotated, Any, Unpack, get_args, get_origin, get_type_hints, is_typeddict

ArgumentPath = tuple[str, ...]
"""The names that lead to an argument. Lists on the way have no name: the path applies to each item."""

EMPTY_VALUES: tuple[Any, ...] = (None, "", [], {})


class Marker:
    """The type of the markers."""


EXTERNAL_TARGET, TEXT_WITH_LINKS = Marker(), Marker()

ADDRESS = re.compile(
    r"[^\s@]@[^\s@]"  # email addresses
    r"|//[^\s/]"  # URLs, also those without a scheme
    r"|\bwww\."
    r"|(?<![\w.-])(?:[\w-]{1,63}\.){1,8}[^\W\d]{2,63}[:/]",  # evil.example/hook
    re.IGNORECASE,
)
SEPARATORS = re.compile(r"[\s,;<>()\[\]{}\"'`|\\]+")
"""What ends an email address or a URL in a text."""


def find_addresses(text: str) -> list[str]:
    """Return the distinct words of *text* that are, or contain, an email address or a URL, in order."""
    # Full-width letters and similar forms are read as the usual ones in addresses.
    words = (word.rstrip(".:!?") for word in SEPARATORS.split(unicodedata.normalize("NFKC", text)))
    return list(dict.fromkeys(word for word in words if ADDRESS.search(word)))


def marked_paths(function: Callable[..., Any], marker: Marker = EXTERNAL_TARGET) -> tuple[ArgumentPath, ...]:
    """Return the paths of all arguments in *function*'s signature that have the *marker*."""
    hints = get_type_hints(function, include_extras=True)
    found: list[ArgumentPath] = []
    for name, parameter in signature(function).parameters.items():
        if parameter.kind is Parameter.VAR_KEYWORD and get_origin(hints[name]) is Unpack:
            found += _paths_in_annotation(get_args(hints[name])[0], (), marker)
        elif parameter.kind is Parameter.KEYWORD_ONLY:
            found += _paths_in_annotation(hints[name], (name,), marker)
    return tuple(found)


def _paths_in_annotation(annotation: Any, path: ArgumentPath, marker: Marker) -> Iterable[ArgumentPath]:
    if get_origin(annotation) is Annotated and marker in get_args(annotation)[1:]:
        yield path
    elif is_typeddict(annotation):
        for name, hint in get_type_hints(annotation, include_extras=True).items():
            yield from _paths_in_annotation(hint, (*path, name), marker)
    else:
        for part in get_args(annotation):
            yield from _paths_in_annotation(part, path, marker)


def values_at(value: Any, path: ArgumentPath) -> list[Any]:
    """Return all values that *path* leads to from *value*."""
    if not path:
        return [value]
    if isinstance(value, list):
        return [leaf for item in value for leaf in values_at(item, path)]
    return values_at(value[path[0]], path[1:]) if isinstance(value, dict) and path[0] in value else []


def has_value_at(arguments: Mapping[str, Any], paths: Iterable[ArgumentPath], *, replaces: bool = False) -> bool:
    """Return whether *arguments* have a value at one of the *paths*.

    An empty value names no one, so it counts only if the write *replaces* the current value: then it removes everyone.
    """
    if replaces:
        return any(_has_path(arguments, path) for path in paths)
    return any(leaf not in EMPTY_VALUES for path in paths for leaf in values_at(arguments, path))


def addresses_at(arguments: Mapping[str, Any], paths: Iterable[ArgumentPath]) -> dict[str, list[str]]:
    """Return the addresses in the texts of *arguments* at these *paths*, by path."""
    found = {
        ".".join(path): [
            one for leaf in values_at(arguments, path) if isinstance(leaf, str) for one in find_addresses(leaf)
        ]
        for path in paths
    }
    return {path: list(dict.fromkeys(words)) for path, words in found.items() if words}


def _has_path(value: Any, path: ArgumentPath) -> bool:
    if not path or value == []:
        return True
    if isinstance(value, list):
        return any(_has_path(item, path) for item in value)
    return isinstance(value, Mapping) and path[0] in value and _has_path(value[path[0]], path[1:])


def remove_path(value: Any, path: ArgumentPath) -> Any:
    """Return a copy of *value* without what *path* leads to, and without objects that become empty."""
    if isinstance(value, list):
        return [remove_path(item, path) for item in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {name: member for name, member in value.items() if name != path[0]}
    inner = remove_path(value[path[0]], path[1:]) if path[1:] else {}
    return rest if inner == {} else {**rest, path[0]: inner}
