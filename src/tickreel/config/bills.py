"""What a use costs with each provider, what the cheapest saves, and when moving to it pays."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

from tickreel.config.rates import UNITS, Card, Discount, Provider

MONTHS = Decimal(12)
_EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
"""Room for all digits of a sum, but for the endless ones of a division."""
_NANOS = Decimal("1e-9")
_CENTS = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Use:
    """Units a month."""

    trades: Decimal = Decimal(0)
    messages: Decimal = Decimal(0)
    calls: Decimal = Decimal(0)
    gigabytes: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bill:
    """What one provider charges for a use. Money is in the card's currency, rounded once, half even, to 1e-9.

    items         unit -> a month, before the discount; units that cost nothing are left out
    fixed         a month, whatever is used
    discount      percent off the items
    month, year   all of it
    saves_month, saves_year  what the cheapest provider takes less
    payback       months until that has paid for the migration; None: `payback_none` says why
    """

    provider: Provider
    items: dict[str, Decimal]
    fixed: Decimal
    discount: Decimal
    month: Decimal
    year: Decimal
    saves_month: Decimal
    saves_year: Decimal
    payback: Decimal | None
    payback_none: str | None


def bills(card: Card, use: Use, *, migration_cost: Decimal | None = None) -> list[Bill]:
    """Return the bill of every provider, the cheapest first; those of one sum in the card's order."""
    sums = sorted(
        ((_month(provider, use), provider) for provider in card.providers), key=lambda pair: pair[0]
    )
    least = sums[0][0]
    return [_bill(provider, use, month, least, migration_cost) for month, provider in sums]


def per_month(count: Decimal, per: str) -> Decimal:
    """Return units a month, given those of a "day", "month" or "year" of 365 days."""
    if per == "day":
        return _EXACT.divide(count * 365, MONTHS)
    return _EXACT.divide(count, MONTHS) if per == "year" else count


def money(value: Decimal) -> str:
    """Return a sum for people, to cents."""
    return f"{value.quantize(_CENTS, ROUND_HALF_EVEN):,}"


def _bill(
    provider: Provider, use: Use, month: Decimal, least: Decimal, migration_cost: Decimal | None
) -> Bill:
    saves = _EXACT.subtract(month, least)
    payback, none = _payback(saves, migration_cost)
    items = {unit: _rounded(value) for unit, value in _items(provider, use).items()}
    return Bill(
        provider, items, _rounded(_fixed(provider)), _discount(provider, use),
        _rounded(month), _rounded(month * MONTHS), _rounded(saves), _rounded(saves * MONTHS), payback, none,
    )  # fmt: skip


def _payback(saves: Decimal, migration_cost: Decimal | None) -> tuple[Decimal | None, str | None]:
    """Return the months until a migration has paid, or None and why there is no such time."""
    if migration_cost is None:
        return None, "no --migration-cost was given"
    if saves == 0:
        return None, "the cheapest already"
    return _EXACT.divide(migration_cost, saves).quantize(_CENTS, ROUND_HALF_EVEN, _EXACT), None


def _month(provider: Provider, use: Use) -> Decimal:
    share = _EXACT.divide(100 - _discount(provider, use), Decimal(100))
    return _EXACT.add(
        _EXACT.multiply(sum(_items(provider, use).values(), Decimal(0)), share), _fixed(provider)
    )


def _fixed(provider: Provider) -> Decimal:
    return _EXACT.multiply(provider.monthly, provider.rate)


def _items(provider: Provider, use: Use) -> dict[str, Decimal]:
    """Return what each unit costs a month, not yet rounded."""
    items = {}
    for unit in UNITS:
        price = getattr(provider, unit)
        paid = max(getattr(use, unit) - price.free, Decimal(0))
        cost = _EXACT.multiply(
            _EXACT.divide(_EXACT.multiply(paid, price.price), Decimal(price.per)), provider.rate
        )
        if cost:
            items[unit] = cost
    return items


def _discount(provider: Provider, use: Use) -> Decimal:
    def is_reached(discount: Discount) -> bool:
        return bool(getattr(use, discount.unit) >= discount.at_least)

    return max((d.percent for d in provider.discounts.values() if is_reached(d)), default=Decimal(0))


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_NANOS, ROUND_HALF_EVEN, _EXACT).normalize(_EXACT)
