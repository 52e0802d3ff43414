"""The commands for a shell."""

from __future__ import annotations

from plughost.cli._declaration import Command, argument

__all__ = ["COMMANDS"]

_COMPLETION = Command(
    "completion",
    group="Shell",
    summary="Print a script that teaches a shell to complete commands",
    description="Print a script for a shell to read at its start. It completes commands, options, and the names of plugins.",
    parameters=(argument("shell", "SHELL", choices=("bash", "zsh", "fish")),),
    examples=(
        ("completion bash >> ~/.bashrc", ""),
        ("completion zsh >> ~/.zshrc", ""),
        ("completion fish > ~/.config/fish/completions/plughost.fish", ""),
    ),
    handler="plughost.cli._completion:completion",
)

COMMANDS = (_COMPLETION,)
