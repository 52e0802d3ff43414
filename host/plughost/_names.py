"""Names and versions of packages, where they are plain: importing `packaging` takes longer than uv takes to install."""

from __future__ import annotations

__all__ = ["NAME_RULE", "is_name", "normalized", "required_name", "satisfies"]

#: What `is_name` asks of a name, for people.
NAME_RULE = "A name has ASCII letters and digits, with single `-`, `_` or `.` between them"
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def normalized(name: str) -> str:
    """The normalized form of a package's name; of a string that is no name, something that is none either.

    Source: packaging.python.org, name normalization (PEP 503).
    """
    parts = name.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(part for index, part in enumerate(parts) if part or index in {0, len(parts) - 1})


def is_name(name: str) -> bool:
    """Whether what `normalized` has given is a name: ASCII letters and digits, with single dashes between them."""
    return bool(name) and _CHARACTERS.issuperset(name) and "-" not in {name[0], name[-1]}


def required_name(requirement: str) -> str:
    """The normalized name of the package that is required.

    Raises: packaging's InvalidRequirement: it can't be read.
    """
    from packaging.requirements import Requirement

    return normalized(Requirement(requirement).name)


def satisfies(version: str, specifiers: str) -> bool:
    """Whether `version` is within `specifiers`, a list such as `>=3.8,<4`; pre-releases count.

    Raises: packaging's InvalidSpecifier or InvalidVersion: they can't be read.
    Source: PEP 440, for which `packaging` stands in every case that is not plain.
    """
    for specifier in filter(None, (part.strip() for part in specifiers.split(","))):
        operator = ">=" if specifier.startswith(">=") else "<" if specifier[:1] == "<" and specifier[1:2] != "=" else ""
        bound, own = _plain(specifier.removeprefix(operator).strip()), _plain(version)
        if not operator or not bound or not own:
            from packaging.specifiers import SpecifierSet

            return SpecifierSet(specifiers).contains(version, prereleases=True)
        if (own >= bound) != (operator == ">="):
            return False
    return True


def _plain(version: str) -> tuple[int, ...]:
    """`3.8` and `3.8.0` as (3, 8, 0, 0); empty for anything that is not just numbers."""
    parts = version.split(".")
    if len(parts) > 4 or not all(part.isascii() and part.isdigit() for part in parts):  # noqa: PLR2004 - as long as versions get
        return ()
    return (*map(int, parts), 0, 0, 0, 0)[:4]
