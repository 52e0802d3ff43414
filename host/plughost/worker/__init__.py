"""PluginVenv → Worker: a live child process that runs a plugin, spoken to by messages.

Above it: calls and the host; below it: `_process` and the wire. It knows nothing of tools, schemas or receipts.
"""

from plughost._lazy import lazily
from plughost.worker._channel import Channel
from plughost.worker._custody import CUSTODY, Custody
from plughost.worker._deadline import DEADLINE, Deadline, time_given
from plughost.worker._exchange import CANCEL_GRACE_S, Exchange
from plughost.worker._feeds import Feed, is_async_iterator, is_iterator
from plughost.worker._launch import launch
from plughost.worker._nurseries import Nurseries
from plughost.worker._nursery import Held, without_threads
from plughost.worker._pool import Crew, Pool
from plughost.worker._surroundings import Surroundings
from plughost.worker._watch import IS_POSSIBLE
from plughost.worker._worker import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.worker._bytecode import compile_environment, compile_library
    from plughost.worker._lane import Lane
    from plughost.worker._seats import Seat, Seats
    from plughost.worker._shared import Shared

__all__ = [
    "CANCEL_GRACE_S",
    "CUSTODY",
    "DEADLINE",
    "IS_POSSIBLE",
    "Channel",
    "Crew",
    "Custody",
    "Deadline",
    "Exchange",
    "Feed",
    "Held",
    "Lane",
    "Nurseries",
    "Pool",
    "Seat",
    "Seats",
    "Shared",
    "Surroundings",
    "Worker",
    "compile_environment",
    "compile_library",
    "is_async_iterator",
    "is_iterator",
    "launch",
    "time_given",
    "without_threads",
]

# For what is added, and for plugins whose workers serve several calls at once.
__getattr__ = lazily(
    __name__,
    {
        "_bytecode": ("compile_environment", "compile_library"),
        "_lane": ("Lane",),
        "_seats": ("Seat", "Seats"),
        "_shared": ("Shared",),
    },
)
