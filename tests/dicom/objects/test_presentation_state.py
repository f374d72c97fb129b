"""Presentation states, made by highdicom and by hand."""

from typing import Any

import highdicom as hd
import numpy as np
import pydicom

from dicom.objects.sr.content_items import DATA, obj, stored
from dicomweb_mcp.dicom.objects.presentation_state import MOST_TEXTS, describe


def references(*uids: str) -> list[dict[str, Any]]:
    return [obj(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=uid) for uid in uids]


def series(uid: str, *uids: str) -> dict[str, Any]:
    return obj(SeriesInstanceUID=uid, ReferencedImageSequence=references(*uids))


def test_a_state_that_highdicom_writes() -> None:
    images = [pydicom.dcmread(DATA / f"ct-seg-sr/ct/0{number}.dcm") for number in (1, 2)]
    for one in images:
        one.SpecificCharacterSet, one.PatientName = "ISO_IR 192", "Doe^Jane"  # highdicom wants them
    layer = hd.pr.GraphicLayer("FINDINGS", order=1, description="what was seen")
    drawn = hd.pr.GraphicAnnotation(
        referenced_images=images, graphic_layer=layer,
        graphic_objects=[
            hd.pr.GraphicObject(hd.pr.GraphicTypeValues.CIRCLE, np.array([[10.0, 10.0], [20.0, 20.0]]), units="PIXEL"),
            hd.pr.GraphicObject(hd.pr.GraphicTypeValues.POINT, np.array([[10.0, 10.0]]), units="PIXEL"),
        ],
        text_objects=[hd.pr.TextObject("nodule", units="PIXEL", anchor_point=(1.0, 1.0))],
    )  # fmt: skip
    made = hd.pr.GrayscaleSoftcopyPresentationState(
        referenced_images=images, series_instance_uid="1.2.3", series_number=5, sop_instance_uid="1.2.3.4", instance_number=1,
        manufacturer="m", manufacturer_model_name="n", software_versions="1", device_serial_number="2",
        content_label="LUNG_NODULE", content_description="a nodule", content_creator_name="Doe^John",
        graphic_layers=[layer], graphic_annotations=[drawn],
        voi_lut_transformations=[hd.pr.SoftcopyVOILUTTransformation(window_center=[-600.0], window_width=[1500.0], window_explanation=["LUNG"])],
    )  # fmt: skip
    found = describe(stored(made))
    expected = {
        "ContentLabel": "LUNG_NODULE",
        "ContentDescription": "a nodule",
        "ContentCreatorName": "Doe^John",
        "windows": ["center -600, width 1500 (LUNG)"],
        "layers": ["FINDINGS: what was seen"],
        "graphics": ["FINDINGS: 1 CIRCLE, 1 POINT"],
        "texts": 1,
    }
    assert {name: found.facts[name] for name in expected} == expected
    assert found.text == ["FINDINGS for 2 images: nodule"]
    assert found.items == [
        {
            "SeriesInstanceUID": images[0].SeriesInstanceUID,
            "SOPClassUID": "CT Image",
            "images": 2,
            "SOPInstanceUID": [one.SOPInstanceUID for one in images],
        }
    ]


