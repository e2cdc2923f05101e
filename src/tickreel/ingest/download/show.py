"""What a download tells while it runs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # commands have this at hand, and the network not before they need it
    from tickreel.ingest.transport import Wait


class Show:
    """Tells nobody; a subclass shows it."""

    def plan(self, there: int, lacking: int) -> None:
        """So many days are in the store, so many are not."""

    def progress(self, days: int, *, fetched_bytes: int, rows: int, waits: "Wait | None") -> None:
        """So many days are dealt with, so much came, so many rows have been read; waits: what for just now."""

    def books(self, done: int, total: int) -> None:
        """So many order books' checkpoints are made."""
