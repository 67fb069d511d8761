"""Markers for arguments of operations and tools, and the walk over signatures that finds them.

An argument is marked where it is declared: ``recipients: Annotated[list[str], "...", EXTERNAL_TARGET]``. Markers do not
change the published schema.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import Parameter
from typing import Annotated, Any, Unpack, get_args, get_origin, is_typeddict

from ..protocol.json_schema import function_hints, function_parameters, record_hints

ArgumentPath = tuple[str, ...]
"""Member names that lead to one argument. Lists on the way have no name: the path continues in every item."""

EMPTY_VALUES: tuple[Any, ...] = (None, "", [], {})


class Marker:
    """The type of the markers; each one is distinguished by its identity."""


EXTERNAL_TARGET = Marker()
"""The argument, at any depth, names users, addresses, channels, outside systems, roles to grant, or public access. A
write with such an argument asks the user first, and its hints say that it can reach outside the account."""
TEXT_WITH_LINKS = Marker()
"""Free text, at any depth, that an automation acts on or that other users see with its links. It reaches outside the
account if it contains an email address or a URL."""
IDENTIFIER = Marker()
"""The argument identifies something: an id, a name, an email address, or a list of these. Surrounding whitespace is
never part of it, so it is removed. Only top-level arguments: nested values can be data that must arrive unchanged."""
VERBATIM = Marker()
"""The argument looks like an identifier but is the customer's own data, in which whitespace may be significant."""
SECRET = Marker()
"""The argument is a secret, such as a one-time code. Questions to the user do not show it. Only top-level arguments."""


@dataclass(frozen=True, slots=True)
class FormerName:
    """Marker: the former *name* of a top-level argument, usually its name in the API. Calls may still use it."""

    name: str


ADDRESS = re.compile(
    r"[^\s@]@[^\s@]"  # email addresses
    r"|//[^\s/]"  # URLs, including those without a scheme
    r"|\bwww\."
    r"|(?<![\w.-])(?:[\w-]{1,63}\.){1,8}[^\W\d]{2,63}[:/]",  # evil.example/hook
    re.IGNORECASE,
)
SEPARATORS = re.compile(r"[\s,;<>()\[\]{}\"'`|\\]+")
"""Characters that end an email address or a URL in a text."""


def find_addresses(text: str) -> list[str]:
    """Return the words of *text* that are or contain an email address or a URL, in order and without duplicates."""
    # Programs that read addresses treat full-width letters and similar variants as the ordinary ones.
    words = (word.rstrip(".:!?") for word in SEPARATORS.split(unicodedata.normalize("NFKC", text)))
    return list(dict.fromkeys(word for word in words if ADDRESS.search(word)))


def find_marked_paths(function: Callable[..., Any], marker: Marker = EXTERNAL_TARGET) -> tuple[ArgumentPath, ...]:
    """Return the paths of all arguments in *function*'s signature that have the *marker*, at any depth."""
    found: list[ArgumentPath] = []
    for name, hint in argument_hints(function).items():
        found += _paths_in_annotation(hint, (name,), marker)
    return tuple(found)


def find_marked_arguments(function: Callable[..., Any], marker: Marker) -> frozenset[str]:
    """Return the names of the top-level arguments in *function*'s signature that have the *marker*."""
    return frozenset(name for name, markers in _markers_by_argument(function).items() if marker in markers)


def read_former_names(function: Callable[..., Any]) -> dict[str, str]:
    """Return the current names of the arguments in *function*'s signature, by their former ones."""
    return {former.name: name for name, hint in argument_hints(function).items() for former in _read_former_names(hint)}


def _read_former_names(annotation: Any) -> list[FormerName]:
    """Return the former names in an annotation, even inside Required."""
    own = [part for part in get_args(annotation) if isinstance(part, FormerName)]
    return own or [former for part in get_args(annotation)[:1] for former in _read_former_names(part)]


# One function at a time: several markers are looked up for the same one.
@lru_cache(maxsize=1)
def argument_hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the annotations of the keyword-only arguments of *function*, and of the fields that it unpacks."""
    hints = function_hints(function)
    found: dict[str, Any] = {}
    for name, parameter in function_parameters(function).items():
        if parameter.kind is Parameter.VAR_KEYWORD and get_origin(hints[name]) is Unpack:
            found |= record_hints(get_args(hints[name])[0])
        elif parameter.kind is Parameter.KEYWORD_ONLY:
            found[name] = hints[name]
    return found


# One function at a time, as above.
@lru_cache(maxsize=1)
def _markers_by_argument(function: Callable[..., Any]) -> Mapping[str, frozenset[Marker]]:
    return {name: frozenset(_iter_markers(hint)) for name, hint in argument_hints(function).items()}


def _iter_markers(annotation: Any) -> Iterator[Marker]:
    """Yield the markers in an annotation, at any depth."""
    for part in get_args(annotation):
        if isinstance(part, Marker):
            yield part
        else:
            yield from _iter_markers(part)


def _paths_in_annotation(annotation: Any, path: ArgumentPath, marker: Marker) -> Iterable[ArgumentPath]:
    if get_origin(annotation) is Annotated and marker in get_args(annotation)[1:]:
        yield path
    elif is_typeddict(annotation):
        for name, hint in record_hints(annotation).items():
            yield from _paths_in_annotation(hint, (*path, name), marker)
    else:
        for part in get_args(annotation):
            yield from _paths_in_annotation(part, path, marker)


def find_values(value: Any, path: ArgumentPath) -> list[Any]:
    """Return all values that *path* leads to from *value*."""
    if not path:
        return [value]
    if isinstance(value, list):
        return [leaf for item in value for leaf in find_values(item, path)]
    return find_values(value[path[0]], path[1:]) if isinstance(value, dict) and path[0] in value else []


def has_value_at(arguments: Mapping[str, Any], paths: Iterable[ArgumentPath], *, replaces: bool = False) -> bool:
    """Return whether *arguments* have a value at one of the *paths*.

    An empty value has no effect, so it counts only if the write *replaces* the current value, which it then clears.
    """
    if replaces:
        return any(_has_path(arguments, path) for path in paths)
    return any(leaf not in EMPTY_VALUES for path in paths for leaf in find_values(arguments, path))


def find_addresses_at(arguments: Mapping[str, Any], paths: Iterable[ArgumentPath]) -> dict[str, list[str]]:
    """Return the addresses in the texts at these *paths* in *arguments*, by path."""
    found = {
        ".".join(path): [
            one for leaf in find_values(arguments, path) if isinstance(leaf, str) for one in find_addresses(leaf)
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
    """Return a copy of *value* without the member at *path*, and without objects that become empty."""
    if isinstance(value, list):
        return [remove_path(item, path) for item in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {name: member for name, member in value.items() if name != path[0]}
    inner = remove_path(value[path[0]], path[1:]) if path[1:] else {}
    return rest if inner == {} else {**rest, path[0]: inner}
