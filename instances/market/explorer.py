"""What does the prices page show of one type in one region, and of its family elsewhere?

A handful of questions to the tables whatever their size; what is not known is said, with what to do about it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import numpy as np
from django import forms
from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.aws.read.advisor import BANDS
from instances.domain.money import a_month, usd
from instances.domain.pool import INSTANCE_TYPE, Product, family_of
from instances.domain.steps import NARROW, WIDE, Chart, Series, drawn
from instances.market import quotes
from instances.models import OnDemandPrice, Pool, SpotAdvisorRating, ZoneName

PERIODS = {1: "1 day", 7: "7 days", 30: "30 days", 90: "90 days"}
USUAL_TYPE = "m5.large"  # shown first where it is known: most people know what it is
SILENT = timedelta(hours=26)  # AWS repeats each price about once a day
# a policy's own limits where it sets none; on a page they only colour
OLDEST_PRICE, OLDEST_RATING, OLDEST_LIST = timedelta(hours=2), timedelta(hours=26), timedelta(hours=50)
LIST_SORTS = ("type", "hour", "since", "change")  # of the On-Demand list
BAND_TONES = ("good", "warn", "warn", "bad", "bad")  # under 5 %, 5 to 15 %, above


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for; without a type the page chooses one."""

    region: str
    instance_type: str
    days: int
    family: str
    sort: str = "hour"  # of the On-Demand list


class PricesForm(forms.Form):
    """What the address of the page may say; where it says nonsense the usual is shown, and what was wrong."""

    region = forms.ChoiceField(label="Region", required=False)
    type = forms.RegexField(
        INSTANCE_TYPE,
        label="Instance type",
        required=False,
        max_length=32,
        error_messages={"invalid": "A type looks like m5.large."},
        widget=forms.TextInput(attrs={"list": "types", "autocomplete": "off", "spellcheck": "false"}),
    )
    days = forms.TypedChoiceField(label="Period", required=False, coerce=int, choices=list(PERIODS.items()), initial=7)
    family = forms.RegexField(
        r"^[a-z][a-z0-9-]{0,20}$",
        label="Family",
        required=False,
        error_messages={"invalid": "A family looks like m5."},
        widget=forms.TextInput(attrs={"list": "families", "autocomplete": "off", "spellcheck": "false"}),
    )

    sort = forms.ChoiceField(required=False, choices=[(w, w) for name in LIST_SORTS for w in (name, f"-{name}")])

    def __init__(self, data: Mapping[str, str]) -> None:
        super().__init__(data)
        self.fields["region"].choices = [(r, r) for r in settings.MARKET_REGIONS]  # type: ignore[attr-defined]

    def wanted(self) -> Wanted:
        self.is_valid()
        said = self.cleaned_data
        return Wanted(
            region=said.get("region") or settings.MARKET_REGIONS[0],
            instance_type=said.get("type") or "",
            days=said.get("days") or 7,
            family=said.get("family") or "",
            sort=said.get("sort") or "hour",
        )

    def address(self, shown: Wanted) -> str:
        """The query of what is shown, without the order of its list."""
        asked = {"region": shown.region, "type": shown.instance_type, "days": shown.days, "family": shown.family}
        return urlencode(asked)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with the instant it is known through; `is_old` when that is too long ago."""

    at: datetime | None
    is_old: bool


@dataclass(frozen=True, slots=True)
class Zone:
    """One pool over the period; micro-dollars an hour, None = unknown."""

    zone_id: str
    names: str  # what the organization's accounts call it; empty: none of them says
    number: int  # its colour in the chart
    now_micro: int | None
    since: datetime | None  # when that price was last stated
    is_silent: bool
    savings_percent: float | None  # against On-Demand; below 0 = dearer
    low_micro: int | None
    mean_micro: int | None
    high_micro: int | None
    changes: int
    is_cheapest: bool = False


@dataclass(frozen=True, slots=True)
class ListPrice:
    instance_type: str
    usd_micro: int
    usd_per_month: str
    effective_at: datetime
    fetched_at: datetime
    is_shown: bool  # it is the page's type
    before_micro: int | None = None  # the list price that this one followed; None: none is known

    @property
    def change_percent(self) -> float | None:
        return None if self.before_micro is None else 100 * (self.usd_micro / self.before_micro - 1)


LIST_ORDERS: dict[str, Callable[[ListPrice], Any]] = {
    "type": lambda row: row.instance_type,
    "hour": lambda row: row.usd_micro,
    "since": lambda row: row.effective_at,
    "change": lambda row: row.change_percent or 0.0,  # what has not changed lies between up and down
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What the Advisor says of one type in one region; without a band it says nothing."""

    region: str
    band: str
    tone: str
    savings_percent: int | None
    is_shown: bool


@dataclass(frozen=True, slots=True)
class HeatMap:
    family: str
    regions: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True, slots=True)
