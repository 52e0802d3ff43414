"""Reading a source string. Nothing is asked of git or the network; the disk is asked whether a path exists."""

from __future__ import annotations

import os
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from plughost.errors import SourceError, UsageError
from plughost.source._records import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["parse"]

_GIT_SCHEMES = ("https", "http", "ssh", "file")
_SDIST_ENDINGS = (".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz")
_FORMS = (
    "Give `git+https://HOST/REPOSITORY.git@REF`, a folder as `./FOLDER`, a `.whl` or `.tar.gz` file, or a requirement as `NAME==1.2`"
)


def parse(text: str, *, editable: bool = False) -> Source:
    """What `text` names.

    Raises: UsageError: it has none of the forms, or smuggles an option. SourceError: it is a path to nothing.
    """
    text = text.strip()
    if not text or any(ord(character) < 32 for character in text):
        raise _invalid(text, "it is empty or has control characters")
    if text.startswith("-"):
        raise _invalid(text, "it begins with a dash, as an option does")
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
    if text.startswith("git+"):
        return _git(text, text.removeprefix("git+"))
    if "://" not in text and (scp := _from_scp_form(text)):
        return _git(text, scp)
    if "://" in text.partition(" ")[0]:
        return _url(text)
    name, at, url = text.partition(" @ ")
    if at and url.strip().startswith("git+"):
        return _git(url.strip(), url.strip().removeprefix("git+"))
    if _looks_like_path(text):
        return _path(text)
    return _requirement(text, name)


def _git(text: str, url: str) -> Source:
    parts = _split(text, url)
    if parts.scheme not in _GIT_SCHEMES:
        raise _invalid(text, f"git is not asked over `{parts.scheme or 'no scheme'}`")
    if parts.scheme != "file" and not parts.hostname:
        raise _invalid(text, "it names no host")
    path, revision = _split_revision(parts)
    if revision:
        _check_revision(text, revision)
    bare, credentials = _without_credentials(parts._replace(path=path, query=parts.query, fragment=""))
    subdirectory = _subdirectory(text, parts.fragment)
    shown = f"git+{bare}{'@' + revision if revision else ''}{'#subdirectory=' + subdirectory if subdirectory else ''}"
    return Source(
        text=shown,
        kind="git",
        url=bare,
        requested_revision=revision,
        subdirectory=subdirectory,
        credentials=credentials,
    )


def _from_scp_form(text: str) -> str:
    """`git@host:org/repo.git@ref` as an ssh URL; empty if `text` is no such thing."""
    host, colon, path = text.partition(":")
    if not colon or "/" in host or "@" not in host or " " in text or path.startswith("/"):
        return ""
    return f"ssh://{host}/{path}"


def _url(text: str) -> Source:
    parts = _split(text, text)
    path = parts.path.partition("@")[0] if parts.path.partition("@")[0].endswith(".git") else parts.path
    if path.endswith(".git") or parts.scheme == "ssh":
        return _git(text, text)
    if parts.scheme == "file":
        return _path(unquote(parts.path))
    if parts.scheme not in {"https", "http"}:
        raise _invalid(text, f"`{parts.scheme}` is not a way to get a package")
    ending = parts.path.lower()
    if not ending.endswith((".whl", *_SDIST_ENDINGS)):
        raise _invalid(text, "it is neither a repository that ends in `.git` nor an archive", hint=f"For a repository: `git+{_redacted(text)}`")
    bare, credentials = _without_credentials(parts._replace(fragment=""))
    return Source(
        text=bare,
        kind="wheel" if ending.endswith(".whl") else "sdist",
        url=bare,
        sha256=_fragment(parts.fragment).get("sha256", ""),
        credentials=credentials,
    )


def _path(text: str) -> Source:
    path = os.path.abspath(os.path.expanduser(text))
    if os.path.isdir(path):
        return Source(text=path, kind="folder", path=path)
    if not os.path.isfile(path):
        raise SourceError(f"There is nothing at `{path}`", reference="source-missing", hint=_FORMS)
    lowered = path.lower()
    if lowered.endswith(".whl"):
        return Source(text=path, kind="wheel", path=path)
    if lowered.endswith(_SDIST_ENDINGS):
        return Source(text=path, kind="sdist", path=path)
    raise _invalid(text, "it is a file, and neither a wheel nor an sdist")


