"""The functions that the host app offers, as functions that a plugin calls.

Above it: the loop, which carries a call over and waits for the answer; below it: nothing. A plugin has them by
`from plughost_app import lookup`, or as an argument of a hook.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    Send = Callable[[str, tuple[object, ...], dict[str, object]], object]

    class Function(Protocol):
        def __call__(self, *args: object, **kwargs: object) -> object: ...


__all__ = ["function_of"]


def function_of(name: str, send: Send) -> Function:
    """The app's function of that name. Whether there is one shows when it is called: LookupError if not."""

    def function(*args: object, **kwargs: object) -> object:
        return send(name, args, kwargs)

    function.__name__ = function.__qualname__ = name
    return function
