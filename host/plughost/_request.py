"""What `add` is asked for and what it answers, and the quick look whether that is installed already.

Above it: `add` and `Host`; below it: the registry and one question to a git server. It is light: to say that nothing has
changed must cost little more than that question.
"""

from __future__ import annotations

import os
import time

from plughost import registry
from plughost.errors import PlughostError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Literal

    from plughost._consent import GivenGrant
    from plughost._info import Plugin
    from plughost._installing import Shop
    from plughost.paths import Store
    from plughost.settings import Settings
    from plughost.source import Origin
    from plughost.wheel import WheelContents

    MakeShop = Callable[[], Shop | None]
    Stage = Literal["index", "source", "wheel", "lock", "venv", "describe", "receipt"]

__all__ = ["Added", "Progress", "Request", "find_unchanged", "nowhere"]

#: Digits of a commit's identifier below which a reference is taken for a name.
SHORTEST_COMMIT = 7


def nowhere() -> None:
    """The place to build in where whatever is built is trusted: none but the machine itself."""


class Request:
    """What the user asked for, as given; and by attributes, what is known already.

    `origin` is what the source means, where that was asked before; with `anew` it is locked again though it is installed.
    `locked_in` is a folder with the `pylock.toml` to install, as it is; `wheel_sha256` what the plugin's own wheel must be,
    and `wheel_contents` says what differs if it isn't. With `replaces` it may take the place of another package of that name.
    `signers` are lines of an allowed-signers file, from the index that lists the source: one of them must have signed.
    `grant` is what it is granted, or who is asked for that, as `_consent` has it.
    `epoch` is the time, in seconds, that the files in its wheel have instead of the commit's.
    Versions in the `uv.lock` of the folder `lock_from` stay where they still fit. `keep` is how many revisions are kept.
    """

    __slots__ = (
        "_published_before",
        "allowed_signers",
        "anew",
        "constraint",
        "editable",
        "entry_points",
        "epoch",
        "exclude_newer",
        "extras",
        "force",
        "grant",
        "installer",
        "keep",
        "lock_from",
        "locked_in",
        "make_shop",
        "name",
        "offline",
        "origin",
        "python",
        "replaces",
        "require_signed",
        "signed_sources",
        "signers",
        "source",
        "started",
        "wheel_contents",
        "wheel_sha256",
        "with_",
    )

    def __init__(
        self,
        *,
        source: str,
        name: str = "",
        python: str = "",
        force: bool = False,
        extras: tuple[str, ...] = (),
        with_: tuple[str, ...] = (),
        constraint: str | None = None,
        exclude_newer: str = "",
        installer: str = "",
        offline: bool = False,
        editable: bool = False,
        entry_points: Mapping[str, str] | None = None,
        require_signed: bool = False,
        signers: tuple[str, ...] = (),
    ) -> None:
        self.source = source
        self.name = registry.normalize_name(name) if name else ""
        self.python = python
        self.force = force
        self.extras = extras
        self.with_ = with_
        self.constraint = constraint
        self.exclude_newer = exclude_newer
        self.installer = installer
        self.offline = offline
        self.editable = editable
        self.entry_points = dict(entry_points or {})
        self.require_signed = require_signed
        self.signers = signers
        self.grant: GivenGrant | None = None
        #: Where the package is built.
        self.make_shop: MakeShop = nowhere
        self.allowed_signers = ""
        self.signed_sources: tuple[str, ...] = ()
        self.origin: Origin | None = None
        self.anew = False
        self.locked_in = ""
        self.wheel_sha256 = ""
        self.wheel_contents: WheelContents | None = None
        self.replaces = False
        self.epoch: int | None = None
        self.lock_from = ""
        self.keep = registry.KEPT_REVISIONS
        self.started = time.monotonic()
        self._published_before = ""

    @property
    def says_grant(self) -> bool:
        """Whether it says itself what is granted, so that nobody is asked."""
        return self.grant is not None and not callable(self.grant)

    @property
    def is_trusted(self) -> bool:
        """Whether the plugin is trusted by name: then so is what runs while it is built."""
        from plughost.policy import TRUSTED

        return self.grant in ("trusted", TRUSTED, TRUSTED.as_record(), {"preset": "trusted"})

    def complete(self, settings: Settings) -> None:
        """Take from the settings what was not given."""
        self.python = self.python or settings.python
        self.exclude_newer = self.exclude_newer or settings.exclude_newer
        self.installer = self.installer or settings.installer
        self.offline = self.offline or settings.offline
        self.keep = settings.keep_revisions
        self.allowed_signers = settings.allowed_signers
        self.signed_sources = settings.require_signed
        if settings.require_signed and not self.require_signed:
            from plughost.source import is_signature_demanded, parse

            self.require_signed = is_signature_demanded(parse(self.source, editable=self.editable), settings.require_signed)
        if self.require_signed:  # then those whom the operator allows count, and not those whom an index does
            self.signers = ()

    @property
    def published_before(self) -> str:
        """The date or instant that `exclude_newer` means, once and for all of this request; "" if it isn't limited.

        Raises: UsageError: it is none.
        """
        if self.exclude_newer and not self._published_before:
            from plughost.settings import absolute

            self._published_before = absolute(self.exclude_newer)
        return self._published_before

    def options(self) -> dict[str, object]:
        """What of it decides the result: all but the source, which the origin stands for, and where bytes may come from.

        Two adds with equal options for one origin are the same installation.
        """
        return {
            "python": self.python,
            "extras": sorted(self.extras),
            "with": _without_credentials(self.with_),
            "constraints": _without_credentials(_constraint_lines(self.constraint)),
            "exclude_newer": self.exclude_newer,
            "installer": self.installer,
            "entry_points": dict(sorted(self.entry_points.items())),
            **({"require_signed": True} if self.require_signed else {}),
            **({"signers": list(self.signers)} if self.signers else {}),
        }


