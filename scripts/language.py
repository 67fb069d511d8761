"""Language check: finds phrases of banned_phrases.txt in docstrings, comments, messages, names and documents, and
functions with a name of vague_names.txt.

Usage: ``python -m scripts.language [--all] [PATH ...]``. It prints file, line, phrase and replacement of each finding;
the exit status is 1 if there are findings. Strings of tests are not checked, because they are data. Names are checked
where Python code defines them, as the words that they consist of. Tests may have functions with vague names.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PHRASES = Path(__file__).with_name("banned_phrases.txt")
VAGUE_NAMES = Path(__file__).with_name("vague_names.txt")
CHECKED = (
    "doit_mcp",
    "tests",
    "scripts",
    "docs",
    "examples",
    "deploy",
    "*.rst",
    "*.md",
    "*.yaml",
    "*.toml",
    "*.cfg",
    "Dockerfile",
)
SUFFIXES = (".py", ".rst", ".md", ".html", ".js", ".mjs", ".yaml", ".yml", ".toml", ".cfg", ".lua", ".css", ".svg", "")
SKIPPED_FOLDERS = {"node_modules", "__pycache__", "data", "transcripts", "build", "_build"}
VISIBLE_ATTRIBUTES = {"alt", "aria-label", "placeholder", "title"}
# Files that contain status values of the DoiT API.
EXCEPTIONS = (
    "doit_mcp/api/areas/contracts.py",
    "doit_mcp/api/areas/users.py",
)

# Indentation, comment signs and trailing spaces, so that a phrase can continue on the next line.
MARGINS = re.compile(r"^[ \t#/*]+|[ \t]+$", re.MULTILINE)

# A string of one word is a text if it looks like a sentence or a title, and otherwise a name or a value.
ONE_WORD_TEXT = re.compile(r"[A-Z][a-z]+[.!?:…]?")
WORD_OF_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
PYTHON_NAMES = {"cancelled"}
"""Names in the spelling of the standard library."""
ATTRIBUTE_DECORATORS = {"property", "cached_property"}
VAGUE_NAME_ADVICE = "a verb and its object, such as list_due_deliveries, or what the function returns"

Passage = tuple[int, str]  # number of the first line, and text


@dataclass(frozen=True, slots=True)
class Phrase:
    """A banned phrase: its pattern, and the advice on what to write instead."""

    pattern: re.Pattern[str]
    advice: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A banned phrase or a vague name in a file."""

    path: Path
    line: int
    text: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text!r}: write {self.advice}"


def read_phrases(text: str) -> list[Phrase]:
    """The phrases of a list; raises ValueError for a line without advice."""
    phrases = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern, separator, advice = line.partition(" => ")
        if not separator:
            raise ValueError(f"no advice: {line}")
        expression = pattern.strip().replace(" ", r"\s")
        phrases.append(Phrase(re.compile(rf"(?<!\w)(?:{expression})(?!\w)", re.IGNORECASE), advice.strip()))
    return phrases


def read_vague_names(text: str) -> frozenset[str]:
    """The names of a list, without its comments."""
    return frozenset(name for line in text.splitlines() if not line.startswith("#") for name in line.split())


def find_vague_names(path: Path, text: str, names: frozenset[str]) -> list[Finding]:
    """The functions and methods in a Python file, except in tests, that have one of the *names*, by line."""
    if path.suffix != ".py" or "tests" in path.parts:
        return []
    functions = (
        node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )
    vague = [node for node in functions if node.name.strip("_") in names and not _is_attribute(node)]
    return [
        Finding(path, node.lineno, node.name, VAGUE_NAME_ADVICE) for node in sorted(vague, key=lambda one: one.lineno)
    ]


