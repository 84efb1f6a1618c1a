"""How does the market get into our tables? The only writer of prices, ratings, the catalogue and the zone map.

Every fetch is one MarketFetch row that says how it ended, and none raises for what a source does. It may be repeated at
any time: what is known already is not written again. `read` is where the data comes from; tests pass their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import Max

from accounts.aws.client import AwsSession
from accounts.aws.errors import AwsError
from accounts.aws.read import advisor, ec2, pricing
from accounts.aws.read.instance_types import InstanceTypeFacts
from accounts.aws.read.shapes import SpotPricePage, Zone
from accounts.aws.session import installation_session, session_for
from accounts.models import AwsAccount
from instances.domain.pool import Product
from instances.market import listings, quotes, ratings, zones
from instances.market.attempts import Refused, Rejections, attempt, is_whole
from instances.market.changes import Intake
from instances.models import AdvisorFile, FetchOutcome, FetchSource, MarketFetch

OVERLAP = timedelta(minutes=30)  # a change may be published a little after the time it carries
LONGEST_ETAG = 120  # characters that the table keeps
SLICE = timedelta(days=10)  # of a first fetch: a region's 90 days at once would outlast a task, and start over


# --- Spot prices --------------------------------------------------------------------------------------------------
Changes = Iterator[SpotPricePage]


def _read_changes(region: str, since: datetime, through: datetime) -> Changes:
    products = [product.value for product in Product]
    return ec2.spot_price_pages(installation_session(region), since, through, products=products)


ReadChanges = Callable[[str, datetime, datetime], Changes]


def fetch_spot(region: str, now: datetime, *, read: ReadChanges = _read_changes) -> MarketFetch:
    """Take the region's price changes since the last fetch that brought any, or PRICE_HISTORY_DAYS the first time.

    A long window is taken in slices, oldest first, each a fetch of its own, so that what is done stays done. Returns
    the last one: the first that did not end well, or the one that reaches `now`.
    """
    begin: datetime | None = None
    while True:
        fetch = attempt(FetchSource.SPOT, region, partial(_take_slice, region, begin, now, read), now=now)
        if not is_whole(fetch) or fetch.through is None or fetch.through >= now:
            return fetch
        begin = fetch.through - OVERLAP


def backfill(
    region: str, since: datetime, until: datetime, *, now: datetime, read: ReadChanges = _read_changes
) -> MarketFetch:
    """Take the changes of a past range again, or for the first time. Freshness does not move.

    ValueError when the range is empty or reaches beyond what the regular fetch has: a gap before it would be hidden.
    """
    last = reached(region)
    if since >= until or last is None or until > last:
        raise ValueError(f"{since} to {until} is no range before {last or 'the first regular fetch'}")
    return attempt(FetchSource.SPOT, region, partial(_take_changes, region, since, until, read), now=now)


def _take_slice(
    region: str, begin: datetime | None, now: datetime, read: ReadChanges, fetch: MarketFetch
) -> FetchOutcome:
    oldest = now - timedelta(days=settings.PRICE_HISTORY_DAYS)
    last = reached(region)
    since = begin or (max(last - OVERLAP, oldest) if last else oldest)
    return _take_changes(region, since, min(since + SLICE, now), read, fetch)


def reached(region: str) -> datetime | None:
    """Through when changes are stored. An empty answer does not count: should it be false, the next repeats it."""
    filled = MarketFetch.objects.filter(source=FetchSource.SPOT, region=region, outcome=FetchOutcome.FILLED)
    latest: datetime | None = filled.aggregate(latest=Max("through"))["latest"]
    return latest


def _take_changes(
    region: str, since: datetime, through: datetime, read: ReadChanges, fetch: MarketFetch
) -> FetchOutcome:
    fetch.since, fetch.through = since, through
    intake = Intake(
        region,
        since=since,
        through=through,
        zone_ids=zones.zone_ids(None, region),
        on_demand={name: quote.usd_micro for name, quote in quotes.on_demand(region, at=through).items()},
    )
    try:
        for page in read(region, since, through):
            fetch.pages += 1
            if intake.add(page):
                _note(intake, fetch)
                fetch.save()
        intake.flush()
    finally:
        _note(intake, fetch)
    if intake.rows and not intake.taken:
        raise Refused(f"nothing of it could be taken: {intake.rejections}")
    return FetchOutcome.FILLED if intake.rows else FetchOutcome.EMPTY


def _note(intake: Intake, fetch: MarketFetch) -> None:
    fetch.rows, fetch.written, fetch.rejected = intake.rows, intake.written, intake.rejections.count
    fetch.detail = str(intake.rejections)


# --- The Advisor --------------------------------------------------------------------------------------------------
def _read_advisor(etag: str | None) -> advisor.AdvisorFile | advisor.NotModified:
    return advisor.fetch(settings.SPOT_ADVISOR_URL, etag=etag)


ReadAdvisor = Callable[[str | None], advisor.AdvisorFile | advisor.NotModified]


def fetch_advisor(now: datetime, *, read: ReadAdvisor = _read_advisor) -> MarketFetch:
    """Take the Advisor's file. A malformed one is refused; a suddenly different one waits for a person."""
    return attempt(FetchSource.ADVISOR, "", partial(_take_advisor, read, now), now=now)


