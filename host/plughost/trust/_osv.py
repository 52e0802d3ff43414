"""The service that knows of vulnerabilities: which of these versions are affected by which.

Above it: `audit`; below it: HTTP, with the proxies and certificates that the environment names. uv has an audit too, of projects
with a lock of its own alone; this asks the same service for every lock.

Source: the API of OSV (`/v1/querybatch`, `/v1/vulns/ID`), and the OSV format.
"""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

from plughost._names import normalized
from plughost._values import tables, texts
from plughost.errors import AuditError
from plughost.trust._findings import Vulnerability

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from http.client import HTTPResponse

    #: A normalized name and a version.
    Package = tuple[str, str]

__all__ = ["Service"]

_TIMEOUT_S = 20.0
#: For all questions together: also a service that answers by drops comes to an end.
_ALL_TIMEOUT_S = 120.0
_ANSWER_BYTES = 32 << 20
_BLOCK_BYTES = 64 << 10
#: Source: the API's limit for one batch.
_BATCH = 1000
_MOST_PAGES = 20
_AT_ONCE = 8
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
#: Of several names for one vulnerability, the one that it is called by: whose records say how severe it is.
_PREFERRED = ("GHSA-", "PYSEC-", "CVE-")


class Service:
    """An OSV-compatible service at `url`."""

    def __init__(self, url: str) -> None:
        """Raises: AuditError: that is no address of one."""
        self.url = url.rstrip("/")
        self._deadline = 0.0
        if urlsplit(self.url).scheme not in {"http", "https"}:
            raise AuditError(
                f"`{url}` is not the address of a service",
                reference="audit-unreachable",
                hint="Set `audit-service` to a URL that begins with `https://`",
            )

    def vulnerabilities(self, packages: Iterable[Package]) -> dict[Package, tuple[Vulnerability, ...]]:
        """What is known of each package; nothing of those of which nothing is.

        Raises: AuditError: it can't be asked, or its answer can't be read.
        """
        self._deadline = time.monotonic() + _ALL_TIMEOUT_S
        affected: dict[Package, list[str]] = {}
        ordered = sorted({package for package in packages if package[1]})
        for start in range(0, len(ordered), _BATCH):
            self._ask_batch(ordered[start : start + _BATCH], affected)
        identifiers = sorted({identifier for found in affected.values() for identifier in found})
        pool = ThreadPoolExecutor(max_workers=_AT_ONCE)
        try:
            records = dict(zip(identifiers, pool.map(self._record, identifiers), strict=True))
        finally:  # where one of them failed, the others would too
            pool.shutdown(cancel_futures=True)
        return {
            package: merged
            for package, found in affected.items()
            if (merged := _merged(package, [records[identifier] for identifier in found]))
        }

    def _ask_batch(self, packages: list[Package], affected: dict[Package, list[str]]) -> None:
        questions = [(package, "") for package in packages]
        for _ in range(_MOST_PAGES):
            queries = [_query(package, page) for package, page in questions]
            answers = tables(self._ask("/v1/querybatch", {"queries": queries}).get("results"))
            if len(answers) != len(questions):
                raise self._unreadable(f"It answered {len(answers)} of {len(questions)} questions")
            further = []
            for (package, _page), answer in zip(questions, answers, strict=True):
                affected.setdefault(package, []).extend(self._identifiers(answer))
                if page := answer.get("next_page_token"):
                    further.append((package, str(page)))
            if not further:
                return
            questions = further
        raise self._unreadable("Its answer has no end")

    def _identifiers(self, answer: Mapping[str, object]) -> list[str]:
        identifiers = [str(found.get("id")) for found in tables(answer.get("vulns"))]
        if strange := [identifier for identifier in identifiers if not _IDENTIFIER.fullmatch(identifier)]:
            raise self._unreadable(f"`{strange[0]}` is not an identifier")
        return identifiers

    def _record(self, identifier: str) -> dict[str, object]:
        return self._ask(f"/v1/vulns/{quote(identifier, safe='')}")

    def _ask(self, path: str, question: object = None) -> dict[str, object]:
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import Request, build_opener

        data = None if question is None else json.dumps(question).encode()
        headers = {"User-Agent": "plughost", "Content-Type": "application/json"}
        request = Request(f"{self.url}{path}", data=data, headers=headers)  # noqa: S310 - http or https, as `__init__` has seen to
        try:
            with build_opener().open(request, timeout=_TIMEOUT_S) as reply:
                answer = self._read(reply)
        except HTTPError as error:
            error.close()
            raise self._unreachable(f"It answered {error.code} {error.reason} to `{path}`") from error
        except (OSError, HTTPException) as error:
            raise self._unreachable(str(getattr(error, "reason", error)) or type(error).__name__) from error
        try:
            record = json.loads(answer)
            return dict(record.items())
        except (ValueError, AttributeError, RecursionError) as error:
            raise self._unreadable(str(error)) from error

    def _read(self, reply: HTTPResponse) -> bytes:
        answer = bytearray()
        while block := reply.read1(_BLOCK_BYTES):
            answer += block
            if len(answer) > _ANSWER_BYTES:
                raise self._unreadable(f"It has more than {_ANSWER_BYTES >> 20} MiB")
            if time.monotonic() > self._deadline:
                raise TimeoutError(f"It took longer than {_ALL_TIMEOUT_S:g} s")
        return bytes(answer)

    def _unreachable(self, cause: str) -> AuditError:
        return AuditError(
            f"`{self.url}` can't be asked for known vulnerabilities",
            reference="audit-unreachable",
            causes=[cause],
            hint="Check the setting `audit-service`, the connection and the proxy settings; `--offline` looks at files alone",
        )

    def _unreadable(self, cause: str) -> AuditError:
        return AuditError(
            f"What `{self.url}` says of known vulnerabilities can't be read",
            reference="audit-invalid",
            causes=[cause],
            hint="The setting `audit-service` must name a service that is compatible with OSV",
        )


