"""Where packages are built: programs that run a package's own code before anybody has it as a plugin.

Above it: the stages that build; below it: the plan, and `_process`. A build may start programs, compilers for instance, and read
what the system has of them; it writes where it is told, sees nobody's home folder, and has a network only while what it needs is
fetched.
"""

from __future__ import annotations

import os

from plughost import _process
from plughost.paths import RUNNER
from plughost.policy import TRUSTED
from plughost.sandbox._build_watch import BuildWatch
from plughost.sandbox._unconfined import build_not_confined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from plughost._process import Completed
    from plughost.sandbox._build_watch import BuildLimits
    from plughost.sandbox._plan import Ways
    from plughost.sandbox._work import WorkFolders

__all__ = ["Workshop"]

#: Compilers, and what they read; what isn't there is left out.
_TOOLS = ("/usr", "/bin", "/sbin", "/opt")


class Workshop:
    """Safe for several threads."""

    def __init__(
        self, ways: Ways, folders: WorkFolders, *, python: str, limits: BuildLimits, waived: Collection[str] = ()
    ) -> None:
        """`python` is an interpreter that no package has written to."""
        self._ways = ways
        self._folders = folders
        self._python = python
        self._limits = limits
        self._waived = tuple(waived)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        venv: str,
        write: Sequence[str] = (),
    ) -> Completed:
        """Run a program to its end, as `_process.run` does. `venv` is the environment that it belongs to.

        `write` are folders that it has besides the system's programs, its environment and a home folder that goes with it.

        Raises: SandboxError: that can't be kept to on this machine. BuildError: it has come to more than builds may.
        OSError: it can't be started.
        """
        own = os.path.dirname(os.path.dirname(self._python))
        limits = self._limits
        policy = _POLICY.replace(read=(*_TOOLS, own), write=tuple(write), **limits.kept)
        self._ways.refuse_unenforceable(policy, plugin="the build", waived=self._waived, has_own_user=False)
        home = self._folders.new()
        temporary = os.path.join(home, ".tmp")  # a compiler's files may be more than memory holds
        os.mkdir(temporary)
        try:
            confinement = self._ways.confine(policy, plugin="the build", venv=venv, work=home, variables={}, waived=self._waived)
            watch = BuildWatch(limits, confinement, [home, *write])
            try:
                completed = _process.run(
                    [self._python, "-I", "-S", RUNNER, "exec", "--confined", str(len(confinement.plan)), *argv],
                    env={**env, "HOME": home, "TMPDIR": temporary},
                    input=confinement.plan,
                    is_hostile=True,
                    wrapper=confinement.wrapper,
                    watch=watch,
                )
            finally:
                watch.close()
        finally:
            self._folders.drop(home)
        if failed := build_not_confined(completed.returncode, completed.stdout, completed.stderr):
            raise failed
        return completed


#: How many processes there are is watched, since only an own user's are counted by the kernel.
_POLICY = TRUSTED.replace(network="off", read=(), write=(), environment=())
