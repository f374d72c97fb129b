"""Every accepted way to write a date means the days that datetime says, and nothing else is accepted."""

import calendar
import re
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dicomweb_mcp.dicom.dates import date_range, date_time_range, time_range
from dicomweb_mcp.errors import BadArgument

DAY = timedelta(days=1)
DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
TIMES = st.times()


def compact(day: date) -> str:
    return day.isoformat().replace("-", "")


def ways_to_write(day: date) -> list[str]:
    month, year = calendar.month_name[day.month], f"{day.year:04}"
    return [
        compact(day), day.isoformat(), f"{year}/{day.month}/{day.day}", f"{year}.{day.month:02}.{day.day:02}",
        f"{day.day} {month} {year}", f"{day.day}. {month[:3].upper()} {year}", f"{month} {day.day}, {year}",
        f"{month[:3].lower()}. {day.day} {year}", f"  {day.isoformat()} ",
    ]  # fmt: skip


@given(DAYS)
def test_every_way_to_write_a_day_is_that_day(day: date) -> None:
    for written in ways_to_write(day):
        assert date_range(written) == (compact(day), compact(day)), written


@given(DAYS)
def test_months_and_years_end_when_the_calendar_says(day: date) -> None:
    last = calendar.monthrange(day.year, day.month)[1]
    year, month = f"{day.year:04}", f"{day.year:04}{day.month:02}"
    for written in (f"{year}-{day.month:02}", f"{year}/{day.month}", f"{calendar.month_name[day.month]} {year}"):
        assert date_range(written) == (f"{month}01", f"{month}{last}"), written
    assert date_range(year) == (f"{year}0101", f"{year}1231")


@given(DAYS, DAYS, st.data())
def test_ranges_of_any_two_ways(one: date, other: date, data: st.DataObject) -> None:
    low, high = sorted((one, other))
    first, last = (data.draw(st.sampled_from(ways_to_write(day))) for day in (low, high))
    for written in (f"{first}..{last}", f"{first} to {last}", f"{first} until {last}"):
        assert date_range(written) == (compact(low), compact(high)), written
    assert date_range(f">={first}") == date_range(f"{first}..") == (compact(low), "")
    assert date_range(f"<={first}") == date_range(f"..{first}") == ("", compact(low))
    if low < high:
        with pytest.raises(BadArgument, match="ends before it begins"):
            date_range(f"{last}..{first}")


@given(DAYS)
@example(date(1, 1, 1))
@example(date(9999, 12, 31))
def test_before_and_after_leave_the_day_out(day: date) -> None:
    for sign, there, beyond in (("<", date.min, -DAY), (">", date.max, DAY)):
        if day == there:
            with pytest.raises(BadArgument, match="No day lies beyond"):
                date_range(f"{sign}{day}")
        else:
            expected = compact(day + beyond)
            assert date_range(f"{sign}{day}") == (("", expected) if sign == "<" else (expected, ""))


@given(DAYS, DAYS, st.sampled_from(["{0}", "{0}..{1}", "{0}..", "..{1}", "<{1}", ">={0}"]))
def test_what_comes_out_can_be_written_again(one: date, other: date, form: str) -> None:
    """As DICOM writes it, PS3.4 C.2.2.2.5, and as people do."""
    assume(one < other)
    first, last = date_range(form.format(one, other))
    assert date_range(f"{first}..{last}") == (first, last)
    assert date_range(f"{first}-{last}") == (first, last)


NUMBERS = st.integers(0, 99)


@given(st.integers(0, 9999), NUMBERS, NUMBERS, st.sampled_from(["{:04}{:02}{:02}", "{:04}-{:02}-{:02}", "{:04}.{}.{}"]))
def test_days_that_no_calendar_has_are_refused(year: int, month: int, day: int, form: str) -> None:
    written = form.format(year, month, day)
    try:
        expected = compact(date(year, month, day))
    except ValueError:
        with pytest.raises(BadArgument, match=r"There is no date.*Write 2020-01-15"):
            date_range(written)
    else:
        assert date_range(written) == (expected, expected)


ALMOST = st.text("0123456789-/.:<>=TtZ +,JanuryFebMch to", max_size=24)


