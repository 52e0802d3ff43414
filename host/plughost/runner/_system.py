"""The kernel's own calls, as far as Python has no function for them: through the C half of ctypes.

Above it: what confines this process; below it: the C library. `ctypes` itself takes five milliseconds to import, as long as all
the rest of a start, and is only asked how a call has failed.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    Argument = Union[int, bytes, None]

__all__ = ["call", "numbered", "prctl"]

#: Source: asm/unistd_64.h and asm-generic/unistd.h. From 424 on, a call has the same number everywhere.
_NUMBERS = {
    "x86_64": {"capset": 126, "pivot_root": 155},
    "aarch64": {"capset": 91, "pivot_root": 41},
}
_RTLD_NOW = 2
_addresses: dict[str, int] = {}
_EVERYWHERE = {
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}


def call(name: str, *args: Argument) -> int:
    """The C library's function of that name. Numbers have 32 bits; bytes go as their address, None as no address.

    Raises: OSError: it has failed.
    """
    import _ctypes

    address = _addresses.get(name)
    if address is None:
        program = vars(_ctypes)["dlopen"](None, _RTLD_NOW)  # None is this one; the type stubs don't know
        address = _addresses[name] = _ctypes.dlsym(program, name)
    result = int(_ctypes.call_function(address, args))
    if result == -1:
        raise _failure(name, args)
    return result


def numbered(name: str, *args: Argument) -> int:
    """A system call that the C library has no function for.

    Raises: OSError: it has failed, or isn't known on this machine's architecture.
    """
    number = _EVERYWHERE.get(name) or _NUMBERS.get(os.uname().machine, {}).get(name)
    if number is None:
        raise OSError(38, "{}: not known on {}".format(name, os.uname().machine))
    try:
        return call("syscall", number, *args)
    except OSError as error:
        raise OSError(error.errno, "{}: {}".format(name, os.strerror(error.errno or 0))) from None


def prctl(option: int, *args: Argument) -> int:
    return call("prctl", option, *(*args, 0, 0, 0, 0)[:4])


def _failure(name: str, args: tuple[Argument, ...]) -> OSError:
    """Why it has failed. What has failed once fails again: asked anew, by what keeps the error's number."""
    import ctypes

    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    ctypes.set_errno(0)
    result = function(*args)
    number = ctypes.get_errno() if result == -1 else 11
    return OSError(number, "{}: {}".format(name, os.strerror(number)))
