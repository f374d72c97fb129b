"""The table of a slide."""

import json
from dataclasses import asdict
from typing import Any

from dicom.slide.slides import code, image, make, pyramid, recorded, slide
from dicomweb_mcp.dicom.slide import SlideTable, table

JPEG_BASELINE, EXPLICIT = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1"


def compact(found: SlideTable) -> str:
    return json.dumps(asdict(found), separators=(",", ":"))


def test_the_table_of_a_recorded_slide() -> None:
    found = table(slide(*recorded()))
    assert found.levels[0] == {
        "level": 0, "columns": 46336, "rows": 44288, "um_per_px": 0.2325, "magnification": 20, "tiles": "181 x 173",
        "tile_size": "256 x 256", "frames": 31313,
        "SOPInstanceUID": "1.3.6.1.4.1.5962.99.1.3510881361.982628633.1635598486609.8.0",
    }  # fmt: skip
    assert [(row["level"], row["um_per_px"], row["magnification"]) for row in found.levels] == [
        (0, 0.2325, 20), (1, 0.93, 5), (2, 3.72, 1.25), (3, 13.42, 0.347),
    ]  # fmt: skip
    assert found.paths == [
        {
            "OpticalPathIdentifier": "1",
            "illumination": "Brightfield illumination",
            "light": "Full Spectrum",
            "ICCProfile": "present",
        }
    ]
    assert found.planes == []
    assert found.facts == {
        "SpecimenIdentifier": "TCGA-05-4244-01Z",
        "SpecimenShortDescription": "FFPE HE DX1",
        "PrimaryAnatomicStructureSequence": "Lung (39607008, SCT)",
        "fixation": "Formalin (431510009, SCT)",
        "embedding": "Paraffin wax (311731000, SCT)",
        "stain": "hematoxylin stain (12710003, SCT), water soluble eosin stain (36879007, SCT)",
        "ContainerIdentifier": "TCGA-05-4244-01Z-00-DX1",
        "ImagedVolumeWidth": "10.77312 mm",
        "ImagedVolumeHeight": "10.29696 mm",
        "Manufacturer": "Leica Biosystems",
        "ManufacturerModelName": "Aperio converted by com.pixelmed.convert.TIFFToDicom",
        "origin_on_slide_mm": [0, 0],
        "ImageOrientationSlide": [0, -1, 0, -1, 0, 0],
        "ObjectiveLensPower": 20,
        "of_every_level": {"PhotometricInterpretation": "RGB", "lossy": True},
    }


def test_nine_levels_are_small() -> None:
    found = table(pyramid(*((102_400 >> at, 81_920 >> at) for at in range(9)), AvailableTransferSyntaxUID=JPEG_BASELINE,
                          LossyImageCompression="01"))  # fmt: skip
    assert len(found.levels) == 9
    assert found.facts["of_every_level"]["transfer_syntax"] == "JPEG Baseline (Process 1)"
    for row in found.levels:
        row["SOPInstanceUID"] = f"1.3.6.1.4.1.5962.99.1.3510881361.982628633.1635598486609.{row['level']}.0"
    assert len(compact(found)) < 2_300


def test_more_levels_than_any_slide_has() -> None:
    found = table(pyramid(*((5_000 - at, 4_000) for at in range(42))))
    assert [row["level"] for row in found.levels] == list(range(40))
    assert "2 more levels are not shown." in found.notes


def test_compressions_that_differ_stand_at_each_level() -> None:
    found = table(slide(
        image(4000, 3000, "1.1", AvailableTransferSyntaxUID=JPEG_BASELINE, PhotometricInterpretation="YBR_FULL_422", LossyImageCompression="01"),
        image(1000, 750, "1.2", AvailableTransferSyntaxUID=EXPLICIT, LossyImageCompression="00"),
        image(1000, 750, "1.3", AvailableTransferSyntaxUID=JPEG_BASELINE, LossyImageCompression="01"),
    ))  # fmt: skip
    assert [(row["transfer_syntax"], row["PhotometricInterpretation"], row["lossy"]) for row in found.levels] == [
        ("JPEG Baseline (Process 1)", "YBR_FULL_422", True),
        ("Explicit VR Little Endian, JPEG Baseline (Process 1)", "RGB", "partly"),
    ]
    assert found.levels[1]["SOPInstanceUID"] == ["1.2", "1.3"]


def test_a_concatenation_is_one_level() -> None:
    parts = [image(1000, 1000, f"1.{part}", NumberOfFrames=4, ConcatenationUID="1.2.9", InConcatenationNumber=part,
                   ConcatenationFrameOffsetNumber=4 * part - 4) for part in (1, 2, 3, 4)]  # fmt: skip
    (row,) = table(slide(*parts)).levels
    assert (row["frames"], row["tiles"], row["SOPInstanceUID"]) == (16, "4 x 4", ["1.1", "1.2", "1.3", "1.4"])


def test_planes_and_specimens() -> None:
    specimens = [make(SpecimenIdentifier=name, SpecimenPreparationSequence=[step]) for name, step in (
        ("A", preparation(("111701", "Processing type", "127790008", "Staining"), ("424361007", "Using substance", "C-1", "CD30"))),
        ("B", preparation(("111701", "Processing type", "433465004", "Sampling of tissue specimen"), ("111704", "Sampling Method", "S-1", "Block sectioning"))),
    )]  # fmt: skip
    found = table(pyramid((4000, 3000), planes=2, SpecimenDescriptionSequence=specimens))
    assert found.planes == [{"focal_plane": 1, "z_um": 0}, {"focal_plane": 2, "z_um": 2}]
    assert found.facts["specimens"] == [
        {"SpecimenIdentifier": "A", "stain": "CD30 (C-1, SCT)"},
        {"SpecimenIdentifier": "B", "preparation": "Sampling of tissue specimen (433465004, SCT): Sampling Method Block sectioning (S-1, SCT)"},
    ]  # fmt: skip
    assert "There are 2 specimens on the slide." in found.notes


def preparation(*contents: tuple[str, str, str, str]) -> Any:
    return make(SpecimenPreparationStepContentItemSequence=[
        make(ValueType="CODE", ConceptNameCodeSequence=[code(name, words)], ConceptCodeSequence=[code(value, meaning)])
        for name, words, value, meaning in contents
    ])  # fmt: skip


def test_what_is_left_out_is_counted() -> None:
    paths = tuple(f"p{number}" for number in range(45))
    shown = table(pyramid((512, 512), paths=paths, PhotometricInterpretation="MONOCHROME2", planes=42))
    assert (len(shown.paths), len(shown.planes)) == (40, 40)
    assert "5 more paths are not shown." in shown.notes
    assert "2 more planes are not shown." in shown.notes
