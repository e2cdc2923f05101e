"""Strategies: those that come with tickreel, written as a user would, and how a user's are found again.

    BUILT_IN  the table of those that come with it
    load      text or class -> StrategyRef -> class, in any process
    fresh     a user's file, run as it is on disk now
    handing   a class of memory as plain data, and back

Text is read from disk, a class is taken from memory, for every run anew; the same code in every worker.
"""

BUILT_IN = {"momentum": "tickreel.strategies.momentum:Momentum"}
