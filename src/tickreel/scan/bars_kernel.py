"""The kernel that adds trades to bars."""

from tickreel.jit import kernel


@kernel
def add_trades(local_ns, price, amount, is_buy, every_ns, open_bar, done):
    """Add trades to the open bar; write bars that end to `done` and return how many.

    local_ns int64[n]; price, amount float64[n]; is_buy bool[n]
    open_bar, done  bars.BAR[1] and [n + 1 or more]; open_bar.trades 0 means that none is open
    """
    count = 0
    bar = open_bar[0]
    for row in range(local_ns.shape[0]):
        start = local_ns[row] // every_ns * every_ns
        if bar["trades"] > 0 and bar["start_ns"] != start:
            done[count] = bar
            count += 1
            bar["trades"] = 0
        if bar["trades"] == 0:
            bar["start_ns"] = start
            bar["open"] = bar["high"] = bar["low"] = price[row]
            bar["volume"] = bar["buy_volume"] = bar["notional"] = 0.0
        bar["high"] = max(bar["high"], price[row])
        bar["low"] = min(bar["low"], price[row])
        bar["close"] = price[row]
        bar["volume"] += amount[row]
        if is_buy[row]:
            bar["buy_volume"] += amount[row]
        bar["notional"] += price[row] * amount[row]
        bar["trades"] += 1
    return count
