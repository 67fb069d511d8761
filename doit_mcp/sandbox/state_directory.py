"""The secret of the sandbox, kept in a directory, so that clients can continue their sessions after a restart."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

FILE_NAME = "secret"
SECRET_CHARACTERS = 43


def keep_secret(directory: Path) -> str:
    """Return the secret in *directory*; create both if they do not exist. Only the owner can read the file.

    Raise OSError if that is not possible, and ValueError if the file contains something else.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / FILE_NAME
    if not path.exists():
        _create(path)
    with path.open("rb") as file:
        secret = file.read(SECRET_CHARACTERS + 1).decode("ascii")
    if len(secret) != SECRET_CHARACTERS:
        raise ValueError(f"{FILE_NAME} does not contain a secret of {SECRET_CHARACTERS} characters")
    return secret


def _create(path: Path) -> None:
    """Write a new secret to *path*, unless another sandbox does so at the same time."""
    # mkstemp makes files that only their owner can read.
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        os.link(name, path)
    except FileExistsError:
        # The other sandbox was first; both use its secret.
        return
    finally:
        os.unlink(name)
