"""Wrappers of both kinds, one for each thing that a wrapper may do."""

from wrapping import hookimpl


@hookimpl(wrapper=True)
def new_pass_on():
    return (yield)


@hookimpl(wrapper=True)
def new_replace():
    yield
    return "other"


@hookimpl(wrapper=True)
def new_extend():
    results = yield
    return [*results, "more"]


@hookimpl(wrapper=True)
def new_change_in_place():
    results = yield
    results.append("more")
    return results


@hookimpl(wrapper=True)
def new_raise_before():
    raise OSError("before")
    yield


@hookimpl(wrapper=True)
def new_raise_after():
    yield
    raise OSError("after")


@hookimpl(wrapper=True)
def new_catch():
    try:
        yield
    except ValueError as error:
        return ["caught", isinstance(error, ValueError)]


@hookimpl(wrapper=True)
def new_convert():
    try:
        yield
    except ValueError as error:
        raise LookupError("instead") from error


@hookimpl(wrapper=True)
def new_raise_over():
    try:
        yield
    finally:
        raise OSError("over it")


@hookimpl(wrapper=True)
def new_let_through():
    return (yield)


@hookimpl(wrapper=True)
def new_see():
    try:
        yield
    except ValueError as error:
        raise error.with_traceback(None)


@hookimpl(wrapper=True)
def new_runtime_error():
    yield


@hookimpl(wrapper=True)
def new_stop():
    yield


@hookimpl(wrapper=True)
def new_yield_twice():
    yield
    yield


@hookimpl(wrapper=True)
def new_never_yield():
    if False:
        yield


@hookimpl(hookwrapper=True)
def old_pass_on():
    yield


@hookimpl(hookwrapper=True)
def old_replace():
    outcome = yield
    outcome.force_result("other")


@hookimpl(hookwrapper=True)
def old_extend():
    outcome = yield
    outcome.force_result([*outcome.get_result(), "more"])


@hookimpl(hookwrapper=True)
def old_change_in_place():
    outcome = yield
    outcome.get_result().append("more")


@hookimpl(hookwrapper=True)
def old_raise_before():
    raise OSError("before")
    yield


@hookimpl(hookwrapper=True)
def old_raise_after():
    yield
    raise OSError("after")


@hookimpl(hookwrapper=True)
def old_catch():
    outcome = yield
    outcome.force_result(["caught", isinstance(outcome.exception, ValueError)])


@hookimpl(hookwrapper=True)
def old_convert():
    outcome = yield
    outcome.force_exception(LookupError("instead"))


@hookimpl(hookwrapper=True)
def old_raise_over():
    yield
    raise OSError("over it")


@hookimpl(hookwrapper=True)
def old_let_through():
    outcome = yield
    outcome.get_result()


@hookimpl(hookwrapper=True)
def old_see():
    outcome = yield
    outcome.force_exception(outcome.exception)


@hookimpl(hookwrapper=True)
def old_runtime_error():
    yield


@hookimpl(hookwrapper=True)
def old_stop():
    yield


@hookimpl(hookwrapper=True)
def old_yield_twice():
    yield
    yield


@hookimpl(hookwrapper=True)
def old_never_yield():
    if False:
        yield


@hookimpl(wrapper=True, specname="nested", tryfirst=True)
def nested_outside():
    results = yield
    return ["outside", *results]


@hookimpl(hookwrapper=True, specname="nested")
def nested_between():
    outcome = yield
    outcome.force_result(["between", *outcome.get_result()])


@hookimpl(wrapper=True, specname="nested", trylast=True)
def nested_inside():
    results = yield
    return ["inside", *results]


@hookimpl(wrapper=True, specname="nested_error", tryfirst=True)
def nested_error_outside():
    try:
        yield
    except LookupError as error:
        return "mended " + str(error)


@hookimpl(hookwrapper=True, specname="nested_error")
def nested_error_between():
    outcome = yield
    assert outcome.excinfo[0] is KeyError
    outcome.force_exception(LookupError("between"))


@hookimpl(wrapper=True, specname="nested_error", trylast=True)
def nested_error_inside():
    try:
        yield
    except ValueError:
        raise KeyError("inside")


@hookimpl(wrapper=True)
def sort_out(keep):
    """Give back some of what there is, in another order."""
    results = yield
    return [results[place] for place in keep]


@hookimpl(wrapper=True)
def put_under(key):
    result = yield
    return {key: [result], "seen": repr(result)}


@hookimpl(hookwrapper=True)
def change_first(key):
    outcome = yield
    outcome.get_result()[0][key] = "changed"


@hookimpl(wrapper=True)
def around_end():
    try:
        return (yield)
    except Exception as error:  # noqa: BLE001 - it is not to be asked at all
        return "never " + repr(error)


@hookimpl(specname="around_end")
def end():
    import os

    os._exit(3)


@hookimpl(wrapper=True)
def end_between():
    return (yield)


@hookimpl
def process():
    import os

    return os.getpid()


def _seeing(name):
    def function():
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - it is what is to be seen
            return [repr(error), str(error), getattr(error, "errno", None)]

    function.__name__ = function.__qualname__ = name
    globals()[name] = hookimpl(wrapper=True)(function)


for _what in ("see_exit", "see_key", "see_missing", "see_undecodable"):
    _seeing(_what)
