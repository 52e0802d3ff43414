"""Verdicts on system calls → a program that the kernel runs at each call of a process (seccomp, in classic BPF).

Above it: `_filter`, which has the verdicts; below it: the kernel. It knows no call by name.

A *code* is a tuple of instructions that ends in a verdict on every way through it, so codes can be put together in any order. A
program looks a call's number up by halving the range of numbers, in at most nine steps. What doesn't depend on arguments, the
kernel (5.11 and later) works out once, and then doesn't run the program for it at all.

Source: `linux/seccomp.h`, `linux/bpf_common.h`, `linux/audit.h`.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    #: Operation, how far to jump if it holds and if not, and what to compare with.
    Instruction = tuple[int, int, int, int]
    Code = tuple[Instruction, ...]

__all__ = ["ALLOW", "PRETEND", "has_bits", "is_at_least", "is_below", "one_of", "program", "refuse"]

_LOAD, _RETURN, _JUMP = 0x20, 0x06, 0x05  # a 32-bit word of what is known of the call; a verdict; ahead, as far as it likes
_AT_LEAST, _EQUALS, _HAS_BITS = 0x35, 0x15, 0x45
_MOST = 0xFF  # instructions that a comparison can jump over
_KILL_PROCESS, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000

#: Where in `struct seccomp_data` the call's number, its ABI and the lower half of each argument are, in bytes.
_NUMBER, _ABI, _ARGUMENTS, _ARGUMENT_BYTES = 0, 4, 16, 8
#: By `os.uname().machine`: the one ABI that may be used, and from which number on calls are another one's in its clothes.
_ABIS = {"x86_64": (0xC000003E, 0x40000000), "aarch64": (0xC00000B7, None)}


def _verdict(value: int) -> Code:
    return ((_RETURN, 0, 0, value),)


ALLOW = _verdict(_ALLOW)
#: The call isn't made, and gives 0 as if it had been.
PRETEND = _verdict(_ERRNO)


def refuse(errno: int) -> Code:
    """The call isn't made, and fails with this."""
    return _verdict(_ERRNO | errno)


def one_of(argument: int, values: Iterable[int], then: Code, otherwise: Code) -> Code:
    """`then`, if the argument is one of these.

    Arguments are compared by their lower 32 bits, which is all that the kernel takes of descriptors, commands, flags and
    processes.
    """
    values = list(values)
    left = range(len(values) - 1, -1, -1)
    return (
        _load(argument),
        *((_EQUALS, after + len(otherwise), 0, value) for after, value in zip(left, values, strict=True)),
        *otherwise,
        *then,
    )


def has_bits(argument: int, bits: int, then: Code, otherwise: Code) -> Code:
    """`then`, if the argument has any of these bits."""
    return (_load(argument), (_HAS_BITS, 0, len(then), bits), *then, *otherwise)


def is_at_least(argument: int, value: int, then: Code, otherwise: Code) -> Code:
    """`then`, if the argument is as large."""
    return (_load(argument), (_AT_LEAST, 0, len(then), value), *then, *otherwise)


def is_below(argument: int, value: int, then: Code, otherwise: Code) -> Code:
    """`then`, if the argument is smaller."""
    return is_at_least(argument, value, otherwise, then)


def program(machine: str, verdicts: Mapping[int, Code], otherwise: Code) -> bytes:
    """The program (`struct sock_filter[]`) that gives calls these verdicts by their number, and all others `otherwise`.

    A call by another ABI than the machine's own ends the process: its numbers mean other calls.

    Raises: KeyError: it is a machine whose ABI isn't known.
    """
    abi, foreign = _ABIS[machine]
    kill = _verdict(_KILL_PROCESS)
    code = [(_LOAD, 0, 0, _ABI), (_EQUALS, 1, 0, abi), *kill, (_LOAD, 0, 0, _NUMBER)]
    if foreign is not None:
        code += [(_AT_LEAST, 0, 1, foreign), *kill]
    code += _search(_ranges(verdicts, otherwise))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _load(argument: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + argument * _ARGUMENT_BYTES)


def _ranges(verdicts: Mapping[int, Code], otherwise: Code) -> list[tuple[int, Code]]:
    """From which number on which verdict holds, up to where the next one does."""
    ranges = [(0, otherwise)]
    for number in sorted(verdicts):
        ranges += [(number, verdicts[number]), (number + 1, otherwise)]
    kept: list[tuple[int, Code]] = []
    for position, (start, code) in enumerate(ranges):
        is_empty = position + 1 < len(ranges) and ranges[position + 1][0] == start
        if not is_empty and not (kept and kept[-1][1] == code):
            kept.append((start, code))
    return kept


def _search(ranges: list[tuple[int, Code]]) -> Code:
    """Halve the ranges, with the call's number loaded, until one is left."""
    if len(ranges) == 1:
        return ranges[0][1]
    half = len(ranges) // 2
    below, from_here = _search(ranges[:half]), _search(ranges[half:])
    start = ranges[half][0]
    if len(below) <= _MOST:
        return ((_AT_LEAST, len(below), 0, start), *below, *from_here)
    return ((_AT_LEAST, 0, 1, start), (_JUMP, 0, 0, len(below)), *below, *from_here)