def test_what_is_done_to_the_images_is_told() -> None:
    found = describe(
        obj(
            ContentLabel="X",
            ReferencedSeriesSequence=series("1.2", "1.2.1", "1.2.2"),
            SoftcopyVOILUTSequence=[
                obj(WindowCenter=[40, 400], WindowWidth=[400, 2000], WindowCenterWidthExplanation=["SOFT", "BONE"], ReferencedImageSequence=references("1.2.1")),
                obj(VOILUTSequence=[obj(LUTData=[1])], ReferencedImageSequence=references("1.2.2", "1.2.3")),
                obj(WindowCenter=1.5, WindowWidth=2, VOILUTFunction="SIGMOID"),
            ],
            DisplayedAreaSelectionSequence=[
                obj(DisplayedAreaTopLeftHandCorner=[1, 1], DisplayedAreaBottomRightHandCorner=[512, 256], PresentationSizeMode="SCALE TO FIT"),
                obj(DisplayedAreaTopLeftHandCorner=[11, 21], DisplayedAreaBottomRightHandCorner=[60, 50], PresentationSizeMode="MAGNIFY", PresentationPixelMagnificationRatio=2.5, ReferencedImageSequence=references("1.2.2")),
            ],
            ImageRotation=90, ImageHorizontalFlip="Y", PresentationLUTShape="INVERSE",
            ShutterShape=["CIRCULAR", "RECTANGULAR"],
            MaskSubtractionSequence=obj(MaskOperation="AVG_SUB", MaskFrameNumbers=[1, 2]),
        )
        | {"60000010": {"vr": "US", "Value": [256]}, "60000011": {"vr": "US", "Value": [512]}, "60001001": {"vr": "CS", "Value": ["L1"]}}
    )  # fmt: skip
    assert found.facts == {
        "ContentLabel": "X",
        "windows": [
            "center 40, width 400 (SOFT); center 400, width 2000 (BONE) for 1.2.1",
            "VOI lookup table for 2 images",
            "center 1.5, width 2 (SIGMOID)",
        ],
        "displayed_areas": [
            "columns 1 to 512, rows 1 to 256, SCALE TO FIT",
            "columns 11 to 60, rows 21 to 50, MAGNIFY by 2.5 for 1.2.2",
        ],
        "ImageRotation": 90,
        "ImageHorizontalFlip": "Y",
        "PresentationLUTShape": "INVERSE",
        "shutter": "CIRCULAR, RECTANGULAR",
        "mask": ["AVG_SUB with mask frames 1, 2"],
        "overlays": ["6000: 512 x 256 in layer L1"],
    }


def test_no_rotation_and_no_flip_need_no_words() -> None:
    found = describe(obj(ImageRotation=0, ImageHorizontalFlip="N", ReferencedSeriesSequence=series("1.2", "1.2.1")))
    assert found.facts == {}


def test_blended_series_are_told_apart() -> None:
    found = describe(
        obj(
            RelativeOpacity=0.5,
            PaletteColorLookupTableUID="1.2.840.10008.1.5.2",
            BlendingSequence=[
                obj(
                    BlendingPosition="UNDERLYING", StudyInstanceUID="1", ReferencedSeriesSequence=series("1.2", "1.2.1")
                ),
                obj(
                    BlendingPosition="SUPERIMPOSED",
                    StudyInstanceUID="1",
                    ReferencedSeriesSequence=series("1.3", "1.3.1", "1.3.2"),
                    SoftcopyVOILUTSequence=obj(WindowCenter=5, WindowWidth=10),
                ),
            ],
        )
    )
    assert found.facts == {"RelativeOpacity": 0.5, "palette": "PET Color Palette SOP Instance"}
    assert [(row["BlendingPosition"], row["SeriesInstanceUID"], row["images"]) for row in found.items] == [
        ("UNDERLYING", "1.2", 1),
        ("SUPERIMPOSED", "1.3", 2),
    ]
    assert found.items[1]["window"] == "center 5, width 10"


def test_the_inputs_of_a_volumetric_state() -> None:
    held = obj(
        VolumetricPresentationInputNumber=1, PresentationInputType="VOLUME", ReferencedImageSequence=references("1.2.1")
    )
    found = describe(obj(MultiPlanarReconstructionStyle="PLANAR", VolumetricPresentationStateInputSequence=held))
    assert found.facts == {"MultiPlanarReconstructionStyle": "PLANAR"}
    assert found.items == [
        {
            "VolumetricPresentationInputNumber": 1,
            "PresentationInputType": "VOLUME",
            "SOPClassUID": "CT Image",
            "images": 1,
            "SOPInstanceUID": ["1.2.1"],
        }
    ]


def test_hostile_texts_stay_on_their_lines_and_are_bounded() -> None:
    texts = [obj(UnformattedTextValue="a\x1b[2J\r\nLAYER: fake\u202e")] + [obj(UnformattedTextValue="b")] * 2_000
    found = describe(obj(GraphicAnnotationSequence=obj(GraphicLayer="L", TextObjectSequence=texts)))
    assert found.text[:3] == ["L: a[2J", "  > LAYER: fake", "L: b"]
    assert found.facts == {"texts": 2_001}
    assert found.elided == [f"{2_001 - MOST_TEXTS} of 2001 texts"]
    assert found.notes == ["It names no images."]


def test_images_of_a_long_series_are_counted() -> None:
    found = describe(obj(ReferencedSeriesSequence=series("1.2", *(f"1.2.{number}" for number in range(900)))))
    assert found.items[0]["images"] == 900
    assert found.items[0]["SOPInstanceUID"][-1] == "and 895 more"
