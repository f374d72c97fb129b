"""Spatial and deformable registrations and spatial fiducials (PS3.3 A.39.1, A.39.2, A.40; C.20.2, C.20.3, C.21.2)."""

import math
from typing import Any

from ..facts import filled, rounded, shared
from ..geometry import dot
from ..values import DicomJson, clean, items, text
from .attributes import MOST_ROWS, codes, reals, shown
from .description import Description
from .rt.contours import Malformed, contour_of

Matrix = list[float]  # 16 values, row by row

RIGID = 1e-3  # by which products of columns may differ from those of a rotation
SAME = 1e-6
STEPS = {
    "PreDeformationMatrixRegistrationSequence": "before the deformation",
    "PostDeformationMatrixRegistrationSequence": "after the deformation",
}


def describe(obj: DicomJson) -> Description:
    """What is registered to which frame of reference, with a row for each matrix, deformation grid or fiducial."""
    notes: list[str] = []
    table: list[dict[str, Any]] = []
    for read in (_spatial, _deformable, _fiducials):
        table += read(obj, notes)
    facts = shown(obj, "ContentLabel", "ContentDescription", "ContentDate", "ContentTime", "ContentCreatorName")
    facts |= shown(obj, "FrameOfReferenceUID")
    facts |= filled(all_rows=shared(table, keep=("FrameOfReferenceUID", "SourceFrameOfReferenceUID", "images")))
    more = len(table) - MOST_ROWS
    if items(obj, "RegistrationSequence"):
        notes.insert(0, "Each matrix maps positions of its row's frame of reference into that of the object.")
    return Description(
        facts=facts,
        items=table[:MOST_ROWS],
        notes=notes,
        elided=[f"{more:,} more matrices or fiducials."] if more > 0 else [],
    )


def _spatial(obj: DicomJson, notes: list[str]) -> list[dict[str, Any]]:
    table = []
    for item in items(obj, "RegistrationSequence"):
        row = _registered(item, "FrameOfReferenceUID")
        matrices = [
            row | _said(registration) | _transformation(matrix, notes)
            for registration in items(item, "MatrixRegistrationSequence")
            for matrix in items(registration, "MatrixSequence")
        ]
        table += matrices or [row | {"matrix": "none"}]
    return table


def _deformable(obj: DicomJson, notes: list[str]) -> list[dict[str, Any]]:
    table = []
    for item in items(obj, "DeformableRegistrationSequence"):
        row = _registered(item, "SourceFrameOfReferenceUID") | _said(item)
        for sequence, step in STEPS.items():
            table += [row | {"step": step} | _transformation(matrix, notes) for matrix in items(item, sequence)]
        for grid in items(item, "DeformableRegistrationGridSequence"):
            table.append(row | {"step": "deformation"} | _grid(grid))
        if not items(item, "DeformableRegistrationGridSequence"):
            notes.append("A registration has no deformation grid: it is rigid or affine, or the identity.")
            table.append(row)
    return table


def _fiducials(obj: DicomJson, notes: list[str]) -> list[dict[str, Any]]:
    table = []
    unplaced = 0
    for group in items(obj, "FiducialSetSequence"):
        row = _registered(group, "FrameOfReferenceUID")
        for item in items(group, "FiducialSequence"):
            fiducial = shown(item, "FiducialIdentifier", "FiducialDescription", "ShapeType")
            fiducial |= codes(item, "FiducialIdentifierCodeSequence")
            try:
                points = contour_of(item)
            except Malformed:
                unplaced += 1
            else:
                places = [points.x, points.y, points.z]
                fiducial |= (
                    {"point_mm": [rounded(axis[0]) for axis in places]} if len(points) == 1 else {"points": len(points)}
                )
            table.append(row | fiducial)
    if unplaced:
        notes.append(
            f"Fiducials without a position in the frame of reference (they may lie on an image): {unplaced:,}."
        )
    return table


def _registered(item: DicomJson, keyword: str) -> dict[str, Any]:
    """The frame of reference and the images that are registered."""
    return shown(item, keyword) | filled(images=len(items(item, "ReferencedImageSequence")) or None)


def _said(registration: DicomJson) -> dict[str, Any]:
    row = shown(registration, "FrameOfReferenceTransformationComment")
    row |= codes(registration, "RegistrationTypeCodeSequence")
    return row | filled(used_fiducials=len(items(registration, "UsedFiducialsSequence")) or None)


