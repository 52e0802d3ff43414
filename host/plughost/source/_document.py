"""A YAML or JSON file as values that remember how they were written, since `python_version: 3.10` is no number.

Above it: `_package_file`; below it: the parsers. It knows places and shapes, not what a key means.
"""

from __future__ import annotations

import codecs
import json
from typing import NoReturn

import yaml

from plughost._wording import shortened
from plughost.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Node", "Scalar", "decoded", "invalid", "read_document"]

_SHOWN_CHARACTERS = 200
_LIMIT_BYTES = 1 << 20  # a package file has some hundred lines; parsing takes many times the memory


class Scalar:
    """A value that is neither a list nor a mapping: what it means, and how it was written."""

    __slots__ = ("text", "value")

    def __init__(self, text: str, value: object) -> None:
        text.encode()  # half a surrogate pair, which both formats can write, can't be written into a project
        self.text = text
        # What JSON has no form for, such as a date, is taken as it was written.
        self.value = value if value is None or isinstance(value, str | int | float | bool) else text


class Node:
    """A place in the document: its keys, and what stands there, made of dicts, lists and scalars."""

    __slots__ = ("file", "key", "raw")

    def __init__(self, file: str, key: str, raw: object) -> None:
        self.file = file
        self.key = key
        self.raw = raw

    @property
    def missing(self) -> bool:
        return self.raw is None or (isinstance(self.raw, Scalar) and self.raw.value is None)

    def get(self, key: str, *others: str) -> Node:
        """What stands at `key`; where nothing does, at the first of the `others` that has something."""
        raw = self.raw.get(key) if isinstance(self.raw, dict) else None
        if raw is None and isinstance(self.raw, dict):
            key, raw = next(((other, self.raw[other]) for other in others if self.raw.get(other) is not None), (key, None))
        return Node(self.file, f"{self.key}.{key}" if self.key else key, raw)

    def items(self) -> Iterator[Node]:
        """Those of a list. A text of several lines, or with commas, is one too, of texts; of nothing, there are none."""
        raw = self.raw
        if isinstance(raw, Scalar) and isinstance(raw.value, str):
            parts = raw.text.splitlines() if "\n" in raw.text.strip() else raw.text.split(",")
            raw = [Scalar(part.strip(), part.strip()) for part in parts if part.strip()]
        if self.missing:
            return
        if not isinstance(raw, list):
            self.refuse("a list")
        for number, item in enumerate(raw):
            yield Node(self.file, f"{self.key}[{number}]", item)

    def text(self, *, needed: str = "") -> str:
        """The text as it was written, on one line; `needed` is what an error says when it is missing."""
        text = " ".join(self.raw.text.split()) if isinstance(self.raw, Scalar) and not self.missing else ""
        if not text and (needed or not (self.missing or isinstance(self.raw, Scalar))):
            self.refuse(needed or "a text")
        return text

    def value(self) -> object:
        return _plain(self.raw)

    def refuse(self, allowed: str) -> NoReturn:
        raise invalid(self.file, self.key, self.value(), allowed)


def invalid(file: str, key: str, found: object, allowed: str) -> SourceError:
    """The error for the value `found` at `key`; None: there is none."""
    shown = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, default=str)
    return SourceError(
        f"`{file}: {key}` is missing" if found is None else f"`{file}: {key}` can't be `{shortened(shown, _SHOWN_CHARACTERS)}`",
        reference="package-file-invalid",
        causes=[f"Allowed: {allowed}"],
        hint=f"Correct `{file}`, or tell the package's author",
    )


def decoded(data: bytes) -> str:
    """The text of a file as people's editors write it: UTF-8, UTF-16 with its mark, or the old Windows code page.

    Raises: UnicodeDecodeError: it is none of these.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def read_document(path: Path) -> Node:
    """Raises: SourceError: the file is no YAML or JSON, or no mapping."""
    parse = _from_json if path.suffix == ".json" else _from_yaml
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            raise ValueError(f"it is larger than {_LIMIT_BYTES} bytes")  # noqa: TRY301 - as of any other content
        raw = parse(decoded(path.read_bytes()))
        if not isinstance(raw, dict):
            raise ValueError("it is no mapping of keys to values")  # noqa: TRY004, TRY301 - as of any other content
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise SourceError(
            f"`{path.name}` can't be read",
            reference="package-file-invalid",
            causes=[" ".join(str(error).split())],
            hint=f"It must be {'JSON' if path.suffix == '.json' else 'YAML'} in UTF-8",
        ) from error
    return Node(path.name, "", raw)


def _from_json(text: str) -> object:
    def scalars(value: object) -> object:
        if isinstance(value, dict):
            return {key: scalars(item) for key, item in value.items()}
        if isinstance(value, list):
            return [scalars(item) for item in value]
        return value if isinstance(value, Scalar) else Scalar(value if isinstance(value, str) else json.dumps(value), value)

    return scalars(json.loads(text, parse_float=lambda number: Scalar(number, float(number)), object_pairs_hook=_unique))


def _from_yaml(text: str) -> object:
    # A dozen lines of aliases can stand for more values than fit into memory.
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"aliases such as `*name` are not allowed: {event.start_mark}")
    loader = yaml.SafeLoader(text)

    def construct(node: yaml.Node | None) -> object:
        if isinstance(node, yaml.MappingNode):
            loader.flatten_mapping(node)
            return _unique((str(key.value), construct(value)) for key, value in node.value)
        if isinstance(node, yaml.SequenceNode):
            return [construct(item) for item in node.value]
        if not isinstance(node, yaml.ScalarNode):
            return None
        try:
            return Scalar(node.value, loader.construct_object(node))
        except ValueError:  # it looks like a date, and is none
            return Scalar(node.value, node.value)

    try:
        return construct(loader.get_single_node())
    finally:
        loader.dispose()


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Raises: ValueError: a key comes twice; both formats would silently take the last."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key `{key}` comes twice in one mapping")
        found[key] = value
    return found


def _plain(raw: object) -> object:
    if isinstance(raw, dict):
        return {key: _plain(item) for key, item in raw.items()}
    if isinstance(raw, list):
        return [_plain(item) for item in raw]
    return raw.value if isinstance(raw, Scalar) else raw
