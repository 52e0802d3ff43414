"""A bundle → what `add` goes on from: the wheels, the lock, and where the plugin came from in the first place.

Nothing that it says is taken on trust: each byte is held against a digest, each wheel against the lock, and all of it against
this machine. What the plugin offers is not read from it at all, but asked of the plugin itself.

Above it: `add`; below it: the archive, and the readers of wheels, locks and receipts.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from plughost import lock as locks
from plughost import registry
from plughost import source as sources
from plughost import wheel as wheels
from plughost._interpreters import find as find_interpreter
from plughost._names import required_name
from plughost.bundle._archive import opened, refuse
from plughost.bundle._contents import CONTENTS, read_contents
from plughost.contract import declared_in
from plughost.errors import BuildError, BundleError, ResolveError, SourceError, StoreError, UsageError
from plughost.paths import sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._interpreters import Interpreter
    from plughost._request import Request
    from plughost.bundle._archive import Archive
    from plughost.bundle._contents import Contents
    from plughost.lock import Lockfile
    from plughost.source import Origin, Source
    from plughost.source._records import Kind
    from plughost.wheel import BuiltWheel

__all__ = ["Unpacked", "unpack"]

_TEXTS = frozenset({"manifest.json", "pylock.toml", "receipt.toml"})
_OPTIONAL = frozenset({"uv.lock"})
#: From where a plugin that can be exported was added.
_KINDS: dict[str, Kind] = {
    "git": "git",
    "folder": "folder",
    "wheel": "wheel",
    "sdist": "sdist",
    "requirement": "requirement",
}
#: A lock has some 1,000 bytes for each file; the largest that are known have a few thousand.
_MOST_TEXT_BYTES = 64 << 20
_WHEEL = re.compile(r"wheels/([A-Za-z0-9][A-Za-z0-9._+!-]*\.whl)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What is known of a plugin once its bundle is unpacked; no wheel of its own where it came from an index.

    `name` is what it was called where it was exported. `options` are those of the request that it was added with, `entry_points`
    what that named, `declared` what the plugin says of how it is to be run.
    """

    name: str
    source: Source
    origin: Origin
    options: dict[str, object]
    entry_points: dict[str, str]
    declared: dict[str, object]
    wheel: BuiltWheel | None
    python: Interpreter
    lockfile: Lockfile


def unpack(bundle: Source, request: Request, *, project: str, into: Path) -> Unpacked:
    """Check the bundle and put what is in it into the new folder `into`.

    Raises: UsageError: the request has options that a bundle leaves no room for. BundleError: it was altered, or doesn't fit
    this machine or `project`. SourceError: a signature is demanded, which a bundle can't show.
    """
    _check_options(request)
    path = Path(bundle.path)
    if bundle.sha256 and bundle.sha256 != (found := sha256_of(path)):
        refuse(path, f"Its SHA-256 is `{found}`, and `{bundle.sha256}` is asked for")
    into.mkdir()
    try:
        return _unpack(path, request, project=project, into=into)
    except RecursionError:
        refuse(path, "A file in it is nested deeper than any that is meant to be read")


def _unpack(path: Path, request: Request, *, project: str, into: Path) -> Unpacked:
    with opened(path) as archive:
        contents = _read_contents(path, archive)
        _check_names(path, archive, contents)
        _check_machine(path, contents, project)
        _extract(path, archive, contents, into)
    receipt = _receipt(path, contents, into)
    source, origin = _origin(path, receipt)
    if request.require_signed or sources.is_signature_demanded(source, request.signed_sources):
        raise SourceError(
            f"`{path.name}` can't show who signed it",
            reference="signature-missing",
            causes=[f"A signature is demanded of `{source.text}`, and a bundle has none"],
            hint=f"Add it from there: `add {source.text}`",
        )
    python = _python(path, contents, request)
    lockfile = _lock(path, contents, into, python)
    wheel = _own_wheel(path, receipt, lockfile)
    return Unpacked(
        name=receipt.name,
        source=source,
        origin=origin,
        options=_options(receipt, request, python),
        entry_points=_entry_points(path, receipt),
        declared=_declared(path, into),
        wheel=wheel,
        python=python,
        lockfile=lockfile,
    )


def _check_options(request: Request) -> None:
    given = {
        "--extra": request.extras,
        "--with": request.with_,
        "--constraint": request.constraint,
        "--entry-point": request.entry_points,
    }
    if excluded := [option for option, value in given.items() if value]:
        raise UsageError(
            f"`{excluded[0]}` can't be used with a bundle",
            causes=["What it installs was decided when it was exported"],
            hint="Leave it out, or add the plugin from its own source",
        )


