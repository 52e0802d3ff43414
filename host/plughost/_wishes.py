"""What an app says of how its plugins are run. It holds instead of what they declare themselves.

Above it: the host and its workers; below it: the contract, which knows what can be said.
"""

from __future__ import annotations

from plughost._names import normalized
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Wishes"]


class Wishes:
    """`isolation` and `concurrency`, each for all plugins or by the plugin's name.

    Raises: UsageError: a value that can't be.
    """

    __slots__ = ("_by_plugin", "_for_all")

    def __init__(
        self, isolation: str | Mapping[str, str] | None = None, concurrency: int | Mapping[str, int] | None = None
    ) -> None:
        self._for_all: dict[str, object] = {}
        self._by_plugin: dict[str, dict[str, object]] = {}
        for key, wish in (("isolation", isolation), ("concurrency", concurrency)):
            if wish is None:
                continue
            if isinstance(wish, str | int):
                self._for_all[key] = _checked(key, wish)
                continue
            for plugin, value in wish.items():
                self._by_plugin.setdefault(normalized(plugin), {})[key] = _checked(f"{key}[{plugin!r}]", value, key)

    def apply(self, plugin: str, manifest: dict[str, object]) -> None:
        """Put the app's word in the place of the plugin's."""
        manifest.update(self._for_all)
        manifest.update(self._by_plugin.get(plugin, {}))


def _checked(name: str, value: object, key: str = "") -> object:
    from plughost.contract import misfit

    if wanted := misfit(key or name, value):
        raise UsageError(f"`{name}` can't be `{value!r}`", hint=f"Allowed: {wanted}")
    return value
