"""The daemon: a process that keeps workers warm between the commands of one user on one store.

Above it: the command line, which starts it, ends it and has it make calls; below it: hosts. It knows who may ask, which callers
may share a worker, and when to end. What a command does is told by whoever starts it: it gets a `Run`, and performs that.

- `_link` is what both ends of the socket have to agree on. A process of the command imports that and `_client`, and no more.
- `_server` listens and waits for all that may happen; `_run` is one command, performed in a thread of its own.
- `_peer` and `_hosts` say whose calls may share what.
- `_control` starts, asks and ends a daemon.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.daemon._control import Status as Status
    from plughost.daemon._control import end as end
    from plughost.daemon._control import start as start
    from plughost.daemon._control import status as status
    from plughost.daemon._hosts import Hosts as Hosts
    from plughost.daemon._run import Declined as Declined
    from plughost.daemon._run import Run as Run
    from plughost.daemon._server import serve as serve

__all__ = ["Declined", "Hosts", "Run", "Status", "end", "serve", "start", "status"]

__getattr__ = lazily(
    __name__,
    {
        "_control": ("Status", "end", "start", "status"),
        "_hosts": ("Hosts",),
        "_run": ("Declined", "Run"),
        "_server": ("serve",),
    },
)
