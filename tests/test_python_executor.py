"""The plugin that runs Python code: added as it stands, confined as any plugin is, in sessions and without."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from plughost import Host
from plughost.errors import CallTimeout

TEMPLATES = Path(__file__).parents[1] / "templates"
EXECUTOR, BRIDGE = TEMPLATES / "python-executor", TEMPLATES / "aipy-bridge"

SCIENTIFIC = ["numpy", "pandas", "matplotlib"]
INSTALL_S = 300

pytestmark = pytest.mark.usefixtures("confined")


@pytest.fixture(scope="module")
def stores(request, tmp_path_factory, uv_cache):
    """A store with the executor, and one with the bridge, which takes a while: it is made while tests run that need none."""
    folder = tmp_path_factory.mktemp("executor")

    def make(name, add):
        root = folder / name
        (root / "cache").mkdir(parents=True)
        (root / "cache" / "uv").symlink_to(uv_cache, target_is_directory=True)
        with Host(store=root) as host:
            add(host)
        return root

    with ThreadPoolExecutor(2) as pool:
        stores = {"executor": pool.submit(make, "executor", lambda host: host.add(str(EXECUTOR), with_=SCIENTIFIC))}
        if any("aipyapp" in item.name for item in request.session.items):
            stores["bridge"] = pool.submit(make, "bridge", lambda host: host.add(str(BRIDGE), grant={"network": "on"}))
        yield stores


@pytest.fixture(scope="module")
def root(stores):
    """A store with the executor; to be called, not to be changed."""
    return stores["executor"].result(INSTALL_S)


@pytest.fixture
def host(root):
    with Host(store=root) as host:
        yield host


@pytest.fixture
def session(host):
    with host.session("python-executor") as session:
        yield session


@pytest.fixture
def run(session):
    def run(code=None, **arguments):
        return session.call("execute_python_task", code, **arguments)

    return run


@pytest.fixture
def model():
    """A server on this machine that speaks as OpenAI's does: `answers` are what it says in turn, `asked` is what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            message = {"role": "assistant", "content": server.answers.pop(0)}
            body = {"id": "1", "object": "chat.completion", "created": 0, "model": "scripted"}
            body["choices"] = [{"index": 0, "finish_reason": "stop", "message": message}]
            body["usage"] = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answers = [], []
    server.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def by_http(model):
    """What an app offers that asks the model itself."""

    def complete(prompt):
        body = {"model": "scripted", "messages": [{"role": "user", "content": prompt}]}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{model.url}/chat/completions", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["choices"][0]["message"]["content"]

    return complete


def test_a_check_has_nothing_to_complain_of(plughost_command):
    checked = plughost_command("check", str(EXECUTOR), "--json")
    (project,) = checked.json()["projects"]
    assert (checked.returncode, project["findings"]) == (0, [])
    assert project["examples"] > 0