def _grid(grid: DicomJson) -> dict[str, Any]:
    dimensions, spacing = reals(grid, "GridDimensions", 3), reals(grid, "GridResolution", 3)
    return filled(
        grid=" x ".join(str(rounded(count)) for count in dimensions),
        grid_spacing_mm=" x ".join(str(rounded(part, 4)) for part in spacing),
    ) | shown(grid, "ImagePositionPatient", "ImageOrientationPatient")


def _transformation(item: DicomJson, notes: list[str]) -> dict[str, Any]:
    """A matrix in words: what it moves, turns and stretches."""
    declared = clean(text(item, "FrameOfReferenceTransformationMatrixType"), 40)
    row = filled(type=declared)
    matrix = reals(item, "FrameOfReferenceTransformationMatrix", 16)
    if not matrix:
        notes.append("Not conformant: a transformation matrix is missing or is not 16 numbers.")
        return row | {"matrix": "unreadable"}
    if any(abs(value - wanted) > SAME for value, wanted in zip(matrix[12:], (0, 0, 0, 1), strict=True)):
        notes.append("Not conformant: the last row of a matrix is not 0 0 0 1, so what it does is not worked out.")
        return row | {"matrix": _written(matrix, 4)}
    if all(abs(value - (index % 5 == 0)) < SAME for index, value in enumerate(matrix)):
        return row | {"matrix": "identity"}
    row |= {"translation_mm": [rounded(matrix[index]) for index in (3, 7, 11)]} | _turned(matrix, declared, notes)
    return row | {"matrix": _written(matrix, 3)}


def _turned(matrix: Matrix, declared: str, notes: list[str]) -> dict[str, Any]:
    """The scale along each axis and the rotation, where the matrix is made of these two; else only that it is not."""
    columns = [[matrix[row * 4 + column] for row in range(3)] for column in range(3)]
    lengths = [math.hypot(*column) for column in columns]
    scaled = any(abs(length - 1) > RIGID for length in lengths)
    if declared == "RIGID" and scaled:
        notes.append("Not conformant: a matrix is declared RIGID and stretches.")
    if min(lengths) < SAME:
        return {"linear_part": "singular"}
    units = [[part / length for part in column] for column, length in zip(columns, lengths, strict=True)]
    skewed = any(abs(dot(units[a], units[b])) > RIGID for a, b in ((0, 1), (1, 2), (0, 2)))
    mirrored = dot(_cross(units[0], units[1]), units[2]) < 0
    if skewed or mirrored:
        if declared.startswith("RIGID"):
            notes.append(f"Not conformant: a matrix is declared {declared} and {'mirrors' if mirrored else 'shears'}.")
        return {"linear_part": "mirrors" if mirrored else "shears"}
    return filled(scale=[rounded(length, 4) for length in lengths] if scaled else None) | _rotation(units)


def _rotation(columns: list[list[float]]) -> dict[str, Any]:
    """The angle of a rotation and its axis (right-handed), by the quaternion with the largest part taken first, which
    holds its digits at any angle."""
    (a, d, g), (b, e, h), (c, f, i) = columns
    squares = [1 + a + e + i, 1 + a - e - i, 1 - a + e - i, 1 - a - e + i]
    largest = max(range(4), key=squares.__getitem__)
    rows = (
        (squares[0], h - f, c - g, d - b),
        (h - f, squares[1], b + d, c + g),
        (c - g, b + d, squares[2], f + h),
        (d - b, c + g, f + h, squares[3]),
    )
    w, *axis = rows[largest]
    length = math.hypot(*axis)
    angle = math.degrees(2 * math.atan2(length, abs(w)))
    if round(angle, 2) == 0:
        return {}
    sign = -1 if w < 0 else 1
    return {"rotation_deg": rounded(angle), "rotation_axis": [rounded(sign * part / length, 3) for part in axis]}


def _cross(one: list[float], other: list[float]) -> list[float]:
    (a, b, c), (d, e, f) = one, other
    return [b * f - c * e, c * d - a * f, a * e - b * d]


def _written(matrix: Matrix, rows: int) -> str:
    """``1 0 0 12.5; 0 1 0 -3; 0 0 1 0``."""
    return "; ".join(" ".join(f"{value:.6g}" for value in matrix[row * 4 : row * 4 + 4]) for row in range(rows))
