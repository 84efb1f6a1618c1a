"""What does a pool cost, how often is it interrupted, and when did we last ask?"""

from __future__ import annotations

import uuid
from enum import StrEnum

from django.db import models
from django.db.models import F, Q

from accounts.models import AwsAccount
from instances.domain.pool import Pool as PoolValue
from instances.domain.pool import Product

PRODUCTS = {p.value: p.value for p in Product}


class Pool(models.Model):
    """Instance type × zone id × product, as the integer that prices and scores are keyed by."""

    id = models.AutoField(primary_key=True)  # int4: a price row stays at 84 bytes (performance.md)
    instance_type = models.CharField(max_length=32)
    zone_id = models.CharField(max_length=24)
    product = models.CharField(max_length=32, choices=PRODUCTS)
    region = models.CharField(max_length=24)

    class Meta:
        constraints = [
            # the product belongs to the key: without it 57 % of real rows collide (data README, world_2022-05-31)
            models.UniqueConstraint(fields=["instance_type", "zone_id", "product"], name="pool_once"),
        ]
        indexes = [models.Index(fields=["region", "product", "instance_type"], name="pool_by_region")]

    def __str__(self) -> str:
        return str(self.value)

    @property
    def value(self) -> PoolValue:
        return PoolValue(self.instance_type, self.zone_id, Product(self.product))


class SpotPrice(models.Model):
    """A price change: holds from `at` until the pool's next row. Partitioned; written by market/ingest.py alone."""

    pk = models.CompositePrimaryKey("pool_id", "at")
    pool_id = models.IntegerField()
    at = models.DateTimeField()
    usd_micro = models.IntegerField()  # micro-dollars an hour; int4 holds up to 2,147 USD

    class Meta:
        managed = False  # the migration writes the partitioned table itself
        db_table = "instances_spotprice"


class OnDemandPrice(models.Model):
    """The list price of a type in a region, by operating system and effective date."""

    instance_type = models.CharField(max_length=32)
    region = models.CharField(max_length=24)
    operating_system = models.CharField(max_length=32, default="Linux")
    usd_micro = models.BigIntegerField()
    effective_at = models.DateTimeField()
    fetched_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["region", "instance_type", "operating_system", "effective_at"], name="on_demand_once"
            ),
            models.CheckConstraint(condition=Q(usd_micro__gt=0), name="on_demand_positive"),
        ]


class AdvisorFile(models.Model):
    """The Spot Advisor's file as it came, so that any rating can be traced to bytes."""

    sha256 = models.CharField(max_length=64, unique=True)
    raw = models.BinaryField()
    fetched_at = models.DateTimeField()
    entries = models.IntegerField()
    etag = models.CharField(max_length=120, blank=True)
    # AWS's own time of the file where it says one; the age on pages is counted from here
    published_at = models.DateTimeField(null=True, blank=True)


class SpotAdvisorRating(models.Model):
    """A band and savings the Advisor stated; history is kept: a rating that changed is a new row."""

    instance_type = models.CharField(max_length=32)
    region = models.CharField(max_length=24)
    operating_system = models.CharField(max_length=16, default="Linux")
    band = models.SmallIntegerField()  # 0 <5 %, 1 5–10, 2 10–15, 3 15–20, 4 >20 % interrupted a month
    savings_percent = models.SmallIntegerField()  # may be negative: Spot dearer than On-Demand
    file = models.ForeignKey(AdvisorFile, on_delete=models.PROTECT, related_name="ratings")
    observed_at = models.DateTimeField()  # first file that said so
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["region", "instance_type", "operating_system"],
                condition=Q(superseded_at=None),
                name="one_current_rating",
            ),
            models.CheckConstraint(condition=Q(band__gte=0, band__lte=4), name="rating_band_known"),
        ]


