"""The language check: finds banned phrases and vague names with file and line, and passes everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import language

PHRASES = language.read_phrases(language.PHRASES.read_text("utf-8"))
MODULE = '''"""Sends what it is told to send."""

NAME = "catalogue"


def send(status: str) -> str:
    """Send it.

    There is no session, so nobody
    answers.
    """
    # The upstream is
    # away: report it.
    return f"{status}: the client is no browser"
'''


def findings(name: str, text: str) -> list[str]:
    """Lines and phrases found in a file of this name."""
    return [f"{finding.line} {finding.text}" for finding in language.find_phrases(Path(name), text, PHRASES)]


def test_python_files() -> None:
    assert findings("doit_mcp/send.py", MODULE) == ["1 told", "9 nobody", "12 is away", "14 is no"]


NAMES = """class ToldCaller:
    def nobody_asks(self, strangers: int) -> None:
        PEOPLE_STEPS = self.colours = MOST_ROWS = strangers
        almost_all, cancelled = "told", "Nobody"
        print("Told.")
"""


def test_names_and_texts_of_one_word() -> None:
    names = ["1 told", "2 nobody", "2 strangers", "3 MOST_ROWS", "3 colours", "3 people"]
    assert findings("doit_mcp/send.py", NAMES) == [*names, "4 Nobody", "5 Told"]
    assert findings("tests/test_send.py", NAMES) == names


FUNCTIONS = """from functools import cached_property

def _due(now: float) -> list[str]: ...

class Line:
    async def matching(self) -> None: ...

    @property
    def due(self) -> list[str]: ...

    @cached_property
    def shown(self) -> str: ...

    def list_due(self) -> list[str]:
        def given() -> str: ...
"""


def test_functions_with_vague_names() -> None:
    names = language.read_vague_names("# Comment with: due\n\ndue matching\nshown given\n")
    assert names == {"due", "matching", "shown", "given"}
    found = language.find_vague_names(Path("doit_mcp/send.py"), FUNCTIONS, names)
    assert [f"{finding.line} {finding.text}" for finding in found] == ["3 _due", "6 matching", "15 given"]
    assert str(found[0]).startswith("doit_mcp/send.py:3: '_due': write a verb and its object")
    assert language.find_vague_names(Path("tests/test_send.py"), FUNCTIONS, names) == []
    assert language.find_vague_names(Path("docs/send.rst"), "due", names) == []


def test_vague_names_can_match() -> None:
    for name in language.read_vague_names(language.VAGUE_NAMES.read_text("utf-8")):
        assert name.isidentifier(), name
        assert name == name.strip("_"), name


def test_test_strings_are_not_checked() -> None:
    assert findings("tests/test_send.py", MODULE) == ["1 told", "9 nobody", "12 is away"]


def test_pages() -> None:
    page = '<p class="nobody">\n<b>Colour</b> <i title="told">theme</i>\n<input value="nobody"></p>'
    assert findings("doit_mcp/templates/page.html", page) == ["2 Colour", "2 told"]


@pytest.mark.parametrize("name", ["README.rst", "SECURITY.md", "page.js", "scripts/bench"])
def test_documents_and_scripts(name: str) -> None:
    assert findings(name, "# Servers that\n# nobody reckons with\n") == ["2 nobody", "2 reckons"]


@pytest.mark.parametrize(
    "text",
    [
        "Whoever asks",
        "It cannot be had",
        "while Redis is away",
        "for strangers and people",
        "at most so many sessions",
        "There is none",
        "These are no tokens",
        "It stands in for the API",
        "It goes by the header",
        "The same of a task",
        "Tell it anew",
        "The behaviour of catalogues",
        "A cancelled, normalised request",
    ],
)
def test_banned_phrases(text: str) -> None:
    assert findings("README.rst", text)


@pytest.mark.parametrize(
    "text",
    [
        "There is no session, and it is no longer needed",
        "None of them; resource is None",
        "Send notifications/cancelled or ``cancelled``",
        "Do it right away, far away from it",
        "So many requests that it fails",
        "untold, nobody_else, peoples, told_apart",
        "The color of the catalog is normalized",
    ],
)
def test_plain_text_passes(text: str) -> None:
    assert findings("README.rst", text) == []


def test_every_phrase_says_what_to_write() -> None:
    assert all(phrase.advice for phrase in PHRASES)
    with pytest.raises(ValueError, match="no advice"):
        language.read_phrases("nobody")


def test_files_to_check(tmp_path: Path) -> None:
    names = ("README.rst", "doit_mcp/a.py", "doit_mcp/b/c.html", "doit_mcp/b/d.json", "tests/data/e.py", "other/f.py")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    paths = [path.as_posix() for path in language.files_to_check(tmp_path, ())]
    assert paths == ["README.rst", "doit_mcp/a.py", "doit_mcp/b/c.html"]
    assert list(language.files_to_check(tmp_path, ("README.rst", "doit_mcp/b"))) == [Path("doit_mcp/a.py")]


def test_repository_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert language.main([]) == 0, capsys.readouterr().out


def test_findings_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "NOTES.md"
    path.write_text("Fine.\nNobody knows.\n", "utf-8")
    assert language.main([str(path)]) == 1
    assert capsys.readouterr().out.startswith(f"{path}:2: 'Nobody': write ")


def test_vague_names_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deliveries.py"
    path.write_text("def list_due() -> None: ...\ndef _due() -> None: ...\n", "utf-8")
    assert language.main([str(path)]) == 1
    assert capsys.readouterr().out.startswith(f"{path}:2: '_due': write a verb and its object")