class Progress:
    """A stage that `add` begins. `packages` is how many the lock holds, 0 before that is known."""

    __slots__ = ("detail", "packages", "stage")

    def __init__(self, *, stage: Stage, detail: str, packages: int = 0) -> None:
        self.stage = stage
        self.detail = detail
        self.packages = packages


class Added:
    """What `add` did. `changed` is false where the same commit was installed with the same options already."""

    __slots__ = ("_plugin", "_store", "changed", "commit_id", "duration_s", "name", "version")

    def __init__(self, store: Store, *, name: str, version: str, commit_id: str, changed: bool, duration_s: float) -> None:
        self._store = store
        self._plugin: Plugin | None = None
        self.name = name
        self.version = version
        self.commit_id = commit_id
        self.changed = changed
        self.duration_s = duration_s

    def __repr__(self) -> str:
        commit = f", commit_id={self.commit_id!r}" if self.commit_id else ""
        return f"Added(name={self.name!r}, version={self.version!r}{commit}, changed={self.changed})"

    @property
    def plugin(self) -> Plugin:
        """All that is known of the plugin, read when it is first asked for.

        Raises: UnknownError, StoreError: it has been removed or damaged since.
        """
        if self._plugin is None:
            from plughost._info import read_plugin

            self._plugin = read_plugin(registry.find(self._store, self.name))
        return self._plugin

    def record(self) -> dict[str, object]:
        return {"changed": self.changed, "duration_s": round(self.duration_s, 3), **self.plugin.record()}


def find_unchanged(store: Store, request: Request) -> Added | None:
    """What is installed, where the same git source was added with the same options and its reference still means the same commit.

    None says nothing: everything that is not plainly so takes the long way, errors included.
    """
    if request.force or request.editable:
        return None
    options = request.options()
    for summary in registry.summaries(store):
        if summary.request != options or (request.name and summary.name != request.name):
            continue
        if summary.source not in {request.source, f"git+{request.source}"}:
            continue
        if not summary.remote[0]:
            return None
        marker = os.path.join(store.venvs, summary.venv, "plughost-venv.json")
        if not (os.path.exists(marker) and os.path.exists(os.path.join(store.venvs, summary.venv, "bin", "python"))):
            return None
        if _commit_now(summary, offline=request.offline) != summary.commit_id:
            return None
        return Added(
            store,
            name=summary.name,
            version=summary.version,
            commit_id=summary.commit_id,
            changed=False,
            duration_s=time.monotonic() - request.started,
        )
    return None


def _commit_now(summary: registry.PluginSummary, *, offline: bool) -> str:
    from plughost.source import Git, is_commit, resolve_ref

    url, revision = summary.remote
    if is_commit(revision):
        return revision.lower()
    if len(revision) >= SHORTEST_COMMIT and summary.commit_id.startswith(revision):  # to look it up takes the whole history
        return summary.commit_id
    if offline and not url.startswith("file:"):
        return ""
    try:
        return resolve_ref(Git(url), revision)
    except PlughostError:
        return ""


def _without_credentials(requirements: Iterable[str]) -> list[str]:
    """The requirements as they may be kept: a place that one of them names may have credentials in its URL."""
    kept = list(requirements)
    if not any("://" in text for text in kept):
        return kept
    from plughost.source import redact_urls

    return [redact_urls(text) for text in kept]


def _constraint_lines(path: str | None) -> list[str]:
    if path is None:
        return []
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The constraint file `{path}` can't be read",
            causes=[str(error)],
            hint="Give the path of a text file with one requirement a line",
        ) from error
    stripped = (line.partition(" #")[0].strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]
