"""Reading a source string. Nothing is asked of git or the network; the disk is asked whether a path exists."""

from __future__ import annotations

import os
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from plughost.errors import SourceError, UsageError
from plughost.source._records import Source
from plughost.source._remote import is_commit, redact_urls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["parse"]

_GIT_SCHEMES = ("https", "http", "ssh", "file")
_SDIST_ENDINGS = (".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz")
_ARCHIVE_ENDINGS = (".whl", *_SDIST_ENDINGS)
_BUNDLE_ENDING = ".plughost"
_FORMS = (
    "Give `git+https://HOST/REPOSITORY.git@REF`, a folder as `./FOLDER`, a `.whl` or `.tar.gz` file, "
    "or a requirement as `NAME==1.2`"
)


def parse(text: str, *, editable: bool = False) -> Source:
    """What `text` names.

    Raises: UsageError: it has none of the forms, or smuggles an option. SourceError: it is a path to nothing.
    """
    text = text.strip(" \t\r\n")
    if not text or _has_control_characters(text):
        raise _invalid(text, "It is empty or has control characters")
    if text.startswith("-"):
        raise _invalid(text, "It begins with a dash, as an option does")
    source = _of_form(text)
    if not editable:
        return source
    if source.kind != "folder":
        raise UsageError(
            f"`{source.text}` can't be editable",
            reference="source-invalid",
            causes=["Only a folder on this machine can be"],
            hint="Clone it, and add the clone with `--editable`",
        )
    return Source(text=source.text, kind="folder", path=source.path, editable=True)


def _of_form(text: str) -> Source:
    if reference := _direct_reference(text):
        return _of_form(reference)
    if text.startswith("git+"):
        address = text.removeprefix("git+")
        return _scp(address) if _is_scp_form(address) else _git(text, address)
    if _is_scp_form(text):
        return _scp(text)
    if "://" in text:
        return _url(text)
    if _looks_like_path(text):
        return _path(text)
    return _requirement(text)


def _direct_reference(text: str) -> str:
    """The URL of `NAME @ URL`; empty if `text` is no such thing.

    Source: PEP 508.
    """
    head, at, url = text.partition("@")
    name, url = head.strip(), url.strip()
    if not at or not ("://" in url or url.startswith("git+")) or "://" in name or ":" in name or "/" in name:
        return ""
    if "[" in name:
        raise _invalid(text, "Extras of a URL are given beside it", hint="Use `--extra NAME` for each")
    return url


def _git(text: str, url: str) -> Source:
    parts = _split(text, url)
    if parts.scheme not in _GIT_SCHEMES:
        raise _invalid(text, f"Git is not asked over `{parts.scheme or 'no scheme'}`")
    if parts.query:
        raise _invalid(text, "The URL of a repository has no `?`")
    if parts.scheme == "file":
        parts = _on_this_machine(text, parts)
    elif not parts.hostname:
        raise _invalid(text, "It names no host")
    path, revision = _split_revision(parts)
    bare, credentials = _without_credentials(parts._replace(path=path, fragment=""))
    return _git_source(text, bare, revision, parts.fragment, credentials=credentials)


def _scp(text: str) -> Source:
    """`git@host:org/repository.git@ref`, which git gets as it is: the path is relative to the user's home, as in no URL."""
    address, _, fragment = text.partition("#")
    host, _, path = address.partition(":")
    if any(part.startswith("-") for part in (host, path, *host.split("@"))):
        raise _invalid(text, "Its host or path begins with a dash, as an option does")
    path, revision = _split_path(path)
    return _git_source(text, f"{host}:{path}", revision, fragment)


def _git_source(text: str, url: str, raw_revision: str | None, fragment: str, *, credentials: str = "") -> Source:
    revision = unquote(raw_revision or "")
    if is_commit(revision):
        revision = raw_revision = revision.lower()
    if raw_revision is not None:
        _check_revision(text, revision)
    subdirectory, raw_subdirectory = _subdirectory(text, fragment)
    ending = (f"@{raw_revision}" if revision else "") + (f"#subdirectory={raw_subdirectory}" if subdirectory else "")
    return Source(
        text=f"{'git+' if '://' in url else ''}{url}{ending}",
        kind="git",
        url=url,
        requested_revision=revision,
        subdirectory=subdirectory,
        credentials=credentials,
    )


