"""An instance of checked metadata and its content, with all that its IOD needs (PS3.3 A.8.1, A.32.4, A.45.1)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..compare import differences
from ..tags import tag_of
from ..uids import EXPLICIT
from ..values import DicomJson
from .content import Document, NotMade, Pixels
from .identity import uids
from .modules import COMMON, ENCAPSULATED_PDF, IODS, PATIENT_AND_STUDY, SECONDARY_CAPTURE, VL_PHOTOGRAPHIC

if TYPE_CHECKING:
    from pydicom import Dataset

PHOTOGRAPH = "XC"  # External-camera Photography


def sop_class_of(content: Pixels | Document, given: "Dataset") -> str:
    """The SOP class that the metadata ask for, else the usual one. Raises NotMade for one that cannot hold it."""
    if isinstance(content, Document):
        if given.get("Modality") == PHOTOGRAPH:
            raise NotMade(
                f"a PDF is no photograph (Modality {PHOTOGRAPH}): leave Modality out, or store it in a call of its own"
            )
        usual, possible = ENCAPSULATED_PDF, {ENCAPSULATED_PDF}
    else:
        usual = VL_PHOTOGRAPHIC if given.get("Modality") == PHOTOGRAPH else SECONDARY_CAPTURE
        possible = {SECONDARY_CAPTURE, VL_PHOTOGRAPHIC}
    chosen = str(given.get("SOPClassUID") or usual)
    if chosen not in possible:
        kind = "a PDF" if isinstance(content, Document) else "a picture"
        raise NotMade(f"SOPClassUID asks for {IODS[chosen].name}, which cannot hold {kind}: leave SOPClassUID out")
    if chosen == VL_PHOTOGRAPHIC and isinstance(content, Pixels) and content.bits != 8:
        raise NotMade(
            f"{IODS[chosen].name} has 8 bits a sample, and this picture {content.bits}: store it as "
            f"{IODS[SECONDARY_CAPTURE].name}, with SOPClassUID {SECONDARY_CAPTURE}"
        )
    return chosen


def make_instance(
    content: Pixels | Document,
    given: "Dataset",
    *,
    source: bytes,
    number: int,
    study_uid: str | None = None,
    of_study: "Dataset | None" = None,
) -> "Dataset":
    """The whole data set with its File Meta Information. ``source`` is the file that the content came from, ``number``
    its place among others, ``of_study`` what ``study_modules`` has of the study that it joins. Raises NotMade."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    sop_class = sop_class_of(content, given)
    made = Dataset()
    _add(made, COMMON | IODS[sop_class].defaults | {"InstanceNumber": number})
    if isinstance(content, Document):
        _add(made, _document(content))
    else:
        _add(made, _pixels(content, sop_class))
    made.update({element.tag: element for element in given if not element.is_empty or element.keyword not in made})
    if "ImageLaterality" in given and not made.get("Laterality"):
        made.pop("Laterality", None)  # one of the two says it (C.7.3.1)
    if "PixelSpacing" in made:
        made.pop("PixelAspectRatio", None)  # the spacing says it (C.7.6.3.1.7)
    if of_study is not None:
        made.update(of_study)
    _add(made, uids(given, sop_class, source, study_uid))
    _add(made, {"SOPClassUID": sop_class, "SpecificCharacterSet": "ISO_IR 192"})
    made.file_meta = FileMetaDataset()
    syntax = content.transfer_syntax if isinstance(content, Pixels) else EXPLICIT
    made.file_meta.TransferSyntaxUID = UID(syntax)
    return made


def study_modules(obj: DicomJson) -> "Dataset":
    """Patient and General Study of some instance of a study. Raises ValueError when they cannot be copied."""
    from pydicom import Dataset

    kept = {tag: obj[tag] for tag in map(tag_of, PATIENT_AND_STUDY) if tag in obj}
    if any("BulkDataURI" in element for element in kept.values()):
        raise ValueError("bulk data")
    try:
        found = Dataset.from_json(kept)
        found.remove_private_tags()
    except Exception as reason:  # whatever pydicom meets in values that are none of their VR
        raise ValueError(type(reason).__name__) from None
    return found


def contradictions(given: "Dataset", obj: DicomJson) -> list[str]:
    """The keywords of Patient and General Study that are given and not so in an instance of the study."""
    ours = {f"{element.tag:08X}": element.to_json_dict(None, 0) for element in given
            if element.keyword in PATIENT_AND_STUDY}  # fmt: skip
    return differences(ours, obj)


def _document(content: Document) -> dict[str, Any]:
    return {
        "MIMETypeOfEncapsulatedDocument": "application/pdf",
        "EncapsulatedDocument": _even(content.data),
        "EncapsulatedDocumentLength": len(content.data),
    }


def _pixels(content: Pixels, sop_class: str) -> dict[str, Any]:
    """Image Pixel (C.7.6.3), ICC Profile (C.11.15) and how it was compressed (C.7.6.1.1.5)."""
    from pydicom.encaps import encapsulate

    photometric = content.photometric_interpretation
    if sop_class == VL_PHOTOGRAPHIC and photometric == "YBR_FULL":
        photometric = "YBR_FULL_422"  # the only YCbCr of JPEG that C.8.12.1 has; decoders go by the stream
    values: dict[str, Any] = {
        "SamplesPerPixel": content.samples_per_pixel,
        "PhotometricInterpretation": photometric,
        "Rows": content.rows,
        "Columns": content.columns,
        "BitsAllocated": content.bits,
        "BitsStored": content.bits,
        "HighBit": content.bits - 1,
        "PixelRepresentation": 0,
        "PixelData": encapsulate([content.data]) if content.is_compressed else _even(content.data),
    }
    if content.aspect:
        values["PixelAspectRatio"] = list(content.aspect)
    if content.samples_per_pixel == 3:
        values["PlanarConfiguration"] = 0
        if content.icc_profile:
            values["ICCProfile"] = _even(content.icc_profile)
    if content.lossy:
        values["LossyImageCompression"] = "01"
        values["LossyImageCompressionMethod"] = content.lossy.method
        values["LossyImageCompressionRatio"] = f"{content.lossy.ratio:.2f}"
    return values


def _add(dataset: "Dataset", values: Mapping[str, Any]) -> None:
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    if "PixelData" in values:
        dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"


def _even(data: bytes) -> bytes:
    return data + b"\0" if len(data) % 2 else data
