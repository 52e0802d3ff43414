"""`update`: a newer commit or release, made beside what is installed and put in force once it keeps what that promised.

Above it: `Host`; below it: `add`, the source, and the receipt, which has kept what was asked for.
"""

from __future__ import annotations

import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

from plughost import registry
from plughost._changed import Snapshot, Updated, look
from plughost._request import Request
from plughost.errors import ContractError, SourceError, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from plughost._request import Added
    from plughost.paths import Store
    from plughost.registry import Receipt
    from plughost.source import History

    Vet = Callable[[str, Mapping[str, object]], None]
    Install = Callable[[Request, Vet], Added]

__all__ = ["check_update", "request_again", "update"]


def update(store: Store, name: str, *, install: Install, allow_breaking: bool, dependencies: bool, offline: bool) -> Updated:
    """Put the newest of what the plugin was made from in force. `install` is `Host`'s.

    Raises: UnknownError: it isn't installed. ContractError: callers of what is installed might fail. Else as `add`.
    """
    before, receipt = _read(store, name)
    if before.state.pinned:
        return Updated(before, before, "pinned")
    before.packages()

    def vet(plugin: str, manifest: Mapping[str, object]) -> None:
        if registry.state_of(store, before.name) is None:  # removed meanwhile, and not to come back
            raise registry.unknown(store, before.name)
        if not allow_breaking:
            _refuse_breaking(plugin, before.manifest, manifest)

    _refuse_unknown(receipt)
    with _again(before, receipt, offline=offline) as request, _asking(store, request, receipt) as asked:
        request.anew = dependencies or receipt.kind == "requirement"
        if not dependencies:
            request.lock_from = before.folder
        install(request, vet)
        history = asked()
    after = look(store, before.name)
    return Updated(before, after, "updated" if after.revision != before.revision else "current", history=history)


def check_update(store: Store, name: str, *, offline: bool) -> Updated:
    """Whether there is something newer, and which commits are new; nothing is installed.

    Raises: UnknownError: it isn't installed. SourceError, InstallError: it can't be asked.
    """
    before, receipt = _read(store, name)
    if before.state.pinned:
        return Updated(before, before, "pinned")
    _refuse_unknown(receipt)
    with _again(before, receipt, offline=offline) as request, _asking(store, request, receipt) as asked:
        assert request.origin is not None
        if receipt.kind == "requirement":
            newest = _newest_release(store, request, receipt, offline=offline)
            same = newest == receipt.version
        else:
            newest = request.origin.commit_id or request.origin.sha256
            same = newest == (receipt.commit_id or receipt.digest)
        if same:
            return Updated(before, before, "current")
        return Updated(before, before, "available", newest=newest, history=asked())


def _read(store: Store, name: str) -> tuple[Snapshot, Receipt]:
    """What is in force, and its receipt, which is sound, and not only on its way: another process may be changing it.

    Raises: UsageError: `name` has a version. UnknownError: it isn't installed. StoreError: its files are damaged.
    """
    normalized = registry.normalize_name(name)
    while True:
        before = look(store, normalized)
        try:
            receipt = before.receipt()
            registry.check_receipt(before.folder, receipt, before.manifest)
            if receipt.uv_lock_sha256:
                registry.check_file(before.folder, receipt, "uv.lock", receipt.uv_lock_sha256)
        except StoreError:
            now = registry.state_of(store, normalized)
            if now is not None and now.revision == before.revision:
                raise
        else:
            return before, receipt


def _again(before: Snapshot, receipt: Receipt, *, offline: bool) -> AbstractContextManager[Request]:
    return request_again(receipt, editable=before.manifest.get("editable") is True, offline=offline)


