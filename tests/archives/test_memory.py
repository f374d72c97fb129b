"""The memory of what was read: what it keeps, for how long, and how much that is."""

import os
import tracemalloc
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from dicomweb_mcp.archives.base import Frame, Place
from dicomweb_mcp.archives.memory import EACH, LARGEST, Memory

MOST = 20 * EACH
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["keep", "recall", "forget", "wait"]), st.integers(0, 9), st.integers(0, MOST // LARGEST)
    ),
    max_size=60,
)


@given(STEPS)
@example([("keep", nth, 4 * EACH) for nth in range(4)] + [("recall", 0, 0), ("keep", 4, 0), ("recall", 0, 0)])
def test_it_is_a_bounded_dictionary_of_what_was_used_last(steps: list[tuple[str, int, int]]) -> None:
    """Held against a plain list of everything, newest last."""
    now = 0.0
    memory = Memory(300, MOST, lambda: now)
    kept: list[tuple[int, int, float, object]] = []  # key, size, until, thing
    for what, nth, size in steps:
        key = memory.key("odd" if nth % 2 else "even", nth)
        if what == "keep":
            thing = object()
            memory.keep(key, thing, size)
            kept = [one for one in kept if one[0] != nth]
            if size + EACH <= MOST // LARGEST:
                kept.append((nth, size + EACH, now + 300, thing))
            while sum(one[1] for one in kept) > MOST:
                kept.pop(0)
        elif what == "recall":
            kept = [one for one in kept if one[0] != nth or one[2] > now]
            found = [one for one in kept if one[0] == nth]
            assert memory.recall(key) is (found[0][3] if found else None)
            kept = [one for one in kept if one[0] != nth] + found
        elif what == "forget":
            memory.forget("odd" if nth % 2 else "even")
            kept = [one for one in kept if one[0] % 2 != nth % 2]
        else:
            now += size / 100
        assert memory.size == sum(one[1] for one in kept) <= MOST


def test_what_it_says_that_it_takes_is_no_less_than_what_python_takes() -> None:
    """Small things, because those cost most besides their bytes."""
    memory = Memory(300, 1_000_000)
    root = "1.3.6.1.4.1.14519.5.2.1.1706.8040.1234567890123456789012345678"
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(2_000):
            place = Place(f"{root}{number:04}", f"{root}{number + 1:04}", f"{root}{number + 2:04}")
            frame = Frame(number, os.urandom(500), f"1.2.840.10008.1.2.4.{number}")
            memory.keep(memory.key("pacs", "frame", place, number), frame, len(frame.data))
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 500_000 < memory.size <= 1_000_000
    assert 200_000 < taken <= memory.size


def test_what_was_of_no_use_is_forgotten_alone() -> None:
    memory = Memory(300)
    one, other = Place("1", "2", "3"), Place("1", "2", "4")
    keys = [memory.key(name, "frame", place, 1) for name in ("pacs", "mine") for place in (one, other)]
    for key in keys:
        memory.keep(key, b"x", 1)
    memory.forget("pacs", Place("1", "2", "3"))
    assert [memory.recall(key) for key in keys] == [None, b"x", b"x", b"x"]


def test_what_was_asked_before_the_archive_was_forgotten_is_not_kept_after_it() -> None:
    memory = Memory(300)
    asked: Any = memory.key("pacs", "frame", 1), memory.key("other", "frame", 1)
    memory.forget("pacs")
    for key in asked:
        memory.keep(key, b"old", 3)
    assert memory.recall(memory.key("pacs", "frame", 1)) is None
    assert memory.recall(memory.key("other", "frame", 1)) == b"old"
