"""What a provider's history gives of gaps, and which of them it is not asked for."""

from collections.abc import Sequence
from typing import Protocol

from tickreel.config import Profile
from tickreel.errors import UsageError
from tickreel.ingest.record.fill_rows import SLACK_NS
from tickreel.ingest.record.history_machine import MachineHistory
from tickreel.ingest.record.history_relay import RelayHistory, without_local
from tickreel.ingest.record.journal import GapNote, StreamInfo
from tickreel.ingest.record.record_file import Opened
from tickreel.ingest.transport import Client
from tickreel.units import NS_PER_US, format_duration

MOST_LAG_NS = SLACK_NS
"""Of a longer delay the declared and the true one may be further apart than rows are looked for beside a gap."""


class GapHistory(Protocol):
    """A provider's history, as gaps are filled from it."""

    def why_not(self, note: GapNote) -> str:
        """Say why it does not fill a gap; "" if it may."""

    def asked(self, note: GapNote) -> list[StreamInfo]:
        """Return what it is asked for a gap; a record's `stream` is a place in it."""

    def lags_ns(self, note: GapNote) -> dict[str, int]:
        """Return type -> declared delay, of what it is asked for and has no local times."""

    async def fetch(self, client: Client, note: GapNote, opened: Opened) -> None:
        """Write what it has of a gap, and a little around it, as records to a file.

        opened  called for each answer that begins anew
        Raises NetworkError and DiskError: then the file is none.
        """


def history_of(profile: Profile, lag_ns: int | None) -> GapHistory:
    """Return the history of a provider that is recorded. lag_ns: declared for rows without local times."""
    return RelayHistory(profile, lag_ns) if profile.kind == "relay" else MachineHistory()


def check_lag(lag_ns: int | None, feeds: Sequence[tuple[Profile, Sequence[StreamInfo]]]) -> None:
    """Raise UsageError for a delay that cannot be, or that no history of what is recorded needs."""
    if lag_ns is None:
        return
    said = f"--fill-lag {format_duration(lag_ns)}"
    if not 0 <= lag_ns <= MOST_LAG_NS or lag_ns % NS_PER_US:
        raise UsageError(f"{said}: whole microseconds, from 0 to {format_duration(MOST_LAG_NS)}")
    if not any(without_local(profile, streams) for profile, streams in feeds):
        names = ", ".join(profile.name for profile, _ in feeds)
        raise UsageError(
            f"{said}: it is for a history without local times, and none of what is recorded from {names} is filled"
            " from one; leave it out"
        )