@given(st.one_of(ALMOST, st.text(max_size=24)))
@example("1-")
@example("²020")
@example("２０２０")
def test_any_text_is_refused_or_an_interval(written: str) -> None:
    """Each end is a day of the calendar and its instants, in order; nothing but BadArgument is raised."""
    for parse, form in ((date_range, "%Y%m%d"), (date_time_range, "%Y%m%d%H%M%S.%f")):
        try:
            ends = parse(written)
        except BadArgument as refusal:
            said = str(refusal)
            assert len(said) < 300
            continue
        assert any(ends)
        moments = [datetime.strptime(_whole(end, form), form) for end in ends if end]
        assert moments == sorted(moments)
        assert re.search("[0-9]{4}", written, re.ASCII), "a year is needed"


def _whole(end: str, form: str) -> str:
    """The end of an interval with what an instant leaves out: DT may stop after the day."""
    if form == "%Y%m%d":
        return end
    day, _, fraction = end.partition(".")
    return f"{day.ljust(14, '0')}.{fraction or '0'}"


# ---- times ---------------------------------------------------------------------------------------------------------


def instants(clock: time, precision: int) -> tuple[str, str]:
    """The first and last instant of an hour (0), minute (1), second (2) or of a fraction of six digits (3)."""
    first = [clock.replace(minute=0, second=0), clock.replace(second=0), clock, clock][precision]
    last = [clock.replace(minute=59, second=59), clock.replace(second=59), clock, clock][precision]
    if precision == 3:
        return first.strftime("%H%M%S.%f"), last.strftime("%H%M%S.%f")
    return first.strftime("%H%M%S"), last.replace(microsecond=999_999).strftime("%H%M%S.%f")


FORMS = (("%H",), ("%H:%M", "%H%M"), ("%H:%M:%S", "%H%M%S"), ("%H:%M:%S.%f", "%H%M%S.%f"))


@given(TIMES, st.integers(0, 3))
def test_every_way_to_write_a_time_is_its_instants(clock: time, precision: int) -> None:
    for form in FORMS[precision]:
        assert time_range(clock.strftime(form)) == instants(clock, precision)


@given(TIMES, TIMES, st.integers(0, 3), st.integers(0, 3))
def test_ranges_of_times(one: time, other: time, precision: int, precision_of_other: int) -> None:
    low, high = sorted((one, other))
    first, last = low.strftime(FORMS[precision][-1]), high.strftime(FORMS[precision_of_other][-1])
    begin, end = instants(low, precision)[0], instants(high, precision_of_other)[1]
    for written in (f"{first}..{last}", f"{first}-{last}", f"{first} to {last}"):
        assert time_range(written) == (begin, end)
    assert time_range(f">={first}") == time_range(f"{first}-") == (begin, "")
    assert time_range(f"<={last}") == time_range(f"-{last}") == ("", end)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_times_that_no_clock_shows_are_refused(hours: int, minutes: int, seconds: int) -> None:
    """A leap second is a time, PS3.5 6.2."""
    written = f"{hours:02}:{minutes:02}:{seconds:02}"
    if hours < 24 and minutes < 60 and seconds <= 60:
        assert time_range(written)[0] == written.replace(":", "")
    else:
        with pytest.raises(BadArgument, match="is not a time"):
            time_range(written)


@given(st.one_of(ALMOST, st.text(max_size=20)))
def test_any_text_is_refused_or_a_range_of_times(written: str) -> None:
    try:
        ends = time_range(written)
    except BadArgument:
        return
    assert any(ends)
    assert all(re.fullmatch(r"|([01]\d|2[0-3])[0-5]\d([0-5]\d|60)(\.\d{1,6})?", end, re.ASCII) for end in ends)


@given(DAYS, TIMES, st.integers(0, 3), st.sampled_from(["{}T{}", "{} {}"]), st.sampled_from(["", "+0100", "-05:30"]))
def test_a_day_with_a_time(day: date, clock: time, precision: int, form: str, offset: str) -> None:
    begin, end = instants(clock, precision)
    expected = compact(day) + begin, compact(day) + end
    assert date_time_range(form.format(day, clock.strftime(FORMS[precision][0])) + offset) == expected
    if precision:
        assert date_time_range(compact(day) + clock.strftime(FORMS[precision][1]) + offset) == expected