def accept_advisor(sha256: str, now: datetime) -> MarketFetch:
    """Take a file that was refused as suddenly different. AdvisorFile.DoesNotExist when none is kept by that digest."""
    file = AdvisorFile.objects.get(sha256=sha256)
    return attempt(FetchSource.ADVISOR, "", partial(_take_accepted, file, now), now=now)


def _take_advisor(read: ReadAdvisor, now: datetime, fetch: MarketFetch) -> FetchOutcome:
    fetch.through = now
    received = read(_etag())
    if isinstance(received, advisor.NotModified):
        AdvisorFile.objects.filter(etag=received.etag).update(fetched_at=now)
        return FetchOutcome.UNCHANGED
    entries = advisor.parse(received.raw)
    fetch.pages, fetch.rows = 1, len(entries)
    change = ratings.change_by(entries)
    file = _keep(received, len(entries), now)
    if change.is_empty:
        return FetchOutcome.UNCHANGED
    if not change.is_believable:
        raise Refused(f"{change}; `fetch_advisor --accept {file.sha256}` takes it nevertheless")
    ratings.take(change, file, now=now)
    fetch.written = len(change.fresh)
    return FetchOutcome.FILLED


def _take_accepted(file: AdvisorFile, now: datetime, fetch: MarketFetch) -> FetchOutcome:
    # It is as old as when it came: that it was accepted now makes it no fresher.
    fetch.through = file.fetched_at
    entries = advisor.parse(bytes(file.raw))
    change = ratings.change_by(entries)
    ratings.take(change, file, now=now)
    fetch.rows, fetch.written = len(entries), len(change.fresh)
    fetch.detail = f"{file.sha256} was accepted by a person: {change}"
    return FetchOutcome.FILLED


def _etag() -> str | None:
    """The etag of the file that holds now; None asks for all of it: after a refusal, or when an older was accepted."""
    last = MarketFetch.objects.filter(source=FetchSource.ADVISOR).exclude(outcome=FetchOutcome.RUNNING).first()
    newest = AdvisorFile.objects.order_by("-fetched_at").defer("raw").first()
    if last is None or newest is None or not is_whole(last) or newest.fetched_at != last.through:
        return None
    return newest.etag or None


def _keep(received: advisor.AdvisorFile, entries: int, now: datetime) -> AdvisorFile:
    etag = received.etag or ""
    etag = etag if len(etag) <= LONGEST_ETAG else ""  # a part of it would never match
    said = {"fetched_at": now, "etag": etag, "published_at": received.last_modified_at}
    file, _ = AdvisorFile.objects.update_or_create(
        sha256=received.sha256,
        defaults=said,
        create_defaults=said | {"raw": received.raw, "entries": entries},
    )
    return file


