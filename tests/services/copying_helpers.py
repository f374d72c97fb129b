"""Copying between two archives that are folders, fakes, or whatever else stands in for them."""

from pathlib import Path
from typing import Any

from dicomweb_mcp.archives.base import Archive
from dicomweb_mcp.archives.folder import FolderArchive
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.copying import Wanted, copy
from dicomweb_mcp.services.transfer import Transfer
from dicomweb_mcp.settings import ArchiveSettings, Settings
from fakes.base import Fake
from fakes.store import Store
from services.transfer_helpers import Steps
from support import open_over, settings_of

STUDY = Wanted(study_uid="1.2")


class Between:
    """From a folder to a fake, or between what else is given; each archive by its settings and how it is opened."""

    def __init__(self, source: Fake | Path, target: Fake | Path, kind: str = "orthanc", *, permit: str = "store"):
        self.given = {"here": source, "there": target}
        settings = []
        for name, given in self.given.items():
            where = (
                {"path": given}
                if isinstance(given, Path)
                else settings_of(kind, name).model_dump(include={"url", "kind"})
            )
            if not isinstance(given, Path) and name == "here":
                where = {"url": "https://here.test/dcm4chee-arc/aets/A/rs", "kind": "dcm4chee"}
            settings.append({"name": name, **where, "permit": [permit] if permit and name == "there" else []})
        self.app = App(Settings.model_validate({"archives": settings}), self._opened)

    def _opened(self, settings: ArchiveSettings) -> Archive:
        given = self.given[settings.name]
        if isinstance(given, Path):
            return FolderArchive(settings.name, given)
        return open_over(given, settings.resolved_kind, name=settings.name)

    async def copied(self, wanted: Wanted = STUDY, **more: Any) -> Transfer:
        return await copy(self.app, "here", "there", wanted, **{"report": Steps(), **more})


def holding(root: Path) -> Store:
    return Store.files(*sorted((root / "1.2").iterdir()))
