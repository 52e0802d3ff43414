"""The environment variables of a confined process: those that its policy passes on, and those that say where it is.

Above it: the plan; below it: nothing.
"""

from __future__ import annotations

import os
from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from plughost.policy import Policy

__all__ = ["TEMPORARY", "variables_for"]

#: How many threads libraries compute with. Each has a stack of 8 MiB that RLIMIT_DATA counts, and room for what it works on.
_OF_COMPUTING = ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS")
_THREAD_BYTES, _ALL_PROCESSORS = 32 << 20, 1 << 16
TEMPORARY = ".tmp"  # in the work directory, where there is no file system in memory for it


def variables_for(policy: Policy, venv: str, work: str, variables: Mapping[str, str], *, has_tree: bool) -> dict[str, str]:
    """`variables` are those that there are to choose from; `has_tree` says whether the process has a `/tmp` of its own."""
    exact = {name for name in policy.environment if not name.endswith("*")}
    prefixes = tuple(name[:-1] for name in policy.environment if name.endswith("*"))
    passed = {name: value for name, value in variables.items() if name in exact or (prefixes and name.startswith(prefixes))}
    passed["PATH"] = os.pathsep.join((os.path.join(venv, "bin"), "/usr/local/bin", "/usr/bin", "/bin"))
    passed["HOME"] = work
    passed["TMPDIR"] = "/tmp" if has_tree else os.path.join(work, TEMPORARY)  # noqa: S108 - of its own
    passed["VIRTUAL_ENV"] = venv
    return {**_fewer_threads(policy), **passed}


def _fewer_threads(policy: Policy) -> dict[str, str]:
    """Libraries that compute start a thread for each processor when they are imported, and end the process where they can't."""
    room, threads = (policy.memory_bytes or inf) / _THREAD_BYTES, (policy.threads or inf) / 2
    most = max(1, int(min(room, threads, _ALL_PROCESSORS)))
    return dict.fromkeys(_OF_COMPUTING, str(most)) if most < (os.cpu_count() or 1) else {}
