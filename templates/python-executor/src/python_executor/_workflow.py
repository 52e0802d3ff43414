"""The tool for several steps in order."""

from __future__ import annotations

from ._records import Step, StepExecution, WorkflowExecution  # plughost reads the annotations
from ._task import check, interpreter, run

__all__ = ["execute_python_workflow"]


def execute_python_workflow(
    steps: list[Step],
    context: dict[str, object] | None = None,
    start_at: int | str = 0,
    *,
    timeout_s: float | None = None,
    arrays: bool = False,
    fresh: bool = False,
) -> WorkflowExecution:
    """Run several pieces of Python code in order, each with the variables of those before it; stop at the first that fails.

    Args:
        steps: each with `code` or `instruction`, and if need be a `name` and a `context` of its own.
        context: variables that are set before the first of them.
        start_at: the step to begin with, by its name or by how many come before it: to go on, in the same session.
        timeout_s: each step is interrupted after so many seconds.
        arrays: whether arrays and tables come back as what they are; else as lists. A host without numpy can't take them.
        fresh: forget all variables first.

    Returns:
        What came of each step that has run, and of all of them together.

    Raises:
        ValueError: a step has neither code nor an instruction, or both; two have the same name; or there is none to start at.

    Examples:
        >>> execute_python_workflow([{"code": "n = 20"}, {"code": "n + 1"}])["result"]
        21
        >>> execute_python_workflow([{"name": "load", "code": "rows"}, {"code": "len(rows)"}], fresh=True)["failed_step"]
        'load'
    """
    check("", None, context, timeout_s)
    named = _named(steps)
    first = _place(start_at, named)
    if fresh:
        interpreter().forget()
    done: list[StepExecution] = []
    given = context or {}
    for name, step in list(named.items())[first:]:
        execution = run(
            step.get("code"),
            step.get("instruction"),
            {**given, **(step.get("context") or {})},
            name=name,
            timeout_s=timeout_s,
            arrays=arrays,
        )
        done.append({**execution, "name": name})
        given = {}
        if not execution["success"]:
            break
    return _together(done)


def _named(steps: list[Step]) -> dict[str, Step]:
    """Each step by its name; those without one are called by their number."""
    named: dict[str, Step] = {}
    for number, step in enumerate(steps, 1):
        name = step.get("name") or "step {}".format(number)
        if unknown := step.keys() - Step.__annotations__.keys():
            raise ValueError("`{}` has `{}`, which steps don't have".format(name, min(unknown)))
        try:
            check(step.get("code"), step.get("instruction"), step.get("context"))
        except ValueError as error:
            raise ValueError("`{}`: {}".format(name, error)) from None
        if name in named:
            raise ValueError("two steps are called `{}`".format(name))
        named[name] = step
    return named


def _place(start_at: int | str, named: dict[str, Step]) -> int:
    """How many steps come before it."""
    if isinstance(start_at, str):
        if start_at not in named:
            raise ValueError("there is no step `{}` to start at, but {}".format(start_at, ", ".join(map("`{}`".format, named))))
        return list(named).index(start_at)
    if not 0 <= start_at <= len(named):
        raise ValueError("there are {} steps, so none to start at after {}".format(len(named), start_at))
    return start_at


def _together(done: list[StepExecution]) -> WorkflowExecution:
    last = done[-1] if done else None
    error = last["error"] if last else None
    artifacts = {artifact["path"]: artifact for execution in done for artifact in execution["artifacts"]}
    return {
        "success": error is None,
        "result": last["result"] if last else None,
        "result_type": last["result_type"] if last else None,
        "output": "".join(execution["output"] for execution in done),
        "error": error,
        "failed_step": last["name"] if last and error else None,
        "steps": done,
        "artifacts": [artifacts[path] for path in sorted(artifacts)],
        "variables": last["variables"] if last else {},
        "execution_time": sum(execution["execution_time"] for execution in done),
    }