def _query(package: Package, page: str) -> dict[str, object]:
    name, version = package
    query: dict[str, object] = {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
    return {**query, "page_token": page} if page else query


def _merged(package: Package, records: list[dict[str, object]]) -> tuple[Vulnerability, ...]:
    """One for each vulnerability, which several databases may know by names of their own; without those that were withdrawn."""
    groups: list[tuple[set[str], list[dict[str, object]]]] = []
    for record in records:
        if record.get("withdrawn"):
            continue
        names, members = {str(record.get("id")), *texts(record.get("aliases"))}, [record]
        for group in [group for group in groups if group[0] & names]:
            groups.remove(group)
            names, members = names | group[0], [*group[1], *members]
        groups.append((names, members))
    return tuple(sorted((_vulnerability(package, *group) for group in groups), key=lambda found: found.identifier))


def _vulnerability(package: Package, names: set[str], records: list[dict[str, object]]) -> Vulnerability:
    ordered = sorted(records, key=lambda record: _preference(str(record.get("id"))))
    identifier = str(ordered[0].get("id"))
    fixed = {version for record in ordered for version in _fixed(record, package[0])}
    return Vulnerability(
        identifier=identifier,
        aliases=tuple(sorted(names - {identifier})),
        summary=next((text for record in ordered if (text := _summary(record))), ""),
        severity=next((text for record in ordered if (text := _severity(record))), ""),
        fixed=_later(fixed, package[1]),
    )


def _preference(identifier: str) -> tuple[int, str]:
    ranks = [rank for rank, prefix in enumerate(_PREFERRED) if identifier.startswith(prefix)]
    return (ranks or [len(_PREFERRED)])[0], identifier


def _summary(record: Mapping[str, object]) -> str:
    text = str(record.get("summary") or record.get("details") or "").strip()
    return text.splitlines()[0] if text else ""


def _severity(record: Mapping[str, object]) -> str:
    """In words, where the database says so; else the CVSS vector."""
    specific = record.get("database_specific")
    if isinstance(specific, dict) and isinstance(specific.get("severity"), str):
        return str(specific["severity"]).lower()
    return next((str(score["score"]) for score in tables(record.get("severity")) if score.get("score")), "")


def _fixed(record: Mapping[str, object], name: str) -> Iterable[str]:
    for affected in tables(record.get("affected")):
        package = affected.get("package")
        if not isinstance(package, dict) or normalized(str(package.get("name"))) != name:
            continue
        for span in tables(affected.get("ranges")):
            if span.get("type") != "GIT":
                yield from (str(event["fixed"]) for event in tables(span.get("events")) if "fixed" in event)


def _later(versions: set[str], than: str) -> tuple[str, ...]:
    from packaging.version import InvalidVersion, Version

    def read(text: str) -> Version | None:
        try:
            return Version(text)
        except InvalidVersion:
            return None

    own = read(than)
    later = [(version, text) for text in versions if (version := read(text)) and (own is None or version > own)]
    return tuple(text for _, text in sorted(later))
