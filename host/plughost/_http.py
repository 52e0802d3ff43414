"""Getting something from an HTTP server: through the user's proxies, and what its refusals mean.

Above it: archives on a server, and indexes; below it: urllib.
"""

from __future__ import annotations

import time
from contextlib import contextmanager

from plughost.errors import InstallError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.client import HTTPResponse
    from urllib.request import OpenerDirector

__all__ = ["NOT_MODIFIED", "Refusal", "blocks", "get", "told"]

NOT_MODIFIED = 304
_TIMEOUT_S = 60.0
_BLOCK_BYTES = 1 << 20


class Refusal(Exception):
    """The server's answer is none that was wanted."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"The server answered {code} {reason}")
        self.code = code


@contextmanager
def get(url: str, credentials: str = "", *, headers: Mapping[str, str] | None = None) -> Iterator[HTTPResponse]:
    """The server's answer, to be read within the block. `credentials` are `user:password`, or one word.

    Raises: Refusal: another answer than 200. OSError, HTTPException: none.
    """
    import base64
    from urllib.error import HTTPError
    from urllib.request import Request

    request = Request(url, headers={"User-Agent": "plughost", **(headers or {})})  # noqa: S310 - `_opener` knows HTTP alone
    if credentials:
        # Not sent on where the server redirects to.
        basic = base64.b64encode((credentials if ":" in credentials else f"{credentials}:").encode())
        request.add_unredirected_header("Authorization", f"Basic {basic.decode()}")
    try:
        reply = _opener().open(request, timeout=_TIMEOUT_S)
    except HTTPError as error:
        error.close()
        raise Refusal(error.code, str(error.reason)) from error
    with reply:
        yield reply


def blocks(reply: HTTPResponse, *, within_s: float = float("inf")) -> Iterator[bytes]:
    """What the server sends, up to the end that it has announced.

    Raises: OSError, HTTPException: it breaks off, or takes longer than `within_s` in all.
    """
    deadline = time.monotonic() + within_s
    while block := reply.read1(_BLOCK_BYTES):
        yield block
        if time.monotonic() > deadline:
            raise TimeoutError(f"It took longer than {within_s:g} s")
    if reply.length:
        raise ConnectionError(f"It broke off with {reply.length:,} bytes to come")


def told(url: str, error: Exception) -> InstallError:
    """The error for what `get` raised; `url` is shown."""
    if isinstance(error, Refusal):
        return _refused(url, error)
    tls = "CERTIFICATE_VERIFY_FAILED" in str(error)
    return InstallError(
        f"`{url}` can't be fetched",
        reference="tls" if tls else "network",
        causes=[str(getattr(error, "reason", error)) or type(error).__name__],
        hint="Name the authority's certificate in `SSL_CERT_FILE`"
        if tls
        else "Check the address, the connection and the proxy settings",
    )


def _opener() -> OpenerDirector:
    """For HTTP alone: a redirection must lead nowhere else."""
    from urllib import request

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.UnknownHandler,
        request.HTTPHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
        request.HTTPSHandler,
    ):
        opener.add_handler(handler())
    return opener


def _refused(url: str, refusal: Refusal) -> InstallError:
    causes = [str(refusal)]
    if refusal.code in {401, 403, 407}:
        return SourceError(
            f"`{url}` is not for everybody",
            reference="git-auth",
            causes=causes,
            hint="Give credentials as `https://USER:TOKEN@HOST/…`: they are used and not stored",
        )
    if refusal.code in {404, 410}:
        return SourceError(f"There is nothing at `{url}`", reference="source-missing", causes=causes, hint="Check the URL")
    return InstallError(f"`{url}` can't be fetched", reference="network", causes=causes, hint="Try again later")
