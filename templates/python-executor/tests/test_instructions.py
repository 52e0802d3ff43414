"""An instruction becomes code by a function of the app's."""

import sys
import types

import pytest

from python_executor import execute_python_workflow


@pytest.fixture
def answer(monkeypatch):
    """`answer(text)` has the app answer with it; the list of prompts that it was asked."""
    prompts = []

    def answer(text):
        app = types.ModuleType("plughost_app")
        app.complete = lambda prompt: (prompts.append(prompt), text() if callable(text) else text)[1]
        monkeypatch.setitem(sys.modules, "plughost_app", app)
        return prompts

    return answer


def test_the_code_of_the_answer_runs(run, answer):
    answer("Here it is:\n```python\ntotal = sum(rows)\ntotal\n```\nIt adds them up.")
    done = run(instruction="add the rows up", context={"rows": [1, 2, 3]})
    assert (done["success"], done["result"], done["code"]) == (True, 6, "total = sum(rows)\ntotal\n")


def test_the_prompt_has_the_instruction_and_the_variables(run, answer):
    (prompts) = answer("```\n1\n```")
    run("rows = [1, 2, 3]")
    run(instruction="add the rows up", context={"factor": 2})
    assert "\n\nadd the rows up\n\n" in prompts[0]
    assert "- rows: list = [1, 2, 3]\n- factor: int = 2\n" in prompts[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1 + 1", "1 + 1"),
        ("```py\nx = 1\n```\nthen\n```\nx\n```", "x = 1\n\nx\n"),
        ("```python\n1\n", "1\n"),
        ("~~~ python\n1\n~~~", "1\n"),
        ("````python\n'''\n```\n'''\n````", "'''\n```\n'''\n"),
        ("```sh\nls\n```\n```python title=a.py\n1\n```", "1\n"),
    ],
)
def test_blocks_are_found(run, answer, text, code):
    answer(text)
    assert run(instruction="do it")["code"] == code


@pytest.mark.parametrize("text", ["", None, "```sh\nls\n```", lambda: 1 / 0])
def test_an_answer_without_code_is_an_error(run, answer, text):
    answer(text)
    done = run(instruction="do it")
    assert (done["success"], done["code"]) == (False, None)
    assert "`complete`" in done["error"]["suggestion"]


def test_an_answer_that_is_no_python_is_called_so(run, answer):
    answer("I can't do that.")
    done = run(instruction="do it")
    assert (done["code"], done["error"]["type"]) == ("I can't do that.", "SyntaxError")
    assert "`complete` gave is no Python" in done["error"]["suggestion"]


def test_an_empty_instruction_is_refused(run):
    with pytest.raises(ValueError, match="`instruction` is empty"):
        run(instruction=" ")


def test_code_that_fails_is_given_too(run, answer):
    answer("```python\n1 / 0\n```")
    done = run(instruction="do it")
    assert (done["code"], done["error"]["type"]) == ("1 / 0\n", "ZeroDivisionError")


def test_without_a_function_it_says_what_to_offer(run):
    error = run(instruction="do it")["error"]
    assert error["type"] == "LookupError"
    assert 'host.offer("complete", ' in error["suggestion"]


def test_a_step_may_be_an_instruction(run, answer):
    answer("```python\nrows[0]\n```")
    assert execute_python_workflow([{"code": "rows = [5]"}, {"instruction": "the first row"}])["result"] == 5
