"""The state of one plugin: which revision is in force, which were before it, and whether it may be called and updated.

It is the file `current` in the plugin's folder, and all of it changes by one rename:

    1.3-3f2a1c0d-9b1e7a52         the revision in force
    before 1.2-77aa01bc-01c3d2e4  what was in force before it, the newest first: where a rollback goes
    after 1.4-0d9c1b2a-55e6f7a8   what a rollback came from
    disabled                      it can't be called
    pinned                        an update leaves it alone
    grant {"network":"on"}        what it was granted when it was added, or since: fields of a policy; not there if nobody asked
"""

from __future__ import annotations

import os

from plughost.paths import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

__all__ = ["KEPT_REVISIONS", "State", "is_entry", "read_state", "read_whole_state", "whole_state"]

#: How many revisions of a plugin are kept, the one in force included, where nobody says otherwise.
KEPT_REVISIONS = 5
_MOST_BYTES = 1 << 16
_LONGEST_ENTRY = 255


class State:
    """What the file says. `before` and `after` have the newest first, and never the revision in force."""

    __slots__ = ("after", "before", "disabled", "grant", "pinned", "revision")

    def __init__(
        self,
        revision: str,
        *,
        before: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
        disabled: bool = False,
        pinned: bool = False,
        grant: str = "",
    ) -> None:
        """`grant` is JSON in ASCII, on one line."""
        self.revision = revision
        self.before = before
        self.after = after
        self.disabled = disabled
        self.pinned = pinned
        self.grant = grant

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises: ValueError: it is no such file."""
        first, *lines = data.decode("ascii", "strict").split("\n")
        if lines and not lines[-1]:
            lines.pop()
        others: dict[str, list[str]] = {"before": [], "after": []}
        flags = {"disabled": False, "pinned": False}
        grant = ""
        for line in lines:
            word, _, revision = line.partition(" ")
            if word == "grant" and revision[:1] == "{":
                grant = revision
            elif line in flags:
                flags[line] = True
            elif word in others and is_entry(revision):
                others[word].append(revision)
            else:
                raise ValueError(f"`{line[:100]}` is no line of it")
        if not is_entry(first):
            raise ValueError("It doesn't name a revision")
        return cls(first, before=tuple(others["before"]), after=tuple(others["after"]), grant=grant, **flags)

    def pack(self) -> bytes:
        lines = [self.revision, *(f"before {name}" for name in self.before), *(f"after {name}" for name in self.after)]
        lines += [f"grant {self.grant}"] if self.grant else []
        lines += [word for word, holds in (("disabled", self.disabled), ("pinned", self.pinned)) if holds]
        return "".join(f"{line}\n" for line in lines).encode("ascii")

    @property
    def revisions(self) -> tuple[str, ...]:
        """All that are kept, in the order in which a version is looked for: the one in force first."""
        return (self.revision, *self.before, *self.after)

    def advanced(self, revision: str, *, keep: int) -> State:
        """With `revision` in force, and the one that was on top of those before it; `keep` in all stay."""
        others = [name for name in (self.revision, *self.before) if name != revision]
        before = tuple(others[: max(0, keep - 1)])
        after = tuple(name for name in self.after if name != revision)
        return self._with(revision, before, after[: max(0, keep - 1 - len(before))])

    def turned_back(self, revision: str) -> State:
        """With `revision` in force, which is one of those before or after it."""
        if revision in self.before:
            place = self.before.index(revision)
            undone = (*reversed(self.before[:place]), self.revision)
            return self._with(revision, self.before[place + 1 :], (*reversed(undone), *self.after))
        after = tuple(name for name in self.after if name != revision)
        return self._with(revision, (self.revision, *self.before), after)

    def marked(self, *, disabled: bool | None = None, pinned: bool | None = None, grant: str | None = None) -> State:
        """With the marks that are given, and the grant; "" takes that away."""
        return State(
            self.revision,
            before=self.before,
            after=self.after,
            disabled=self.disabled if disabled is None else disabled,
            pinned=self.pinned if pinned is None else pinned,
            grant=self.grant if grant is None else grant,
        )

    def _with(self, revision: str, before: tuple[str, ...], after: tuple[str, ...]) -> State:
        return State(revision, before=before, after=after, disabled=self.disabled, pinned=self.pinned, grant=self.grant)


def read_state(plugin: str) -> State:
    """The state of the plugin whose folder is `plugin`.

    Raises: OSError: it can't be read. ValueError: it is damaged.
    """
    with open(os.path.join(plugin, "current"), "rb", opener=regular) as file:
        return State.parse(file.read(_MOST_BYTES))


def read_whole_state(plugin: str) -> State:
    """The same, of which every revision is there.

    Raises: OSError: it can't be read. ValueError: it is damaged, or names a revision that isn't there.
    """
    state = read_state(plugin)
    for revision in state.revisions:
        if not os.path.isdir(os.path.join(plugin, revision)):
            raise ValueError(f"It names the revision `{revision}`, which isn't there")
    return state


def whole_state(plugin: str) -> State | None:
    """The same; None where it can't be told."""
    try:
        return read_whole_state(plugin)
    except (OSError, ValueError):
        return None


def is_entry(name: str) -> bool:
    """Whether it is the name of one entry of a folder, and of no place elsewhere."""
    return 0 < len(name) <= _LONGEST_ENTRY and name.isprintable() and os.path.basename(name) == name and name not in {".", ".."}
