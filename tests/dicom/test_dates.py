from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.dicom.dates import date_range, date_time_range, time_range
from dicomweb_mcp.errors import BadArgument


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("20200115", "20200115", "20200115"),
        ("2020-01-15", "20200115", "20200115"),
        ("2020/1/5", "20200105", "20200105"),
        ("2020.01.15", "20200115", "20200115"),
        ("15 Jan 2020", "20200115", "20200115"),
        ("January 15, 2020", "20200115", "20200115"),
        ("Feb 2020", "20200201", "20200229"),
        ("2020-02", "20200201", "20200229"),
        ("2021", "20210101", "20211231"),
        ("2020-01-15..2020-02-01", "20200115", "20200201"),
        ("2020-01-15 to 2020-02-01", "20200115", "20200201"),
        ("20200115-20200201", "20200115", "20200201"),
        ("2019-2020", "20190101", "20201231"),
        ("20200115-", "20200115", ""),
        ("-20200115", "", "20200115"),
        ("2020-01-15..", "20200115", ""),
        ("..2020", "", "20201231"),
        (">=2020-01-15", "20200115", ""),
        (">2020-01-15", "20200116", ""),
        (">2020", "20210101", ""),
        ("<2021", "", "20201231"),
        ("<= 2021", "", "20211231"),
    ],
)
def test_dates_as_people_write_them(written: str, first: str, last: str) -> None:
    assert date_range(written) == (first, last)


@pytest.mark.parametrize(
    "written",
    ["01/02/2020", "2020-02-30", "20201301", "yesterday", "..", "-", "2021..2020", "2020-13", "12 Foo 2020", "1",
     "9999-12-31..0001", "32 Jan 2020", "00000000", "2020-01-15-2020-02-01-x", "2020-01-15T10:00"],
)  # fmt: skip
def test_what_has_no_one_meaning_is_refused(written: str) -> None:
    with pytest.raises(BadArgument, match="Write 2020-01-15"):
        date_range(written)


@given(st.dates(date(1900, 1, 2), date(2200, 1, 1)), st.dates(date(1900, 1, 2), date(2200, 1, 1)))
def test_ranges_hold_both_ends(one: date, other: date) -> None:
    low, high = sorted((one, other))
    assert date_range(f"{low}..{high}") == (f"{low:%Y%m%d}", f"{high:%Y%m%d}")
    assert date_range(f"<{low}") == ("", f"{low - timedelta(days=1):%Y%m%d}")


@given(st.text(max_size=40))
def test_any_text_is_a_range_or_a_clear_refusal(written: str) -> None:
    try:
        first, last = date_range(written)
    except BadArgument:
        return
    assert first or last
    assert all(end == "" or (len(end) == 8 and end.isdigit()) for end in (first, last))


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("13:05", "130500", "130559.999999"),
        ("130530", "130530", "130530.999999"),
        ("08:00..12:30", "080000", "123059.999999"),
        ("0800-1230", "080000", "123059.999999"),
        (">=08", "080000", ""),
        ("<=12", "", "125959.999999"),
        ("13:05:30.25", "130530.25", "130530.259999"),
    ],
)
def test_times(written: str, first: str, last: str) -> None:
    assert time_range(written) == (first, last)


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2020", "20200101", "20201231235959.999999"),
        ("2020-01-15T10:30", "20200115103000", "20200115103059.999999"),
        ("2004-01-19T07:27:30.5+0100", "20040119072730.5", "20040119072730.599999"),
        ("20040119072730", "20040119072730", "20040119072730.999999"),
        (">=2020-01-15T10:30", "20200115103000", ""),
        ("2020-01-15T10:00..2020-01-16", "20200115100000", "20200116235959.999999"),
        ("..2020-01-15T10", "", "20200115105959.999999"),
        (">2020", "20210101", ""),
        ("2020-01-15 10:30", "20200115103000", "20200115103059.999999"),
        ("20200115120000..20200115190000", "20200115120000", "20200115190000.999999"),
        ("Oct 2020", "20201001", "20201031235959.999999"),
        ("2020-01 to 2020-03", "20200101", "20200331235959.999999"),
    ],
)
def test_dates_with_times(written: str, first: str, last: str) -> None:
    assert date_time_range(written) == (first, last)


@pytest.mark.parametrize(
    "written",
    [
        "2020T10:00",
        ">2020-01-15T10:00",
        "2020-01-15T25:00",
        "T10:00",
        "20200115999999",
        "2020-06-01T10:00..2020-01-01T10:00",
        "2020011510-2021",
    ],
)
def test_date_times_that_are_refused(written: str) -> None:
    with pytest.raises(BadArgument):
        date_time_range(written)


@pytest.mark.parametrize("written", ["25:00", "noon", "12:61", "..", "13:00..12:00", "1", "١٣:٠٥"])
def test_what_is_no_time_is_refused(written: str) -> None:
    with pytest.raises(BadArgument, match="Write 13:05"):
        time_range(written)
