"""Entity tags (RFC 9110, 8.8.3): versions of objects, with which an update names the version that it changes."""

import re

from ..protocol.json_schema import JsonObject
from .errors import ApiError

MAX_TAG_CHARACTERS = 1_000
ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
UNQUOTED_TAG = re.compile(r"[\x21\x23-\x7e]+")


def read_entity_tag(record: JsonObject) -> str:
    """Return the field *etag* of *record* as an entity tag, in quotes; "" if the record has none.

    Raises ApiError ("answer") for a value that cannot be sent in a header.
    """
    tag = record.get("etag")
    if tag is None or tag == "":
        return ""
    if isinstance(tag, str) and len(tag) <= MAX_TAG_CHARACTERS:
        if ENTITY_TAG.fullmatch(tag):
            return tag
        if UNQUOTED_TAG.fullmatch(tag):
            return f'"{tag}"'
    raise ApiError("the etag of the object has an unexpected form", kind="answer")
