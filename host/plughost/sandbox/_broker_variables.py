"""How programs in a worker know that they are to use the broker: by the variables that every client of HTTP reads.

Above it: whoever makes a worker's environment, before the broker itself is imported; below it: nothing.
"""

from __future__ import annotations

__all__ = ["proxy_variables"]


def proxy_variables(port: int) -> dict[str, str]:
    """For a broker on the loopback's `port`. It is for every host: those of the loopback are the machine's, and not the worker's.

    It speaks SOCKS too, but the variables don't say so: for that, `requests` and others need a package that may not be there.
    """
    proxy = f"http://127.0.0.1:{port}"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {**{each: proxy for name in names for each in (name, name.lower())}, "NO_PROXY": "", "no_proxy": ""}
