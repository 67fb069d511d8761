"""Makes the scripts and the style sheet of the view smaller without changing what they do.

They lose comments and white space. Line breaks of scripts stay wherever a statement can end, so automatic semicolons
are the same. Strings, templates and regular expressions stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TOKEN = re.compile(
    r"""(?P<gap> \s+ | //[^\n]* | /\*.*?\*/ ) | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | [\w$]+ | .""",
    re.DOTALL | re.VERBOSE,
)
TEMPLATE_PART = re.compile(r"`|\$\{|(?:[^`$\\]|\\.|\$(?!\{))+", re.DOTALL)
REGULAR_EXPRESSION = re.compile(r"/(?![/*])(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
VALUE_END = re.compile(r"[\w$)\]}\"'`/]\Z")
"""A slash after a value divides; after anything else, it begins a regular expression."""
WORDS_BEFORE_VALUES = frozenset({"return", "typeof", "case"})
NEVER_LAST = frozenset("{([,;:?=&|<>*%!")
"""No statement ends with these, and none begins with NEVER_FIRST: a line break beside them ends no statement."""
NEVER_FIRST = frozenset(")]},;:.?=&|<>*%")
NEVER_TOGETHER = frozenset({"++", "--", "//"})
WORD = re.compile(r"[\w$]")
STYLE_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
STYLE_SPACE = re.compile(r"\s*([{};])\s*|([:,])\s+")


def compact_script(source: str) -> str:
    """Return a script without comments, and without white space that separates nothing."""
    made: list[str] = []
    last, gap = ";", ""
    for is_gap, token in _tokens(source):
        if is_gap:
            gap += " " if token.startswith("/") else token
            continue
        made += [_separator(last, gap, token), token]
        last, gap = token, ""
    return "".join(made)


def compact_style(source: str) -> str:
    """Return a style sheet without comments, and without white space beside braces and after colons and commas."""
    bare = STYLE_SPACE.sub(lambda found: found[1] or found[2], STYLE_COMMENT.sub("", source))
    return bare.replace(";}", "}").strip()


def _tokens(source: str) -> Iterator[tuple[bool, str]]:
    """Yield the tokens of a script, each with whether it is white space or a comment."""
    opened: list[str] = []  # braces and templates around the position
    position, last = 0, ";"
    while position < len(source):
        found = _pattern(source, position, last, opened).match(source, position)
        assert found is not None, source[position : position + 40]
        token, is_gap = found[0], found.lastgroup == "gap"
        if token == "}" or (token == "`" and opened[-1:] == ["`"]):
            opened.pop()
        elif token in ("{", "${", "`"):
            opened.append(token)
        position = found.end()
        last = last if is_gap else token
        yield is_gap, token


def _pattern(source: str, position: int, last: str, opened: list[str]) -> re.Pattern[str]:
    if opened[-1:] == ["`"]:
        return TEMPLATE_PART
    is_value = VALUE_END.search(last) is not None and last not in WORDS_BEFORE_VALUES
    return REGULAR_EXPRESSION if not is_value and REGULAR_EXPRESSION.match(source, position) else TOKEN


def _separator(last: str, gap: str, token: str) -> str:
    """Return what must stay of the *gap* between two tokens."""
    if not gap:
        return ""
    if "\n" in gap:
        return "" if last[-1] in NEVER_LAST or token[0] in NEVER_FIRST else "\n"
    ends = last[-1] + token[0]
    return " " if ends in NEVER_TOGETHER or (WORD.match(ends[0]) and WORD.match(ends[1])) else ""
