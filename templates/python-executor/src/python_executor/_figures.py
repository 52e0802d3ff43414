"""matplotlib's figures → files. What code draws without a screen would be lost otherwise."""

from __future__ import annotations

import os
import sys
import warnings

__all__ = ["prepare", "save_open"]


def prepare() -> None:
    """Have matplotlib draw without a screen, and have nobody told that `show` can't show anything then."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    warnings.filterwarnings("ignore", message=".*(Agg|agg).* is non-interactive", category=UserWarning)
    warnings.filterwarnings("ignore", message="Matplotlib is currently using agg", category=UserWarning)


def save_open(folder: str) -> None:
    """Save the open figures as `figure-1.png` and so on, under names that are free, and close them."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number in list(pyplot.get_fignums()):
        path = _free(folder)
        try:
            pyplot.figure(number).savefig(path)
        except Exception as error:  # whatever was drawn: the code itself has done what it should
            print("Figure {} can't be saved: {!r}".format(number, error), file=sys.stderr)
            if os.path.exists(path):
                os.unlink(path)
        finally:
            pyplot.close(number)


def _free(folder: str) -> str:
    number = 1
    while os.path.lexists(os.path.join(folder, "figure-{}.png".format(number))):
        number += 1
    return os.path.join(folder, "figure-{}.png".format(number))
