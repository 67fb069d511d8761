"""Skill: a directory of files that teaches a model how to do something (SEP-2640)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from ...protocol.jsonrpc import JsonObject

SCHEME = "skill://"
MANIFEST = "SKILL.md"
DIRECTORY_MIME_TYPE = "inode/directory"
MIME_TYPES = {"md": "text/markdown", "txt": "text/plain", "json": "application/json", "csv": "text/csv"}


@dataclass(frozen=True, slots=True)
class Skill:
    """A skill: its front matter, and its files by path.

    ``SKILL.md`` is one of the files and starts with the front matter.
    """

    frontmatter: JsonObject
    files: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """The skill's name, which is also the name of its directory."""
        name: str = self.frontmatter["name"]
        return name

    @property
    def root_uri(self) -> str:
        """The URI of the skill's directory."""
        return f"{SCHEME}{self.name}"

    @property
    def uri(self) -> str:
        """The URI of SKILL.md."""
        return f"{self.root_uri}/{MANIFEST}"

    @property
    def list_entry(self) -> JsonObject:
        """The skill as a list result shows it: every file with its digest and size."""
        return {
            "uri": self.uri,
            "frontmatter": self.frontmatter,
            "resources": [
                {
                    "uri": f"{self.root_uri}/{path}",
                    "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
                    "size": len(content),
                }
                for path, content in self.files.items()
            ],
        }

    def list_children(self, directory: str) -> list[JsonObject] | None:
        """Return the files and directories directly in *directory* ("" for the root); None if it is not a directory."""
        prefix = f"{directory}/" if directory else ""
        relative_paths = [path.removeprefix(prefix) for path in self.files if path.startswith(prefix)]
        if not relative_paths:
            return None
        names = dict.fromkeys(path.partition("/")[0] for path in relative_paths)
        return [self._child_entry(prefix + name, name) for name in names]

    def _child_entry(self, path: str, name: str) -> JsonObject:
        media_type = mime_type(path) if path in self.files else DIRECTORY_MIME_TYPE
        return {"uri": f"{self.root_uri}/{path}", "name": name, "mimeType": media_type}


def mime_type(path: str) -> str:
    """Return the media type of a skill's file, by its extension."""
    return MIME_TYPES.get(path.rpartition(".")[2].lower(), "application/octet-stream")
