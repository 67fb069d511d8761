"""Reads the API document that the operator adds to the operations of this release."""

from __future__ import annotations

import logging
from pathlib import Path

from ..api.openapi_document import MAX_DOCUMENT_BYTES, ApiDocument
from ..catalog.discovery.documented_tools import read_document
from ..catalog.registry import direct_tools
from ..settings.errors import BadSettings

VARIABLE = "DOIT_MCP_OPENAPI"
MAX_LOGGED_OPERATIONS = 20
log = logging.getLogger(__name__)


def load_api_document(path: str) -> ApiDocument | None:
    """Return the operations of the document at *path* that are new; None without a path. Raises BadSettings.

    Logs how many operations are offered, and why others are not.
    """
    if not path:
        return None
    try:
        with Path(path).open("rb") as file:
            # One byte more than allowed shows that the file is larger, without reading all of it.
            document = read_document(file.read(MAX_DOCUMENT_BYTES + 1), direct_tools())
    except OSError as error:
        raise BadSettings(
            [f"{VARIABLE}: the file cannot be read ({error.strerror or type(error).__name__})."]
        ) from None
    except ValueError as error:
        raise BadSettings([f"{VARIABLE}: the file {error}."]) from None
    names = [one.operation.name for one in document.operations[:MAX_LOGGED_OPERATIONS]]
    reasons = [f"{name}: {reason}" for name, reason in list(document.left_out.items())[:MAX_LOGGED_OPERATIONS]]
    log.info(
        "API document loaded; call_operation offers its operations",
        extra={"count": len(document.operations), "operations": names, "left_out": reasons},
    )
    return document
