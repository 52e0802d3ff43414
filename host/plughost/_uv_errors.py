"""What uv printed when it failed → one of our errors.

Above it: `_uv`; below it: errors. uv's exit codes say little (the same failure is 2 from one of its commands and 1 from another),
so its words are read: only those of its own report, which comes last. What a build backend prints comes before the report, or
indented inside it, and is taken out first, so that a plugin's output can't pose as a cause.

uv up to 0.12 draws its report with `×` and `╰─▶`, or writes `Caused by:`; later ones write `cause:`. All are understood.
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


#: In this order: a cause that makes others show (no disk, no credentials, no network) stands before those.
_RULES = (
    Rule(
        pattern=r"No space left on device|Disk quota exceeded|os error (28|122)\b",
        error=InstallError,
        reference="disk-full",
        hint="Free space on the disk that holds the store, then repeat the command",
    ),
    Rule(
        pattern=r"lack of valid authentication credentials|\b40[13] (Unauthorized|Forbidden)",
        error=ResolveError,
        reference="index-auth",
        hint="Give the index its credentials: `~/.netrc`, or `UV_INDEX_<NAME>_USERNAME` and `UV_INDEX_<NAME>_PASSWORD`",
    ),
    Rule(
        pattern=r"invalid peer certificate|certificate verify failed|UnknownIssuer",
        error=InstallError,
        reference="tls",
        hint="Name the authority's certificate in `SSL_CERT_FILE`",
    ),
    Rule(
        pattern=r"network was disabled|[Nn]etwork connectivity is disabled|not found in the cache",
        error=InstallError,
        reference="offline",
        hint="Repeat the command without `--offline`",
    ),
    Rule(pattern=r"Hash mismatch for|must have a hash", error=ResolveError, reference="hash-mismatch"),
    Rule(
        pattern=r"could not read Username|Authentication failed for|Permission denied \(publickey",
        error=SourceError,
        reference="git-auth",
    ),
    Rule(
        pattern=r"does not appear to be a git repository|[Rr]epository .*not found", error=SourceError, reference="git-not-found"
    ),
    Rule(pattern=r"couldn't find remote ref|not our ref|unknown revision", error=SourceError, reference="git-ref-not-found"),
    Rule(
        pattern=r"dns error|error sending request|[Cc]onnection (refused|reset)|timed out|tcp connect error|Failed to fetch:|"
        r"Failed to connect to|Could not resolve host",
        error=InstallError,
        reference="network",
        hint="Check the connection and the proxy settings, then repeat the command",
    ),
    Rule(
        pattern=r"Failed to (resolve|install) requirements from `?(build-system\.requires|setup\.py)",
        error=BuildError,
        reference="build-requires",
        hint="Correct `build-system.requires` in the package's `pyproject.toml`",
    ),
    Rule(
        pattern=r"neither `?pyproject\.toml`? nor `?setup\.py`? are present", error=SourceError, reference="not-a-python-project"
    ),
    Rule(
        pattern=r"Wheels are required for|source distributions for .* is disabled"
        r"|has no wheels with a matching|-compatible wheels",
        error=ResolveError,
        reference="wheel-missing",
        hint="Choose another Python with `--python VERSION`, or another version of it with `--with 'NAME<VERSION'`",
    ),
    Rule(
        pattern=r"URL dependencies must be expressed as direct",
        error=ResolveError,
        reference="dependency-refused",
        hint="If you trust it, name it yourself: `--with 'PACKAGE @ URL'`",
    ),
    Rule(pattern=r"The build backend returned an error|Failed to build ", error=BuildError, reference="build-failed"),
    Rule(pattern=r"No interpreter found", error=ResolveError, reference="python-missing"),
    Rule(
        pattern=r"does not satisfy Python|is incompatible with the project's Python",
        error=ResolveError,
        reference="python-incompatible",
    ),
    Rule(
        pattern=r"was not found in the package registry|was not found in the provided package locations",
        error=ResolveError,
        reference="package-not-found",
        hint="Check the spelling; a private index is named in `UV_INDEX` (pip's own settings hold with `--installer pip`)",
    ),
    Rule(
        pattern=r"there (is|are) no versions? of",
        error=ResolveError,
        reference="version-not-found",
        hint="Name a version that the index has, or leave the version out",
    ),
    Rule(
        pattern=r"No solution found",
        error=ResolveError,
        reference="resolution-conflict",
        hint="Loosen one of these requirements; each plugin has its own venv, so other plugins are not involved",
    ),
)

#: Whose wheels are missing.
_WITHOUT_WHEEL = re.compile(
    r"Wheels are required for `([^`]+)`|source distributions for `([^`]+)` is disabled"
    r"|([\w.-]+)(?:==\S+)? has no wheels with a matching"
)
_REPORT = re.compile(r"^(?:error: |  × )", re.MULTILINE)
_BACKEND_BLOCK = re.compile(r"^\s+\[std(?:out|err)\]\n.*?(?=^hint: |^\s+hint: |\Z)", re.MULTILINE | re.DOTALL)
_CAUSE = re.compile(r"^\s*(?:cause: |Caused by: |[├╰]─▶ )(.*)$")
#: Said of the project that plughost generates; the reader knows none.
_WORDING = (
    ("we can conclude that your project's requirements are unsatisfiable", "they can't all be met"),
    ("we can conclude that your requirements are unsatisfiable", "they can't all be met"),
    ("your project depends on", "what is asked for is"),
)


def failure(completed: Completed, doing: Doing, *, log: str | PathLike[str] = "") -> InstallError:
    """The error for a call of uv that ended with another exit code than 0."""
    report, backend = _split(completed.stderr)
    causes = _causes(report) if report.strip() else [f"`uv` ended with {_ending(completed.returncode)}"]
    error = to_error(report, _RULES, doing, causes=causes, complaint=backend_complaint(backend), log=log)
    if error.reference == "wheel-missing":
        error.without_wheel = tuple(sorted({normalized("".join(names)) for names in _WITHOUT_WHEEL.findall(report)}))
    return error


def _split(stderr: str) -> tuple[str, str]:
    """The report of uv itself, and what the build backend printed before it or inside it."""
    starts = [found.start() for found in _REPORT.finditer(stderr)]
    if not starts:
        return stderr, ""
    report = stderr[starts[-1] :]
    block = _BACKEND_BLOCK.search(report)
    if block is None:
        return report, re.sub(r"^Building .*\n", "", stderr[: starts[-1]])
    inside = re.sub(r"^\s*\[std(?:out|err)\]\n", "", block[0], count=1)
    return report[: block.start()] + report[block.end() :], inside


def _causes(report: str) -> list[str]:
    """The chain of causes from the nearest to the root, each on one line, in words that fit outside uv."""
    head, *rest = report.partition("\n\nhint:")[0].splitlines() or [""]
    chain = [_REPORT.sub("", head).rstrip(":")]
    for line in rest:
        if found := _CAUSE.match(line):
            chain.append(found[1])
        elif line.strip() and not line.lstrip().startswith(("hint:", "help:")):
            chain[-1] += " " + line.strip()
    if len(chain) > 1 and chain[0].startswith("No solution found"):
        del chain[0]
    for said, ours in _WORDING:
        chain = [cause.replace(said, ours) for cause in chain]
    return chain


def _ending(returncode: int) -> str:
    return f"exit code {returncode}" if returncode >= 0 else f"signal {-returncode}"
