"""`rollback`: a version that is kept, put in force again. Nothing is built, fetched or started.

Above it: `Host`; below it: the registry, and a look whether the version's environment is still there.
"""

from __future__ import annotations

from plughost import registry
from plughost._changed import Updated, look
from plughost.errors import StoreError
from plughost.venv import is_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plughost.paths import Store

    Vet = Callable[[str, Mapping[str, object]], None]

__all__ = ["rollback"]


def rollback(store: Store, name: str, *, to: str, vet: Vet) -> Updated:
    """Turn to the version before the one in force, or to the one that `to` means; `vet` raises where that can't be taken.

    Raises: UnknownError: there is none. StoreError: its environment is damaged, or the store can't be written.
    """
    before = look(store, name)
    target = registry.way_back(store, name, to)
    if not is_whole(store, str(target.manifest["venv"])):
        version = str(target.manifest.get("version"))
        raise StoreError(
            f"The environment of `{target.name}` {version} is damaged or missing",
            reference="venv-missing",
            causes=[f"`{target.venv}`"],
            hint=f"`repair {target.name}` makes it again from its lock",
        )
    vet(target.name, target.manifest)
    changed = registry.turn_to(store, target.name, target.revision)
    return Updated(before, look(store, before.name), "rolled-back" if changed else "current")
