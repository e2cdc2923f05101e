"""What a download tells while it runs."""


class Show:
    """Tells nobody; a subclass shows it."""

    def plan(self, there: int, lacking: int) -> None:
        """So many days are in the store, so many are not."""

    def progress(self, days: int, *, fetched_bytes: int, rows: int, waits_s: float) -> None:
        """So many days are dealt with, so much came, so many rows have been read.

        waits_s  for how long nothing is asked, because the provider wants it so
        """

    def books(self, done: int, total: int) -> None:
        """So many order books' checkpoints are made."""
