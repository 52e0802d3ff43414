"""macOS: a process that `sandbox-exec` has confined by a profile, which says what may be done, and all else may not.

Above it: the machine and the plan; below it: `_process`. Nobody who wrote this had such a machine at hand. So a profile is
believed only where it was seen to confine: one is tried before the first plugin, and what it ought to refuse has to fail.

Source: sandbox-exec(1); the profiles of Chromium and Firefox for what a process can't start without, and what `deny default`
leaves open.
"""

from __future__ import annotations

import os

from plughost import _process
from plughost.errors import SandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["PROGRAM", "Seatbelt", "examine", "profile"]

PROGRAM = "/usr/bin/sandbox-exec"
_TRIED_WITHIN_S = 20.0
#: What every program maps or reads when it starts, by its real path.
_SYSTEM = (
    "/System/Library",
    "/System/Cryptexes/OS",
    "/System/Volumes/Preboot/Cryptexes/OS",
    "/Library/Apple/System/Library",
    "/Library/Apple/usr/libexec/oah",
    "/private/etc/localtime",
    "/private/etc/ssl",
    "/private/var/db/dyld",
    "/private/var/db/timezone",
    "/usr/lib",
    "/usr/share",
)
_HEAD = """(version 1)
(deny default)
(deny process-info* nvram* iokit-get-properties file-map-executable)
(allow process-info* (target self))
(allow signal (target self))
(allow sysctl-read)
(allow file-read* (literal "/dev/random") (literal "/dev/urandom"))
(allow file-read* file-write-data (literal "/dev/null"))
"""
#: Says what it could do of what it is asked to try; its arguments are two folders, a port and a word.
_TRIAL = """
import os, socket, sys
own, other, port, word = sys.argv[1:]
def read(path): open(path).read()
def write(path): open(path, "w").write(word)
def fork(): os.fork() or os._exit(0)
for name, act in {
    "read-own": lambda: read(own + "/note"), "write-own": lambda: write(own + "/made"),
    "read": lambda: read(other + "/note"), "tell": lambda: os.stat(other + "/note"), "list": lambda: os.listdir(other),
    "write": lambda: write(other + "/made"), "fork": fork, "signal": lambda: os.kill(os.getppid(), 0),
    "connect": lambda: socket.create_connection(("127.0.0.1", int(port)), 2),
}.items():
    try:
        act()
    except OSError:
        continue
    print(name, flush=True)
"""
_ALLOWED = {"read-own", "write-own"}


def profile(
    *, read: Iterable[str], write: Iterable[str], execute: Iterable[str], has_network: bool = False, has_children: bool = False
) -> str:
    """What may be read, written to and executed: these paths and what is in them, wherever links lead.

    Raises: SandboxError: a path can't be said in a profile.
    """
    readable = sorted({*map(os.path.realpath, read), *_SYSTEM})
    writable = sorted({os.path.realpath(path) for path in write})
    above = sorted({folder for path in (*readable, *writable, *read, *write) for folder in _above(path)})
    rules = [
        _rule("file-read-metadata file-test-existence", "literal", above),
        _rule("file-read* file-test-existence file-map-executable", "subpath", readable),
        _rule("file-read* file-test-existence file-write*", "subpath", writable),
        _rule("process-exec", "subpath", sorted({os.path.realpath(path) for path in execute})),
        "(allow process-fork)\n" if has_children else "",
        '(allow system-socket network*)\n(allow mach-lookup (global-name "com.apple.dnssd.service"))\n' if has_network else "",
    ]
    return _HEAD + "".join(rules)


def _rule(operations: str, kind: str, paths: Sequence[str]) -> str:
    return f"(allow {operations} {' '.join(f'({kind} {_quoted(path)})' for path in paths)})\n" if paths else ""


def _quoted(path: str) -> str:
    if not path.isprintable():
        raise SandboxError(
            f"`{path!r}` can't be said in a profile of `sandbox-exec`",
            reference="policy-unenforceable",
            causes=["It has characters that aren't printed"],
            hint="Give the file another name, or leave it out of the policy",
        )
    text = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _above(path: str) -> list[str]:
    found = [path]
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        found.append(path)
    return found


class Seatbelt:
    """What a process is started through; see `_process.Wrapper`. It executes that in its own place."""

    __slots__ = ("_profile", "_program")

    def __init__(self, text: str, program: str = PROGRAM) -> None:
        self._profile = text
        self._program = program

    def open(self, argv: Sequence[str], env: Mapping[str, str]) -> tuple[list[str], list[int]]:  # noqa: ARG002
        return [self._program, "-p", self._profile, *argv], []

    def settle(self) -> None:
        return None


def examine(bases: Iterable[str], program: str = PROGRAM) -> str:
    """Why a profile doesn't confine here; "" if it was seen to. `bases` are what belongs to the Python that runs this."""
    import socket
    from tempfile import TemporaryDirectory

    if not os.access(program, os.X_OK):
        return f"there is no `{program}`"
    word = os.urandom(8).hex()
    with TemporaryDirectory() as own, TemporaryDirectory() as other, socket.create_server(("127.0.0.1", 0)) as server:
        for folder in (own, other):
            with open(os.path.join(folder, "note"), "w", encoding="ascii") as file:
                file.write(word)
        argv = [_process.own_python(), "-I", "-S", "-c", _TRIAL, own, other, str(server.getsockname()[1]), word]
        wrapper = Seatbelt(profile(read=bases, write=[own], execute=bases), program)
        try:
            completed = _process.run(argv, env=_process.base_environment(), timeout_s=_TRIED_WITHIN_S, wrapper=wrapper)
        except (OSError, TimeoutError) as error:
            return f"`{program}`: {error}"
        return _judged(set(completed.stdout.split()), completed.stderr, own=own, other=other, word=word, program=program)


def _judged(done: set[str], said: str, *, own: str, other: str, word: str, program: str) -> str:
    """What came of the trial, by what is there as well as by what it said."""
    too_much = sorted(done - _ALLOWED) or [name for name in os.listdir(other) if name != "note"]
    if too_much:
        return f"`{program}` was tried and doesn't confine: {', '.join(too_much)}"
    try:
        with open(os.path.join(own, "made"), encoding="ascii") as file:
            is_there = file.read() == word
    except OSError:
        is_there = False
    if done == _ALLOWED and is_there:
        return ""
    return f"`{program}` was tried and allows too little: {said.strip()[-300:] or 'nothing came of it'}"
