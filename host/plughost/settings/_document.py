"""Files of TOML that people write, and what is said of a mistake in one: where it stands, and what belongs there.

Above it: `_load`, and `_declared`; below it: the disk. `tomllib` is imported once there is a file to read.
"""

from __future__ import annotations

import os

from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "FILE",
    "did_you_mean",
    "find_document",
    "invalid",
    "line_of",
    "mentions",
    "prefix_of",
    "read_document",
    "refuse_unknown",
]

#: The file of settings, in a project's folder and in the user's.
FILE = "plughost.toml"
_PROJECT = "pyproject.toml"


def find_document(folder: str) -> str:
    """The nearest `plughost.toml`, or `pyproject.toml` that has `[tool.plughost]`, from `folder` upwards; "" if there is none."""
    while True:
        path = os.path.join(folder, FILE)
        if os.path.isfile(path):
            return path
        path = os.path.join(folder, _PROJECT)
        if _mentions_us(path) and read_document(path, lenient=True):
            return path
        above = os.path.dirname(folder)
        if above == folder:
            return ""
        folder = above


def read_document(path: str, *, lenient: bool = False) -> dict[str, object]:
    """What is ours in the file at `path`: of a `pyproject.toml` the table `tool.plughost`, else all of it.

    What a plugin declares of itself in that table is none of it.

    `lenient` takes a pyproject.toml that can't be read for one that doesn't mean us.

    Raises: UsageError: it can't be read, or is no TOML.
    """
    import tomllib

    ours = os.path.basename(path) != _PROJECT
    try:
        with open(path, "rb") as file:
            document: dict[str, object] = tomllib.load(file)
    except (OSError, ValueError, RecursionError) as error:  # of which TOMLDecodeError is one, and UnicodeDecodeError another
        if lenient and not ours:
            return {}
        from plughost._wording import said

        raise invalid(path, said(error)) from error
    if ours:
        return document
    tool = document.get("tool")
    table = tool.get("plughost") if isinstance(tool, dict) else None
    if table is None:
        return {}
    if not isinstance(table, dict):
        from plughost._wording import shown

        raise invalid(path, f"`tool.plughost` is `{shown(table)}`, and must be a table")
    from plughost.contract import DECLARED_KEYS

    return {key: value for key, value in table.items() if key not in DECLARED_KEYS}


def line_of(path: str, key: str) -> int:
    """In which line of the file at `path` our key `key` stands; 0 if that can't be told."""
    import re

    ours = prefix_of(path).rstrip(".")
    within = ""
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if table := re.match(r"\s*\[+([^\]]*)\]", line):
                    within = re.sub(r"[\s\"']", "", table[1])
                elif within == ours and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                    return number
    except (OSError, UnicodeDecodeError):
        pass
    return 0


def prefix_of(path: str) -> str:
    """What stands before our keys in the file at `path`."""
    return "tool.plughost." if os.path.basename(path) == _PROJECT else ""


def invalid(path: str, *causes: str, hint: str = "") -> UsageError:
    return UsageError(f"The settings in `{path}` can't be used", reference="settings-invalid", causes=causes, hint=hint)


def refuse_unknown(path: str, table: Iterable[str], known: Iterable[str], *, within: str = "") -> None:
    """Raises: UsageError: `table`, which stands at the keys `within`, has a key that is not `known`."""
    names = list(known)
    for key in table:
        if key not in names:
            where = f"{prefix_of(path)}{within}{key}"
            raise invalid(path, f"There is no setting `{where}`", hint=did_you_mean(key, names))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint with the names that come near, or with all."""
    from plughost import _wording

    names = list(known)
    return _wording.did_you_mean(name.replace("_", "-"), names, cutoff=0.5) or f"There are {_wording.listed(names)}"


def mentions(path: str, words: Iterable[str]) -> bool:
    """Whether one of the words is in the file at `path`."""
    data = _read(path)
    return any(word.encode() in data for word in words)


def _mentions_us(path: str) -> bool:
    """Whether it is worth being parsed, which takes longer than all else that happens here: every plugin's names plughost."""
    text = _read(path).translate(None, b" \t\"'")
    return b"plughost" in text and any(form in text for form in (b"tool.plughost", b"[tool]", b"tool={"))


def _read(path: str) -> bytes:
    """What is in the file; nothing where it can't be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
