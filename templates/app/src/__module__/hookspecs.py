"""What a plugin of ${name} may implement."""

import pluggy

hookspec = pluggy.HookspecMarker("${module}")


@hookspec
def rank(versions: list[str]) -> dict[str, object]:
    """Put version numbers in order.

    The answer has `by`, who gives it, and `order`, the versions from the oldest to the newest. It may have `with`, the library
    that decided.
    """
