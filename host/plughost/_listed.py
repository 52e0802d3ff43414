"""Taking a bare name in `add` from an index: its source, and who must have signed it.

Above it: `Host`; below it: the indexes. Whatever isn't a name alone, and everything where there is no index, stays as it is.
"""

from __future__ import annotations

import os

from plughost._request import Progress
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost._request import Request
    from plughost.paths import Store

__all__ = ["take_from_index"]


def take_from_index(store: Store, request: Request, index: str, report: Callable[[Progress], None] | None) -> None:
    """Let the request be for what an index lists under the name; in `index`, or in all of them.

    Raises: UsageError: `index` is given for what is no bare name. UnknownError: it has no such plugin, or several have, from
    different sources. StoreError: an index is damaged.
    """
    if not index and not os.path.isdir(store.plugin_indexes):
        return
    from plughost.indexes import is_bare_name, look_up

    if not is_bare_name(request.source):
        if index:
            raise UsageError(
                f"`{request.source}` is not a name that an index could list",
                reference="usage",
                hint="With `--index`, give a name alone, such as `weather`",
            )
        return
    found = look_up(store, request.source, index=index)
    if found is None:
        return
    if report:
        report(Progress(stage="index", detail=f"`{request.source}` is `{found.entry.source}` by the index `{found.index}`"))
    request.source = found.entry.source
    request.signers = found.entry.signers
