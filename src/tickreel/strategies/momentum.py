"""Momentum from one trade to the next: the strategy of the demo."""

from tickreel.simulate.strategy import Param, Strategy


class Momentum(Strategy):
    """Buys when the price rises by more than `threshold` from one trade to the next, sells when it falls so.

    threshold  relative move that counts
    fraction   share of equity that is bought
    """

    threshold = Param(0.001)
    fraction = Param(0.95)
    last: float = 0.0

    def on_trade(self, trade, ctx):  # type: ignore[no-untyped-def]
        if self.last and ctx.idle:
            if ctx.flat and trade.price > self.last * (1 + self.threshold):
                ctx.buy(self.fraction * ctx.equity / (trade.price * ctx.multiplier))
            elif ctx.long and trade.price < self.last * (1 - self.threshold):
                ctx.close()
        self.last = trade.price
