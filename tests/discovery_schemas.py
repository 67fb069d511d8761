"""Published schemas of the documents by which others find this server, without their prose.

``data/discovery-schemas`` has the server card (version 1), ``server.json`` of the MCP Registry (2025-12-11), the manifest
of MCP bundles (0.4), and the members that AI Catalog 1.0 defines.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs

SCHEMAS = Path(__file__).parent / "data" / "discovery-schemas"


def check(name: str, document: Any) -> None:
    """Raise AssertionError unless *document* is valid and all its members are declared in the schema."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_bytes())
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    problems = [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(document)]
    definition = schema
    while "$ref" in definition:
        *_, group, kind = definition["$ref"].split("/")
        definition = schema[group][kind]
    problems += [f"{member} is not declared" for member in document if member not in definition["properties"]]
    assert not problems, problems
