"""The joined document of the view: order, hash, size, and what its source must not do."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest

from doit_mcp.catalog import views
from doit_mcp.catalog.views.compaction import compact_script
from doit_mcp.catalog.views.document import (
    FIRST_SCRIPTS,
    LAST_SCRIPTS,
    MAX_COMPRESSED_BYTES,
    MAX_VIEW_BYTES,
    VIEW_URI_PATTERN,
    script_names,
    view_html,
    view_script,
    view_uri,
)

ASSETS = Path(views.__file__).parent / "assets"
SOURCES = sorted(path for path in ASSETS.iterdir() if path.is_file())
MAX_LINES = 150
# What the sandbox of a host blocks, what runs text as code, and what loads something.
FORBIDDEN = (
    r"\beval\b|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|"
    r"\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|\bimport\b|"
    r"localStorage|sessionStorage|indexedDB|document\.cookie|serviceWorker|"
    r"@import|@font-face|\burl\((?!#)|<link\b|<iframe|\bsrc="
)
# Names of XML namespaces, which are never loaded.
NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml")


def test_every_script_is_joined_once() -> None:
    names = script_names()
    assert sorted(names) == sorted(path.name for path in SOURCES if path.suffix == ".js")
    middle = [name for name in names if name not in {*FIRST_SCRIPTS, *LAST_SCRIPTS}]
    assert middle == sorted(middle)
    assert view_html().count("<script>") == 1
    positions = [view_script().index(compact_script((ASSETS / name).read_text())) for name in names]
    assert positions == sorted(positions)


def test_the_uri_changes_with_the_bytes() -> None:
    assert VIEW_URI_PATTERN.fullmatch(view_uri())
    assert hashlib.sha256(view_html().encode()).hexdigest()[:8] in view_uri()


def test_the_document_is_small_and_complete() -> None:
    html = view_html()
    assert len(html.encode()) <= MAX_VIEW_BYTES
    assert len(gzip.compress(html.encode(), mtime=0)) <= MAX_COMPRESSED_BYTES
    assert html.startswith("<!doctype html>") and html.endswith("</html>")
    assert "$style" not in html and "$script" not in html
    # A closing tag in a script or style would end it early.
    assert html.count("</script") == html.count("</style") == 1


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_sources_load_nothing_and_run_no_text(path: Path) -> None:
    text = path.read_text()
    for namespace in NAMESPACES:
        text = text.replace(f'"{namespace}"', '""')
    assert re.findall(FORBIDDEN, text) == []
    assert re.findall(r"(?:https?:)?//[\w.-]+\.\w{2,}[^\s]*", text) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_sources_are_small_files(path: Path) -> None:
    limit = MAX_LINES if path.suffix == ".js" else 2 * MAX_LINES
    assert len(path.read_text().splitlines()) <= limit
