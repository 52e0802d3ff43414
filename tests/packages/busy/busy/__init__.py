"""Hook implementations that are called from many places at once, and at bad moments."""

import asyncio
import os
import threading
import time


def hookimpl(function=None, **options):
    def mark(function):
        function.busy_impl = options
        return function

    return mark(function) if function else mark


@hookimpl
def echo(value):
    return value


@hookimpl
def process():
    return os.getpid()


@hookimpl
def end(how):
    if how == "exit":
        os._exit(3)
    if how == "abort":
        os.abort()
    raise ValueError(how)


@hookimpl
def rest(seconds):
    print("resting")
    time.sleep(seconds)
    return seconds


@hookimpl(specname="rest_first")
def rest_until_one_answers(seconds):
    return rest(seconds)


@hookimpl
def flood(count):
    for _ in range(count):
        os.write(2, b"x" * 65536)
    return count


@hookimpl
def ask(n, offered="further"):
    import plughost_app

    return getattr(plughost_app, offered)(n)


@hookimpl
async def ask_later(n):
    await asyncio.sleep(0)
    return ask(n)


@hookimpl
def ask_aside(n):
    errors = []

    def call():
        try:
            ask(n)
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return errors


@hookimpl
def count(n):
    yield from range(n)


@hookimpl(wrapper=True)
def around():
    inner = yield
    return {"process": os.getpid(), "inner": inner}
