"""pip without the code of packages: where it would have one built for its metadata, it is told them, or does without.

Run as a program, `FOLDER PIP fetch|refuse|resolve ARGUMENTS`, by any Python that this pip runs on; above it: `_pip`; below it:
pip, of which no more is used than the class that prepares what is to be built, and the function that unpacks archives.

- `fetch`: the first that would have to be built is put into FOLDER, an archive as it is, and pip ends.
- `refuse`: pip ends with an error, as where there is no wheel.
- `resolve`: what would have to be built is taken to depend on nothing, but for what `built.json` in FOLDER has: `[name, version,
  metadata]` of each version that was built before.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Link(Protocol):
        @property
        def filename(self) -> str: ...
        @property
        def is_vcs(self) -> bool: ...
        @property
        def file_path(self) -> str: ...
        def is_existing_dir(self) -> bool: ...

    class Requirement(Protocol):
        name: str
        link: Link
        source_dir: str
        metadata_directory: str

    class Distribution(Protocol):
        """What pip is to prepare, of which it wants the metadata."""

        req: Requirement

    class Way(Protocol):
        @property
        def is_done(self) -> bool:
            """Whether all is there, although pip will say that it has failed."""

        def unpack(self, filename: str, /, *_arguments: object, **_options: object) -> None: ...
        def prepare(self, distribution: Distribution) -> None: ...


_ARCHIVE = re.compile(r"\.(tar(\.\w+)?|tgz|tbz|txz|tlz|zip)$")


class Fetching:
    is_done = False

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def unpack(self, filename: str, /, *_arguments: object, **_options: object) -> None:
        shutil.copyfile(filename, os.path.join(self._folder, os.path.basename(filename)))

    def prepare(self, distribution: Distribution) -> None:
        link = distribution.req.link
        if link.is_vcs or link.is_existing_dir():
            place = distribution.req.source_dir if link.is_vcs else link.file_path
            shutil.copytree(place, os.path.join(self._folder, "source"), symlinks=True)
        self.is_done = True
        raise _failure("It is fetched, and nothing more was wanted")


class Refusing:
    is_done = False

    def __init__(self, _folder: str) -> None:
        pass

    def unpack(self, _filename: str, /, *_arguments: object, **_options: object) -> None:
        """Nobody looks at what is in it."""

    def prepare(self, distribution: Distribution) -> None:
        raise _failure(f"No matching distribution found for {distribution.req.name}")


class Resolving:
    is_done = False

    def __init__(self, folder: str) -> None:
        self._folder = folder
        with open(os.path.join(folder, "built.json"), encoding="utf-8") as file:
            self._built = json.load(file)

    def unpack(self, _filename: str, /, *_arguments: object, **_options: object) -> None:
        """Nobody looks at what is in it."""

    def prepare(self, distribution: Distribution) -> None:
        requirement = distribution.req
        name = _normalized(requirement.name)
        version = _version_in(requirement.link.filename, name)
        metadata = self._known(name, version) or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version or '0'}\n"
        place = os.path.join(self._folder, f"{name.replace('-', '_')}-{version or '0'}.dist-info")
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, "METADATA"), "w", encoding="utf-8") as file:
            file.write(metadata)
        requirement.metadata_directory = place

    def _known(self, name: str, version: str) -> str:
        """The metadata of that version; of something that isn't from an index, the file's name doesn't tell its version."""
        for built_name, built_version, metadata in self._built:
            if built_name == name and (not version or _same(built_version, version)):
                return str(metadata)
        return ""


def _failure(message: str) -> Exception:
    """What pip ends with as it ends with failures of its own."""
    failure = importlib.import_module("pip._internal.exceptions").InstallationError(message)
    assert isinstance(failure, Exception)
    return failure


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _version_in(filename: str, name: str) -> str:
    """The version in the name of an sdist's file; "" if it is no such name."""
    stem, found = _ARCHIVE.subn("", filename)
    places = [place for place, letter in enumerate(stem) if letter == "-" and _normalized(stem[:place]) == name]
    return stem[places[0] + 1 :] if found and places else ""


def _same(one: str, other: str) -> bool:
    versions = importlib.import_module("pip._vendor.packaging.version")
    try:
        return bool(versions.Version(one) == versions.Version(other))
    except versions.InvalidVersion:
        return one == other


def main() -> None:
    folder, program, kind = sys.argv[1:4]
    sys.path.insert(0, os.path.dirname(program))
    ways: dict[str, Callable[[str], Way]] = {"fetch": Fetching, "refuse": Refusing, "resolve": Resolving}
    way = ways[kind](folder)
    _take_over(way)
    sys.argv[:] = ["pip", *sys.argv[4:]]
    code = importlib.import_module("pip._internal.cli.main").main()
    sys.exit(0 if way.is_done else code)


def _take_over(way: Way) -> None:
    """Have `way` do what pip does with the code of packages."""
    unpacks = importlib.import_module("pip._internal.operations.prepare")
    prepares = importlib.import_module("pip._internal.distributions.sdist").SourceDistribution
    if not (hasattr(unpacks, "unpack_file") and hasattr(prepares, "prepare_distribution_metadata")):
        sys.exit("ERROR: This pip is not known: it might run code of packages")

    def prepare(distribution: Distribution, *_arguments: object, **_options: object) -> None:
        way.prepare(distribution)

    setattr(unpacks, "unpack_file", way.unpack)  # noqa: B010 - nothing is known here of the module's names
    prepares.prepare_distribution_metadata = prepare


if __name__ == "__main__":
    main()