def _is_scp_form(text: str) -> bool:
    """Whether it is `[user@]host:path` as git knows it; without a user it must look like a repository's."""
    host, colon, path = text.partition(":")
    if not colon or not host or not path or "/" in host or " " in text or path.startswith((":", "//")):
        return False
    return "@" in host or _names_repository(path.partition("#")[0])


def _names_repository(path: str) -> bool:
    return path.rstrip("/").endswith(".git") or ".git@" in path


def _url(text: str) -> Source:
    parts = _split(text, text)
    if _names_repository(parts.path) or parts.scheme == "ssh":
        return _git(text, text)
    if parts.scheme not in {"https", "http", "file"}:
        raise _invalid(text, f"`{parts.scheme}` is not a way to get a package")
    digest = _fragment(text, parts.fragment, allowed=("egg", "sha256")).get("sha256", "").lower()
    if parts.scheme == "file":
        return _path(unquote(_on_this_machine(text, parts).path), sha256=digest)
    ending = parts.path.lower()
    if ending.endswith(_BUNDLE_ENDING):
        raise _invalid(text, "A bundle is added from a file on this machine", hint="Fetch it first, then add the file")
    if not ending.endswith(_ARCHIVE_ENDINGS):
        raise _invalid(
            text,
            "It is neither a repository that ends in `.git` nor an archive",
            hint=f"For a repository: `git+{redact_urls(text)}`",
        )
    bare, credentials = _without_credentials(parts._replace(query="", fragment=""))
    return Source(
        text=f"{bare}#sha256={digest}" if digest else bare,
        kind="wheel" if ending.endswith(".whl") else "sdist",
        url=bare,
        sha256=digest,
        credentials=credentials,
        query=parts.query,
    )


def _path(text: str, *, sha256: str = "") -> Source:
    try:
        path = os.path.abspath(os.path.expanduser(text))
    except FileNotFoundError as error:
        raise SourceError(
            f"There is no `{text}`: the folder that this was begun in has been deleted",
            reference="source-missing",
            hint="Change to one that is there, or give the whole path",
        ) from error
    if os.path.isdir(path):
        if all(os.path.exists(os.path.join(path, name)) for name in ("HEAD", "objects", "refs")):
            raise _invalid(text, "It is a repository without a work tree", hint=f"Give `git+file://{quote(path)}`")
        return Source(text=path, kind="folder", path=path)
    if not os.path.isfile(path):
        repository, at, revision = path.rpartition("@")
        known = at and os.path.isdir(repository)
        hint = f"For a revision of a repository: `git+file://{quote(repository)}@{revision}`" if known else _FORMS
        raise SourceError(f"There is nothing at `{path}`", reference="source-missing", hint=hint)
    lowered = path.lower()
    if lowered.endswith(_BUNDLE_ENDING):
        return Source(text=path, kind="bundle", path=path, sha256=sha256)
    if not lowered.endswith(_ARCHIVE_ENDINGS):
        raise _invalid(text, "It is a file, and neither a wheel nor an sdist")
    return Source(text=path, kind="wheel" if lowered.endswith(".whl") else "sdist", path=path, sha256=sha256)


def _requirement(text: str) -> Source:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise _invalid(text, str(error).partition("\n")[0]) from error
    if requirement.url:
        raise _invalid(text, f"`{requirement.url}` is no URL")
    return Source(text=str(requirement), kind="requirement", requirement=str(requirement))


def _looks_like_path(text: str) -> bool:
    if text.startswith((".", "/", "~")) or text.lower().endswith((*_ARCHIVE_ENDINGS, _BUNDLE_ENDING)):
        return True
    return os.sep in text and (" " not in text or os.path.exists(text))