def _read_contents(path: Path, archive: Archive) -> Contents:
    try:
        return read_contents(archive.text(CONTENTS))
    except (ValueError, TypeError) as error:
        refuse(path, f"`{CONTENTS}` was altered: {error}")


def _check_names(path: Path, archive: Archive, contents: Contents) -> None:
    listed = set(contents.members)
    for name in sorted((archive.names - {CONTENTS}) - listed):
        refuse(path, f"`{name}` is in it, and `{CONTENTS}` doesn't list it")
    for name in sorted((listed | _TEXTS) - archive.names):
        refuse(path, f"`{name}` is missing in it")
    for name in sorted(listed):
        is_text = name in _TEXTS or name in _OPTIONAL
        if not is_text and not _WHEEL.fullmatch(name):
            refuse(path, f"`{name}` is not a file that a bundle has")
        if is_text and archive.size_bytes(name) > _MOST_TEXT_BYTES:
            refuse(path, f"`{name}` has {archive.size_bytes(name):,} bytes, more than it ever needs")


def _check_machine(path: Path, contents: Contents, project: str) -> None:
    if contents.project != project:
        raise BundleError(
            f"`{path.name}` is for the project `{contents.project}`, and this is `{project}`",
            reference="bundle-unfit",
            hint="Add it with the program whose plugin it is",
        )
    here = (sys.platform, os.uname().machine)
    if (contents.system, contents.machine) != here:
        raise BundleError(
            f"`{path.name}` is for {contents.system} on {contents.machine}, and this machine is {here[0]} on {here[1]}",
            reference="bundle-unfit",
            hint="Export it on a machine like this one",
        )


def _extract(path: Path, archive: Archive, contents: Contents, into: Path) -> None:
    sums = []
    for name, member in contents.members.items():
        if archive.size_bytes(name) != member.size_bytes:
            refuse(path, f"`{name}` was altered: it has {archive.size_bytes(name):,} bytes and should have {member.size_bytes:,}")
        filename = name.rpartition("/")[2]
        if (found := archive.extract(name, into / filename)) != member.sha256:
            refuse(path, f"`{name}` was altered: its SHA-256 is `{found}` and should be `{member.sha256}`")
        if name != filename:
            sums.append(f"{member.sha256}  {filename}\n")
    (into / locks.SUMS).write_text("".join(sorted(sums)), encoding="utf-8")


def _receipt(path: Path, contents: Contents, into: Path) -> registry.Receipt:
    """The receipt, in agreement with the rest."""
    try:
        receipt = registry.load_receipt(into / "receipt.toml")
        name = registry.normalize_name(receipt.name)
    except (StoreError, UsageError) as error:
        refuse(path, "; ".join(["`receipt.toml` was altered", *error.causes]))
    facts = {
        "name": (receipt.name, name if name == contents.name else contents.name),
        "version": (receipt.version, contents.version),
        "project": (receipt.project, contents.project),
        "python_version": (receipt.python_version, contents.python_version),
        "lock_sha256": (receipt.lock_sha256, sha256_of(into / "pylock.toml")),
        "manifest_sha256": (receipt.manifest_sha256 or sha256_of(into / "manifest.json"), sha256_of(into / "manifest.json")),
    }
    for key, (said, found) in facts.items():
        if said != found:
            refuse(path, f"`receipt.toml` was altered: `{key}` is `{said}` in it, and should be `{found}`")
    return receipt


def _origin(path: Path, receipt: registry.Receipt) -> tuple[Source, Origin]:
    """What the plugin was added from, as the receipt says it: read, and not looked up."""
    kind = _KINDS.get(receipt.kind)
    url = receipt.direct_url
    if kind is None or url.get("dir_info"):
        refuse(path, f"`receipt.toml` was altered: nothing is exported that was added from `{receipt.kind}`")
    vcs = url.get("vcs_info")
    origin = sources.Origin(
        kind=kind,
        url=str(url.get("url", "")),
        requested_revision=str(vcs.get("requested_revision", "")) if isinstance(vcs, dict) else "",
        commit_id=receipt.commit_id,
        subdirectory=str(url.get("subdirectory", "")),
        sha256=receipt.digest,
        requirement=receipt.source if kind == "requirement" else "",
    )
    if kind == "requirement" and _required(receipt.source) != receipt.package:
        refuse(path, f"`receipt.toml` was altered: its `source` is no requirement for `{receipt.package}`")
    if origin.direct_url() != url:
        refuse(path, "`receipt.toml` was altered: its `direct_url` contradicts the rest")
    if kind != "requirement" and not _leads_to(receipt.source, origin):
        refuse(path, "`receipt.toml` was altered: its `source` is not the place that its `direct_url` names")
    address = origin.url if kind in {"git", "wheel", "sdist"} else ""
    return sources.Source(text=receipt.source, kind=kind, url=address, requirement=origin.requirement), origin


