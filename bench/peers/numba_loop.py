"""The momentum loop in numba, with floats for money, over arrays in RAM: once for each parameter set."""

import numba
import numpy as np


@numba.njit(nogil=True, error_model="numpy", cache=True)
def momentum_sets(price, local_ns, thresholds, fraction, capital, fee, equity):
    """Write into equity[k] what is left at the end with thresholds[k].

    An order fills whole at the first trade of a later local time; drawdown is taken at every trade.
    """
    deepest = 0.0
    for k in range(thresholds.shape[0]):
        up, down = 1.0 + thresholds[k], 1.0 - thresholds[k]
        cash, position, last, peak = capital, 0.0, 0.0, capital
        sent_ns, side, quantity, now = np.int64(-1), 0.0, 0.0, 0.0
        for row in range(price.shape[0]):
            traded = price[row]
            if sent_ns >= 0 and local_ns[row] > sent_ns:
                value = quantity * traded
                left = cash - side * value - value * fee
                if side < 0.0 or left >= 0.0:
                    cash, position = left, position + side * quantity
                sent_ns = np.int64(-1)
            now = cash + position * traded
            peak = max(peak, now)
            deepest = max(deepest, (peak - now) / peak)
            if last > 0.0 and sent_ns < 0:
                if position == 0.0 and traded > last * up:
                    sent_ns, side, quantity = local_ns[row], 1.0, fraction * now / traded
                elif position > 0.0 and traded < last * down:
                    sent_ns, side, quantity = local_ns[row], -1.0, position
            last = traded
        equity[k] = now
    return deepest