# --- Lists and zones ----------------------------------------------------------------------------------------------
def _read_on_demand(region: str) -> pricing.OnDemandReading:
    return pricing.on_demand(installation_session(region), region)


def fetch_on_demand(
    region: str, now: datetime, *, read: Callable[[str], pricing.OnDemandReading] = _read_on_demand
) -> MarketFetch:
    """Take the region's list prices for Linux; a price that jumps more than tenfold is rejected, the old one stays."""
    return attempt(FetchSource.ON_DEMAND, region, partial(_take_on_demand, region, read, now), now=now)


def _take_on_demand(
    region: str, read: Callable[[str], pricing.OnDemandReading], now: datetime, fetch: MarketFetch
) -> FetchOutcome:
    fetch.through = now
    rejections = Rejections()
    reading = read(region)
    listed = list(reading)
    fetch.written = listings.take_prices(region, reading.operating_system, listed, rejections, now=now)
    rejections.extend(reading.rejected)
    fetch.rows, fetch.rejected = len(listed) + len(reading.rejected), rejections.count
    return _judged(fetch, rejections)


def _read_types(region: str) -> Iterable[InstanceTypeFacts]:
    return ec2.instance_types(installation_session(region))


def fetch_catalogue(now: datetime, *, read: Callable[[str], Iterable[InstanceTypeFacts]] = _read_types) -> MarketFetch:
    """Take the hardware facts of every type that the market's regions offer; whole only when all regions answered."""
    return attempt(FetchSource.CATALOGUE, "", partial(_take_catalogue, read, now), now=now)


def _take_catalogue(
    read: Callable[[str], Iterable[InstanceTypeFacts]], now: datetime, fetch: MarketFetch
) -> FetchOutcome:
    fetch.through = now
    listed: dict[str, InstanceTypeFacts] = {}
    failed: list[tuple[str, AwsError]] = []
    for region in settings.MARKET_REGIONS:
        try:
            listed.update((facts.instance_type, facts) for facts in read(region))
        except AwsError as error:
            failed.append((region, error))
    rejections = Rejections()
    fetch.written = listings.take_types(listed.values(), rejections, now=now)
    fetch.rows, fetch.rejected = len(listed), rejections.count
    if failed:
        first = failed[0][1]
        where = ", ".join(region for region, _ in failed)
        raise type(first)(first.code, f"{first.message} ({where} left out)", first.operation, first.request_id)
    return _judged(fetch, rejections)


def _judged(fetch: MarketFetch, rejections: Rejections) -> FetchOutcome:
    fetch.detail = str(rejections)
    if fetch.rows and not fetch.written:
        raise Refused(f"nothing of it could be taken: {rejections}")
    return FetchOutcome.FILLED if fetch.rows else FetchOutcome.EMPTY


def _read_zones(account: AwsAccount | None, region: str) -> list[Zone]:
    session: AwsSession = installation_session(region) if account is None else session_for(account, region)
    return ec2.zones(session)


def fetch_zones(
    account: AwsAccount | None,
    region: str,
    now: datetime,
    *,
    read: Callable[[AwsAccount | None, str], list[Zone]] = _read_zones,
) -> MarketFetch:
    """Take what an account (None: the installation's own) calls the zones of a region. No zones: the old map stays."""
    of = f"account {account.pk}" if account else ""
    return attempt(FetchSource.ZONES, region, partial(_take_zones, account, region, read, now), now=now, of=of)


def _take_zones(
    account: AwsAccount | None,
    region: str,
    read: Callable[[AwsAccount | None, str], list[Zone]],
    now: datetime,
    fetch: MarketFetch,
) -> FetchOutcome:
    fetch.through = now
    fetch.detail = f"of account {account.account_id}" if account else ""
    listed = read(account, region)
    fetch.rows = len(listed)
    if not listed:
        return FetchOutcome.EMPTY
    fetch.written = zones.store(account, region, listed, now=now)
    return FetchOutcome.FILLED if fetch.written else FetchOutcome.UNCHANGED
