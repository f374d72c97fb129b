"""Arguments that several commands share."""

import argparse
from collections.abc import Sequence

from ...errors import BadArgument

YES = "do not ask"


def add_archive(parser: argparse.ArgumentParser, name: str = "name", shown: str = "ARCHIVE") -> None:
    """An archive."""
    parser.add_argument(name, metavar=shown, help="a configured archive, by its name")


def add_uids(parser: argparse.ArgumentParser, *, instances: bool) -> None:
    """--study, --series and --instance, which may be repeated where several instances are meant."""
    parser.add_argument("--study", metavar="UID", help="StudyInstanceUID")
    parser.add_argument("--series", metavar="UID", help="SeriesInstanceUID; enough alone")
    if instances:
        parser.add_argument(
            "--instance", metavar="UID", action="append", default=[], help="SOPInstanceUID; may be repeated"
        )
    else:
        parser.add_argument("--instance", metavar="UID", help="SOPInstanceUID; enough alone")


def check_uids(options: argparse.Namespace) -> None:
    """Raises BadArgument when none was given: nobody means a whole archive."""
    if not (options.study or options.series or options.instance):
        raise BadArgument("Give --study, --series or --instance.")


def pairs(terms: Sequence[str]) -> dict[str, str | list[str]]:
    """``Keyword=value`` each; the values of one that is repeated as a list. Raises BadArgument."""
    found: dict[str, list[str]] = {}
    for term in terms:
        keyword, equals, value = term.partition("=")
        if not (keyword and equals):
            raise BadArgument(f"{term[:60]!r} is not Keyword=value.")
        found.setdefault(keyword, []).append(value)
    return {keyword: values[0] if len(values) == 1 else values for keyword, values in found.items()}


def listed(text: str) -> list[str]:
    """The parts of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(text: str) -> list[int]:
    """As ``listed``, of whole numbers from 1."""
    try:
        found = [int(part) for part in listed(text)]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers from 1, such as 1,2")
    return found
