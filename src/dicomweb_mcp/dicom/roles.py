"""The part that an object or series has in its study, in the short words of the field."""

from .kinds import ROOT, Kind, kind_of
from .values import DicomJson, raw_values, text

ROLE_FIELDS = ("SOPClassUID", "Modality", "ImageType", "Rows")
"""What ``role`` reads."""

_ROLES = {
    Kind.SEGMENTATION: "SEG",
    Kind.SURFACE_SEGMENTATION: "surface SEG",
    Kind.STRUCTURE_SET: "RTSTRUCT",
    Kind.RT_PLAN: "RTPLAN",
    Kind.RT_DOSE: "RTDOSE",
    Kind.RT_IMAGE: "RTIMAGE",
    Kind.RT_RECORD: "RTRECORD",
    Kind.REPORT: "SR",
    Kind.KEY_OBJECTS: "KO",
    Kind.PRESENTATION_STATE: "PR",
    Kind.ANNOTATIONS: "ANN",
    Kind.REAL_WORLD_VALUES: "RWV",
    Kind.REGISTRATION: "REG",
    Kind.PARAMETRIC_MAP: "parametric map",
    Kind.WAVEFORM: "waveform",
    Kind.OTHER: "other",
}
_DOCUMENTS = {"1": "PDF", "2": "CDA", "3": "STL", "4": "OBJ", "5": "MTL"}  # below 104, PS3.4 B.5
_SECONDARY_CAPTURE = (f"{ROOT}7", *(f"{ROOT}7.{number}" for number in range(1, 5)))
_SLIDE = f"{ROOT}77.1.6"
_SLIDE_IMAGES = {  # value 3 of ImageType, PS3.3 C.8.12.4.1.1
    "VOLUME": "volume", "LABEL": "label", "OVERVIEW": "overview", "THUMBNAIL": "thumbnail",
}  # fmt: skip
_LOCALIZERS = {"LOCALIZER", "SCOUT"}
_REFORMATS = {
    "MPR": "reformat", "REFORMATTED": "reformat", "CSA MPR": "reformat", "RESAMPLED": "resampled", "MIP": "projection",
    "MAX_IP": "projection", "MIN_IP": "projection", "PROJECTION IMAGE": "projection", "PROJECTION": "projection",
    "SUBTRACT": "subtraction", "SUBTRACTION": "subtraction", "ADC": "ADC",
}  # fmt: skip
IMAGE_ROLES = ("original", "localizer", "image", "slide")
"""How the roles of images begin that were made from no other image of the archive."""


def role(obj: DicomJson) -> str:
    """``original``, ``derived``, ``localizer``, ``secondary capture``, ``slide (volume)``, ``SEG``, ``PDF document``;
    ``image`` where nothing says what sort of image it is."""
    kind = kind_of(obj)
    if kind is Kind.DOCUMENT:
        name = _DOCUMENTS.get(text(obj, "SOPClassUID").removeprefix(f"{ROOT}104."), "")
        return f"{name} document".strip()
    return _image_role(obj) if kind is Kind.IMAGE else _ROLES[kind]


def is_derived(role: str) -> bool:
    """Whether objects of this role are made from others, or say something of others."""
    return not role.startswith(IMAGE_ROLES)


def _image_role(obj: DicomJson) -> str:
    """By the SOP class and the values of ImageType (PS3.3 C.7.6.1.1.2): pixel data, examination, and what follows."""
    image_type = [str(value).strip().upper() for value in raw_values(obj, "ImageType")]
    sop_class = text(obj, "SOPClassUID")
    if sop_class == _SLIDE or (not sop_class and text(obj, "Modality") == "SM"):
        return _slide_role(image_type)
    if _LOCALIZERS & set(image_type):
        return "localizer"
    if sop_class in _SECONDARY_CAPTURE:
        return "secondary capture"
    if image_type[:1] == ["DERIVED"]:
        how = next((_REFORMATS[value] for value in image_type[2:] if value in _REFORMATS), "")
        return f"derived ({how})" if how else "derived"
    return "original" if image_type[:1] == ["ORIGINAL"] else "image"


def _slide_role(image_type: list[str]) -> str:
    what = next((_SLIDE_IMAGES[value] for value in image_type[2:3] if value in _SLIDE_IMAGES), "")
    return f"slide ({what})" if what else "slide"
