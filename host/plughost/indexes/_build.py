"""Making the file of an index out of projects, from what their metadata says. Nothing is built, and nothing of them is run.

Above it: the command line; below it: sources, checked out where they are elsewhere.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from pathlib import Path

from plughost import source as sources
from plughost.errors import SourceError, UsageError
from plughost.indexes._entry import Entry, Listing
from plughost.indexes._format import InvalidIndexError, parse, to_toml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plughost.source import Source

__all__ = ["build"]

_PROJECT = "pyproject.toml"
_MOST_LIST_BYTES = 1 << 20


def build(given: Iterable[str], *, name: str = "", repository: str = "") -> bytes:
    """The file. `given` are projects, folders of them, text files with a source a line, or sources.

    Without `repository` a project on this machine is listed by its path; with it, as a folder of that repository.

    Raises: UsageError, SourceError: one of them can't be read, or says too little, or two have one name. InstallError: a server
    can't be asked.
    """
    given = tuple(given)
    entries = [entry for text in given for entry in _entries(text, repository)]
    listing = Listing(name or _name_after(given[0]), tuple(entries))
    data = to_toml(listing)
    try:
        parse(data, is_here=True)  # no index that nobody could read
    except InvalidIndexError as error:
        raise SourceError(
            "No index can be made of this",
            reference="index-invalid",
            causes=[str(error)],
            hint="Correct the project's metadata, or leave one of two projects with the same name out",
        ) from error
    return data


def _entries(text: str, repository: str) -> Iterator[Entry]:
    path = Path(text).expanduser()
    if path.is_dir() and not (path / _PROJECT).is_file():
        projects = sorted(file.parent for file in path.glob(f"*/{_PROJECT}"))
        if not projects:
            raise SourceError(
                f"`{text}` is no project, and has none in it",
                reference="not-a-python-project",
                causes=[f"Neither it nor a folder in it has a `{_PROJECT}`"],
            )
        for project in projects:
            yield _from_folder(project, _published(repository, project.relative_to(path)) or str(project.absolute()))
    elif path.is_dir():
        yield _from_folder(path, _published(repository, Path()) or str(path.absolute()))
    elif path.suffix == ".txt" and path.is_file():
        for line in _lines(path):
            yield _from_source(line)
    else:
        yield _from_source(text)


def _published(repository: str, folder: Path) -> str:
    """The source of a folder of the repository."""
    if not repository:
        return ""
    url = repository.removeprefix("git+")
    base, _, reference = sources.parse(f"git+{url}" if "://" in url else url).text.partition("#")
    if reference:
        raise UsageError(
            f"`{repository}` can't be a repository's URL",
            reference="source-invalid",
            causes=["It names a folder in it already"],
            hint="Leave out what follows the `#`",
        )
    return base if folder == Path() else f"{base}#subdirectory={folder.as_posix()}"


def _from_source(text: str) -> Entry:
    source = sources.parse(text)
    if source.kind == "folder":
        return _from_folder(Path(source.path), source.path)
    if source.kind != "git":
        return _of_package(source)
    origin = sources.resolve(source)
    with tempfile.TemporaryDirectory(prefix="plughost-") as folder:
        sources.check_out_commit(sources.Git(source.url, source.credentials), origin, Path(folder))
        return _from_folder(Path(folder, source.subdirectory), source.text)


def _of_package(source: Source) -> Entry:
    """All that is known of a package without fetching it: its name, if it is a requirement or a file named after it."""
    if source.kind == "requirement":
        from packaging.requirements import Requirement

        return Entry(Requirement(source.requirement).name, source.text)
    filename = os.path.basename(source.path or source.url)
    return Entry(filename.partition("-")[0], source.text)


def _from_folder(folder: Path, source: str) -> Entry:
    path = folder / _PROJECT
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError) as error:
        raise SourceError(
            f"`{path}` can't be read", reference="not-a-python-project", causes=[" ".join(str(error).split())]
        ) from error
    if not isinstance(project, dict) or not isinstance(project.get("name"), str):
        raise SourceError(
            f"`{path}` doesn't name the package",
            reference="not-a-python-project",
            causes=["`[project]` has no `name`"],
            hint="Give it one: an index is made from what the metadata says",
        )
    summary, keywords = project.get("description", ""), project.get("keywords", [])
    tags = tuple(str(keyword).strip() for keyword in keywords) if isinstance(keywords, list) else ()
    return Entry(str(project["name"]), source, " ".join(str(summary).split()), tuple(sorted(set(filter(None, tags)))))


def _lines(path: Path) -> list[str]:
    """Raises: UsageError: it is no list of sources."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_LIST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The list of sources `{path}` can't be read", reference="usage", causes=[str(error)]) from error
    stripped = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _name_after(text: str) -> str:
    path = Path(text).expanduser()
    return path.absolute().name if path.is_dir() else path.stem or "plugins"
