"""What is installed already of what `add` is asked for: exactly the same, in force or kept, or another package of that name.

Above it: `add`; below it: the registry. It builds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plughost import registry
from plughost.errors import PlughostError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plughost.paths import Store
    from plughost.registry import Installed, Receipt
    from plughost.source import Origin

__all__ = ["Existing", "find_existing", "previous_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """A revision that is whole and was made from the same origin with the same options."""

    installed: Installed
    in_force: bool


def find_existing(store: Store, origin: Origin, options: Mapping[str, object], name: str) -> Existing | None:
    """The revision that is exactly this, under `name` or any; the one in force where there are several."""
    from plughost.venv import is_whole

    for candidate in [name] if name else registry.installed_names(store):
        for number, receipt in enumerate(_receipts(store, candidate)):
            if _is_made_of(receipt, origin, options) and is_whole(store, receipt.venv):
                try:
                    installed = registry.find(store, f"{candidate}@{receipt.revision}")
                    registry.check_file(installed.folder, receipt, "manifest.json", receipt.manifest_sha256)
                except PlughostError:
                    continue
                return Existing(installed=installed, in_force=number == 0)
    return None


def previous_of(store: Store, origin: Origin, name: str, *, force: bool) -> Receipt | None:
    """The receipt in force under this name.

    Raises: UsageError: it is of another package, and not to be replaced by `force`.
    """
    try:
        installed = registry.find(store, name)
        previous = registry.load_receipt(Path(installed.folder, "receipt.toml"))
    except PlughostError:  # none, or a damaged one, which this revision takes the place of
        return None
    if not force and _family(previous.kind, previous.direct_url) != _family(origin.kind, origin.direct_url()):
        raise UsageError(
            f"`{name}` is installed already, from another source",
            reference="name-taken",
            causes=[f"It came from `{previous.source}`"],
            hint="`--name OTHER` installs this one beside it, `--force` puts it in its place",
        )
    return previous


def _receipts(store: Store, name: str) -> Iterator[Receipt]:
    """Those of the revisions that are kept, the one in force first, as far as they can be read."""
    try:
        state = registry.state_of(store, registry.normalize_name(name))
    except PlughostError:
        return
    for revision in state.revisions if state else ():
        try:
            yield registry.load_receipt(Path(store.plugin(name), revision, "receipt.toml"))
        except PlughostError:
            continue


def _is_made_of(receipt: Receipt, origin: Origin, options: Mapping[str, object]) -> bool:
    if receipt.kind != origin.kind or receipt.direct_url != origin.direct_url() or receipt.request != options:
        return False
    if origin.kind == "requirement" and receipt.source != origin.requirement:
        return False
    return receipt.commit_id == (origin.commit_id or "") and receipt.digest == (origin.sha256 or "")


def _family(kind: str, direct_url: Mapping[str, object]) -> tuple[object, ...]:
    """What the revisions of one plugin have in common: the repository or the folder; else only the package's name."""
    if kind in {"git", "folder"}:
        return "tree", direct_url.get("url"), direct_url.get("subdirectory")
    return ("package",)
