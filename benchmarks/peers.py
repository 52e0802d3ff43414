"""The same echo on execnet, Appose, rpyc, MCP and ProcessPoolExecutor, against plughost and the json-pipe.

The peers are installed from the package index into an environment of their own; what doesn't install, or fails, is left out with
a word. Each runs as its own documentation has it, in a process of its own that measures when it is its turn. All share one CPU.
`--free` lets the kernel place them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from floors import JsonPipe, payload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    import plughost

PACKAGES = {"execnet": "execnet", "appose": "appose", "rpyc": "rpyc", "mcp": "mcp", "pool": ""}
#: What is sent, and how many times faster than each plughost has to be.
CASES: list[tuple[str, int, dict[str, float]]] = [
    ("str", 10, {}),
    ("str", 1 << 10, {"execnet": 2.3, "appose": 9, "mcp": 40}),
    ("nested", 1 << 10, {"execnet": 2.3, "appose": 9, "mcp": 40}),
    ("bytes", 1 << 20, {"appose": 13}),
    ("float64", 1 << 20, {"appose": 13}),
]
#: How long something may take to start, or to answer a call.
PATIENCE_S = 60.0
SLICE = 5
LARGE_BYTES = 1 << 19


# The peers. What stands from here to `drive` runs in their environment.


def echo(value: object) -> object:
    return value


def call_execnet() -> Callable[[object], object]:
    import execnet
    import numpy as np

    channel = execnet.makegateway("popen").remote_exec("while True: channel.send(channel.receive())")

    def call(value: object) -> object:
        is_array = isinstance(value, np.ndarray)
        channel.send(value.tobytes() if isinstance(value, np.ndarray) else value)
        return np.frombuffer(channel.receive()) if is_array else channel.receive()

    return call


def call_appose() -> Callable[[object], object]:
    import appose
    import numpy as np

    service = appose.system(sys.prefix).python().init("import numpy")
    copy = "import appose\nresult = appose.NDArray(v.dtype, v.shape)\nresult.ndarray()[:] = v.ndarray()\n"
    copy += "result.shm.unlink_on_dispose(False)\nresult"

    def call(value: object) -> object:
        if isinstance(value, bytes):
            return call(np.frombuffer(value, dtype=np.uint8)).tobytes()
        if not isinstance(value, np.ndarray):
            return service.task("v", {"v": value}).wait_for().outputs["result"]
        with appose.NDArray(str(value.dtype), list(value.shape)) as sent:
            sent.ndarray()[:] = value
            received = service.task(copy, {"v": sent}).wait_for().outputs["result"]
            copied = received.ndarray().copy()
            received.shm.unlink()
            return copied

    return call


def call_rpyc() -> Callable[[object], object]:
    import rpyc

    server = os.path.join(os.path.dirname(sys.executable), "rpyc_classic.py")
    if not os.path.exists(server):
        server = os.path.join(os.path.dirname(sys.executable), "rpyc_classic")
    connection = rpyc.classic.connect_subproc(server)
    connection.execute("def echo(value): return value")
    remote = connection.namespace["echo"]

    def call(value: object) -> object:
        if isinstance(value, str | bytes):
            return remote(value)
        return rpyc.classic.obtain(remote(rpyc.classic.deliver(connection, value)))

    return call


def call_pool() -> Callable[[object], object]:
    from concurrent.futures import ProcessPoolExecutor

    pool = ProcessPoolExecutor(1)
    return lambda value: pool.submit(echo, value).result()


def call_mcp() -> Callable[[object], object]:
    import base64

    import numpy as np
    from mcp import Client, StdioServerParameters

    code = (
        "from typing import Any\nfrom mcp.server.mcpserver import MCPServer\n"
        "server = MCPServer('echo')\n@server.tool()\ndef echo(value: Any) -> dict[str, Any]:\n    return {'value': value}\n"
        "server.run('stdio')\n"
    )
    runner = asyncio.Runner()
    client = Client(StdioServerParameters(command=sys.executable, args=["-c", code]))
    runner.run(client.__aenter__())

    def call(value: object) -> object:
        if isinstance(value, bytes):
            return base64.b64decode(str(call(base64.b64encode(value).decode())))
        if isinstance(value, np.ndarray):
            return np.array(call(value.tolist()))
        return runner.run(client.call_tool("echo", {"value": value})).structured_content["value"]

    return call


def drive(name: str) -> None:
    """Measure a slice of calls each time that the number of a case comes in: seconds for one."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    call = globals()[f"call_{name}"]()
    for line in sys.stdin:
        kind, size, _ = CASES[int(line)]
        value = payload(kind, size)
        call(value)
        call(value)
        before = time.perf_counter()
        for _ in range(SLICE):
            call(value)
        print((time.perf_counter() - before) / SLICE, file=replies, flush=True)
    os._exit(0)  # some have threads and processes that would have to be ended one by one


