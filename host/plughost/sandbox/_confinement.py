"""What one worker is started with, and what is to be let go of with it.

Above it: the workers, and who watches them; below it: the broker. The plan in it is made by `_plan`.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Collection

    from plughost._process import Wrapper
    from plughost._remedies import Remedy
    from plughost.policy import Policy
    from plughost.sandbox._broker import Broker

__all__ = ["Confinement"]


class Confinement:
    """What one worker is started with. `waived` are the names of what is not kept, by somebody's leave.

    `environment` is all that it has of variables, but for those that a single call adds. `work` is its working folder.
    """

    __slots__ = (
        "_broker",
        "_link",
        "environment",
        "found_bytes",
        "has_hosts",
        "has_network",
        "is_fork",
        "plan",
        "policy",
        "remedy",
        "waived",
        "work",
        "wrapper",
    )

    def __init__(
        self,
        policy: Policy,
        plan: bytes,
        *,
        work: str,
        environment: dict[str, str],
        waived: Collection[str] = (),
        has_hosts: bool = False,
        has_network: bool = False,
        remedy: Remedy | None = None,
        wrapper: Wrapper | None = None,
    ) -> None:
        self.policy = policy
        self.plan = plan
        self.work = work
        self.environment = environment
        self.waived = tuple(waived)
        #: What was in `work` before it was started, of one that is kept.
        self.found_bytes = 0
        #: For messages.
        self.remedy = remedy
        #: What the process is started through, if that isn't itself alone.
        self.wrapper = wrapper
        #: Whether it has a network of its own, in which a broker is to serve.
        self.has_hosts = has_hosts
        #: Whether it has a network of its own that the host can look at by the process's number.
        self.has_network = has_network
        #: Whether it is of a process that another one has forked, whose tree it has.
        self.is_fork = False
        self._broker: Broker | None = None
        self._link: socket.socket | None = None

    @property
    def may_hand_over(self) -> bool:
        """Whether its processes can send one another descriptors, copies of those included that nobody can change otherwise."""
        return self.policy.network != "off" or self.policy.processes != 1

    @property
    def link(self) -> int | None:
        """A descriptor that the child is to have, see the runner's `_confine`."""
        return None if self._link is None else self._link.fileno()

    def serve_hosts(self, broker: Broker) -> None:
        """Have the broker serve the process, once that is there; `let_go` follows when it is, `close` when it is gone."""
        import socket

        ours, self._link = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._broker = broker
        broker.receive(ours)

    def let_go(self) -> None:
        """The child has been started, or can't be. Of a thousand workers the plans are most of the memory."""
        self.plan, self.wrapper = b"", None
        if self._link is not None:
            self._link.close()
            self._link = None

    def close(self) -> None:
        self.let_go()
        if self._broker is not None:
            self._broker.close()

    def of_fork(self, family: str) -> Confinement:
        """That of a process which one with this one has forked."""
        work = os.path.join(self.work, family)
        fork = Confinement(self.policy, b"", work=work, environment=self.environment, waived=self.waived, remedy=self.remedy)
        fork.is_fork, fork.has_network = True, self.has_network
        return fork
