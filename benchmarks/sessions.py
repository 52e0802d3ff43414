"""What a session costs: to open one, call and close it against a call in a new worker, and a warm call against `host.call`.

Both in the default policy and as trusted. Host and children share one CPU, as in `calls.py`.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from contextlib import ExitStack, chdir
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from measure import by_turns, duration, each_s, pin, wheel

import plughost

if TYPE_CHECKING:
    from collections.abc import Callable

CODE = """
def echo(value=None):
    return value

def note(value=None):
    with open("notes.txt", "w") as file:
        file.write(str(value))
    return value
"""
ENTRY_POINTS = "[bench]\necho = bencher:echo\nnote = bencher:note\n"
POLICIES = ("trusted", "default")
CALLS = 20  # in a row


def in_a_session(host: plughost.Host) -> object:
    with host.session("bencher") as session:
        return session.call("echo", 1)


def compare(what: str, rounds: int, plain: Callable[[], object], own: Callable[[], object], *, count: int = CALLS) -> None:
    warm = 0 if count == 1 else 3
    first, second = by_turns(rounds, *(partial(each_s, count, call, warm=warm) for call in (plain, own)))
    print(f"{what:<48}{duration(first):>10}{duration(second):>12}{second / first:>8.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        stack.enter_context(chdir(folder))  # where what is trusted writes to
        pin()
        print(f"{'':<48}{'host.call':>10}{'a session':>12}{'×':>8}")
        for policy in POLICIES:
            warm, anew = (
                stack.enter_context(plughost.Host("bench", store=folder / "store", policy=policy, **options))
                for options in ({}, {"max_calls": 1})
            )
            warm.add(wheel(folder, "bencher", CODE, entry_points=ENTRY_POINTS))
            session = stack.enter_context(warm.session("bencher", max_tasks=math.inf))
            for call in (warm.call, anew.call):
                call("bencher", "echo", 1)
            start = f"{policy}: start, call and end"
            compare(start, rounds, partial(anew.call, "bencher", "echo", 1), partial(in_a_session, warm), count=1)
            for tool, what in (("echo", "warm call"), ("note", "warm call that writes a file")):
                ours = partial(session.call, tool, 1), partial(session.invoke, tool, args=[1])
                theirs = partial(warm.call, "bencher", tool, 1), partial(warm.invoke, "bencher", tool, args=[1])
                compare(f"{policy}: {what}", rounds, theirs[0], ours[0])
                compare(f"{policy}: {what}, by invoke", rounds, theirs[1], ours[1])


if __name__ == "__main__":
    main()
