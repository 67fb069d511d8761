"""Reads settings from environment variables, command-line flags and files of secrets."""

from __future__ import annotations

from collections.abc import Mapping

from .declaration import Variable, flag_name
from .errors import BadSettings

# Far larger than any secret.
MAX_SECRET_FILE_BYTES = 64 << 10


def read_values(
    variables: Mapping[str, Variable], environment: Mapping[str, str], flags: Mapping[str, str]
) -> dict[str, object]:
    """Return the values that are set, by field. *flags* override *environment*, both by variable name.

    Problems name a flag or a variable, whichever was used. Raise :class:`BadSettings` with all of them at once; none
    repeats a value, which may be a secret.
    """
    environment = {**environment, **flags}
    values: dict[str, object] = {}
    problems: list[str] = []
    for field_name, declared in variables.items():
        try:
            if text := read_variable(environment, declared):
                values[field_name] = declared.parse(text)
        except ValueError as error:
            problems.append(f"{flag_name(field_name) if declared.name in flags else declared.name} {error}.")
        except BadSettings as invalid:
            problems += invalid.problems
    if problems:
        raise BadSettings(problems)
    return values


def read_variable(environment: Mapping[str, str], declared: Variable) -> str:
    """Return the value of a variable, read from the file that its ``_FILE`` variant names if that is set.

    Raise :class:`BadSettings`.
    """
    name, file_name = declared.name, declared.file_variable
    value, path = environment.get(name, "").strip(), environment.get(file_name, "").strip()
    if not path or not declared.is_secret:
        return value
    if value:
        raise BadSettings([f"{name} and {file_name} are both set; set only one of them."])
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_SECRET_FILE_BYTES + 1)
        secret = data.decode().strip()
    except OSError as failure:
        raise BadSettings([f"{file_name} names a file that cannot be read: {failure.strerror}."]) from None
    except ValueError:
        raise BadSettings([f"{file_name} must name a file of UTF-8 text."]) from None
    if "\0" in secret:
        raise BadSettings([f"{file_name} must name a file of text without null characters."])
    if not secret or len(data) > MAX_SECRET_FILE_BYTES:
        raise BadSettings(
            [f"{file_name} must name a file that contains the secret, of 1 to {MAX_SECRET_FILE_BYTES} bytes."]
        )
    return secret
