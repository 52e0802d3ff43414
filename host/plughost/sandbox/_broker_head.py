"""The heads of HTTP/1 messages: what a request asks for, what frames a body, and what a proxy passes on.

Above it: the proxy; below it: nothing.
Source: RFC 9110, section 7.6.1, of what concerns one connection only; RFC 9112, sections 2 to 6.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Fields = list[tuple[str, str]]

__all__ = ["CHUNKED", "TO_THE_END", "BadMessage", "Request", "Response", "authority", "read_request", "read_response"]

#: What a body's length is where it isn't a number of bytes.
CHUNKED, TO_THE_END = -1, -2

_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "upgrade",
}
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_HTTP_PORT = 80
_HIGHEST_PORT = 65535
_NO_CONTENT, _NOT_MODIFIED, _OK = 204, 304, 200
_MOST_DIGITS = 18  # of a length


class BadMessage(Exception):
    """What isn't HTTP, or none that a proxy takes; with the status that says so."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class Request:
    """What a client asks for. `length` is the body's; `target` is as the host itself is told it, none for a tunnel."""

    __slots__ = ("fields", "host", "is_whole", "length", "method", "persists", "port", "target", "version")

    def __init__(self, method: str, version: str, fields: Fields) -> None:
        self.method = method
        self.version = version
        self.fields = fields
        self.length = _length(fields, without=0)
        #: Whether all of the body has been passed on.
        self.is_whole = not self.length
        self.persists = _persists(version, fields)
        self.host, self.port, self.target = "", 0, ""

    def encoded(self) -> bytes:
        """As it is sent to the host: for a connection that has no other request, and with the host that was judged as `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        named = host if self.port == _HTTP_PORT else f"{host}:{self.port}"
        fields = [("Host", named), *_passed_on(self.fields, {"host"}), ("Connection", "close")]
        return _encoded(f"{self.method} {self.target} {self.version}", fields)


class Response:
    """What a host answers. `length` is the body's."""

    __slots__ = ("fields", "length", "phrase", "status")

    def __init__(self, status: int, phrase: str, fields: Fields, *, method: str) -> None:
        self.status = status
        self.phrase = phrase
        self.fields = fields
        has_no_body = method == "HEAD" or status < _OK or status in {_NO_CONTENT, _NOT_MODIFIED}
        self.length = 0 if has_no_body else _length(fields, without=TO_THE_END)

    def encoded(self, *, persists: bool) -> bytes:
        fields = [*_passed_on(self.fields, set()), *([] if persists or self.status < _OK else [("Connection", "close")])]
        return _encoded(f"HTTP/1.1 {self.status} {self.phrase}", fields)


def read_request(head: bytes) -> Request:
    """Raises: BadMessage."""
    line, fields = _read(head)
    method, _, rest = line.partition(" ")
    target, _, version = rest.partition(" ")
    if not method or not _TOKEN.issuperset(method) or version not in {"HTTP/1.0", "HTTP/1.1"}:
        raise BadMessage("this isn't a request of HTTP/1.1")
    request = Request(method, version, fields)
    if method == "CONNECT":
        request.host, request.port = authority(target, None)
        return request
    scheme, found, after = target.partition("://")
    if not found or scheme.lower() != "http":
        raise BadMessage("this is a proxy: it takes `CONNECT host:port`, and requests for `http://`")
    end = min((at for at in map(after.find, "/?#") if at >= 0), default=len(after))
    request.host, request.port = authority(after[:end], _HTTP_PORT)
    path = after[end:].partition("#")[0]
    asterisk = method == "OPTIONS" and not path
    request.target = "*" if asterisk else path if path.startswith("/") else f"/{path}"
    return request


def read_response(head: bytes, *, method: str) -> Response:
    """Raises: BadMessage."""
    line, fields = _read(head)
    version, _, rest = line.partition(" ")
    status, _, phrase = rest.partition(" ")
    if not version.startswith("HTTP/1.") or not (len(status) == 3 and status.isascii() and status.isdigit()):  # noqa: PLR2004
        raise BadMessage("the host's answer isn't one of HTTP/1.1", 502)
    return Response(int(status), phrase, fields, method=method)


def authority(text: str, default_port: int | None) -> tuple[str, int]:
    """Host and port of `host:port`, `[::1]:port`, and without a port if there is a default.

    Raises: BadMessage: also for `user@host`, which is read in more ways than one.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        sound = bool(bracket) and ":" in host and rest[:1] in {"", ":"}
        port = rest[1:]
    else:
        host, _, port = text.partition(":")
        sound = not set(host) & set("@/\\%#?[]") and host.isprintable() and " " not in host
    if not port and default_port is not None:
        port = str(default_port)
    if not host or not sound or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _HIGHEST_PORT):
        raise BadMessage("the request doesn't say which host and which port")
    return host, int(port)


def _read(head: bytes) -> tuple[str, Fields]:
    """The first line, and the fields."""
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    line, *lines = text.strip("\r\n").split("\r\n")
    fields = []
    for each in lines:
        name, colon, value = each.partition(":")
        if not colon or not name or not _TOKEN.issuperset(name) or "\n" in value or "\r" in value or "\0" in value:
            raise BadMessage("a field of the head isn't one of HTTP/1.1")
        fields.append((name, value.strip(" \t")))
    if "\n" in line or "\r" in line or "\0" in line:
        raise BadMessage("the first line isn't one of HTTP/1.1")
    return line, fields


def _encoded(line: str, fields: Fields) -> bytes:
    return "\r\n".join((line, *(f"{name}: {value}" for name, value in fields), "", "")).encode()


def _values(fields: Fields, wanted: str) -> list[str]:
    """What stands in all fields of that name, as far as commas part it, in small letters."""
    return [part.strip().lower() for name, value in fields if name.lower() == wanted for part in value.split(",") if part.strip()]


def _passed_on(fields: Fields, dropped: set[str]) -> Fields:
    dropped = {*dropped, *_HOP_BY_HOP, *_values(fields, "connection")} - {"transfer-encoding", "content-length"}
    return [(name, value) for name, value in fields if name.lower() not in dropped]


def _persists(version: str, fields: Fields) -> bool:
    wishes = {*_values(fields, "connection"), *_values(fields, "proxy-connection")}
    return version == "HTTP/1.1" and "close" not in wishes


def _length(fields: Fields, *, without: int) -> int:
    codings, lengths = _values(fields, "transfer-encoding"), set(_values(fields, "content-length"))
    if codings:
        if codings != ["chunked"] or lengths:
            raise BadMessage("only `chunked` is taken as a transfer coding, and no length beside it", 501)
        return CHUNKED
    if not lengths:
        return without
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit() and len(length) <= _MOST_DIGITS):
        raise BadMessage("the length of the body isn't clear")
    return int(length)
