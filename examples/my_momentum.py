from tickreel import Param, Strategy


class Momentum(Strategy):
    threshold = Param(0.001)  # parameters: what --set may change
    last: float = 0.0  # state: carried from trade to trade

    def on_trade(self, trade, ctx):
        if self.last and ctx.idle:  # idle: no order on its way
            if ctx.flat and trade.price > self.last * (1 + self.threshold):
                ctx.buy(0.95 * ctx.equity / trade.price)
            elif ctx.long and trade.price < self.last * (1 - self.threshold):
                ctx.close()
        self.last = trade.price
