"""What code gives, prints and leaves behind."""

import datetime
import sys
import threading

import pytest


def test_the_last_expression_is_the_result(run):
    done = run("n = 20\nn + 1")
    assert (done["success"], done["result"], done["result_type"], done["error"]) == (True, 21, "int", None)


def test_code_that_ends_in_a_statement_has_no_result(run):
    done = run("n = 1")
    assert (done["result"], done["result_type"]) == (None, None)
    assert run("None")["result_type"] == "NoneType"
    assert run("")["success"]
    assert run("# nothing")["success"]


def test_variables_stay_until_they_are_forgotten(run):
    run("n = 1\ndef twice():\n    return 2 * n")
    assert run("n = 21")["success"]
    assert run("twice()")["result"] == 42
    assert run("'n' in globals()", fresh=True)["result"] is False


def test_context_is_set_before(run):
    assert run("sum(numbers)", context={"numbers": [1, 2]})["result"] == 3
    with pytest.raises(ValueError, match="`a b` in `context`"):
        run("1", context={"a b": 1})


def test_variables_are_shown(run):
    done = run("import math\nfrom os import getcwd\nx = [1]\n_y = 2\ndef f(a, *, b=1): ...\nclass C: ...\nc = 1.5")
    assert done["variables"] == {
        "x": {"type": "list", "repr": "[1]"},
        "f": {"type": "function", "repr": "f(a, *, b=1)"},
        "C": {"type": "type", "repr": "class C"},
        "c": {"type": "float", "repr": "1.5"},
    }


def test_what_is_printed_comes_in_order_from_both_streams(run):
    code = "import sys\nprint('a')\nprint('b', file=sys.stderr)\nsys.__stdout__.write('c\\n')\nsys.stdout.buffer.write(b'd')"
    assert run(code)["output"] == "a\nb\nc\nd"
    assert run("print('é', '\\udcff', end='')")["output"] == "é \\udcff"
    assert run("1")["output"] == ""


def test_much_output_is_cut_in_the_middle(run):
    output = run("for n in range(20_000): print('%0100d' % n)")["output"]
    assert output.startswith("{:0100}\n{:0100}\n".format(0, 1))
    assert output.endswith("{:0100}\n".format(19_999))
    assert "bytes left out" in output
    assert len(output) < 1_100_000


def test_a_logger_that_was_set_up_once_prints_in_later_runs(run):
    run("import logging, sys\nlog = logging.getLogger('t')\nlog.propagate = False\nlog.addHandler(logging.StreamHandler())")
    assert run("log.warning('careful')")["output"] == "careful\n"


def test_threads_print_too(run):
    code = "import threading\nt = threading.Thread(target=print, args=('from a thread',))\nt.start()\nt.join()"
    assert run(code)["output"] == "from a thread\n"


def test_the_streams_are_put_back(run):
    before = sys.stdout, sys.stderr, sys.stdin
    run("import sys\nsys.stdout = sys.stderr = None\ndel sys.stdin")
    assert (sys.stdout, sys.stderr, sys.stdin) == before
    run("import sys\nsys.stdout.close()")
    assert run("print('still')")["output"] == "still\n"


def test_files_that_are_new_or_changed_are_artifacts(run, folder):
    (folder / "old.txt").write_text("old")
    (folder / "same.txt").write_text("same")
    done = run("open('old.txt', 'a').write('er')\nimport os\nos.mkdir('d')\nopen('d/a.json', 'w').write('{}')\nopen('.x', 'w')")
    assert done["artifacts"] == [
        {"path": "d/a.json", "type": "application/json", "size": 2},
        {"path": "old.txt", "type": "text/plain", "size": 5},
    ]
    assert run("1")["artifacts"] == []


def test_a_module_that_was_written_beside_is_imported(run):
    run("open('written_beside.py', 'w').write('def f():\\n    return 1 / 0\\n')")
    done = run("import written_beside\nwritten_beside.f()")
    assert "in f\n    return 1 / 0" in done["error"]["traceback"]


def test_code_awaits_at_its_top_level(run):
    code = "import asyncio\nasync def later(n):\n    await asyncio.sleep(0)\n    return n\nx = await later(1)\nx + await later(2)"
    assert run(code)["result"] == 3
    assert run("[n async for n in (await later(m) for m in range(3))]")["result"] == [0, 1, 2]
    assert run("asyncio.run(later(4))")["result"] == 4
    assert run("asyncio.get_event_loop().run_until_complete(later(6))")["result"] == 6
    assert "write `await" in run("await asyncio.sleep(0)\nunawaited = later(5)\nasyncio.run(unawaited)")["error"]["suggestion"]
    run("unawaited.close()")


