"""The package as it is installed."""

from importlib.metadata import version

import doit_mcp


def test_the_installed_version_is_the_package_s() -> None:
    assert version("doit-mcp") == doit_mcp.__version__