def _is_attribute(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    decorators = (ast.unparse(node).rpartition(".")[2] for node in function.decorator_list)
    return not ATTRIBUTE_DECORATORS.isdisjoint(decorators)


def find_phrases(path: Path, text: str, phrases: Iterable[Phrase]) -> list[Finding]:
    """The banned phrases in a file with this name and text, by line."""
    advice_by_match = {
        (line + passage.count("\n", 0, match.start()), match[0].replace("\n", " ")): phrase.advice
        for line, passage in ((line, MARGINS.sub("", passage)) for line, passage in _passages(path, text))
        # If several phrases match the same words, the first one in the list applies.
        for phrase in reversed(list(phrases))
        for match in phrase.pattern.finditer(passage)
    }
    return [Finding(path, line, words, advice) for (line, words), advice in sorted(advice_by_match.items())]


def _passages(path: Path, text: str) -> Iterable[Passage]:
    if path.suffix == ".py":
        return _python_passages(text, strings="tests" not in path.parts)
    if path.suffix == ".html":
        return _html_passages(text)
    return [(1, text)]


def _python_passages(source: str, *, strings: bool) -> Iterator[Passage]:
    tree = ast.parse(source)
    # Also strings below attributes and constants.
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value.strip()
            if id(node) in docstrings or (strings and (" " in text or ONE_WORD_TEXT.fullmatch(text))):
                yield node.lineno, node.value
        elif (defined := _defined_name(node)) is not None and defined[1] not in PYTHON_NAMES:
            line, name = defined
            yield line, _words_of(name)
            if name.isupper():
                yield line, name
    yield from _comment_blocks(source)


def _defined_name(node: ast.AST) -> Passage | None:
    """The line and the name that *node* defines; None if it defines none."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node.lineno, node.name
    if isinstance(node, ast.arg):
        return node.lineno, node.arg
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.lineno, node.id
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return node.lineno, node.attr
    return None


def _words_of(name: str) -> str:
    return " ".join(WORD_OF_NAME.findall(name)).lower()


def _comment_blocks(source: str) -> Iterator[Passage]:
    block: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and (token.start[0] != block[-1].start[0] + 1 or token.start[1] != block[-1].start[1]):
            yield block[0].start[0], "\n".join(comment.string for comment in block)
            block = []
        block.append(token)
    if block:
        yield block[0].start[0], "\n".join(comment.string for comment in block)


class _VisibleText(HTMLParser):
    """Collects the texts and attributes of a page that users read."""

    def __init__(self) -> None:
        super().__init__()
        self.passages: list[Passage] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.passages += [(self.getpos()[0], value) for name, value in attrs if name in VISIBLE_ATTRIBUTES and value]

    def handle_data(self, data: str) -> None:
        self.passages.append((self.getpos()[0], data))


def _html_passages(text: str) -> list[Passage]:
    parser = _VisibleText()
    parser.feed(text)
    parser.close()
    return parser.passages


def files_to_check(root: Path, exceptions: Sequence[str] = EXCEPTIONS) -> Iterator[Path]:
    """The files with text for readers, as paths below *root*, in order."""
    excluded = {path for pattern in exceptions for path in root.glob(pattern)}
    for start in sorted({path for pattern in CHECKED for path in root.glob(pattern)}):
        for path in [start] if start.is_file() else sorted(start.rglob("*")):
            relative = path.relative_to(root)
            if path.is_file() and path.suffix in SUFFIXES and not SKIPPED_FOLDERS.intersection(relative.parts):
                if excluded.isdisjoint((path, *path.parents)):
                    yield relative


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the files and print the findings; returns 1 if there are any."""
    parser = argparse.ArgumentParser(prog="scripts/language.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files to check; default: all")
    parser.add_argument("--all", action="store_true", help="also check the exceptions")
    options = parser.parse_args(arguments)
    phrases = read_phrases(PHRASES.read_text("utf-8"))
    names = read_vague_names(VAGUE_NAMES.read_text("utf-8"))
    count = 0
    for path in options.paths or files_to_check(ROOT, () if options.all else EXCEPTIONS):
        text = (ROOT / path).read_text("utf-8")
        for finding in (*find_phrases(path, text, phrases), *find_vague_names(path, text, names)):
            count += 1
            print(finding)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
