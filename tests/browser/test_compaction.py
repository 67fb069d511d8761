"""The joined scripts and the style mean the same as their sources: esbuild reads both alike."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from doit_mcp.catalog import views
from doit_mcp.catalog.views.document import script_names, view_script, view_style
from tests.browser.driver import NODE, Browser

ASSETS = Path(views.__file__).parent / "assets"
CONSTANT = re.compile(r"(?<!Node\.)\b[A-Z]+(?:_[A-Z]+)+\b")


def short(name: str) -> str:
    """Return the name that a constant has in the view."""
    return "".join(word[:2] for word in name.split("_"))


def normalized(source: str, loader: str) -> str:
    """Return *source* as esbuild writes it, whatever its white space and comments are."""
    command = [str(NODE / "node_modules" / ".bin" / "esbuild"), f"--loader={loader}", "--minify-whitespace"]
    return subprocess.run(command, input=source, capture_output=True, check=True, text=True).stdout


def test_the_compacted_view_means_the_same(browser: Browser) -> None:
    sources = "\n".join((ASSETS / name).read_text() for name in script_names())
    constants = set(CONSTANT.findall(sources))
    assert len({short(name) for name in constants}) == len(constants) > 20
    sources = CONSTANT.sub(lambda found: short(found[0]), re.sub(r"\bconst\b", "let", sources))
    script = normalized(f'(() => {{\n"use strict";\n{sources}\n}})();', "js")
    assert len(script) > 50_000 and normalized(view_script(), "js") == script
    # esbuild keeps spaces in the values of custom properties.
    styles = [normalized(style, "css") for style in (view_style(), (ASSETS / "view.css").read_text())]
    compacted, written = (re.sub(r"([:,]) ", r"\1", style) for style in styles)
    assert len(written) > 8_000 and compacted == written
