"""Having workers ready before there is a call.

Above it: `Caller`; below it: the workers.
"""

from __future__ import annotations

from plughost._workers import DESCRIBE_TIMEOUT_S
from plughost.call import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost._workers import Workers
    from plughost.registry import Installed

__all__ = ["warm"]


def warm(workers: Workers, plugins: Sequence[Installed]) -> None:
    """Have as many workers of each plugin as are kept at least, and one in any case, with its modules imported; all at once.

    Raises: StoreError, PluginError, PluginCrashed, CallTimeout.
    """
    cold = [installed for installed in plugins if not workers.warm_nursery(installed)]
    wanted = [installed for installed in cold for _ in range(max(1, workers.pool.limits.least))]
    taken = []
    try:
        for installed in wanted:
            worker, manifest = workers.take(installed, may_be_held=False)
            taken.append((installed, worker, manifest))
        loads = [load(worker, installed.name, manifest, timeout_s=DESCRIBE_TIMEOUT_S) for installed, worker, manifest in taken]
        for (_, worker, _), finish in zip(taken, loads, strict=True):
            finish()
            worker.channel.count_from_here()
    finally:
        for installed, worker, _ in taken:
            workers.give_back(installed, worker)
