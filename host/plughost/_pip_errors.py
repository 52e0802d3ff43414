"""What pip printed when it failed → one of our errors.

Above it: `_pip`; below it: errors. pip puts a build backend's output between a line that ends with `lines of output]` and
`[end of output]`; that is taken out before its own words are read, so that a plugin's output can't pose as a cause.
"""

from __future__ import annotations

import re

from plughost._failures import Rule, backend_complaint, to_error
from plughost._names import normalized
from plughost.errors import BuildError, InstallError, ResolveError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike

    from plughost._failures import Doing
    from plughost._process import Completed

__all__ = ["failure"]

#: In this order: a cause that makes others show stands before those.
_RULES = (
    Rule(
        pattern=r"No space left on device|Disk quota exceeded|\[Errno (28|122)\]",
        error=InstallError,
        reference="disk-full",
        hint="Free space on the disk that holds the store, then repeat the command",
    ),
    Rule(
        pattern=r"\b40[13] (Client )?(Error|Unauthorized|Forbidden)|HTTP error 40[13]",
        error=ResolveError,
        reference="index-auth",
        hint="Give the index its credentials in `~/.netrc` or in pip's configuration",
    ),
    Rule(
        pattern=r"CERTIFICATE_VERIFY_FAILED|SSLError",
        error=InstallError,
        reference="tls",
        hint="Name the authority's certificate in `PIP_CERT`",
    ),
    Rule(pattern=r"DO NOT MATCH THE HASHES|Hashes are required", error=ResolveError, reference="hash-mismatch"),
    Rule(pattern=r"could not read Username|Authentication failed for|\(publickey", error=SourceError, reference="git-auth"),
    Rule(
        pattern=r"does not appear to be a git repository|[Rr]epository .*not found", error=SourceError, reference="git-not-found"
    ),
    Rule(pattern=r"couldn't find remote ref|did not match any file", error=SourceError, reference="git-ref-not-found"),
    Rule(pattern=r"is not installable|[Nn]either 'setup\.py' nor", error=SourceError, reference="not-a-python-project"),
    Rule(
        pattern=r"[Ii]nstall(ing)? build dependencies .*did not run successfully|when installing build dependencies",
        error=BuildError,
        reference="build-requires",
        hint="Correct `build-system.requires` in the package's `pyproject.toml`",
    ),
    Rule(
        pattern=r"did not run successfully|Failed to build|metadata-generation-failed", error=BuildError, reference="build-failed"
    ),
    Rule(pattern=r"requires a different Python|Requires-Python", error=ResolveError, reference="python-incompatible"),
    Rule(
        pattern=r"NewConnectionError|Max retries exceeded|name resolution|timed out|Connection broken|ProtocolError",
        error=InstallError,
        reference="network",
        hint="Check the connection and the proxy settings, then repeat the command",
    ),
    Rule(
        pattern=r"\(from versions: none\)",
        error=ResolveError,
        reference="package-not-found",
        # pip says the same of an index that asks for a password.
        hint="Check the spelling; a private index is named, with its credentials, in `PIP_EXTRA_INDEX_URL`",
    ),
    Rule(pattern=r"Could not find a version that satisfies", error=ResolveError, reference="version-not-found"),
    Rule(
        pattern=r"ResolutionImpossible|conflicting dependencies",
        error=ResolveError,
        reference="resolution-conflict",
        hint="Loosen one of these requirements; each plugin has its own venv, so other plugins are not involved",
    ),
)

#: What pip says when there is a package, but no wheel of it that fits: the same as when there is none.
_WITHOUT_WHEEL = re.compile(r"^ERROR: No matching distribution found for ([\w.-]+)", re.MULTILINE)
_BACKEND_OUTPUT = re.compile(r"lines of output\]\n(.*?)^\s*\[end of output\]$", re.MULTILINE | re.DOTALL)
_CONFLICT = re.compile(r"^The conflict is caused by:\n((?:    .*\n)+)", re.MULTILINE)
_ERROR = re.compile(
    r"^(?:ERROR|error): (?!ResolutionImpossible|No matching distribution|Exception:|subprocess-exited)(.*)$", re.MULTILINE
)
#: pip's own diagnosis, with its cause below it.
_DIAGNOSIS = re.compile(r"^\s*× (?!.*did not run successfully)(.+)\n\s*╰─> (.+)$", re.MULTILINE)
_SHOWN_OF_A_CONFLICT = 4


def failure(completed: Completed, doing: Doing, *, offline: bool, log: str | PathLike[str] = "") -> InstallError:
    """The error for a call of pip that ended with another exit code than 0."""
    said = completed.stderr + completed.stdout
    backend = "\n".join(_BACKEND_OUTPUT.findall(said))
    report = _BACKEND_OUTPUT.sub("lines]\n", said)
    causes = _causes(report) or [f"`pip` ended with exit code {completed.returncode}"]
    error = to_error(report, _RULES, doing, causes=causes, complaint=backend_complaint(backend), log=log)
    if offline and error.reference in ("package-not-found", "version-not-found", "build-requires"):
        hint = "Repeat the command without `--offline`, or use `--installer uv`, which keeps what it has fetched"
        error = InstallError(doing.message, reference="offline", causes=error.causes, hint=hint, log=log)
    error.without_wheel = tuple(sorted({normalized(name) for name in _WITHOUT_WHEEL.findall(report)}))
    return error


def _causes(report: str) -> list[str]:
    if found := _CONFLICT.search(report):
        lines = [line.strip() for line in found[1].splitlines()]
        return ["; ".join(lines[:_SHOWN_OF_A_CONFLICT]) + ("; …" if len(lines) > _SHOWN_OF_A_CONFLICT else "")]
    if found := _DIAGNOSIS.search(report):
        return list(found.groups())
    return [re.sub(r"\(from versions: .{120}.*\)", "", line).strip() for line in _ERROR.findall(report)]
