"""PluginVenv → Worker: starting one.

Above it: the host and the nurseries; below it: `_process` and the runner's program.
"""

from __future__ import annotations

import os
import sys

from plughost import _process
from plughost.paths import RUNNER, regular
from plughost.worker._allocation import ALLOCATION
from plughost.worker._channel import Channel
from plughost.worker._surroundings import Surroundings
from plughost.worker._worker import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plughost.sandbox import Confinement

__all__ = ["launch", "wanted_level"]


def launch(
    venv: str,
    *,
    name: str,
    project: str,
    bytecode: str,
    extra_environment: Mapping[str, str] | None = None,
    make_input: Callable[[], tuple[int, int]] = _process.pipe,
    arguments: Sequence[str] = (),
    surroundings: Surroundings | None = None,
    asked: Mapping[str, object] | None = None,
    confinement: Confinement | None = None,
) -> Worker:
    """Start a worker in the environment at `venv`. Doesn't wait for it: the first request does.

    `name` is the plugin's, for messages; `bytecode` the folder for the runner's where it can't lie beside it. The child's
    environment is the allow-list of `_process` and `extra_environment`. `make_input` gives the child's end of its input, and
    ours; `arguments` are the runner's, and `asked` what it is told besides. With a `confinement` the child carries out its plan
    before anything else, and has its variables. While the child lives, it holds a shared lock on the environment's marker, so
    that nobody deletes the environment under it.

    Raises: OSError: the environment is gone, or its interpreter can't be started.
    """
    import fcntl

    bin_folder = os.path.join(venv, "bin")
    if confinement is None:
        surroundings = surroundings or Surroundings()
        environment = _process.base_environment({"VIRTUAL_ENV": venv}, environment=surroundings.environment)
        environment["PATH"] = os.pathsep.join(filter(None, (bin_folder, environment.get("PATH"))))
        arguments = [*arguments, "--folder", surroundings.folder] if surroundings.folder else arguments
    else:
        environment = dict(confinement.environment)
        arguments = [*arguments, "--confined", str(len(confinement.plan))]
    environment.update(ALLOCATION)
    environment.update(extra_environment or {})
    opened: list[int] = []
    lease = _process.raised(regular(os.path.join(venv, "plughost-venv.json"), os.O_RDONLY))
    try:
        fcntl.flock(lease, fcntl.LOCK_SH)
        (child_in, our_in), (our_out, child_out), (our_err, child_err) = make_input(), _process.pipe(), _process.pipe()
        opened = [our_in, our_out, our_err]
        try:
            child = _process.spawn(
                [os.path.join(bin_folder, "python"), "-I", "-S", *_bytecode_options(bytecode), RUNNER, *arguments],
                env=environment,
                stdin=child_in,
                stdout=child_out,
                stderr=child_err,
                held=lease,
                link=None if confinement is None else confinement.link,
                is_deaf=True,
                is_hostile=confinement is not None and confinement.may_hand_over,
                wrapper=None if confinement is None else confinement.wrapper,
            )
            if confinement is not None:
                _write(our_in, confinement.plan)
                confinement.let_go()
        finally:
            for fd in (child_in, child_out, child_err):
                os.close(fd)
    except BaseException:
        for fd in opened:
            os.close(fd)
        raise
    finally:
        os.close(lease)
    channel = Channel(stdin=our_in, stdout=our_out, stderr=our_err, exit_fd=child.exit_descriptor())
    worker = Worker(child, channel, name=name, project=project, log_level=wanted_level(name), asked=asked)
    worker.confinement = confinement
    return worker


def _write(fd: int, data: bytes) -> None:
    """All of it. A child that has ended already doesn't read: the first request will tell."""
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        pass


def wanted_level(plugin: str) -> int:
    """From which level on the host may want a plugin's log records, where the plugin sets none."""
    logging = sys.modules.get("logging")
    return 10 if logging is not None and logging.getLogger(f"plughost.plugin.{plugin}").isEnabledFor(10) else 20


def _bytecode_options(folder: str) -> list[str]:
    return [] if os.access(os.path.dirname(RUNNER), os.W_OK) else ["-X", f"pycache_prefix={folder}"]
