"""Links that open a study or a series in a web viewer; nothing is asked for them."""

from dataclasses import dataclass

from .uids import is_uid
from .values import DicomJson, integer, text


@dataclass(frozen=True)
class Viewer:
    """``study``: the address of a study, with its UID in the place of ``{}``. ``series``: what follows it for a
    series."""

    study: str
    series: str

    def link(self, study_uid: str, series_uid: str | None = None) -> str:
        """Empty for what is no UID, which no address may hold."""
        if not is_uid(study_uid) or not is_uid(series_uid or study_uid):
            return ""
        return self.study.format(study_uid) + (self.series.format(series_uid) if series_uid else "")


@dataclass(frozen=True)
class Viewers:
    """Where the same data can be looked at: one viewer for slides and what is derived from them, one for the rest."""

    images: Viewer
    slides: Viewer

    def of(self, obj: DicomJson) -> Viewer:
        """The viewer for an object of a study."""
        return self.slides if is_of_slide(obj) else self.images


IDC_VIEWERS = Viewers(  # OHIF 3, and Slim
    images=Viewer(
        "https://viewer.imaging.datacommons.cancer.gov/v3/viewer/?StudyInstanceUIDs={}",
        "&initialSeriesInstanceUID={}",
    ),
    slides=Viewer("https://viewer.imaging.datacommons.cancer.gov/slim/studies/{}", "/series/{}"),
)


def is_of_slide(obj: DicomJson) -> bool:
    """Whether the object is a slide or lies on one: its frames are tiles of a total pixel matrix (PS3.3 C.8.12.4), or
    its annotations."""
    return text(obj, "Modality") in ("SM", "ANN") or integer(obj, "TotalPixelMatrixColumns") is not None
