"""Measures what importing a plugin costs, and what it prints: run in the plugin's environment, by its Python (3.8 and later).

    python -I _measure.py MODULE… -- SCRIPT=MODULE:OBJECT…

The last line of the standard output is a JSON object: `duration_s`, `memory_bytes`, `printed`, and `unresolved`, what the
scripts' entry points fail with.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import tempfile
import time

_MOST_PRINTED = 2000


def memory_bytes() -> int:
    """What of the process is in memory now; where that isn't known, the most that ever was."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(modules: list[str]) -> dict[str, object]:
    """Import the modules, with whatever they print in a file."""
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        memory, started = memory_bytes(), time.perf_counter()
        for module in modules:
            importlib.import_module(module)
        duration_s, memory = time.perf_counter() - started, memory_bytes() - memory
        sys.stdout.flush()
        sys.stderr.flush()
        file.seek(0)
        printed = file.read(_MOST_PRINTED).decode("utf-8", "replace")
    return {"duration_s": duration_s, "memory_bytes": memory, "printed": printed}


def unresolved(scripts: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for script in scripts:
        name, _, target = script.partition("=")
        module, _, path = target.partition(":")
        try:
            thing: object = importlib.import_module(module)
            for part in filter(None, path.split(".")):
                thing = getattr(thing, part)
        except BaseException as error:  # noqa: BLE001 - whatever a module does when it is imported
            found[name] = f"{type(error).__name__}: {error}"
    return found


def main() -> None:
    split = sys.argv.index("--")
    answer = os.dup(1)
    result = measure(sys.argv[1:split])
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    result["unresolved"] = unresolved(sys.argv[split + 1 :])
    os.write(answer, b"\n" + json.dumps(result).encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
