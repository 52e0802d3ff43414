import os
import sys

import pytest

from python_executor import _failures, _shown, _task, _values, execute_python_task


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch):
    """`run(code)` in an interpreter of its own, which lives as long as the test; the code's process-wide traces go."""
    environment = dict(os.environ)
    monkeypatch.setattr(sys, "path", sys.path[:])
    for module, limit in ((_failures, "_MOST_S"), (_shown, "_MOST_S"), (_values, "_MOST_SHOWN_S")):
        monkeypatch.setattr(module, limit, 0.5)  # for values that take too long to show
    _task.make_once.cache_clear()
    yield execute_python_task
    _task.make_once.cache_clear()
    os.environ.clear()
    os.environ.update(environment)
