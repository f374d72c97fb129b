"""Ways to open the parts of the product over a fake."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from dicomweb_mcp.archives.base import Archive
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.archives.wire import Patience
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import READ_ONLY_KINDS, ArchiveSettings, Settings

HURRIED = Patience(
    connect=1, silence=0.5, queue=1, answer=2, metadata=30, stream=5, operation=0.3, poll=0.001, back_off=0.001
)
Answering = Callable[[httpx.Request], httpx.Response]

URLS = {
    "google": "https://healthcare.googleapis.com/v1/projects/p/locations/l/datasets/d/dicomStores/s/dicomWeb",
    "idc": "https://proxy.imaging.datacommons.cancer.gov/current/"
    "viewer-only-no-downloads-see-tinyurl-dot-com-slash-3j3d9jyp/dicomWeb",
    "idc-google": "https://healthcare.googleapis.com/v1/projects/nci-idc-data/locations/us-central1/datasets/idc/"
    "dicomStores/idc-store-v25/dicomWeb",
    "orthanc": "http://orthanc.test:8042/dicom-web",
    "dcm4chee": "http://dcm4chee.test:8080/dcm4chee-arc/aets/DCM4CHEE/rs",
    "aurabox": "https://acme.aurabox.cloud/dicomweb",
    "generic": "https://pacs.test/dicom-web",
}


def settings_of(kind: str, name: str = "pacs", **more: Any) -> ArchiveSettings:
    return ArchiveSettings.model_validate({"name": name, "url": URLS[kind], "kind": kind, **more})


def open_over(fake: Answering, kind: str, **more: Any) -> DicomwebArchive:
    """An archive of a kind whose network is a function."""
    return DicomwebArchive(settings_of(kind, **more), transport=httpx.MockTransport(fake), patience=HURRIED)


def app_over(fakes: dict[str, tuple[Answering, str]], roots: Sequence[Path] = (), http: Any = None) -> App:
    """An app whose archives are fakes: name -> (fake, kind). With ``roots`` all but IDC permit storing from there."""
    archives = [{"name": name, "url": URLS[kind], "kind": kind} for name, (_, kind) in fakes.items()]
    for archive in archives if roots else ():
        archive["permit"] = () if archive["kind"] in READ_ONLY_KINDS else ("store",)
    settings = Settings.model_validate({"archives": archives, "files": {"roots": list(roots)}, "http": http})

    def opener(archive: ArchiveSettings) -> Archive:
        fake, kind = fakes[archive.name]
        return open_over(fake, kind, name=archive.name)

    return App(settings, opener)


def app_at(urls: dict[str, str], patience: Patience = HURRIED, **more: Any) -> App:
    """An app whose archives are real servers at these addresses, of kind dcm4chee where nothing else is said."""
    archives = [{"name": name, "url": url, "kind": "dcm4chee", **more} for name, url in urls.items()]
    settings = Settings.model_validate({"archives": archives})
    return App(settings, lambda archive: DicomwebArchive(archive, patience=patience))
