"""docs/security/requirements.toml and its markers: every requirement has a test or a reason, and markers are valid."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from scripts.generate_docs import generated_pages
from scripts.requirements import MarkedTest, find_marked_tests, read_sections

TESTS = Path(__file__).parent
SECTIONS, UNTESTED = read_sections()
SENTENCES = {requirement: sentence for section in SECTIONS for requirement, sentence in section.sentences.items()}
MARKED = find_marked_tests()
PROVEN = {requirement for test in MARKED for requirement in test.requirements}
ID = re.compile(r"[A-Z]\d+")
# The form test_n9_n10_name: a test named after requirements.
NAMED = re.compile(r"test((?:_[a-z]\d+)+)_")


def test_ids_are_unique() -> None:
    counts = Counter(requirement for section in SECTIONS for requirement in section.sentences)
    assert len(counts) > 200 and [requirement_id for requirement_id, times in counts.items() if times > 1] == []
    assert [requirement_id for requirement_id in counts if not ID.fullmatch(requirement_id)] == []


def test_requirements_are_sentences() -> None:
    repeated = Counter([*SENTENCES.values(), *(section.title for section in SECTIONS)])
    assert [sentence for sentence, times in repeated.items() if times > 1] == []
    for text in (*SENTENCES.values(), *UNTESTED.values()):
        assert re.fullmatch(r"[A-Z0-9][^\n`*|]{20,150}\.", text), text


def test_every_requirement_has_a_test_or_a_reason() -> None:
    assert sorted(SENTENCES.keys() - PROVEN - UNTESTED.keys()) == [], "neither marked on a test nor under [untested]"
    assert sorted(UNTESTED.keys() & PROVEN) == [], "under [untested] although a test is marked with it"


def test_every_marker_names_requirements() -> None:
    wrong = [test for test in MARKED if set(test.requirements) - SENTENCES.keys()]
    assert wrong == [] and UNTESTED.keys() <= SENTENCES.keys()
    assert [test for test in MARKED if len(set(test.requirements)) < len(test.requirements)] == []


def test_every_marker_is_found() -> None:
    """A marker elsewhere, such as on a parameter, would be missing from the generated page."""
    marker = "mark." + "requirement("
    written = {
        path.relative_to(TESTS).as_posix(): path.read_text("utf-8").count(marker) for path in TESTS.rglob("*.py")
    }
    counts = Counter(test.file for test in MARKED)
    written.pop("test_requirements.py")
    assert {file: times for file, times in written.items() if times} == counts


def test_tests_named_for_requirements_are_marked() -> None:
    marked = {(test.file, test.name): set(test.requirements) for test in MARKED}
    missing = []
    for path in sorted(TESTS.rglob("test_*.py")):
        file = path.relative_to(TESTS).as_posix()
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (named := NAMED.match(node.name)):
                expected = {part for part in named[1].upper().split("_") if part in SENTENCES}
                missing += [(file, node.name, missing) for missing in expected - marked.get((file, node.name), set())]
    assert missing == []


def test_page_is_current() -> None:
    page = TESTS.parent / "docs" / "security" / "requirements.rst"
    assert page.read_text("utf-8") == generated_pages()["security/requirements.rst"], "run scripts/docs"


def test_markers_are_read_from_functions_classes_and_modules(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        'pytestmark = [pytest.mark.asyncio, pytest.mark.requirement("F1")]\n'
        '@pytest.mark.requirement("T1", "T2")\n@pytest.mark.parametrize("x", [1])\nasync def test_a(x): ...\n'
        '@pytest.mark.requirement("T3")\nclass TestB:\n    @pytest.mark.requirement("T4")\n    def test_c(self): ...\n'
        "def test_d(): ...\n"
    )
    assert find_marked_tests(tmp_path) == [
        MarkedTest("test_some.py", "", ("F1",)),
        MarkedTest("test_some.py", "test_a", ("T1", "T2")),
        MarkedTest("test_some.py", "TestB", ("T3",)),
        MarkedTest("test_some.py", "TestB::test_c", ("T4",)),
    ]
