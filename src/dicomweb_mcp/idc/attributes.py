"""What a cohort can be filtered and grouped by: arguments of ``search_idc`` -> columns of the index."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .spelling import bare_name, without_version


@dataclass(frozen=True)
class Attribute:
    """One argument whose values are those that exist.

    ``is_list``: a cell holds several values, with commas between. ``may_be_empty``: no value says something too:
    original data are no analysis result. ``of_collections``: a column of
    ``collections_index``, which says it of a whole collection. ``means``: other words for a value; ``names``: a query
    for more of them (``name``, ``value``). ``bare``: a value without what does not tell it from others of its kind.
    """

    argument: str
    column: str
    is_list: bool = False
    may_be_empty: bool = False
    of_collections: bool = False
    means: Mapping[str, str] = field(default_factory=dict)
    names: str = ""
    bare: Callable[[str], str] | None = None


# PS3.3 C.7.3.1.1.1 has the names; where a word fits several modalities it is not here
_MODALITIES = {
    "MRI": "MR", "magnetic resonance": "MR", "computed tomography": "CT", "PET": "PT",
    "positron emission tomography": "PT", "slide microscopy": "SM", "pathology": "SM", "histopathology": "SM",
    "whole slide image": "SM", "WSI": "SM", "mammography": "MG", "ultrasound": "US", "computed radiography": "CR",
    "digital radiography": "DX", "segmentation": "SEG", "structure set": "RTSTRUCT", "structured report": "SR",
    "annotation": "ANN",
}  # fmt: skip
_SYNTAX_NAMES = """
SELECT DISTINCT transfer_syntax_name AS name, TransferSyntaxUID AS value FROM index
WHERE NOT contains(TransferSyntaxUID, ',') AND transfer_syntax_name <> ''
"""

ATTRIBUTES: Mapping[str, Attribute] = {
    attribute.argument: attribute
    for attribute in (
        Attribute(
            "collection",
            "collection_id",
            names="SELECT collection_name AS name, collection_id AS value FROM collections_index",
        ),
        Attribute(
            "analysis_result",
            "analysis_result_id",
            may_be_empty=True,
            names="SELECT analysis_result_title AS name, analysis_result_id AS value FROM analysis_results_index",
        ),
        Attribute("modality", "Modality", means=_MODALITIES),
        Attribute("body_part", "BodyPartExamined"),
        Attribute("manufacturer", "Manufacturer", bare=bare_name),
        Attribute("model", "ManufacturerModelName"),
        Attribute("sex", "PatientSex", means={"female": "F", "male": "M", "other": "O"}),
        Attribute("license", "license_short_name", bare=without_version),
        Attribute("transfer_syntax", "TransferSyntaxUID", is_list=True, names=_SYNTAX_NAMES),
        Attribute("cancer_type", "cancer_types", is_list=True, of_collections=True),
        Attribute("tumor_location", "tumor_locations", is_list=True, of_collections=True),
        Attribute("species", "species", is_list=True, of_collections=True),
    )
}

# group_by -> what is grouped, as SQL over the index
GROUPS: Mapping[str, str] = {
    "collection": "collection_id",
    "analysis_result": "analysis_result_id",
    "modality": "Modality",
    "body_part": "BodyPartExamined",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "sex": "PatientSex",
    "license": "license_short_name",
    "transfer_syntax": "transfer_syntax_name",
    "sop_class": "sop_class_name",
    "bucket": "aws_bucket",
    "derived": "CASE WHEN analysis_result_id IS NULL THEN 'original' ELSE 'derived' END",
    "year": "substr(StudyDate, 1, 4)",
    "release": "'v' || series_init_idc_version",
    "patient": "PatientID",
    "study": "StudyInstanceUID",
}
SPELLED = ("body_part", "manufacturer", "model")  # groups of these join what is spelled differently

DEFAULT_FIELDS = (
    "collection_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesDescription",
    "BodyPartExamined", "StudyDate", "instanceCount", "series_size_MB", "analysis_result_id", "license_short_name",
    "Manufacturer",
)  # fmt: skip
OF_A_UID = (*DEFAULT_FIELDS, "series_init_idc_version", "series_revised_idc_version", "aws_bucket")
IDENTIFYING = DEFAULT_FIELDS[:4]  # every row has these
