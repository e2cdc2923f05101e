"""What a restart knows of the time before: every time without a recorder is a gap, whatever was killed, sealed or set."""

import contextlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from journal_sample import START, at
from recorder_sample import BEGAN, segments
from tickreel.ingest.record import journal_writer
from tickreel.units import NS_PER_DAY, NS_PER_S

ABSENT = "the recorder was not running"


class Killed(BaseException):
    """Ends a recorder in the middle of what it does."""


@pytest.mark.parametrize("writes", range(6))
def test_a_kill_within_the_first_commit_after_days_costs_no_gap(
    recorder: Any, place: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """The gaps of all days are durable before a message that follows them. writes: how many the commit gets done."""
    run = recorder(at(0))
    run.hear(at(1))
    run.feed.journal.close()
    later = START + 3 * NS_PER_DAY + 3_600 * NS_PER_S
    run = recorder(later)
    append, left = journal_writer._File.append, [None] * writes

    def write(file: Any, data: bytes) -> None:
        if not left:
            raise Killed
        left.pop()
        append(file, data)

    with monkeypatch.context() as patched, contextlib.suppress(Killed):
        patched.setattr(journal_writer._File, "append", write)
        run.hear(later + NS_PER_S)
        assert writes == 5
    run = recorder(later + 10 * NS_PER_S)
    run.hear(later + 12 * NS_PER_S)
    run.end()
    missing = [gap[:2] for _, gaps in segments(place).values() for gap in gaps]
    assert missing[0] == BEGAN[:2]
    assert missing[-1][1] == later + 12 * NS_PER_S
    assert all(gap[1] == following[0] for gap, following in pairwise(missing))