def test_a_task_goes_on_when_code_awaits_again(run):
    run("import asyncio\nevent = asyncio.Event()\nasync def wait():\n    await event.wait()\n    return 'went on'")
    run("task = asyncio.ensure_future(wait())\nawait asyncio.sleep(0)")
    assert run("event.set()\nawait task")["result"] == "went on"


def test_classes_of_the_code_can_be_pickled(run):
    assert run("import pickle\nclass C:\n    pass\ntype(pickle.loads(pickle.dumps(C()))) is C")["result"] is True
    assert run("__name__")["result"] == "__main__"


def test_a_future_feature_holds_from_then_on(run):
    run("from __future__ import annotations")
    assert run("def f(a: unknown): ...\nf.__annotations__")["result"] == {"a": "unknown"}


def test_an_indented_block_runs(run):
    assert run("    x = 1\n    x")["result"] == 1


@pytest.mark.parametrize(
    ("given", "ran"),
    [
        ("```python\n40 + 2\n```", "40 + 2\n"),
        ("Here it is:\n\n```py\nn = 40\n```\nand then\n~~~\nn + 2", "n = 40\n\nn + 2"),
        ("\ufeff40 + 2", None),
        ('def f():\n    """\n```\n1\n```\n"""\n42', None),
    ],
)
def test_code_may_stand_in_markdown(run, given, ran):
    done = run(given)
    assert (done["error"], done["result"], done["code"]) == (None, 42, ran)


def test_what_is_fenced_in_a_docstring_does_not_run_for_code_that_is_wrong(run):
    assert run('def f():\n    """\n```\n1\n```\n"""\n4 2')["error"]["line"] == 7


def test_results_travel(run):
    code = """
import collections, dataclasses, datetime, decimal, enum
class Color(enum.Enum):
    RED = "red"
@dataclasses.dataclass
class Point:
    x: int
class Text(str):
    pass
[collections.Counter("a"), (1, 2), {3}, b"b", Text("t"), Color.RED, Point(4), datetime.date(2024, 2, 29), 1 + 2j, {(5,): None}]
"""
    result = run(code)["result"]
    assert result == [{"a": 1}, [1, 2], {3}, b"b", "t", "red", {"x": 4}, datetime.date(2024, 2, 29), 1 + 2j, {"(5,)": None}]
    assert [type(item) for item in result[:5]] == [dict, list, set, bytes, str]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("object", "class object"),
        ("a = []\na.append(a)\na", ["[[[[[...]]]]]"]),
        ("10 ** 20_000", "<int of 66439 bits>"),
        ("class C:\n    def __repr__(self):\n        1 / 0\nC()", "<C that can't be shown>"),
        ("class C:\n    def __repr__(self):\n        raise SystemExit\n[C()]", ["<C that can't be shown>"]),
        ("class C:\n    def __repr__(self):\n        while True:\n            str(1)\nC()", "<it takes too long to show>"),
        (
            "class C:\n    def __repr__(self):\n        while True:\n            str(1)\n[1, C()]",
            [1, "<it takes too long to show>"],
        ),
        (
            "class M(type):\n    __name__ = property(lambda self: 1 / 0)\nclass C(metaclass=M):\n    __repr__ = 0\nC()",
            "<C that can't be shown>",
        ),
        ("a = []\nfor _ in range(10_000):\n    a = [a]\nlen(str(a[0])) if 0 else 'deep'", "deep"),
    ],
)
def test_what_can_not_travel_is_shown(run, code, shown):
    done = run(code)
    assert (done["success"], done["result"]) == (True, shown)


def test_of_many_values_that_take_too_long_a_few_are_waited_for(run):
    done = run("import time\nclass C:\n    def __repr__(self):\n        time.sleep(60)\n[C() for _ in range(1000)]")
    assert done["result"] == ["<it takes too long to show>"] * 1000


def test_a_result_that_is_too_large_is_shown(run):
    assert run("list(range(2_000_000))")["result"].startswith("<list, too large to send: [0, 1, 2")
    assert run("[list(range(600_000))] * 2")["result"].startswith("<list, too large to send: [[0, 1, 2")
    assert run("'a' * 30_000_000")["result"].startswith("<str, too large to send: 'aaaa")
    assert run("range(10)")["result"] == "range(0, 10)"


