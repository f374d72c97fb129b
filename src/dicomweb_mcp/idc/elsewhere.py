"""What the index does not hold, and where it is: tables that the package only describes, and their columns."""

from difflib import get_close_matches

from .wheel import Column, Table, tables

IDC_SERVER = "IDC's own MCP server (https://api.imaging.datacommons.cancer.gov/mcp)"
OF_SERIES = "for given series, get_metadata reads it from the images"
OF_SLIDES = "for given slides, describe_slide reads it from the images"
OF_OBJECTS = "for given series, describe_object reads it from the objects"
ANSWERED_BY = {
    "ct_index": OF_SERIES,
    "mr_index": OF_SERIES,
    "pt_index": OF_SERIES,
    "contrast_index": OF_SERIES,
    "volume_geometry_index": "for given series, get_metadata computes the geometry",
    "sm_index": OF_SLIDES,
    "sm_instance_index": OF_SLIDES,
    "seg_index": OF_OBJECTS,
    "rtstruct_index": OF_OBJECTS,
    "ann_index": OF_OBJECTS,
    "ann_group_index": OF_OBJECTS,
}
"""Which tool of this server tells the same of given series; none for what DICOM objects do not say."""
LONGEST_DESCRIPTION = 160
IDC_NAME = "idc_index"  # what the package and IDC's own examples call the main table


def unknown_table(name: str) -> str:
    """What to do about a table that is not there."""
    there = [table.name for table in tables().values() if table.path]
    described = tables().get(name.casefold())
    if described is not None:
        return (
            f"The table {described.name} is not in the offline index. {_where(described)} Here are: {', '.join(there)}."
        )
    if name.casefold() == IDC_NAME:
        return f"The table {IDC_NAME} is called index here. There are: {', '.join(there)}."
    near = get_close_matches(name.casefold(), there, n=len(there), cutoff=0.5)
    ordered = [*near, *(other for other in there if other not in near)]
    return f"There is no table {name[:60]!r}. There are: {', '.join(ordered)}."


def unknown_column(name: str, used: list[str]) -> str:
    """What to do about a column that none of the tables used has."""
    has = [table for table in tables().values() if name.casefold() in _by_folded(table)]
    here = [table.name for table in has if table.path]
    if here:
        return f"No column {name!r} where it is used; it is in: {', '.join(here)}."
    if has:
        return f"No column {name!r} in the offline index; it is in {has[0].name}. {_where(has[0])}"
    if not used:
        used = [table.name for table in tables().values() if table.path]
    lines = [f"No column {name[:60]!r} where it is used."]
    for table in (tables()[table] for table in used):
        columns = _by_folded(table)
        near = get_close_matches(name.casefold(), columns, n=3, cutoff=0.5)
        shown = "; ".join(_described(columns[one]) for one in near) or f"columns {', '.join(table.columns)}"
        lines.append(f"{table.name}: {shown}.")
    return " ".join(lines)


def _where(table: Table) -> str:
    here = ANSWERED_BY.get(table.name)
    return f"{IDC_SERVER} has it{f'; {here}' if here else ''}."


def _by_folded(table: Table) -> dict[str, Column]:
    return {column.name.casefold(): column for column in table.columns.values()}


def _described(column: Column) -> str:
    text = " ".join(column.description.split())
    return f"{column.name} ({column.type}: {text[:LONGEST_DESCRIPTION]})"
