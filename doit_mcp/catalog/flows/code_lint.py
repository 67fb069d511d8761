"""Checks the code in a flow's nodes for mistakes that run without an error and return nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Literal

from ...api.nearest import nearest_values
from ...protocol.json_schema import short_json
from .code_text import blank_javascript, blank_python

Language = Literal["javascript", "python"]

MAX_CODE_CHARACTERS = 50_000
"""Maximum number of characters of the code of one node to check."""
MAX_NODE_NAME_CHARACTERS = 300
MAX_NAMED = 5
"""Maximum number of functions and nodes of one kind that are named."""
JS_TOKEN = re.compile(r"=>|[A-Za-z_$][\w$]*|[^\s\w]")
CONTROL_KEYWORDS = frozenset(("if", "for", "while", "switch", "catch", "with", "await"))
"""Words before parentheses whose braces are not those of a function."""
PYTHON_DEF = re.compile(r"(?:async[ \t]+)?(?:def|class)\b")
RETURN = re.compile(r"(?<![\w.])return\b")
FUNCTIONS = {
    "javascript": re.compile(r"(?<![\w$.])function[ \t*]+([A-Za-z_$][\w$]*)"),
    "python": re.compile(r"(?<![\w.])def[ \t]+([A-Za-z_]\w*)"),
}
NODE_REFERENCE = re.compile(
    rf"(?<![\w.])\$?nodes[ \t]*\[[ \t]*([\"'`])((?:(?!\1)[^\\\n]){{0,{MAX_NODE_NAME_CHARACTERS}}})\1[ \t]*\]"
)
DOTTED_REFERENCE = re.compile(
    rf"(?<![\w.])\$nodes[ \t]*\??\.[ \t]*([A-Za-z_$][\w$]{{0,{MAX_NODE_NAME_CHARACTERS}}})(?![\w$(])"
)
"""$nodes.Name: a node whose name is an identifier. Not a call of a method."""
BARE_INPUT = re.compile(r"(?<![\w$.])input\b(?![ \t]*:)")
DECLARED_INPUT = {
    "javascript": re.compile(
        r"(?<![\w$.])(?:const|let|var|function)[ \t]+(?:[\[{(][ \t]*)?input\b|\binput[ \t]*(?:=>|=(?!=))"
    ),
    "python": re.compile(r"(?<![\w.])(?:for|as|import)[ \t]+input\b|\binput[ \t]*=(?!=)"),
}
PARAMETERS = re.compile(r"\(([^()]{0,1000})\)[ \t]*(?:=>|\{|:|->)")
EMPTY_RESULTS = {"javascript": "{}", "python": "{message: null}"}
NODE_MAPS = {"javascript": "$nodes", "python": "nodes"}


def lint_code(code: str, language: Language, node_names: Collection[str]) -> Iterator[str]:
    """Yield the probable mistakes in the code of a node, as sentences. *node_names* are those of its flow."""
    code = code[:MAX_CODE_CHARACTERS]
    blanked = blank_python(code) if language == "python" else blank_javascript(code)
    has_return = _returns_in_python(blanked) if language == "python" else _returns_in_javascript(blanked)
    if not has_return:
        yield (
            "The code has no return at its top level, outside functions: its result is "
            f"{EMPTY_RESULTS[language]}, without an error."
        )
    for name in _uncalled_functions(blanked, language):
        yield f"The function {short_json(name)} is never called: call it and return its result."
    if _uses_bare_input(blanked, language):
        nodes = NODE_MAPS[language]
        yield f'There is no variable input: read the results of an earlier node from {nodes}["<node name>"].'
    yield from _unknown_nodes(code, blanked, node_names)


def _returns_in_python(blanked: str) -> bool:
    """Return whether a return is outside all functions."""
    functions: list[int] = []
    depth, continues = 0, False
    for line in blanked.split("\n"):
        text = line.strip()
        if depth == 0 and not continues and text:
            indent = len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())
            while functions and indent <= functions[-1]:
                functions.pop()
            if PYTHON_DEF.match(text):
                functions.append(indent)
            elif not functions and RETURN.search(text):
                return True
        depth = max(0, depth + sum(map(line.count, "([{")) - sum(map(line.count, ")]}")))
        continues = line.endswith("\\")
    return False


def _returns_in_javascript(blanked: str) -> bool:
    """Return whether a return is outside all functions."""
    braces: list[bool] = []
    owners: list[str] = []
    before, closed, functions = "", "", 0
    for token in JS_TOKEN.findall(blanked):
        if token == "return" and before != "." and not functions:
            return True
        if token == "(":
            owners.append(before)
        elif token == ")":
            closed = owners.pop() if owners else ""
        elif token == "{":
            is_function = before == "=>" or (before == ")" and _names_function(closed))
            braces.append(is_function)
            functions += is_function
        elif token == "}" and braces:
            functions -= braces.pop()
        before = token
    return False


def _names_function(owner: str) -> bool:
    """Return whether braces after the parentheses of *owner* are those of a function."""
    is_word = bool(owner) and (owner[0].isalpha() or owner[0] in "_$*")
    return is_word and owner not in CONTROL_KEYWORDS


def _uncalled_functions(blanked: str, language: Language) -> list[str]:
    """Return the names of functions that occur only where they are defined."""
    counts: dict[str, int] = {}
    for word in re.findall(r"[A-Za-z_$][\w$]*", blanked):
        counts[word] = counts.get(word, 0) + 1
    names = dict.fromkeys(FUNCTIONS[language].findall(blanked))
    return [name for name in names if counts.get(name, 0) == 1][:MAX_NAMED]


def _uses_bare_input(blanked: str, language: Language) -> bool:
    """Return whether the code reads a variable input that it does not declare."""
    if not BARE_INPUT.search(blanked) or DECLARED_INPUT[language].search(blanked):
        return False
    return not any(re.search(r"\binput\b", found) for found in PARAMETERS.findall(blanked))


def _unknown_nodes(code: str, blanked: str, node_names: Collection[str]) -> Iterator[str]:
    unknown: dict[str, None] = {}
    quoted = ((found.start(), found[2]) for found in NODE_REFERENCE.finditer(code))
    dotted = ((found.start(), found[1]) for found in DOTTED_REFERENCE.finditer(code))
    for start, name in sorted((*quoted, *dotted)):
        # References in comments and strings are blank.
        if blanked[start] == code[start] and name not in node_names:
            unknown[name] = None
    for name in list(unknown)[:MAX_NAMED]:
        similar = ", ".join(map(short_json, nearest_values(name, sorted(node_names))))
        hint = f" Did you mean {similar}?" if similar else ""
        yield f"The flow has no node with the name {short_json(name)}, which the code reads.{hint}"
