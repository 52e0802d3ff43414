"""Where a plugin can't reach a host, it is told which one that was, and what would allow it.

Above it: the confinement; below it: the modules `socket` and `urllib.request`, once the plugin has imported them. Until then it
costs nothing, and afterwards only what goes through them. A hook of `sys.addaudithook` would be asked at each import, too, and at
each `id()`, which takes ten times as long then.
"""

from __future__ import annotations

import sys

from ._events import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._denial import Denial

__all__ = ["explain_denials"]


def explain_denials(plugin: str, network: str | Sequence[str], port: int, for_host: str, for_all: str) -> None:
    """From now on. `plugin` is whose policy that is, `network` what it has: `"off"`, or the hosts; and the broker's port.

    Without a port, this process has the network of the machine, by somebody's leave, and nothing is to be explained. `for_host`
    says what would allow a host, for which `{}` stands; `for_all` what would allow all of the network.
    """

    def explain() -> None:
        from ._denial import Denial

        _explain(Denial(plugin, network, for_host, for_all), port)

    if port or network == "off":
        when_imported("socket", explain)
    if port:
        when_imported("urllib.request", lambda: _leave_out_proxy(port))


def _explain(denial: Denial, port: int) -> None:
    from ._socket_errors import put_into_words

    put_into_words(sys.modules["socket"], denial)
    if port:
        from ._dialing import dial_named

        dial_named(sys.modules["socket"], denial, port)


def _leave_out_proxy(port: int) -> None:
    from ._dialing import leave_out_proxy

    leave_out_proxy(sys.modules["urllib.request"], port)
