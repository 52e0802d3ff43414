"""Tools that make processes out of their own, and leave some behind."""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import time

FOREVER_S = 3600
pools = []


def return_twice() -> str:
    child = os.fork()
    return "the original" if child else "the copy"


def raise_in_copy() -> int:
    child = os.fork()
    if not child:
        raise ValueError("in the copy")
    return os.waitpid(child, 0)[1] >> 8


def exit_in_copy() -> int:
    child = os.fork()
    if not child:
        sys.exit(3)
    return os.waitpid(child, 0)[1] >> 8


def fork_in_stream():
    os.fork()
    yield "a"
    yield "b"


def square(number: int) -> int:
    return number * number


def pool(start: str) -> list:
    """Use a pool of processes that are made in this way."""
    with multiprocessing.get_context(start).Pool(1) as workers:
        return workers.map(square, [1, 2, 3])


def leave_pool() -> int:
    """Keep a pool of processes for the next call, as a module may; the number of one of them."""
    pools.append(concurrent.futures.ProcessPoolExecutor(1))
    return pools[-1].submit(os.getpid).result()


def leave_daemon() -> int:
    """Start a process that leaves its session, its parent and its streams; its number."""
    script = "import os, time\nif os.fork(): os._exit(0)\nprint(os.getpid(), flush=True)\nos.close(1)\ntime.sleep(3600)"
    done = subprocess.run(
        [sys.executable, "-c", script], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    return int(done.stdout)


def become_another_program() -> None:
    os.execv("/bin/true", ["true"])


def sleep_in_copy() -> str:
    """Leave a copy of the process that lives on, with all the descriptors that it was given."""
    if not os.fork():
        time.sleep(FOREVER_S)
    return "done"


def plughost_tools():
    return [
        return_twice,
        raise_in_copy,
        exit_in_copy,
        fork_in_stream,
        pool,
        leave_pool,
        leave_daemon,
        become_another_program,
        sleep_in_copy,
    ]
