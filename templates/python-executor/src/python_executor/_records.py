"""What the tools take and give: plain dicts, so that they arrive anywhere as they are."""

from __future__ import annotations

from typing import TypedDict

__all__ = ["Artifact", "Execution", "Failure", "Step", "StepExecution", "Variable", "WorkflowExecution"]


class Failure(TypedDict):
    """`line` is that of the code; `suggestion` is what to do next; the traceback shows the caller's code alone, no library."""

    type: str
    message: str
    line: int | None
    suggestion: str
    traceback: str


class Artifact(TypedDict):
    """A file that the code has written or changed: its path from the working directory on, its media type, its size in bytes."""

    path: str
    type: str
    size: int


class Variable(TypedDict):
    type: str
    repr: str


class Execution(TypedDict):
    """`result` is the value of the last expression, `execution_time` is in seconds, `code` is what ran, if that wasn't given."""

    success: bool
    result: object
    result_type: str | None
    output: str
    error: Failure | None
    artifacts: list[Artifact]
    variables: dict[str, Variable]
    execution_time: float
    code: str | None


class Step(TypedDict, total=False):
    """Either `code` or `instruction`; `context` is set before this step."""

    name: str
    code: str
    instruction: str
    context: dict[str, object]


class StepExecution(Execution):
    name: str


class WorkflowExecution(TypedDict):
    """`result` is that of the last step that has run; to go on after a failure, start at `failed_step`."""

    success: bool
    result: object
    result_type: str | None
    output: str
    error: Failure | None
    failed_step: str | None
    steps: list[StepExecution]
    artifacts: list[Artifact]
    variables: dict[str, Variable]
    execution_time: float
