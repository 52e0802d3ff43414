"""The examples, tried: each is called as a user would call it, and what comes is held against what should.

Above it: the check; below it: `Host`.
"""

from __future__ import annotations

import math
import re

from plughost._wording import shortened
from plughost.authoring._findings import Finding
from plughost.errors import PlughostError, PluginError
from plughost.runner.wire import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plughost.authoring._examples import Example, Expected
    from plughost.session import Session

__all__ = ["try_examples"]

_SHOWN_CHARACTERS = 160
_EXAMPLE_TIMEOUT_S = 60.0


def try_examples(session: Session, examples: Sequence[Example]) -> Iterator[Finding]:
    """Call each, and say which give something else than they should."""
    for example in examples:
        if fault := _fault(session, example):
            yield Finding(reference="example-failed", where=example.tool, message=f"`{example.shown}` {fault}")


def _fault(session: Session, example: Example) -> str:
    expected = example.expected
    try:
        outcome = session.invoke(example.tool, args=example.args, kwargs=example.kwargs, timeout_s=_EXAMPLE_TIMEOUT_S)
        value = _part(outcome.result, example.parts)
    except PluginError as error:
        return _fault_of_error(error, expected)
    except PlughostError as error:
        return f"fails: {error.message}"
    except (LookupError, TypeError) as error:
        return f"gives something that has no such part: {error}"
    return _fault_of_value(value, expected)


def _fault_of_value(value: object, expected: Expected) -> str:
    if expected.raises:
        return f"raises no `{expected.raises}`, but gives `{_shown(value)}`"
    if expected.matches and not re.search(expected.matches, value if isinstance(value, str) else repr(plain(value))):
        return f"gives `{_shown(value)}`, in which there is no `{expected.matches}`"
    if expected.has_value or expected.text:
        return "" if _fits(value, expected) else f"gives `{_shown(value)}`, and not `{_wanted(expected)}`"
    return ""


def _fault_of_error(error: PluginError, expected: Expected) -> str:
    kinds = {error.type_name.rpartition(".")[2], error.builtin_name, *(kind.__name__ for kind in type(error).__mro__)}
    said = f"`{error.type_name}: {error.remote_message}`"
    if not expected.raises:
        return f"raises {said}"
    if expected.raises.rpartition(".")[2] not in kinds:
        return f"raises {said}, and no `{expected.raises}`"
    if not _reads_as(error.remote_message, expected.message):
        return f"raises {said}, and not with the message `{expected.message}`"
    if expected.matches and not re.search(expected.matches, error.remote_message):
        return f"raises {said}, in whose message there is no `{expected.matches}`"
    return ""


def _part(value: object, parts: Sequence[object]) -> object:
    """Raises: LookupError, TypeError: the value has no such part."""
    for key in parts:
        if isinstance(value, dict):
            value = value[str(key)]  # as keys arrive
            continue
        if not (isinstance(value, list) and isinstance(key, int)):
            raise TypeError(f"`[{key!r}]` of a `{type(value).__name__}`")
        value = value[key]
    return value


def _fits(value: object, expected: Expected) -> bool:
    if expected.has_value and (_same(value, expected.value) or _same(plain(value), expected.value)):
        return True
    return bool(expected.text) and (_reads_as(repr(value), expected.text) or value == expected.text)


def _same(value: object, wanted: object) -> bool:
    """Equal, as the wire has it: a tuple arrives as a list, and the last digits of a float are the machine's business."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, float) and isinstance(wanted, int | float):
        return value == wanted or math.isclose(value, wanted, rel_tol=1e-9)
    if isinstance(value, list | tuple) and isinstance(wanted, list | tuple):
        return len(value) == len(wanted) and all(map(_same, value, wanted))
    if isinstance(value, dict) and isinstance(wanted, dict):
        wanted = {str(key): item for key, item in wanted.items()}
        return value.keys() == wanted.keys() and all(_same(item, wanted[key]) for key, item in value.items())
    return value == wanted


def _reads_as(text: str, pattern: str) -> bool:
    """Whether the text is as `pattern` has it, in which `...` stands for anything; spaces count as one."""
    if not pattern:
        return True
    parts = (re.escape(" ".join(part.split())) for part in pattern.split("..."))
    return re.fullmatch(".*".join(parts), " ".join(text.split()), re.DOTALL) is not None


def _shown(value: object) -> str:
    return shortened(repr(value), _SHOWN_CHARACTERS)


def _wanted(expected: Expected) -> str:
    return expected.text or _shown(expected.value)