@contextmanager
def request_again(receipt: Receipt, *, editable: bool = False, offline: bool = False) -> Iterator[Request]:
    """The request that the receipt has kept; it can be used until the block ends."""
    asked = receipt.request

    def text(key: str) -> str:
        return str(asked.get(key) or "")

    def texts(key: str) -> tuple[str, ...]:
        values = asked.get(key)
        return tuple(map(str, values)) if isinstance(values, list) else ()

    entry_points = asked.get("entry_points")
    with tempfile.NamedTemporaryFile("w", prefix="plughost-", suffix=".txt", encoding="utf-8") as constraints:
        constraints.write("\n".join(texts("constraints")))
        constraints.flush()
        yield Request(
            source=receipt.source,
            name=receipt.name,
            python=text("python"),
            extras=texts("extras"),
            with_=texts("with"),
            constraint=constraints.name if texts("constraints") else None,
            exclude_newer=text("exclude_newer"),
            installer=text("installer"),
            offline=offline,
            editable=editable,
            entry_points={str(k): str(v) for k, v in entry_points.items()} if isinstance(entry_points, dict) else {},
            require_signed=asked.get("require_signed") is True,
            signers=texts("signers"),
        )


@contextmanager
def _asking(store: Store, request: Request, receipt: Receipt) -> Iterator[Callable[[], History | None]]:
    """Find out what the source means now, and meanwhile, in a thread, which commits have come since the receipt's.

    The function that is given waits for those; None where there are none, or they can't be told. Whoever leaves the block early
    doesn't wait.
    """
    from plughost import source as sources

    source = sources.parse(request.source, editable=request.editable)
    origin = request.origin = sources.resolve(source, offline=request.offline)
    if origin.kind != "git" or origin.commit_id == receipt.commit_id or not receipt.commit_id:
        yield lambda: None
        return
    found: list[History | None] = [None]

    def find() -> None:
        git = sources.Git(source.url, source.credentials)
        with suppress(OSError, StoreError), registry.adding(store), registry.staging(store) as folder:
            found[0] = sources.commits_between(git, receipt.commit_id, origin.commit_id, folder)

    finder = threading.Thread(target=find, daemon=True)
    finder.start()

    def wait() -> History | None:
        finder.join()
        return found[0]

    yield wait


def _newest_release(store: Store, request: Request, receipt: Receipt, *, offline: bool) -> str:
    """The version that an update would lock now."""
    from plughost import _interpreters as interpreters
    from plughost import lock as locks
    from plughost._foundry import Foundry
    from plughost._installer import choose
    from plughost._log import failures_told, log_path

    log = log_path(store, request.source)
    with failures_told(store, log), registry.adding(store), registry.staging(store) as stage:
        (stage / "scratch").mkdir()
        installer = choose(store, request.installer, scratch=str(stage / "scratch"), shop=request.make_shop())
        python = interpreters.find(requested=request.python or receipt.python)
        locked = locks.resolve(
            receipt.source,
            installer=installer,
            python=python,
            into=stage / "lock",
            log=log,
            extras=request.extras,
            with_=request.with_,
            constraints=None if request.constraint is None else Path(request.constraint),
            exclude_newer=request.published_before,
            offline=offline,
            foundry=Foundry(installer, python, offline=offline, log=log),
        )
    return next(package.version for package in locked.packages if package.name == receipt.package)


def _refuse_unknown(receipt: Receipt) -> None:
    """Raises: SourceError: a repair has put the receipt together from what was left, and where it came from was not."""
    if not receipt.source:
        raise SourceError(
            f"Nobody knows any more where `{receipt.name}` came from",
            reference="source-missing",
            causes=["Its receipt was lost, and a repair made it again without"],
            hint=f"`add SOURCE --name {receipt.name} --force` says so",
        )


def _refuse_breaking(name: str, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Raises: ContractError: a caller of `before` might fail with `after`."""
    from plughost.contract import changes

    if breaking := [change.message for change in changes(before, after) if change.breaking]:
        raise ContractError(
            f"The newest version of `{name}` breaks what the installed one promised",
            reference="contract-broken",
            causes=breaking,
            hint=f"`update {name} --allow-breaking` installs it all the same; `pin {name}` keeps the one there is",
        )
