"""Loads the Lua scripts that run inside Redis from the files in ``lua``."""

from __future__ import annotations

from importlib.resources import files


def load_script(name: str) -> str:
    """Return the text of ``lua/<name>.lua`` without comments and blank lines, because it is sent with every call."""
    lines = files(__package__).joinpath("lua", f"{name}.lua").read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("--"))