def test_code_is_interrupted_and_its_variables_are_kept(run):
    done = run("n = 0\nwhile True:\n    n += len('a')", timeout_s=0.05)
    assert (done["error"]["type"], done["error"]["line"]) in [("TimeoutError", 2), ("TimeoutError", 3)]
    assert "`timeout_s`" in done["error"]["suggestion"]
    assert run("n > 0")["result"] is True
    again = run("import asyncio\nawait asyncio.sleep(60)", timeout_s=0.05)
    assert again["error"]["type"] == "TimeoutError"
    assert run("await asyncio.sleep(0, 'awaits')")["result"] == "awaits"


def test_calls_from_threads_wait_for_each_other(run):
    found = []
    threads = [threading.Thread(target=lambda: found.append(run("print('x')\n1"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [(done["result"], done["output"]) for done in found] == [(1, "x\n")] * 4


def test_where_the_folder_is_deleted_code_goes_on_in_the_working_directory(run, folder):
    run("import os\nos.makedirs('gone')\nos.chdir('gone')\nos.rmdir('../gone')")
    assert [one["path"] for one in run("open('a.txt', 'w').write('a')")["artifacts"]] == ["a.txt"]


def test_no_time_is_refused(run):
    with pytest.raises(ValueError, match="`timeout_s`"):
        run("1", timeout_s=0)


@pytest.mark.parametrize("arguments", [{}, {"code": "1", "instruction": "one"}])
def test_it_is_either_code_or_an_instruction(run, arguments):
    with pytest.raises(ValueError, match="either `code` or `instruction`"):
        run(**arguments)


@pytest.mark.parametrize(
    "code",
    [
        "for name in list(globals()): del globals()[name]",
        "import builtins\nfor name in [*vars(builtins)]: vars(builtins).pop(name)",
        "import builtins\nbuiltins.len = builtins.isinstance = builtins.print = None",
        "__builtins__ = {}",
        "import sys\ndel sys.modules['__main__']",
        "import sys\nsys.setrecursionlimit(60)",
        "import sys\nsys.settrace(lambda *_: 1 / 0)\nf = lambda: 1\nf()",
        "import os\nos.makedirs('gone')\nos.chdir('gone')\nos.rmdir('../gone')",
        "import sys\nsys.exit(3)",
        "exit()",
        "class E(RuntimeError):\n    def __str__(self):\n        1 / 0\nraise E",
        "class E(Exception):\n    def __str__(self):\n        while True:\n            str(1)\nraise E",
        "raise SyntaxError('odd', ('<task 2>', 'x', [], 3))",
        "raise KeyboardInterrupt",
        "raise GeneratorExit",
        "import asyncio\nasyncio.set_event_loop(None)\nasync def f():\n    asyncio.get_running_loop().stop()\nawait f()",
        "class E(Exception):\n    def __str__(self):\n        1 / 0\nraise E",
        "def f():\n    f()\nf()",
        "x = " + "(" * 500 + ")" * 500,
        "x = 1\0",
        "import gc, warnings\nwarnings.simplefilter('error')\ngc.disable()",
    ],
)
def test_whatever_code_does_the_next_code_runs(run, code):
    run("n = 1")
    assert set(run(code)) == set(run("1"))
    done = run("import math\nprint(len('abc'))\nmath.floor(1.5) + sum([1])")
    assert (done["success"], done["result"], done["output"]) == (True, 2, "3\n")


def test_lines_that_tell_a_notebook_how_to_show_figures_do_nothing(run):
    done = run("%matplotlib inline\n%config InlineBackend.figure_format = 'retina'\nif True:\n    %matplotlib inline\nx = 1\nx / 0")
    assert (done["error"]["type"], done["error"]["line"]) == ("ZeroDivisionError", 6)
    assert run("x, '''\n%matplotlib inline\n'''")["result"] == [1, "\n%matplotlib inline\n"]


def test_what_variables_print_when_they_are_shown_is_no_output(run):
    code = "class Loud:\n    def __repr__(self):\n        print('loud')\n        return 'Loud()'\nloud = Loud()"
    assert run(code)["output"] == ""
    assert run("print('quiet')")["output"] == "quiet\n"
    assert run("loud")["output"] == "loud\n"


def test_code_logs_as_anywhere(run, monkeypatch):
    import logging

    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest has its own
    assert run("import logging\nlogging.info('a')\nlogging.warning('b')")["output"] == "WARNING:root:b\n"
