"""What a nursery's children take from themselves beyond what it has done: one another's files, and what only a nursery needs.

Above it: the nursery; below it: the confinement. What can be done before the fork is: in a child it would take memory of its own,
and the time of a call. The plan is the member `fork` of the nursery's.

| member | meaning |
|---|---|
| `folder` | in which each child has a folder of its own, by its family |
| `landlock` | as the nursery's, without what is a child's own; `own` is how that may be opened |
| `filter` | as the nursery's; the child may do what both allow |
| `maps` | a file of the kernel's, and that which the children find in its place, with what it has said at the first fork |
"""

from __future__ import annotations

import os
import sys

from . import _confine, _landlock

__all__ = ["Narrowing"]


class Narrowing:
    def __init__(self, plan: dict[str, object]) -> None:
        self._folder = str(plan["folder"])
        landlock = plan.get("landlock")
        self._landlock = landlock if isinstance(landlock, dict) else {}
        self._program = bytes.fromhex(str(plan["filter"]))
        maps = plan.get("maps")
        self._maps = maps if isinstance(maps, list) else []
        self._ruleset = -1
        self._own = ""

    def prepare(self, family: str) -> None:
        """Before the fork.

        Raises: OSError: there is no descriptor or no room left.
        """
        self._own = os.path.join(self._folder, family)
        temporary = os.path.join(self._own, ".tmp")
        os.mkdir(self._own, 0o700)
        os.mkdir(temporary, 0o700)
        os.environ.update({"HOME": self._own, "TMPDIR": temporary})
        module = sys.modules.get("tempfile")
        if module is not None:  # it remembers what it has found
            vars(module)["tempdir"] = None
        self._keep_maps()
        if self._landlock:
            rules = [(str(path), int(access)) for path, access in self._landlock["rules"]]
            own = (self._own, int(self._landlock["own"]))
            self._ruleset = _landlock.ruleset(int(self._landlock["abi"]), [*rules, own], scopes=0)

    def _keep_maps(self) -> None:
        """Once: by the first fork all has been imported."""
        if self._maps:
            source, copy = map(str, self._maps)
            self._maps = []
            with open(source, "rb") as now, open(copy, "wb") as kept:
                kept.write(now.read())

    def apply(self) -> None:
        """In the child. Where that fails, it ends."""
        try:
            if self._ruleset >= 0:
                _landlock.enforce(self._ruleset)
            os.chdir(self._own)
            _confine.load(self._program)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing of the plugin may run now
            _confine.give_up("narrow", error)

    def finish(self) -> None:
        """In the nursery, after the fork."""
        if self._ruleset >= 0:
            os.close(self._ruleset)
            self._ruleset = -1