def _leads_to(text: str, origin: Origin) -> bool:
    """Whether the source, which an update reads again, is the place that the plugin came from."""
    try:
        source = sources.parse(text)
    except SourceError:  # a path to nothing on this machine
        return origin.url.startswith("file:") and origin.kind != "git"
    except UsageError:
        return False
    if source.path:
        return origin.url.startswith("file:") and source.kind == origin.kind
    read = sources.Origin(
        kind=source.kind,
        url=source.url,
        requested_revision=source.requested_revision,
        commit_id=origin.commit_id,
        subdirectory=source.subdirectory if source.kind == "git" else origin.subdirectory,
        sha256=origin.sha256,
    )
    return read.direct_url() == origin.direct_url()


def _required(requirement: str) -> str:
    """The normalized name of the package that is required; "" if that can't be told."""
    from packaging.requirements import InvalidRequirement

    try:
        return required_name(requirement)
    except InvalidRequirement:
        return ""


def _python(path: Path, contents: Contents, request: Request) -> Interpreter:
    try:
        return find_interpreter(f"=={contents.series}.*", requested=request.python)
    except ResolveError as error:
        raise BundleError(
            f"`{path.name}` is for Python {contents.series}",
            reference="bundle-unfit",
            causes=[error.message, *(cause for cause in error.causes if error.reference == "python-missing")],
            hint=f"Install Python {contents.series} and name it with `--python`, or export it from the Python that is here",
        ) from error


def _lock(path: Path, contents: Contents, into: Path, python: Interpreter) -> Lockfile:
    """The lock with its wheels, of which each is as locked and fits this machine."""
    try:
        lockfile = locks.read(into, python=python)
    except StoreError as error:
        refuse(path, "; ".join(error.causes))
    if not lockfile.wheels:
        refuse(path, "It has no wheels")
    fitting = frozenset(locks.tags_in_order(python))
    for name in lockfile.wheels:
        try:
            wheels.check(into / name)
        except BuildError as error:
            refuse(path, f"`wheels/{name}`: {'; '.join(error.causes)}")
        if not locks.tags_of(name) & fitting:
            raise BundleError(
                f"`{name}` in `{path.name}` doesn't fit this machine",
                reference="bundle-unfit",
                causes=[f"It is for `{name.removesuffix('.whl').rpartition('-')[2]}`, and was exported for {contents.machine}"],
                hint="Export it on a machine like this one, with a C library that is no newer",
            )
    return lockfile


def _own_wheel(path: Path, receipt: registry.Receipt, lockfile: Lockfile) -> BuiltWheel | None:
    if receipt.kind == "requirement":
        if receipt.package not in {package.name for package in lockfile.packages}:
            refuse(path, f"`pylock.toml` has no `{receipt.package}`, which `receipt.toml` names")
        return None
    if not receipt.wheel or lockfile.wheels.get(receipt.wheel) != receipt.wheel_sha256:
        refuse(path, f"`wheels/{receipt.wheel}` is not the wheel that `receipt.toml` names")
    try:
        wheel = wheels.read(lockfile.folder / receipt.wheel)
    except BuildError as error:
        refuse(path, f"`wheels/{receipt.wheel}`: {'; '.join(error.causes)}")
    if wheel.name != receipt.package or wheel.version != receipt.version:
        refuse(path, f"`wheels/{receipt.wheel}` is not `{receipt.package}` {receipt.version}, which `receipt.toml` names")
    return wheel


def _entry_points(path: Path, receipt: registry.Receipt) -> dict[str, str]:
    named = receipt.request.get("entry_points", {})
    if not isinstance(named, dict):
        refuse(path, "`receipt.toml` was altered: its `request.entry_points` is not a table")
    return {str(name): str(target) for name, target in named.items()}


def _declared(path: Path, into: Path) -> dict[str, object]:
    try:
        manifest = json.loads((into / "manifest.json").read_bytes())
    except ValueError as error:
        refuse(path, f"`manifest.json` was altered: {error}")
    return declared_in(manifest) if isinstance(manifest, dict) else {}


def _options(receipt: registry.Receipt, request: Request, python: Interpreter) -> dict[str, object]:
    """Those it was added with; where another Python or installer is asked for here, that one."""
    asked = str(receipt.request.get("python", ""))
    if os.sep in asked:  # a place on another machine
        asked = python.series
    return {
        **receipt.request,
        "python": request.python or asked,
        "installer": request.installer or receipt.request.get("installer", ""),
    }
