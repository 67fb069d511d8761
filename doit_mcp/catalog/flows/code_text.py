"""Blanks strings and comments in code, so that what is left can be searched for names and keywords.

Both functions return a text of the same length, in which the characters of strings and comments are spaces. Their time
is linear in the length of any code, because the code comes from a client and may not even parse.
"""

from __future__ import annotations

import re

QUOTES = "\"'"
REGEX_PREDECESSORS = "(,=:[!&|?{};+-*%~^<>"
"""Characters after which a slash begins a regular expression in JavaScript."""
REGEX_KEYWORD = re.compile(r"(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw)\Z")
MAX_KEYWORD_CHARACTERS = 10
MAX_REGEX_CHARACTERS = 1_000
TEMPLATE, CODE = "template", "code"


def blank_python(code: str) -> str:
    """Return Python *code* with blank strings and comments. Unterminated strings end with their line."""
    out: list[str] = []
    at = 0
    while at < len(code):
        if code[at] == "#":
            end = _line_end(code, at)
        elif code[at] in QUOTES:
            triple = code[at] * 3
            end = _triple_string_end(code, at) if code.startswith(triple, at) else _string_end(code, at)
        else:
            out.append(code[at])
            at += 1
            continue
        out.append(_replace_with_spaces(code[at:end]))
        at = end
    return "".join(out)


def blank_javascript(code: str) -> str:
    """Return JavaScript *code* with blank strings, templates, regular expressions and comments.

    Expressions in templates are code.
    """
    out: list[str] = []
    # The innermost mode is last: a template, or the code in one with the number of its open braces.
    modes: list[list[str | int]] = []
    at = 0
    while at < len(code):
        end = at + 1
        if modes and modes[-1][0] == TEMPLATE:
            if code[at] == "\\":
                end = min(len(code), at + 2)
            elif code[at] == "`":
                modes.pop()
            elif code.startswith("${", at):
                end = at + 2
                modes.append([CODE, 0])
            out.append(_replace_with_spaces(code[at:end]))
        elif (end := _literal_end(code, at)) > at:
            out.append(_replace_with_spaces(code[at:end]))
        else:
            end = at + 1
            out.append(" " if _track_modes(code[at], modes) else code[at])
        at = end
    return "".join(out)


def _track_modes(letter: str, modes: list[list[str | int]]) -> bool:
    """Track the templates that *letter* begins and the expressions that it ends; return whether it does either."""
    if letter == "`":
        modes.append([TEMPLATE, 0])
        return True
    if not modes or letter not in "{}":
        return False
    depth = int(modes[-1][1])
    if letter == "}" and depth == 0:
        modes.pop()
        return True
    modes[-1][1] = depth + (1 if letter == "{" else -1)
    return False


def _literal_end(code: str, at: int) -> int:
    """Return the end of the string, comment or regular expression at this position; *at* without one."""
    if code[at] in QUOTES:
        return _string_end(code, at)
    if code[at] != "/":
        return at
    if code.startswith("//", at):
        return _line_end(code, at)
    if code.startswith("/*", at):
        found = code.find("*/", at + 2)
        return len(code) if found < 0 else found + 2
    return _regex_end(code, at)


def _regex_end(code: str, at: int) -> int:
    """Return the end of the regular expression at a slash; *at* if the slash divides."""
    before = code[max(0, at - MAX_KEYWORD_CHARACTERS) : at].rstrip()
    if before and before[-1] not in REGEX_PREDECESSORS and not REGEX_KEYWORD.search(before):
        return at
    in_class = False
    position, last = at + 1, min(len(code), at + MAX_REGEX_CHARACTERS)
    while position < last and code[position] != "\n":
        letter = code[position]
        if letter == "\\":
            position += 1
        elif letter == "[":
            in_class = True
        elif letter == "]":
            in_class = False
        elif letter == "/" and not in_class:
            return position + 1
        position += 1
    return at


def _string_end(code: str, at: int) -> int:
    """Return the end of the string at a quote: after the closing quote, or the end of the line."""
    position = at + 1
    while position < len(code) and code[position] != "\n":
        if code[position] == "\\":
            position += 1
        elif code[position] == code[at]:
            return position + 1
        position += 1
    return min(position, len(code))


def _triple_string_end(code: str, at: int) -> int:
    """Return the end of the string at a triple quote: after the closing one, or the end of the code."""
    triple, position = code[at : at + 3], at + 3
    while position < len(code):
        if code[position] == "\\":
            position += 2
        elif code.startswith(triple, position):
            return position + 3
        else:
            position += 1
    return len(code)


def _line_end(code: str, at: int) -> int:
    found = code.find("\n", at)
    return len(code) if found < 0 else found


def _replace_with_spaces(text: str) -> str:
    return "".join(letter if letter == "\n" else " " for letter in text)