# From here on, what runs in ours.


class Peer:
    """A peer with all that it starts."""

    def __init__(self, python: str, name: str) -> None:
        argv = [python, __file__, "--drive", name]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
        )

    def measure_s(self, case: int) -> float:
        """Raises: OSError: it fails, or has no answer for a long time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(case, file=self._process.stdin, flush=True)
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            raise TimeoutError
        answer = self._process.stdout.readline()
        if not answer:
            raise ChildProcessError
        return float(answer)

    def end(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def install(folder: Path) -> tuple[str, list[str]]:
    """The Python of an environment with the peers, and those that it has."""
    from measure import PYTHON, UV

    python = str(folder / "bin" / "python")
    subprocess.run([UV, "venv", "--quiet", "--python", PYTHON, str(folder)], check=True)
    have = []
    for name, package in PACKAGES.items():
        command = [UV, "pip", "install", "--quiet", "--python", python, "numpy", *([package] if package else [])]
        if subprocess.run(command, check=False).returncode == 0:
            have.append(name)
        else:
            print(f"{name} doesn't install")
    return python, have


def compare(host: plughost.Host, peers: dict[str, Peer], case: int, rounds: int) -> None:
    from measure import by_turns, duration, each_s

    kind, size, targets = CASES[case]
    value = payload(kind, size)
    lines = JsonPipe()
    measures: dict[str, Callable[[], float]] = {
        "plughost": partial(each_s, SLICE, partial(host.call, "bencher", "echo", value)),
        "json-pipe": partial(each_s, SLICE, partial(lines.call_anyhow, value)),
    }
    print(f"{kind}, {size} B")
    for name, peer in peers.items():
        try:
            peer.measure_s(case)
            measures[name] = partial(peer.measure_s, case)
        except (OSError, ValueError):
            print(f"   {name} can't do it")
    taken = dict(zip(measures, by_turns(rounds, *measures.values()), strict=True))
    lines.close()
    for name, taken_s in taken.items():
        to_ours, to_json = taken_s / taken["plughost"], taken_s / taken["json-pipe"]
        target = f"≥ {targets[name]:g}" + ("" if to_ours >= targets[name] else " missed") if name in targets else ""
        ratios = f"{to_ours:>10.2f} × plughost{to_json:>10.2f} × json-pipe"
        print(f"   {name:<12}{duration(taken_s):>12}{ratios}   {target}", flush=True)


def main() -> None:
    from measure import pin, wheel

    import plughost

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=101, help="how often each is measured")
    parser.add_argument("--free", action="store_true", help="let the kernel place all of them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        python, names = install(folder / "peers")
        host = stack.enter_context(plughost.Host("bench", store=folder / "store"))
        code, entry_points = "def echo(value):\n    return value\n", "[bench]\necho = bencher:echo\n"
        host.add(wheel(folder, "bencher", code, entry_points=entry_points, requires=["numpy"]))
        if not options.free:
            pin()
        peers = {name: Peer(python, name) for name in names}
        for peer in peers.values():
            stack.callback(peer.end)
        for case, (_, size, _) in enumerate(CASES):
            compare(host, peers, case, options.rounds if size < LARGE_BYTES else max(3, options.rounds // 10))


if __name__ == "__main__":
    if "--drive" in sys.argv:
        drive(sys.argv[-1])
    else:
        main()
