"""The installed package and the Python versions it supports."""

from __future__ import annotations

import re
from configparser import ConfigParser
from importlib.metadata import metadata, version
from pathlib import Path

import yaml

import doit_mcp

ROOT = Path(__file__).parent.parent


def supported_pythons() -> list[str]:
    """Return the versions in the classifiers of setup.cfg."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return re.findall(r"^Programming Language :: Python :: (3\.\d+)$", setup["metadata"]["classifiers"], re.MULTILINE)


def test_installed_version_matches_the_package() -> None:
    assert version("doit-mcp") == doit_mcp.__version__


def test_every_file_of_the_package_is_installed() -> None:
    """The view, pages and locale data are files beside the modules."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    patterns = setup["options.package_data"]["doit_mcp"].split()
    package = ROOT / "doit_mcp"
    others = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert package / "catalog" / "views" / "assets" / "view.html" in others
    assert others == {path for pattern in patterns for path in package.glob(pattern) if path.is_file()}


def test_oldest_supported_python_is_required() -> None:
    assert metadata("doit-mcp")["Requires-Python"] == f">={supported_pythons()[0]}"


def test_all_supported_pythons_are_tested() -> None:
    script = (ROOT / "scripts" / "test-all-pythons").read_text("utf-8")
    assert re.findall(r"^versions=\((.*)\)$", script, re.MULTILINE) == [" ".join(supported_pythons())]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == supported_pythons()
    commands = [step["run"].split()[0] for step in job["steps"] if "run" in step]
    assert ".ci/run" in commands and (ROOT / ".ci" / "run").exists()