class ZoneName(models.Model):
    """An account's alias of a zone: `us-east-1a` is not the same place for two accounts.

    `account` empty = the installation's own account.
    """

    account = models.ForeignKey(AwsAccount, null=True, blank=True, on_delete=models.CASCADE, related_name="zone_names")
    region = models.CharField(max_length=24)
    name = models.CharField(max_length=32)
    zone_id = models.CharField(max_length=24)
    fetched_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="zone_name_once", nulls_distinct=False),
            models.UniqueConstraint(fields=["account", "zone_id"], name="zone_id_once", nulls_distinct=False),
        ]


class FetchSource(StrEnum):
    ADVISOR = "advisor"
    SPOT = "spot"
    ON_DEMAND = "on_demand"
    CATALOGUE = "catalogue"
    OFFERINGS = "offerings"
    ZONES = "zones"


class FetchOutcome(StrEnum):
    """How a fetch ended. Only `filled`, `empty` and `unchanged` move freshness on."""

    RUNNING = "running"
    FILLED = "filled"
    EMPTY = "empty"
    UNCHANGED = "unchanged"  # the source said nothing is new since the last whole fetch
    REFUSED = "refused"  # it came, and we do not believe it; the old data stays
    FAILED = "failed"  # it did not come


class MarketFetchQuerySet(models.QuerySet["MarketFetch"]):
    def whole(self) -> MarketFetchQuerySet:
        """The fetches after which data up to `through` is known."""
        return self.filter(outcome__in=[FetchOutcome.FILLED, FetchOutcome.EMPTY, FetchOutcome.UNCHANGED])


class MarketFetch(models.Model):
    """One attempt at a source in a region: what was asked, how it ended. *Freshness is its time*, not a price's."""

    source = models.CharField(max_length=16, choices={s.value: s.value for s in FetchSource})
    region = models.CharField(max_length=24, blank=True)  # empty: the source covers all regions
    outcome = models.CharField(
        max_length=16, choices={o.value: o.value for o in FetchOutcome}, default=FetchOutcome.RUNNING.value
    )
    since = models.DateTimeField(null=True, blank=True)
    through = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    pages = models.IntegerField(default=0)
    rows = models.IntegerField(default=0)  # received
    written = models.IntegerField(default=0)  # new or changed
    rejected = models.IntegerField(default=0)
    detail = models.TextField(blank=True)  # why refused or failed; what was rejected, with examples

    objects = MarketFetchQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]
        indexes = [models.Index(fields=["source", "region", "-through"], name="fetch_latest")]


class SpotPriceDaily(models.Model):
    """A pool's day in UTC, kept when its price changes are gone. `mean_micro` is weighted by time.

    Only the part of the day that is known counts; a day of which nothing is known has no row.
    """

    pk = models.CompositePrimaryKey("pool_id", "day")
    pool_id = models.IntegerField()  # no foreign key, as in SpotPrice: 11 million rows a half-year
    day = models.DateField()
    open_micro = models.IntegerField()
    min_micro = models.IntegerField()
    mean_micro = models.IntegerField()
    max_micro = models.IntegerField()
    close_micro = models.IntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(min_micro__gt=0, min_micro__lte=F("mean_micro"), mean_micro__lte=F("max_micro")),
                name="daily_price_in_order",
            )
        ]
        indexes = [models.Index(fields=["day"], name="daily_price_by_day")]


class OrderState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class FetchOrder(models.Model):
    """A fetch of market data that a person or program asked for; asking again joins the open one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    data_type = models.CharField(max_length=16)  # a domain DataType
    regions = models.JSONField(default=list)
    instance_types = models.JSONField(default=list)  # empty: all
    since = models.DateTimeField(null=True, blank=True)  # None: from where the last fetch ended
    until = models.DateTimeField(null=True, blank=True)
    state = models.CharField(
        max_length=8, choices={s.value: s.value for s in OrderState}, default=OrderState.QUEUED.value
    )
    estimated_records = models.IntegerField(null=True, blank=True)  # None: this was never fetched before
    requested_by = models.CharField(max_length=160)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    detail = models.TextField(blank=True)  # why it failed

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["data_type", "regions", "instance_types", "since", "until"],
                condition=Q(state__in=["queued", "running"]),
                name="one_open_order",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.data_type} of {', '.join(self.regions)}: {self.state}"
