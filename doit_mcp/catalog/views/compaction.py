"""Makes the scripts and the style sheet of the view smaller without changing what they do.

Comments, white space and needless punctuation are removed. Line breaks in scripts stay wherever a statement can end, so
automatic semicolons are the same. No block may end with an empty statement. Strings, templates and regular expressions
are unchanged.

This runs at every start, so regular expressions do most of the work, on the text without its literals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

CODE_PART = re.compile(
    r"""(?P<comment> //[^\n]* | /\*.*?\*/ ) | (?P<literal> "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
    | [^"'`/{}]+ | .""",
    re.DOTALL | re.VERBOSE,
)
TEMPLATE_PART = re.compile(r"`|\$\{|(?P<literal>(?:[^`$\\]|\\.|\$(?!\{))+)", re.DOTALL)
REGULAR_EXPRESSION = re.compile(r"/(?![/*])(?P<literal>(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)/")
VALUE_END = re.compile(r"(?:(?<![\w$])(?!(?:return|typeof|case)\s*\Z)[\w$]+|[)\]}`/\0])\s*\Z")
"""A slash after a value divides; after anything else, it begins a regular expression."""
LITERAL, KEPT_SPACE = "\0", "\1"
"""Placeholders for literals and needed spaces while white space is removed."""
SPACE_INSIDE_STATEMENT = re.compile(r"(?<=[{([,;:?=&|<>*%!])\s+|\s++(?=[)\]},;:.?=&|<>*%])")
"""White space after characters that cannot end a statement, and before those that cannot begin one."""
NEEDLESS = re.compile(r",(?=[)\]}])|;(?=\})|(?<=\})\n(?=(?:async )?function )")
"""A comma after the last item, a semicolon after the last statement, and a line break before a function. The break is
needed only after a statement without its semicolon, which the linter of the sources rejects."""
LINE_BREAK = re.compile(r"[^\S\n]*\n\s*")
BLANKS = re.compile(r"[^\S\n]+")
NEEDED_SPACE = re.compile(r" (?:(?<=[\w$] )(?=[\w$])|(?<=([+/-]) )(?=\1))")
"""A space between words, or between operators that would together form another one."""
STYLE_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
STYLE_SPACE = re.compile(r"\s*([{};])\s*|([:,])\s+")


def compact_script(source: str) -> str:
    """Return a script without comments and white space that separates nothing."""
    literals: list[str] = []
    code = "".join(_compact_parts(source, literals)).strip()
    code = LINE_BREAK.sub("\n", SPACE_INSIDE_STATEMENT.sub("", code))
    code = NEEDED_SPACE.sub(KEPT_SPACE, BLANKS.sub(" ", code)).replace(" ", "").replace(KEPT_SPACE, " ")
    code = NEEDLESS.sub("", code)
    pieces = code.split(LITERAL)
    return "".join(part for pair in zip(pieces, (*literals, ""), strict=True) for part in pair)


def compact_style(source: str) -> str:
    """Return a style sheet without comments, and without white space beside braces and after colons and commas."""
    bare = STYLE_SPACE.sub(lambda found: found[1] or found[2], STYLE_COMMENT.sub("", source))
    return bare.replace(";}", "}").strip()


def _compact_parts(source: str, literals: list[str]) -> Iterator[str]:
    """Yield the code of a script, with spaces for comments and LITERAL for literals, which are added to *literals*."""
    opened: list[str] = []  # braces and templates around the position
    position, code = 0, ";"
    while position < len(source):
        found = _choose_pattern(source, position, code, opened).match(source, position)
        assert found is not None, source[position : position + 40]
        position, kind, part = found.end(), found.lastgroup, found[0]
        if kind == "comment":
            yield " "
            continue
        if kind == "literal":
            literals.append(found[kind])
            part = part.replace(found[kind], LITERAL)
        elif part == "}" or (part == "`" and opened[-1:] == ["`"]):
            opened.pop()
        elif part in ("{", "${", "`"):
            opened.append(part)
        if not part.isspace():
            code = part
        yield part


def _choose_pattern(source: str, position: int, code: str, opened: list[str]) -> re.Pattern[str]:
    """Return the pattern of the part at *position*, after *code*."""
    if opened[-1:] == ["`"]:
        return TEMPLATE_PART
    is_regular = source[position] == "/" and not VALUE_END.search(code) and REGULAR_EXPRESSION.match(source, position)
    return REGULAR_EXPRESSION if is_regular else CODE_PART
