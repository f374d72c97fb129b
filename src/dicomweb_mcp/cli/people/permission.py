"""What a person permits by typing a command: that archive, this once, and the files that the command names.

The permissions of the configuration are there for models, which act on their own.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from ...services.roots import MAGIC
from ...settings import Settings


def permitting(settings: Settings, archive: str, action: str) -> Settings:
    """Settings in which the archive of this name permits the action; one that can only be read stays as it is."""
    archives = tuple(
        one.model_copy(update={"permit": (*one.permit, action)})
        if one.name == archive and not one.is_read_only
        else one
        for one in settings.archives
    )
    return settings.model_copy(update={"archives": archives})


def with_roots(settings: Settings, roots: Sequence[Path]) -> Settings:
    """Settings with these file roots and no others."""
    return settings.model_copy(update={"files": settings.files.model_copy(update={"roots": tuple(roots)})})


def absolute(path: str) -> str:
    """A path from the working folder on, as a person means it; an empty one stays empty."""
    return str(Path.cwd() / path) if path.strip() else path


def root_of(path: str) -> Path:
    """The folder that an absolute path opens: itself, the one that the file is in, or the one before a pattern; where
    these do not exist yet, the first above that does."""
    target = Path(path)
    parts = target.parts
    if not os.path.lexists(path) and (magic := [at for at, part in enumerate(parts) if MAGIC & set(part)]):
        target = Path(*parts[: magic[0]])
    target = Path(os.path.realpath(target))
    return next((folder for folder in (target, *target.parents) if folder.is_dir()), Path(target.anchor))
