"""The receipt: one revision's record, as TOML. What it was made from, what it holds, and what was before it."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from plughost.errors import StoreError
from plughost.paths import read_file
from plughost.registry._read import normalize_name, state_of, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.paths import Store

__all__ = ["HistoryEntry", "Receipt", "load_receipt", "revisions"]

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """An earlier revision of the same plugin, newest first."""

    revision: str
    version: str
    commit_id: str
    added_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What is installed under one name.

    `direct_url` is a PEP 610 object (for a package from an index: empty). `request` is what the user asked for, as plain values;
    two equal requests for one origin are the same installation. Times are UTC, ISO 8601. `signer` is who signed the commit or the
    tag (`kind`, `principal`, `fingerprint`, `signed`), where that was demanded. `grant` is what the plugin was granted when this
    revision was added, as a table of a policy; None if nobody was asked. What holds now stands in the state. `unenforced` are the
    limits that the machine could not enforce when it was started for that, and that were waived by name.
    """

    name: str
    project: str
    package: str
    version: str
    revision: str
    added_at: str
    added_by: str
    kind: str
    source: str
    commit_id: str
    digest: str
    direct_url: dict[str, object]
    request: dict[str, object]
    wheel: str
    wheel_sha256: str
    lock_sha256: str
    installer: str
    built_from_source: tuple[str, ...]
    venv: str
    venv_digest: str
    python: str
    python_version: str
    manifest_sha256: str = ""
    uv_lock_sha256: str = ""
    signer: dict[str, str] = field(default_factory=dict)
    grant: dict[str, object] | None = None
    unenforced: tuple[str, ...] = ()
    history: tuple[HistoryEntry, ...] = field(default=())

    @property
    def editable_source(self) -> str:
        """The folder that an editable plugin is run from; "" of any other plugin."""
        info = self.direct_url.get("dir_info")
        if not (isinstance(info, dict) and info.get("editable") is True):
            return ""
        from urllib.parse import unquote

        return unquote(str(self.direct_url.get("url")).removeprefix("file://"))

    def to_toml(self) -> bytes:
        import tomli_w

        record = {"format": FORMAT, **asdict(self)}
        record["built_from_source"] = list(self.built_from_source)
        if self.grant is None:
            del record["grant"]
        record["unenforced"] = list(self.unenforced)
        record["history"] = [asdict(entry) for entry in self.history]
        return tomli_w.dumps(record).encode()

    def is_same_installation(self, other: Receipt) -> bool:
        """Whether `other` says the same of what is installed, whenever that was, and by which attempt."""
        attempt = replace(
            self,
            revision=other.revision,
            added_at=other.added_at,
            added_by=other.added_by,
            manifest_sha256=other.manifest_sha256,
            uv_lock_sha256=other.uv_lock_sha256,
            history=other.history,
        )
        return attempt == other

    def as_history(self) -> HistoryEntry:
        return HistoryEntry(revision=self.revision, version=self.version, commit_id=self.commit_id, added_at=self.added_at)


class _Fault(ValueError):
    def __init__(self, key: str, wanted: str) -> None:
        super().__init__(f"`{key}` is missing or not {wanted}")


def load_receipt(path: Path) -> Receipt:
    """The receipt at `path`.

    Raises: StoreError: it is missing, no TOML, of another format, or lacks a value; the fault is named by its key.
    """
    try:
        record = tomllib.loads(read_file(path).decode())
        return _from_record(record)
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(
            f"The receipt `{path}` can't be read",
            reference="store-corrupt",
            causes=[str(error)],
            hint=f"`repair {path.parent.parent.name}` mends it, `remove {path.parent.parent.name}` takes it away",
        ) from error


def revisions(store: Store, name: str) -> list[Receipt]:
    """The receipts of all revisions that are kept of a plugin: of the one in force, those before it, those rolled back from.

    Raises: UnknownError: not installed. StoreError: its state or one of them can't be read.
    """
    normalized = normalize_name(name)
    state = state_of(store, normalized)
    if state is None:
        raise unknown(store, normalized)
    return [load_receipt(Path(store.plugin(normalized), revision, "receipt.toml")) for revision in state.revisions]


def _from_record(record: dict[str, object]) -> Receipt:
    if record.get("format") != FORMAT:
        raise ValueError(f"`format` is {record.get('format')!r}, and this version of plughost reads {FORMAT}")

    def text(key: str) -> str:
        value = record.get(key)
        if not isinstance(value, str):
            raise _Fault(key, "a string")
        return value

    def table(key: str) -> dict[str, object]:
        value = record.get(key)
        if not isinstance(value, dict):
            raise _Fault(key, "a table")
        return value

    def array(key: str) -> list[object]:
        value = record.get(key)
        if not isinstance(value, list):
            raise _Fault(key, "an array")
        return value

    return Receipt(
        name=text("name"),
        project=text("project"),
        package=text("package"),
        version=text("version"),
        revision=text("revision"),
        added_at=text("added_at"),
        added_by=text("added_by"),
        kind=text("kind"),
        source=text("source"),
        commit_id=text("commit_id"),
        digest=text("digest"),
        direct_url=table("direct_url"),
        request=table("request"),
        wheel=text("wheel"),
        wheel_sha256=text("wheel_sha256"),
        lock_sha256=text("lock_sha256"),
        installer=text("installer"),
        built_from_source=tuple(map(str, array("built_from_source"))),
        venv=text("venv"),
        venv_digest=text("venv_digest"),
        python=text("python"),
        python_version=text("python_version"),
        manifest_sha256=text("manifest_sha256") if "manifest_sha256" in record else "",
        uv_lock_sha256=text("uv_lock_sha256") if "uv_lock_sha256" in record else "",
        signer={key: str(value) for key, value in table("signer").items()} if "signer" in record else {},
        grant=table("grant") if "grant" in record else None,
        unenforced=tuple(map(str, array("unenforced"))) if "unenforced" in record else (),
        history=tuple(_history_entry(number, entry) for number, entry in enumerate(array("history"))),
    )


def _history_entry(number: int, entry: object) -> HistoryEntry:
    if not isinstance(entry, dict) or set(entry) != {"revision", "version", "commit_id", "added_at"}:
        raise _Fault(f"history[{number}]", "an earlier revision")
    return HistoryEntry(**{key: str(value) for key, value in entry.items()})
