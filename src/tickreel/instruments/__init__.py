"""Instruments: what a contract is, as of a date, and who says so; pure, without I/O.

    facts      the table of all facts, and what values each may have
    model      Fact, Instrument and Terms: facts with their source and their time
    venues     what exchange and symbol alone tell
    user_toml  the user's own file: text to facts
    money      the multiplier that makes quantity x price money, or why there is none

A fact that changes money is never derived from the data and never guessed: it is known for every
moment of a run, or the run is refused. Numbers are exact decimals.
"""

from tickreel.instruments.facts import FACTS
from tickreel.instruments.model import Fact, Instrument, Terms, dataset_symbol

__all__ = ["FACTS", "Fact", "Instrument", "Terms", "dataset_symbol"]