def test_it_passes_its_own_tests_with_nothing_but_pytest(tmp_path):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "temporary")]
    completed = subprocess.run(command, cwd=EXECUTOR, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout


def test_the_command_runs_code(root, plughost_command):
    arguments = ("python-executor:execute_python_task", "code=print('hello')\n1 + 1")
    completed = plughost_command("run", *arguments, env={"PLUGHOST_HOME": str(root)})
    assert (completed.json()["result"], completed.json()["output"], completed.stderr) == (2, "hello\n", "")


def test_variables_stay_in_a_session_and_no_other_sees_them(host, run):
    run("rows = [3, 1, 2]")
    assert run("sorted(rows)")["result"] == [1, 2, 3]
    with host.session("python-executor") as other:
        assert other.call("execute_python_task", "rows")["error"]["type"] == "NameError"


def test_the_files_that_code_writes_are_those_that_the_session_has(session):
    outcome = session.invoke("execute_python_task", kwargs={"code": "open('a.txt', 'w').write('text')"})
    assert outcome.result["artifacts"] == [{"path": "a.txt", "type": "text/plain", "size": 4}]
    (artifact,) = outcome.artifacts
    assert Path(artifact.file).read_text() == "text"


def test_a_workflow_goes_on_where_it_stopped(session):
    steps = [
        {"name": "load", "code": "rows = [int(line) for line in text.split()]", "context": {"text": "1 2 3"}},
        {"name": "total", "code": "total = sum(rows) * factor"},
        {"name": "report", "code": "f'{total} in all'"},
    ]
    stopped = session.call("execute_python_workflow", steps)
    assert (stopped["failed_step"], stopped["error"]["type"]) == ("total", "NameError")
    done = session.call("execute_python_workflow", steps, context={"factor": 2}, start_at=stopped["failed_step"])
    assert (done["result"], [step["name"] for step in done["steps"]]) == ("12 in all", ["total", "report"])


@pytest.mark.parametrize(
    ("code", "suggestion"),
    [
        (
            "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9/')",
            "policy set python-executor --allow-net 127.0.0.1:9` would allow it",
        ),
        ("import socket\nsocket.getaddrinfo('example.com', 80)", "network"),
        ("import subprocess\nsubprocess.run(['ls'])", "execute=/usr/bin` would allow it"),
        ("open('/usr/lib/a', 'w')", "working directory"),
        (f"open({__file__!r})", "hidden from the plugin"),
        ("data = bytearray(1 << 40)", "work in parts"),
    ],
)
def test_what_the_policy_forbids_is_said_with_what_to_do(run, code, suggestion):
    done = run(code)
    assert suggestion in done["error"]["suggestion"]
    assert run("1")["result"] == 1


def test_asyncio_threads_and_sqlite_work(run):
    code = """
import asyncio, sqlite3
from concurrent.futures import ThreadPoolExecutor
connection = sqlite3.connect("a.db")
connection.execute("create table numbers (n)")
with ThreadPoolExecutor(8) as pool:
    connection.executemany("insert into numbers values (?)", [(n,) for n in pool.map(abs, range(-10, 0))])
connection.commit()
connection.execute("select sum(n) from numbers").fetchone()[0] + await asyncio.to_thread(len, "abc")
"""
    assert run(code)["result"] == 58


def test_code_that_outlasts_the_callers_deadline_is_ended(session, run):
    with pytest.raises(CallTimeout):
        session.invoke("execute_python_task", kwargs={"code": "while True:\n    str(1)"}, timeout_s=0.3)
    assert run("1")["result"] == 1


def test_scientific_packages_work_confined(session, run):
    """numpy, pandas and matplotlib, in the default policy."""
    done = run("import numpy as np, pandas as pd\nrows = pd.DataFrame({'n': np.arange(3), 'x': [0.5, None, 1.5]})\nrows")
    assert done["result"][0] == {"n": 0, "x": 0.5}
    assert done["variables"]["rows"]["type"] == "DataFrame"
    assert run("rows['x'].mean(), rows['n'].to_numpy() * 2")["result"] == [1.0, [0, 2, 4]]
    code = "import matplotlib.pyplot as plt\nplt.plot(rows['n'])\nplt.figure()\nplt.plot(rows['x'])\nplt.show()"
    drawn = run(code)
    assert (drawn["error"], drawn["output"]) == (None, "")
    assert [(one["path"], one["type"]) for one in drawn["artifacts"]] == [
        ("figure-1.png", "image/png"),
        ("figure-2.png", "image/png"),
    ]
    assert (Path(session.folder) / "figure-2.png").read_bytes().startswith(b"\x89PNG")


def test_tables_come_with_the_labels_of_their_rows(run):
    run("import pandas as pd\nrows = pd.DataFrame({'k': ['a', 'b', 'a'], 'n': [1, 2, 3], 'm': [4, 5, 6]})")
    assert run("rows[rows['n'] > 1]")["result"] == [{"k": "b", "n": 2, "m": 5}, {"k": "a", "n": 3, "m": 6}]
    assert run("rows['n']")["result"] == [1, 2, 3]
    assert run("rows.groupby('k').sum()")["result"] == [{"k": "a", "n": 4, "m": 10}, {"k": "b", "n": 2, "m": 5}]
    assert run("rows['k'].value_counts()")["result"] == {"a": 2, "b": 1}
    assert run("rows.set_index(['k', 'n'])")["result"][1] == {"k": "b", "n": 2, "m": 5}
    assert run("pd.DataFrame([[1, 2]], columns=['a', 'a'], index=['x'])")["result"] == [{"index": "x", "a": 1, "a.1": 2}]


class TestAnInstruction:
    def test_becomes_code_by_what_the_app_offers(self, host, session, model):
        host.offer("complete", by_http(model))
        model.answers = ["Sure:\n```python\nsum(rows)\n```"]
        done = session.call("execute_python_task", instruction="Add the rows up", context={"rows": [1, 2, 3]})
        assert (done["result"], done["code"], done["error"]) == (6, "sum(rows)\n", None)
        prompt = model.asked[0]["messages"][0]["content"]
        assert "Add the rows up" in prompt
        assert "- rows: list = [1, 2, 3]" in prompt

    def test_may_be_a_step(self, host, session, model):
        host.offer("complete", by_http(model))
        model.answers = ["```python\nrows = [1, 2]\n```", "```python\n1 / 0\n```"]
        steps = [{"name": "load", "instruction": "Load rows"}, {"code": "rows"}, {"name": "divide", "instruction": "Divide"}]
        done = session.call("execute_python_workflow", steps)
        assert [step["code"] for step in done["steps"]] == ["rows = [1, 2]\n", None, "1 / 0\n"]
        assert (done["failed_step"], done["error"]["type"]) == ("divide", "ZeroDivisionError")

    def test_that_the_app_can_not_have_turned_into_code_is_told_of(self, host, session, model):
        host.offer("complete", by_http(model))
        model.answers = [""]
        done = session.call("execute_python_task", instruction="Do it")
        assert (done["success"], done["error"]["type"]) == (False, "ValueError")

    def test_without_a_function_says_what_to_offer(self, session):
        error = session.call("execute_python_task", instruction="Do it")["error"]
        assert error["message"] == "The app offers no function `complete`"
        assert 'host.offer("complete", function)' in error["suggestion"]

    def test_becomes_code_by_aipyapp_in_an_environment_of_its_own(self, stores, host, session, model):
        address = model.url.removeprefix("http://").removesuffix("/v1")
        configured = {"type": "openai", "api_key": "scripted-key", "base_url": model.url, "model": "scripted"}
        model.answers = ["```python\nlen(names)\n```"]
        with Host(store=stores["bridge"].result(INSTALL_S), policy={"network": [address]}) as bridged:
            host.offer("complete", lambda prompt: bridged.call("aipy-bridge", "complete", prompt, model=configured))
            done = session.call("execute_python_task", instruction="Count the names", context={"names": ["Ada", "Grace"]})
        assert (done["error"], done["result"]) == (None, 2)
        assert "Count the names" in model.asked[0]["messages"][0]["content"]
