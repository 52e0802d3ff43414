"""The manifest's hook implementations as records. They come from a plugin's own process: nothing in them is taken on trust."""

from __future__ import annotations

from keyword import iskeyword

from plughost.errors import DescribeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["HookImplementation", "read_hooks"]

_KINDS = frozenset({"function", "coroutine", "generator", "async-generator"})
_FLAGS = ("wrapper", "hookwrapper", "optionalhook", "tryfirst", "trylast")


class HookImplementation:
    """One function of a plugin that implements a hook.

    `parameters` are the names of the arguments it must be given, `optional` of those it has defaults for; `options` are those of
    pluggy's HookimplMarker. `target` is what the runner calls.
    """

    __slots__ = ("entry_point", "function", "kind", "line", "name", "optional", "options", "parameters", "plugin", "target")

    def __init__(self, plugin: str, record: Mapping[str, object]) -> None:
        """Raises: ValueError: the record is none."""
        self.plugin = plugin
        self.name = _identifier(record.get("name"))
        self.function = _identifier(record.get("function"))
        self.parameters = tuple(_identifiers(record.get("parameters")))
        self.optional = tuple(_identifiers(record.get("optional", [])))
        if len({*self.parameters, *self.optional}) != len(self.parameters) + len(self.optional):
            raise ValueError("a parameter is named twice")
        self.entry_point = _text(record.get("entry_point"))
        self.target = _text(record.get("target"))
        self.kind = _text(record.get("kind", "function"))
        if self.kind not in _KINDS:
            raise ValueError(f"`{self.kind}` is no kind of function")
        line = record.get("line", 1)
        self.line = line if isinstance(line, int) and 0 < line < 1 << 31 else 1
        options = record.get("options")
        given = options if isinstance(options, dict) else {}
        self.options: dict[str, object] = {flag: given.get(flag) is True for flag in _FLAGS}
        # Always named: the attribute that pluggy finds the function under need not be the hook's name.
        self.options["specname"] = self.name

    @property
    def is_wrapper(self) -> bool:
        return bool(self.options["wrapper"] or self.options["hookwrapper"])

    def promises_the_same(self, other: HookImplementation) -> bool:
        """Whether a caller of one may call the other; where it stands in its file doesn't matter."""
        return all(getattr(self, field) == getattr(other, field) for field in self.__slots__ if field != "line")

    def definition(self) -> str:
        """The function's first line, as its author may have written it."""
        return f"{self.function}({', '.join((*self.parameters, *(f'{name}=…' for name in self.optional)))})"


def read_hooks(plugin: str, manifest: Mapping[str, object]) -> list[HookImplementation]:
    """The hook implementations of a manifest, in its order.

    Raises: DescribeError: one of them is nothing that could be called.
    """
    records = manifest.get("hooks")
    found = []
    for record in records if isinstance(records, list) else []:
        try:
            found.append(HookImplementation(plugin, record if isinstance(record, dict) else {}))
        except ValueError as error:
            raise DescribeError(
                f"`{plugin}` describes a hook implementation that can't be one",
                reference="plugin-invalid",
                causes=[str(error), f"It said {str(record)[:200]}"],
                hint=f"`info {plugin}` shows where it comes from",
            ) from None
    return found


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not text")
    return value


def _identifier(value: object) -> str:
    text = _text(value)
    if not text.isidentifier() or iskeyword(text) or text.startswith("__"):
        raise ValueError(f"`{text}` is no name of a function or an argument")
    return text


def _identifiers(values: object) -> Iterable[str]:
    return map(_identifier, values if isinstance(values, list) else [None])
