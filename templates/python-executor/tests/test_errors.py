"""What is said of code that fails."""

import sys

import pytest


def test_an_error_names_the_line_and_shows_the_code_alone(run):
    run("def outer():\n    return inner()")
    error = run("import json\n\ndef inner():\n    return json.loads('{')\nouter()")["error"]
    assert (error["type"], error["line"]) == ("json.decoder.JSONDecodeError", 4)
    assert 'File "<task 1>", line 2, in outer\n    return inner()' in error["traceback"]
    assert 'File "<task 2>", line 4, in inner\n    return json.loads(' in error["traceback"]
    assert error["traceback"].count('File "') == 3
    assert error["message"].startswith("Expecting property name")


def test_causes_are_shown(run):
    error = run("try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('no') from error")["error"]
    traceback = error["traceback"]
    assert traceback.index("ZeroDivisionError") < traceback.index("direct cause") < traceback.index("ValueError: no")


def test_what_a_library_met_on_its_way_is_not_shown(run):
    traceback = run("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9')")["error"]["traceback"]
    assert "URLError" in traceback
    assert "During handling" not in traceback


def test_a_syntax_error_has_its_line_and_a_caret(run):
    error = run("x = 1\nif x = 2:\n    pass")["error"]
    assert (error["type"], error["line"]) == ("SyntaxError", 2)
    assert error["suggestion"].startswith("Correct the syntax of line 2:\n    if x = 2:\n    ")
    assert error["suggestion"].endswith("^")
    assert "return" in run("return 1")["error"]["suggestion"]


@pytest.mark.parametrize(
    ("code", "kind", "suggestion"),
    [
        ("import cv2.missing", "ModuleNotFoundError", "--with opencv-python-headless"),
        ("import no_such_module_here", "ModuleNotFoundError", "--with no-such-module-here"),
        ("import json.missing", "ModuleNotFoundError", "`json` is there but has no module"),
        ("from json import missing", "ImportError", "`json` is there but hasn't got this name"),
        ("import google.cloud.storage", "ModuleNotFoundError", "--with google-cloud-storage"),
        ("from google.protobuf import any_pb2", "ModuleNotFoundError", "--with protobuf"),
        ("raise ImportError(\"Missing optional dependency 'yaml'. Use pip.\")", "ImportError", "--with pyyaml"),
        ("from . import sibling", "ImportError", "by full names"),
        ("if True:\nx = 1", "IndentationError", "the indentation"),
        ("%matplotlib_inline", "SyntaxError", "only notebooks"),
        ("x = 1\n!pip install -q -r a.txt requests 'numpy<3'", "SyntaxError", "SOURCE --with requests --with 'numpy<3'`"),
        ("%%time\n1", "SyntaxError", "only notebooks"),
        (">>> 1 + 1\n2", "SyntaxError", "without the prompts"),
        ("```bash\nls\n```", "SyntaxError", "without the Markdown"),
        ("x = '\ud83d'", "SyntaxError", "of line 1"),
        ("np.zeros(3)", "NameError", "`import numpy as np`"),
        ("{'a': true}", "NameError", "it is `True`"),
        ("display(1)", "NameError", "`print(…)`"),
        ("In [1]: 1 + 1", "NameError", "without the prompts"),
        ("number = 1\nnumbre", "NameError", "`number`"),
        ("zzzz", "NameError", "give it in `context`"),
        ("x = [0] * 10 ** 15", "MemoryError", "work in parts"),
        ("def f():\n    f()\nf()", "RecursionError", "write it as a loop"),
        ("b'\\xff'.decode()", "UnicodeDecodeError", 'errors="replace"'),
        ("open('a.csv')", "FileNotFoundError", "the working directory is empty"),
        ("open('b.txt', 'w')\nopen('a.csv')", "FileNotFoundError", "the working directory has: b.txt"),
        ("open('/missing/a.csv')", "FileNotFoundError", "hidden from the plugin"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 9), 5)", "ConnectionRefusedError", "`network`"),
        ("raise OSError(101, 'Network is unreachable')", "OSError", "`network`"),
        (
            "raise PermissionError(13, 'plughost: `h:80` can\\'t be reached: off; `plughost policy set x` would allow it')",
            "PermissionError",
            "`context`; `plughost policy set x` would allow it",
        ),
        (
            "raise PermissionError(1, 'plughost: no process can be forked: why; `plughost policy set x` would allow it')",
            "PermissionError",
            "one process; `plughost policy set x` would allow it",
        ),
        ("raise OSError(28, 'No space left on device')", "OSError", "`disk_bytes`"),
        ("raise PermissionError(13, 'Permission denied')", "PermissionError", "working directory"),
        ("import subprocess\nsubprocess.run(['/missing'])", "FileNotFoundError", "`execute`"),
        ('raise RuntimeError("can\'t start new thread")', "RuntimeError", "`threads`"),
        ("raise TimeoutError", "TimeoutError", "wait"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "deadline"),
        ("input()", "EOFError", "`context`"),
        ("import sys\nsys.exit('wrong')", "SystemExit", "ended itself"),
        ("{}['a']", "KeyError", "no such key"),
        ("[][0]", "IndexError", "how many items"),
        ("None.x", "AttributeError", "it is None"),
        ("1 + 'a'", "TypeError", "types"),
        ("raise ValueError('odd')", "ValueError", "The value"),
        ("raise Exception('odd')", "Exception", "correct the code"),
        ("try:\n    {}['a']\nexcept KeyError as error:\n    raise RuntimeError from error", "RuntimeError", "no such key"),
        ("__file__", "NameError", "in no file"),
        ("import asyncio\nasyncio.get_running_loop()", "RuntimeError", "has an event loop"),
        ("import bdb\nraise bdb.BdbQuit", "bdb.BdbQuit", "debugger"),
        ("raise ImportError('it requires the tk interactive framework')", "ImportError", "no screen"),
    ],
)
def test_errors_say_what_to_do_next(run, code, kind, suggestion):
    error = run(code)["error"]
    assert error["type"] == kind
    assert suggestion in error["suggestion"]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="newer ones take it")