def _requirement(text: str, name: str) -> Source:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise _invalid(text, str(error).partition("\n")[0]) from error
    if requirement.url:
        raise _invalid(text, "a requirement with a URL is given as the URL alone", hint=f"Give `{_redacted(requirement.url)}`")
    if os.path.isdir(name) and not requirement.specifier:
        # Said in the error that follows only if the index has no such package; a package of that name is what was asked for.
        return Source(text=str(requirement), kind="requirement", requirement=str(requirement))
    return Source(text=str(requirement), kind="requirement", requirement=str(requirement))


def _looks_like_path(text: str) -> bool:
    if text.startswith((".", "/", "~")) or (os.sep in text and " " not in text):
        return True
    return text.lower().endswith((".whl", *_SDIST_ENDINGS))


def _split(text: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise _invalid(text, str(error)) from error
    if (parts.hostname or "").startswith("-") or (parts.username or "").startswith("-"):
        raise _invalid(text, "its host begins with a dash, as an option does")
    if " " in url:
        raise _invalid(text, "it has a space in it")
    return parts


def _split_revision(parts: SplitResult) -> tuple[str, str]:
    """The path and what follows its last `@`; a folder on this machine may have that character in its name."""
    if parts.scheme == "file" and os.path.exists(unquote(parts.path)):
        return parts.path, ""
    path, at, revision = parts.path.rpartition("@")
    if not at:
        return parts.path, ""
    if not path.rstrip("/"):
        return parts.path, ""
    # `repository.git@feature/x@2` is the branch `feature/x@2`: what ends in .git before an @ is the repository.
    head, git, tail = parts.path.partition(".git@")
    return (head + ".git", tail) if git else (path, revision)


def _check_revision(text: str, revision: str) -> None:
    """Raises: UsageError: git would read it as an option, or as more than the name of a revision.

    Source: git-check-ref-format(1).
    """
    if revision.startswith("-") or "/-" in revision:
        raise _invalid(text, f"its revision `{revision}` begins with a dash, as an option does")
    forbidden = set(" ~^:?*[\\\x7f")
    if forbidden & set(revision) or ".." in revision or "@{" in revision or revision.endswith((".lock", "/", ".")) or "//" in revision:
        raise _invalid(text, f"`{revision}` is not the name of a branch, tag or commit")


def _subdirectory(text: str, fragment: str) -> str:
    subdirectory = unquote(_fragment(fragment).get("subdirectory", "")).strip("/") if fragment else ""
    raw = _fragment(fragment).get("subdirectory", "") if fragment else ""
    if raw.startswith(("/", "-", "~")) or ".." in subdirectory.split("/") or "\0" in subdirectory:
        raise _invalid(text, f"its subdirectory `{raw}` leads out of the repository")
    return "/".join(part for part in subdirectory.split("/") if part not in {"", "."})


def _fragment(fragment: str) -> dict[str, str]:
    return {key: values[-1] for key, values in parse_qs(fragment, keep_blank_values=True).items()}


def _without_credentials(parts: SplitResult) -> tuple[str, str]:
    """The URL without its userinfo, and that; an ssh user is part of the address and stays."""
    userinfo, at, host = parts.netloc.rpartition("@")
    if parts.scheme == "ssh" and ":" not in userinfo:
        return urlunsplit(parts), ""
    if parts.scheme == "ssh":
        user, _, _password = userinfo.partition(":")
        return urlunsplit(parts._replace(netloc=f"{user}@{host}")), ""
    return urlunsplit(parts._replace(netloc=host)), unquote(userinfo) if at else ""


def _redacted(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    head, slash, tail = rest.partition("/")
    return f"{scheme}{separator}{head.rpartition('@')[2]}{slash}{tail}" if separator else text


def _invalid(text: str, why: str, *, hint: str = _FORMS) -> UsageError:
    return UsageError(f"`{_redacted(text)}` is not a source that can be added", reference="source-invalid", causes=[why], hint=hint)
