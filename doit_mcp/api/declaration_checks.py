"""Checks declarations of operations and tools. Errors name the file, the function and the fact that is wrong."""

from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from inspect import Parameter
from typing import Any, Unpack, get_args, get_origin, is_typeddict

from ..protocol.json_schema import function_hints, function_parameters, record_hints


def source_file(function: Callable[..., Any]) -> str:
    """Return the path in the repository of the file that declares *function*."""
    return f"{function.__module__.replace('.', '/')}.py"


def declaration_error(function: Callable[..., Any], problem: str) -> TypeError:
    """Return the error for a declaration: *problem* continues a sentence that starts with the name of *function*."""
    return TypeError(f"{source_file(function)}: {function.__name__} {problem}")


def suggest_name(name: str, known: Collection[str]) -> str:
    """Return a sentence with the name in *known* that is most similar to *name*, or with all of them."""
    similar = get_close_matches(name, known, n=1)
    return f"Did you mean {similar[0]}?" if similar else f"Available: {', '.join(sorted(known))}"


def check_fact_names(function: Callable[..., Any], facts: Iterable[str], known: Collection[str]) -> None:
    """Raise TypeError if the decorator of *function* has a keyword that is not a known fact."""
    for name in facts:
        if name not in known:
            raise declaration_error(
                function, f"has an unknown fact {name}= in its decorator. {suggest_name(name, known)}"
            )


def check_signature(function: Callable[..., Any], placeholders: Iterable[str] = ()) -> None:
    """Raise TypeError for a signature from which no schema can be made, or without an argument for a placeholder.

    All parameters after the first must be keyword-only or an unpacked TypedDict. They and the result need annotations.
    *placeholders* are the names in the path of an operation.
    """
    parameters = list(function_parameters(function).values())
    hints = function_hints(function)
    if not parameters or parameters[0].kind is not Parameter.POSITIONAL_OR_KEYWORD:
        raise declaration_error(function, "needs a first parameter: self in an area, call: Call in a composed tool")
    names: set[str] = set()
    for parameter in parameters[1:]:
        _check_parameter(function, parameter, hints)
        is_body = parameter.kind is Parameter.VAR_KEYWORD
        names |= record_hints(get_args(hints[parameter.name])[0]).keys() if is_body else {parameter.name}
    if "return" not in hints:
        raise declaration_error(
            function, "needs a return annotation: JsonObject, or Annotated[JsonObject, ...] with a TypedDict"
        )
    for name in placeholders:
        if name not in names:
            found = f"Parameters: {', '.join(sorted(names))}" if names else "It has no parameters"
            raise declaration_error(
                function, f"has {{{name}}} in its path, but no parameter {name}: give both the same name. {found}"
            )


def _check_parameter(function: Callable[..., Any], parameter: Parameter, hints: Mapping[str, Any]) -> None:
    name = parameter.name
    if parameter.kind is Parameter.VAR_KEYWORD:
        if get_origin(hints.get(name)) is not Unpack or not is_typeddict(get_args(hints[name])[0]):
            raise declaration_error(function, f"needs **{name}: Unpack[...] with a TypedDict that has the fields")
    elif parameter.kind is not Parameter.KEYWORD_ONLY:
        raise declaration_error(function, f"has the parameter {name} before the *: put it after the *")
    elif name not in hints:
        raise declaration_error(function, f"needs an annotation for its parameter {name}, such as {name}: str")


def check_permissions(declarations: Iterable[tuple[Callable[..., Any], Mapping[str, Any]]]) -> None:
    """Raise TypeError if only some of the operations of an area state a permission.

    *declarations* are pairs of a function and its facts. Errors of operations without it would not name the permission.
    """
    stated = list(declarations)
    if any(facts.get("permission") for _, facts in stated):
        for function, facts in stated:
            if "permission" not in facts:
                raise declaration_error(
                    function,
                    "needs permission= in its decorator, because other operations of its area have it: the permission"
                    " that the API document requires, or None if it names none",
                )
