"""Ask a language model, by what aipyapp knows of it: a bridge from a host app's `complete` to aipyapp's clients."""

from __future__ import annotations

from typing import Any

__all__ = ["complete"]


def complete(prompt: str, *, model: dict[str, Any]) -> str:
    """Give a language model's answer to a prompt.

    Args:
        prompt: all that the model is told.
        model: which it is, as in a table `[llm.NAME]` of aipyapp's settings: `type`, `api_key`, `base_url`, `model`, and so on.

    Returns:
        The answer, as text.

    Raises:
        ValueError: aipyapp knows no such model, or it has no key.
        ConnectionError: the model was asked in vain.
    """
    from loguru import logger

    logger.disable("aipyapp")  # What it logs of a failure has the values of variables in it, and so the key.

    # Importing them takes a second.
    from aipyapp.llm import ErrorMessage, UserMessage, create_client_config
    from aipyapp.llm.manager import CLIENTS

    kind = CLIENTS.get(str(model.get("type", "openai")).lower())
    if kind is None:
        raise ValueError("aipyapp knows no such `type` of model; it knows {}".format(", ".join(sorted(CLIENTS))))
    client = kind(create_client_config({"name": "model", **model, "stream": False}))
    if not client.usable():
        raise ValueError("the model has no name, or no `api_key`")
    answer = client([UserMessage(content=prompt).to_llm_dict()])
    if isinstance(answer, ErrorMessage):
        raise ConnectionError("the model was asked in vain: {}".format(answer.content))
    return answer.content
