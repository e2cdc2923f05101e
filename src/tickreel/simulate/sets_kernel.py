"""The loop of a sweep: some rows through the engine for every parameter set, while they are in the cache.

A plain function: `compile.build_sets` puts a strategy's engine in the place of `run` and compiles both.
"""

from tickreel.simulate.engine_kernel import run
from tickreel.simulate.records import GOING, MAX_ORDERS, NO_ROOM, World

ELSEWHERE = -1
"""In `at`: a set that this loop does not play."""


def run_sets(states, worlds, rows, bounds, at, current):
    """Play rows[at[k]:] for every set k of which at[k] is not ELSEWHERE; at[k] is moved on.

    states   the strategy's record of each set, in an array
    worlds   records.World of all sets, one after the other; outputs and limbs are shared and overwritten
    rows     records.Rows; bounds as in `run`
    at       int64[sets]
    current  int64[1], the set at hand: of whom an exception speaks
    A set that needs more than room in its outputs stops early, with its account.status set.
    """
    stop = rows.local_ns.shape[0]
    for k in range(at.shape[0]):
        if at[k] == ELSEWHERE:
            continue
        current[0] = k
        world = world_of(worlds, k, at.shape[0])
        account = world.account[0]
        while at[k] < stop:
            account.orders_out = account.fills_out = account.postings_out = 0
            at[k] = run(states[k : k + 1], world, rows, bounds, at[k], stop, True)
            if account.status != GOING:
                if account.status != NO_ROOM or account.answers + 2 * MAX_ORDERS > world.answers.shape[0]:
                    break
                account.status = GOING


def world_of(worlds, k, sets):
    """Return the part of set k."""
    orders, answers = worlds.orders.shape[0] // sets, worlds.answers.shape[0] // sets
    samples = worlds.samples.shape[0] // sets
    return World(
        worlds.account[k : k + 1],
        worlds.instruments[k : k + 1],
        worlds.orders[k * orders : (k + 1) * orders],
        worlds.answers[k * answers : (k + 1) * answers],
        worlds.orders_out,
        worlds.fills_out,
        worlds.postings_out,
        worlds.samples[k * samples : (k + 1) * samples],
        worlds.limbs,
    )
