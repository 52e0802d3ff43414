"""Several steps in order."""

import pytest

from python_executor import execute_python_workflow

STEPS = [
    {"name": "load", "code": "rows = [1, 2, 3]\nprint('loaded')"},
    {"name": "sum up", "code": "total = sum(rows) * factor\nopen('total.txt', 'w').write(str(total))\ntotal"},
    {"code": "print('reported')\nf'{total} in all'"},
]


def test_steps_share_their_variables(run):
    done = execute_python_workflow(STEPS, context={"factor": 2})
    assert (done["success"], done["result"], done["output"]) == (True, "12 in all", "loaded\nreported\n")
    assert [(step["name"], step["result"]) for step in done["steps"]] == [("load", None), ("sum up", 12), ("step 3", "12 in all")]
    assert [artifact["path"] for artifact in done["artifacts"]] == ["total.txt"]
    assert set(done["variables"]) == {"factor", "rows", "total"}
    assert (done["error"], done["failed_step"]) == (None, None)


def test_it_stops_at_the_first_failure_and_goes_on_from_there(run):
    stopped = execute_python_workflow(STEPS)
    assert (stopped["success"], stopped["failed_step"], len(stopped["steps"])) == (False, "sum up", 2)
    assert stopped["error"]["type"] == "NameError"
    assert 'File "<sum up>", line 1' in stopped["error"]["traceback"]
    resumed = execute_python_workflow(STEPS, context={"factor": 3}, start_at=stopped["failed_step"])
    assert [step["name"] for step in resumed["steps"]] == ["sum up", "step 3"]
    assert resumed["result"] == "18 in all"
    assert execute_python_workflow(STEPS, start_at=2)["result"] == "18 in all"


def test_a_step_has_a_context_of_its_own(run):
    steps = [{"code": "n", "context": {"n": 2}}, {"code": "n + m"}]
    assert execute_python_workflow(steps, context={"n": 1, "m": 10})["result"] == 12


def test_no_step_is_success(run):
    assert execute_python_workflow([])["success"]


@pytest.mark.parametrize(
    ("steps", "start_at", "message"),
    [
        ([{"code": "1"}, {}], 0, "`step 2`: give either `code` or `instruction`"),
        ([{"code": "1", "instruction": "one"}], 0, "`step 1`: give either"),
        ([{"cod": "1"}], 0, "`cod`, which steps don't have"),
        ([{"code": "1", "contxt": {}}], 0, "`contxt`, which steps don't have"),
        ([{"code": "1", "name": "a"}, {"code": "2", "name": "a"}], 0, "two steps are called `a`"),
        ([{"code": "1", "name": "a"}], "b", "no step `b` to start at, but `a`"),
        ([{"code": "1"}], 2, "there are 1 steps"),
    ],
)
def test_steps_that_make_no_workflow_are_refused_before_any_has_run(run, steps, start_at, message):
    with pytest.raises(ValueError, match=message):
        execute_python_workflow(steps, start_at=start_at)
