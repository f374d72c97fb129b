"""Hand-computed cases."""

import pytest

from dicomweb_mcp.dicom.facts import amount, few, filled, first_few, ranges, rounded, shared, significant, span


def test_what_is_empty_is_left_out() -> None:
    assert filled(a=0, b=False, c="", d=None, e=[], f={}, g="x") == {"a": 0, "b": False, "g": "x"}


def test_what_all_rows_share_is_taken_out() -> None:
    table = [{"a": 1, "b": 2, "c": 3, "n": 0}, {"a": 1, "b": 5, "n": 0}]
    assert shared(table, keep=("n",)) == {"a": 1}
    assert table == [{"b": 2, "c": 3, "n": 0}, {"b": 5, "n": 0}]
    assert shared([{"a": 1}]) == {}


@pytest.mark.parametrize(("value", "short"), [(-0.001, "0"), (2.0, "2"), (2.345678, "2.35"), (-1.5, "-1.5")])
def test_rounded(value, short) -> None:
    assert str(rounded(value)) == short


@pytest.mark.parametrize(
    ("value", "short"), [(0, 0), (12345.6, 12300), (45.67, 45.7), (0.0078912, 0.00789), (999.9, 1000)]
)
def test_significant(value, short) -> None:
    assert significant(value) == short


def test_spans_and_lists() -> None:
    assert (span([3, -1.256, 2]), span([2.0, 2.001])) == ("-1.26..3", "2")
    assert (few([1, 2]), few(list(range(15)), 2)) == ("1, 2", "0, 1 and 13 more")


def test_a_list_is_cut_and_counted() -> None:
    assert first_few([1, 2], 2) == [1, 2]
    assert first_few(list(range(1_500)), 2) == [0, 1, "and 1,498 more"]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([], ""),
        ([4], "4"),
        ([7, 1, 2, 3, 2], "1-3, 7"),
        (range(0, 28, 2), "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22 and 2 more"),
    ],
)
def test_ranges(numbers, words) -> None:
    assert ranges(numbers) == words


def test_amounts() -> None:
    assert (amount(1, "image"), amount(3, "image"), amount(2, "series", "series")) == (
        "1 image",
        "3 images",
        "2 series",
    )
