"""What was tried before anybody called anything: from a line in a `.pth` file, and from `sitecustomize`.

`begin` is called there. What it got is kept, and given when it is asked for.
"""

# ruff: noqa: ARG001 - all are called the same way

_TRIED = (
    "files.read",
    "files.write",
    "network.tcp",
    "network.udp",
    "starting.fork",
    "processes.signal_bystander",
    "inherited.variables",
)
GOT = {}


def begin(place):
    import attacker

    for name in _TRIED:
        GOT["{} of {}".format(name, place)] = attacker.attempt(name)


def of_path_file(outside):
    return _of("path file")


def of_site(outside):
    return _of("site")


def _of(place):
    return ["{}: {}".format(name, got) for name, got in GOT.items() if name.endswith(place) and got.startswith("got")]


def places(_outside):
    """Not an attempt: where there was anything to be tried."""
    return sorted({name.rpartition(" of ")[2] for name in GOT})
