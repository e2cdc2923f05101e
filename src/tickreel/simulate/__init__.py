"""Simulation: events in, orders and fills and equity out; one engine for every strategy.

    strategy         what a user writes
    context          ctx: what a strategy sees and does (context_kernel tells numba)
    records          the records that kernels carry from block to block
    engine_kernel    the loop: clocks, venue, account, callbacks
    matching_kernel  what an order meets, what a fill posts
    money_kernel     exact money
    check, mistakes  a strategy's text, before it is compiled: names, and what would mean something else
    reach, compile   a strategy class to an engine in machine code
    remake           functions of the user's made anew, with all that they call
    interpret        the same engine as plain Python, which computes as machine code does
    explain          an error of the compiler as a line of the user's
    account          AccountRun: feeds blocks to the engine, hands out what it writes
    sets             SetRuns: the same for many parameter sets, one pass over the rows
    sets_kernel      its loop

docs/SEMANTICS.md states every rule with a number. Block size, restart point and compilation
change no result.
"""
