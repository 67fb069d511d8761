"""Makes the scripts and the style sheet of the view smaller without changing what they do.

They lose comments, white space and needless punctuation. Line breaks of scripts stay wherever a statement can end, so
automatic semicolons are the same. No block may end with an empty statement. Strings, templates and regular expressions
stay as they are.

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
"""Stand for what stays while white space is removed."""
SPACE_INSIDE_STATEMENT = re.compile(r"(?<=[{([,;:?=&|<>*%!])\s+|\s++(?=[)\]},;:.?=&|<>*%])")
"""White space after characters that end no statement, and before those that begin none."""
NEEDLESS = re.compile(r",(?=[)\]}])|;(?=\})|(?<=\})\n(?=(?:async )?function )")
"""A comma after the last item, a semicolon after the last statement, and a line break before a function. The break is
needed only after a statement without its semicolon, which linters of the sources refuse."""
LINE_BREAK = re.compile(r"[^\S\n]*\n\s*")
BLANKS = re.compile(r"[^\S\n]+")
NEEDED_SPACE = re.compile(r" (?:(?<=[\w$] )(?=[\w$])|(?<=([+/-]) )(?=\1))")
"""A space between words, or between operators that would be another one together."""
STYLE_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
STYLE_SPACE = re.compile(r"\s*([{};])\s*|([:,])\s+")


def compact_script(source: str) -> str:
    """Return a script without comments and white space that separates nothing."""
    literals: list[str] = []
    code = "".join(_parts(source, literals)).strip()
    code = LINE_BREAK.sub("\n", SPACE_INSIDE_STATEMENT.sub("", code))
    code = NEEDED_SPACE.sub(KEPT_SPACE, BLANKS.sub(" ", code)).replace(" ", "").replace(KEPT_SPACE, " ")
    code = NEEDLESS.sub("", code)
    pieces = code.split(LITERAL)
    return "".join(part for pair in zip(pieces, (*literals, ""), strict=True) for part in pair)


def compact_style(source: str) -> str:
    """Return a style sheet without comments, and without white space beside braces and after colons and commas."""
    bare = STYLE_SPACE.sub(lambda found: found[1] or found[2], STYLE_COMMENT.sub("", source))
    return bare.replace(";}", "}").strip()


def _parts(source: str, literals: list[str]) -> Iterator[str]:
    """Yield the code of a script, with spaces for comments. Literals are between their delimiters in *literals*."""
    opened: list[str] = []  # braces and templates around the position
    position, code = 0, ";"
    while position < len(source):
        found = _pattern(source, position, code, opened).match(source, position)
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


def _pattern(source: str, position: int, code: str, opened: list[str]) -> re.Pattern[str]:
    """Return the pattern of the part at *position*, after *code*."""
    if opened[-1:] == ["`"]:
        return TEMPLATE_PART
    is_regular = source[position] == "/" and not VALUE_END.search(code) and REGULAR_EXPRESSION.match(source, position)
    return REGULAR_EXPRESSION if is_regular else CODE_PART