def _split(text: str, url: str) -> SplitResult:
    """Raises: UsageError: it is no URL, or one whose parts git or ssh could take for options."""
    if " " in url:
        raise _invalid(text, "A URL has no spaces", hint="Write `%20` for a space")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:  # whose own words, and those of the URL before its last `@`, may be a password
        shown = f"{url.partition('://')[0]}://…{url.rpartition('@')[2].partition('?')[0]}"
        hint = "Write `%2F` for a slash in a password, and `HOST:PATH` without `ssh://`"
        raise _invalid(shown, "Its host or port can't be read", hint=hint) from error
    address = unquote(parts.netloc)
    if any(part.startswith("-") for part in (address, *address.split("@"))):
        raise _invalid(text, "Its host begins with a dash, as an option does")
    if _has_control_characters(unquote(parts.netloc + parts.path)):
        raise _invalid(text, "It has control characters")
    return parts


def _on_this_machine(text: str, parts: SplitResult) -> SplitResult:
    if parts.netloc.lower() not in {"", "localhost"} or not parts.path.startswith("/"):
        raise _invalid(text, "A `file` URL has three slashes before an absolute path")
    return parts._replace(netloc="")


def _split_revision(parts: SplitResult) -> tuple[str, str | None]:
    """The path, and the revision after it. A folder on this machine may have an `@` in its name: what exists decides."""
    path = parts.path
    while parts.scheme == "file" and path:
        if os.path.exists(unquote(path)):
            return path, parts.path[len(path) + 1 :] if path != parts.path else None
        path = path.rpartition("@")[0]
    return _split_path(parts.path)


def _split_path(path: str) -> tuple[str, str | None]:
    head, repository, revision = path.partition(".git@")
    if repository:  # so `repository.git@feature/x@2` is its branch `feature/x@2`
        return f"{head}.git", revision
    head, at, revision = path.rpartition("@")
    if not at or not head.strip("/") or head.endswith("/") or revision.rstrip("/").endswith(".git"):
        return path, None
    return head, revision


def _check_revision(text: str, revision: str) -> None:
    """Raises: UsageError: git would read it as an option, or as more than the name of a revision.

    Source: git-check-ref-format(1).
    """
    if revision.startswith("-"):
        raise _invalid(text, f"Its revision `{_visible(revision)}` begins with a dash, as an option does")
    if (
        set(" ~^:?*[\\") & set(revision)
        or _has_control_characters(revision)
        or any(not part or part.startswith(".") or part.endswith((".lock", ".")) for part in revision.split("/"))
        or ".." in revision
        or "@{" in revision
        or revision == "@"
    ):
        raise _invalid(text, f"`{_visible(revision)}` is not the name of a branch, tag or commit")


def _subdirectory(text: str, fragment: str) -> tuple[str, str]:
    """The subdirectory, and as it is written."""
    raw = _fragment(text, fragment, allowed=("egg", "subdirectory"), decoded=False).get("subdirectory", "")
    subdirectory = unquote(raw)
    if subdirectory.startswith(("/", "-", "~")) or ".." in subdirectory.split("/") or _has_control_characters(subdirectory):
        raise _invalid(text, f"Its subdirectory `{_visible(subdirectory)}` leads out of the repository")
    return "/".join(part for part in subdirectory.split("/") if part not in {"", "."}), raw


def _fragment(text: str, fragment: str, *, allowed: tuple[str, ...], decoded: bool = True) -> dict[str, str]:
    values = {}
    for item in filter(None, fragment.split("&")):
        key, _, value = item.partition("=")
        if key not in allowed:
            raise _invalid(text, f"`#{key}` says nothing here", hint=f"What may follow the `#`: {', '.join(allowed)}")
        values[key] = unquote(value) if decoded else value
    return values


def _without_credentials(parts: SplitResult) -> tuple[str, str]:
    """The URL without its userinfo, and that; an ssh user is part of the address and stays, and ssh takes no password."""
    userinfo, at, host = parts.netloc.rpartition("@")
    if parts.scheme == "ssh":
        user = userinfo.partition(":")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host)), ""
    return urlunsplit(parts._replace(netloc=host)), unquote(userinfo) if at else ""


def _has_control_characters(text: str) -> bool:
    return any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text)  # noqa: PLR2004 - C0, DEL and C1


def _visible(text: str) -> str:
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _invalid(text: str, why: str, *, hint: str = _FORMS) -> UsageError:
    shown = _visible(redact_urls(text))
    return UsageError(f"`{shown}` is not a source that can be added", reference="source-invalid", causes=[why], hint=hint)