@pytest.mark.parametrize(
    ("code", "suggestion"),
    [
        ("def f[T](x: T) -> T: return x", "for Python 3.12 and later"),
        ("type Row = list", "for Python 3.12 and later"),
        ("words = []\nf'{', '.join(words)}'", "other quotes"),
    ],
)
def test_of_what_a_newer_python_would_take_it_is_said(run, code, suggestion):
    assert suggestion in run(code)["error"]["suggestion"]


@pytest.mark.skipif(sys.version_info < (3, 10), reason="older ones don't know the names of their modules")
def test_a_module_of_pythons_is_not_taken_for_a_package(run):
    assert run("math.pi")["error"]["suggestion"] == "Import it first: `import math`"
    assert "belongs to Python" in run("import winreg")["error"]["suggestion"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="older ones have no groups")
def test_of_a_group_it_is_the_first_that_is_told_of(run):
    code = "import asyncio\nasync def f():\n    {}['a']\nasync with asyncio.TaskGroup() as group:\n    group.create_task(f())"
    error = run(code)["error"]
    assert error["type"] == "ExceptionGroup"
    assert "no such key" in error["suggestion"]


def test_of_a_deep_traceback_the_beginning_is_shown(run):
    error = run("import sys\nsys.setrecursionlimit(9_000)\ndef f(n):\n    return f(n - 1) if n else g()\nf(5_000)")["error"]
    assert (error["message"], error["line"]) == ("name 'g' is not defined", 4)
    assert "line 5, in <module>" in error["traceback"]


def test_ending_without_a_fault_is_success(run):
    assert run("import sys\nprint('done')\nsys.exit()")["output"] == "done\n"
    assert run("raise SystemExit(0)")["success"]


def test_what_was_done_before_the_error_is_kept(run):
    done = run("x = 1\nprint('here')\nopen('a.txt', 'w').close()\n1 / 0")
    assert (done["output"], list(done["variables"]), len(done["artifacts"])) == ("here\n", ["x"], 1)