class Explored:
    """The whole page. `state`: shown, never fetched, unknown type, not here."""

    wanted: Wanted
    state: str
    period: str
    begin: datetime
    periods: tuple[tuple[int, str], ...]
    types: tuple[str, ...]
    families: tuple[str, ...]
    similar: tuple[str, ...]
    elsewhere: tuple[str, ...]
    zones: tuple[Zone, ...]
    wide: Chart | None
    narrow: Chart | None
    prices: Figure
    advisor: Figure
    lists: Figure
    on_demand: ListPrice | None
    rating: Cell | None
    list_prices: tuple[ListPrice, ...]
    list_history: tuple[ListPrice, ...]
    heat: HeatMap

    @property
    def cheapest(self) -> Zone | None:
        return next((zone for zone in self.zones if zone.is_cheapest), None)


def explore(wanted: Wanted, *, names: QuerySet[ZoneName], now: datetime) -> Explored:
    """The page for `wanted`; `names` are the zone names that its reader may see."""
    types = tuple(_types(wanted.region))
    chosen = wanted.instance_type or (USUAL_TYPE if USUAL_TYPE in types or not types else types[0])
    wanted = replace(wanted, instance_type=chosen, family=wanted.family or family_of(chosen))
    fresh = quotes.freshness(wanted.region, now=now)
    listed = _list_prices(wanted)
    ratings = _ratings(wanted)
    own = [row for row in listed if row.instance_type == chosen]
    in_force = next((row for row in own if row.effective_at <= now), None)
    series = _series(wanted, fresh, now)
    begin, end = (now - timedelta(days=wanted.days)).timestamp(), now.timestamp()
    zones = _zones(series, _names(names) if series else {}, in_force, begin, end)
    against = _limit(own, end)
    is_drawn = any(zone.now_micro is not None for zone in zones)
    charts = [
        drawn([s for s, _ in series], against, begin=begin, end=end, plane=plane) if is_drawn else None
        for plane in (WIDE, NARROW)
    ]
    heat = _heat(wanted, ratings)
    rated_in = tuple(sorted({row.region for row in ratings if row.instance_type == chosen} - {wanted.region}))
    is_known = bool(series or own or any(row.instance_type == chosen for row in ratings))
    return Explored(
        wanted=wanted,
        state=_state(is_known, bool(zones), fresh),
        period=PERIODS[wanted.days],
        begin=now - timedelta(days=wanted.days),
        periods=tuple(PERIODS.items()),
        types=types,
        families=tuple(sorted({family_of(name) for name in types})),
        similar=() if is_known else tuple(difflib.get_close_matches(chosen, types, n=4, cutoff=0.5)),
        elsewhere=tuple(region for region in rated_in if region in settings.MARKET_REGIONS),
        zones=zones,
        wide=charts[0],
        narrow=charts[1],
        prices=_figure(fresh.prices_through, now, OLDEST_PRICE),
        advisor=_figure(fresh.advisor_at, now, OLDEST_RATING),
        lists=_figure(in_force.fetched_at if in_force else fresh.on_demand_at, now, OLDEST_LIST),
        on_demand=in_force,
        rating=next((c for name, row in heat.rows if name == chosen for c in row if c.is_shown), None)
        or _rating_alone(ratings, wanted),
        list_prices=_newest(listed, wanted, now),
        list_history=tuple(own),
        heat=heat,
    )


def _state(is_known: bool, has_pools: bool, fresh: quotes.Freshness) -> str:
    if has_pools:
        return "shown"
    if fresh.prices_through is None:
        return "never fetched"
    return "not here" if is_known else "unknown type"


def _figure(at: datetime | None, now: datetime, oldest: timedelta) -> Figure:
    return Figure(at, at is not None and now - at > oldest)


def _types(region: str) -> Iterable[str]:
    pools = Pool.objects.filter(region=region, product=Product.LINUX.value)
    return pools.order_by("instance_type").values_list("instance_type", flat=True).distinct()


def _series(wanted: Wanted, fresh: quotes.Freshness, now: datetime) -> list[tuple[Series, datetime | None]]:
    """Each zone's changes, by zone id, with the instant of the last; a pool without any is there too."""
    pools = Pool.objects.filter(
        region=wanted.region, product=Product.LINUX.value, instance_type=wanted.instance_type
    ).order_by("zone_id")
    rows = list(pools.values_list("id", "zone_id"))
    if not rows:
        return []
    _, history = quotes.histories(wanted.region, at=now, days=wanted.days, pools=[pk for pk, _ in rows])
    through = fresh.prices_through.timestamp() if fresh.prices_through else -math.inf
    found = []
    for (_, zone_id), first, last in zip(rows, history.offsets[:-1], history.offsets[1:], strict=True):
        at = history.at[first:last]
        known = max(through, float(at[-1])) if len(at) else through
        line = Series(zone_id, at, history.usd_micro[first:last].astype(np.float64), known)
        found.append((line, datetime.fromtimestamp(float(at[-1]), UTC) if len(at) else None))
    return found


