"""What a worker finds around it: variables and a folder."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Surroundings"]


class Surroundings:
    """`environment` is what the allow-list is applied to, by default ours; `folder` is the working folder, by default ours."""

    __slots__ = ("environment", "folder")

    def __init__(self, environment: Mapping[str, str] | None = None, folder: str | os.PathLike[str] | None = None) -> None:
        self.environment = os.environ if environment is None else environment
        self.folder = "" if folder is None else os.path.abspath(os.fspath(folder))
