"""``dicomweb-mcp search``: what search_studies, list_series and list_instances answer."""

import argparse

from ...dicom.query import Query
from ...dicom.rules import Level
from ...errors import BadArgument
from ...services.app import App
from ...services.items import Report
from ...services.search import search
from ...settings import Settings
from ...tools.answers import ListAnswer
from ...tools.lists import list_answer
from .arguments import add_archive, listed, pairs
from .running import carry_out, show
from .status import Status

DESCRIPTION = """Find studies, series or instances of an archive.

  dicomweb-mcp search pacs PatientID=P-17 StudyDate=2023
  dicomweb-mcp search pacs series --study 1.2.3 Modality=CT Modality=PT --fields SeriesDescription"""
INTERRUPTED = ""
LEVELS = {level.plural: level for level in Level}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to find, and how to show it."""
    add_archive(parser)
    add = parser.add_argument
    add("terms", nargs="*", metavar="[studies|series|instances] Keyword=value",
        help="studies if left out; a keyword that is repeated means any of its values")  # fmt: skip
    add("--study", metavar="UID", help="series or instances of this study")
    add("--series", metavar="UID", help="instances of this series")
    add("--fields", type=listed, metavar="A,B", help="attributes to show, in place of the usual ones")
    add("--limit", type=int, default=25, metavar="N", help="rows; 25 if left out")
    add("--offset", type=int, default=0, metavar="N", help="rows to skip: the next_offset of the answer before")
    add("--order", metavar="KEYWORD", help="sort by it; --order=-KEYWORD for descending")
    add("--count", action="store_true", help="only the number of matches")
    add("--fuzzy", action="store_true", help="person names: any part, any order, without accents")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Search, and print what was found."""
    query = _query(options)

    async def work(app: App, _: Report) -> ListAnswer:
        archive = app.archive(options.name)
        found = await search(archive, query, limit=options.limit, offset=options.offset, count=options.count)
        return list_answer(archive.name, found, fields_given=query.fields is not None)

    show(carry_out(settings, work), as_json=options.json)
    return Status.WELL


def _query(options: argparse.Namespace) -> Query:
    terms: list[str] = options.terms
    level = LEVELS.get(terms[0]) if terms else None
    filters = pairs(terms[1:] if level else terms)
    level = level or Level.STUDY
    if (options.study and level is Level.STUDY) or (options.series and level is not Level.INSTANCE):
        raise BadArgument("--study is for series and instances, --series for instances: name what to search first.")
    return Query(
        level,
        study_uid=options.study,
        series_uid=options.series,
        filters=filters or None,
        fields=options.fields,
        order=options.order,
        fuzzy=options.fuzzy,
    )
