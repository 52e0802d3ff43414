"""Tools that say what they do, as they would anywhere: by `logging`, by `print`, and by what they yield."""

import atexit
import logging
import logging.config
import os
import signal
import sys
import threading

logger = logging.getLogger(__name__)


def work(steps=3):
    for step in range(1, steps + 1):
        print("step", step)
        yield {"progress": step, "total": steps, "message": "step {}".format(step)}
    return {"steps": steps}


def mix(items=3):
    for item in range(items):
        logger.warning("before %d", item)
        yield item
        yield {"progress": item}
    return "nobody's"


def find(most=0):
    yield {"progress": 0.5}
    yield from range(most)


def count(most):
    for number in range(most):
        yield {"progress": number}
    yield "counted"
    while True:
        yield {"progress": most}


def yield_lookalikes():
    yield {"progress": "half"}
    yield {"progress": 1, "city": "Bern"}
    yield {"progress": True}
    yield {"progress": 1, "total": "3"}


def show(text):
    print(text, end="", flush=True)


def log(text="", level="WARNING", times=1):
    for _ in range(times):
        logger.log(getattr(logging, level), "says %s", text, extra={"city": "Bern", "place": (1, 2), "kind": object})


def log_all_levels():
    child = logging.getLogger("reporting.inner")
    for level in (logging.DEBUG, logging.INFO, 25, logging.CRITICAL):
        child.log(level, "at %d", level)


def log_error(text):
    try:
        int(text)
    except ValueError:
        logger.exception("it failed", stack_info=True)


class Awkward:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class Talkative:
    def __str__(self):
        logger.warning("within")
        return "talkative"


def log_awkwardly():
    logger.warning("%d arguments", "no")
    logger.warning("%s", Awkward(), extra={"field": Awkward(), "deep": [[object()]], "large": "x" * 100000})
    logger.warning("%s", Talkative())
    logger.warning("\ud800 and %s", "y" * (1 << 20))
    logger.warning(Awkward())


def log_much(times, size):
    text = "x" * size
    for number in range(times):
        logger.warning("%d %s", number, text)


def log_from_threads(threads, times):
    running = [threading.Thread(target=log_much, args=(times, 100)) for _ in range(threads)]
    for thread in running:
        thread.start()
    result = "r" * 300000  # more than a pipe holds
    for thread in running[1:]:
        thread.join()
    return result


def log_between_calls(path):
    """Log once the call is over, when whoever listens to the pipe at `path` says so, and say so there."""

    def wait_and_log():
        with open(path + ".in", "rb"):
            logger.warning("between")
        with open(path + ".out", "wb"):
            pass

    threading.Thread(target=wait_and_log, daemon=True).start()


def log_from_a_copy():
    pid = os.fork()
    if pid == 0:
        logger.warning("in a copy")
        os._exit(0)
    os.waitpid(pid, 0)
    logger.warning("in the original")


def log_while_writing(size):
    """Have a signal's handler log again and again, while a large result is written, too."""

    def log_and_go_on(*_):
        logger.warning("alarm")
        signal.setitimer(signal.ITIMER_REAL, 0.0005)

    signal.signal(signal.SIGALRM, log_and_go_on)
    log_and_go_on()
    yield list(range(size))
    signal.signal(signal.SIGALRM, signal.SIG_IGN)


def log_and_crash(text):
    logger.critical(text)
    os._exit(3)


def log_at_exit(path):
    def log_to_the_end():
        with open(path, "w") as sys.stderr:
            logger.warning("at exit")

    atexit.register(log_to_the_end)


def set_up(how):
    """Set `logging` up in one of the ways that there are, log, and say what the plugin sees of the root logger."""
    root = logging.getLogger()
    before = len(root.handlers), root.hasHandlers()
    if how == "basicConfig":
        logging.basicConfig(level=logging.DEBUG, format="own: %(message)s")
    elif how == "force":
        logging.basicConfig(level=logging.ERROR, format="own: %(message)s", force=True)
    elif how == "dictConfig":
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"level": "DEBUG", "handlers": []}})
    elif how == "clear":
        for handler in list(root.handlers):
            root.removeHandler(handler)
    elif how == "replace":
        root.handlers = []
    logger.debug("debug")
    logger.error("error")
    return before


def log_until_cancelled():
    try:
        while True:
            logger.warning("busy: %s", "x" * 60000)  # almost all that a pipe holds
    finally:
        logger.error("tidied up")
