"""Strategies that come with tickreel, written as a user would; BUILT_IN is the table of them."""

BUILT_IN = {"momentum": "tickreel.strategies.momentum:Momentum"}