def _zones(
    series: Sequence[tuple[Series, datetime | None]],
    names: Mapping[str, str],
    in_force: ListPrice | None,
    begin: float,
    end: float,
) -> tuple[Zone, ...]:
    prices = [float(s.usd_micro[-1]) if len(s.usd_micro) else math.nan for s, _ in series]
    lowest = min((price for price in prices if not math.isnan(price)), default=math.nan)
    found = []
    for number, ((line, since), price) in enumerate(zip(series, prices, strict=True), start=1):
        seen = line.within(begin, end)
        savings = 100 * (1 - price / in_force.usd_micro) if in_force else math.nan
        mean = line.mean(begin, end)
        found.append(
            Zone(
                zone_id=line.name,
                names=names.get(line.name, ""),
                number=number,
                now_micro=_whole(price),
                since=since,
                is_silent=since is not None and line.through - since.timestamp() > SILENT.total_seconds(),
                savings_percent=None if math.isnan(savings) else savings,
                low_micro=_whole(float(seen.min(initial=math.inf))),
                mean_micro=_whole(mean),
                high_micro=_whole(float(seen.max(initial=-math.inf))),
                changes=int(np.count_nonzero(np.diff(seen))),
                is_cheapest=price == lowest,
            )
        )
    return tuple(found)


def _whole(micro: float) -> int | None:
    return round(micro) if math.isfinite(micro) else None


def _names(names: QuerySet[ZoneName]) -> dict[str, str]:
    """Zone id → what the accounts call it, each name once: `us-east-1a`, or `us-east-1a, us-east-1c`."""
    told: dict[str, set[str]] = {}
    for zone_id, name in names.values_list("zone_id", "name"):
        told.setdefault(zone_id, set()).add(name)
    return {zone_id: ", ".join(sorted(each)) for zone_id, each in told.items()}


def _list_prices(wanted: Wanted) -> list[ListPrice]:
    """Of the type and of its family, newest first within a type; future ones too."""
    rows = OnDemandPrice.objects.filter(
        Q(instance_type=wanted.instance_type) | Q(instance_type__startswith=f"{wanted.family}."),
        region=wanted.region,
        operating_system="Linux",
    ).order_by("instance_type", "-effective_at")
    return [
        ListPrice(
            row.instance_type,
            row.usd_micro,
            f"{a_month(usd(row.usd_micro)):,.2f}",
            row.effective_at,
            row.fetched_at,
            row.instance_type == wanted.instance_type,
        )
        for row in rows
    ]


def _newest(listed: Sequence[ListPrice], wanted: Wanted, now: datetime) -> tuple[ListPrice, ...]:
    """The price in force of each of the family's types with the one before it, in the order asked for."""
    past: dict[str, list[ListPrice]] = {}
    for row in listed:
        if row.effective_at <= now and family_of(row.instance_type) == wanted.family:
            past.setdefault(row.instance_type, []).append(row)
    newest = (replace(rows[0], before_micro=next((row.usd_micro for row in rows[1:]), None)) for rows in past.values())
    key = LIST_ORDERS[wanted.sort.removeprefix("-")]
    rows = sorted(newest, key=lambda row: row.instance_type)
    return tuple(sorted(rows, key=key, reverse=wanted.sort.startswith("-")))


def _limit(own: Sequence[ListPrice], end: float) -> Series | None:
    """The On-Demand price as a line that holds to the end."""
    rows = [row for row in reversed(own) if row.effective_at.timestamp() <= end]
    if not rows:
        return None
    at = np.array([row.effective_at.timestamp() for row in rows])
    return Series("On-Demand", at, np.array([row.usd_micro for row in rows], dtype=np.float64), end)


def _ratings(wanted: Wanted) -> list[SpotAdvisorRating]:
    rows = SpotAdvisorRating.objects.filter(
        Q(instance_type=wanted.instance_type) | Q(instance_type__startswith=f"{wanted.family}."),
        superseded_at=None,
        operating_system="Linux",
    )
    return list(rows.only("instance_type", "region", "band", "savings_percent"))


def _cell(row: SpotAdvisorRating | None, region: str, is_shown: bool) -> Cell:
    if row is None:
        return Cell(region, "", "", None, is_shown)
    return Cell(region, BANDS[row.band], BAND_TONES[row.band], row.savings_percent, is_shown)


def _rating_alone(ratings: Sequence[SpotAdvisorRating], wanted: Wanted) -> Cell | None:
    """The type's own, where the heat map shows another family."""
    own = (r for r in ratings if (r.instance_type, r.region) == (wanted.instance_type, wanted.region))
    row = next(own, None)
    return _cell(row, wanted.region, True) if row else None


def _heat(wanted: Wanted, ratings: Sequence[SpotAdvisorRating]) -> HeatMap:
    """The family's types, smallest first by name, and the regions that rate any; this installation's come first."""
    known = {(r.instance_type, r.region): r for r in ratings if family_of(r.instance_type) == wanted.family}
    ours = list(settings.MARKET_REGIONS)
    regions = sorted({region for _, region in known}, key=lambda r: (ours.index(r) if r in ours else len(ours), r))
    rows = (
        (
            name,
            tuple(
                _cell(known.get((name, region)), region, (name, region) == (wanted.instance_type, wanted.region))
                for region in regions
            ),
        )
        for name in sorted({name for name, _ in known})
    )
    return HeatMap(wanted.family, tuple(regions), tuple(rows))
