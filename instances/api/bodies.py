"""What may be asked of `ml/pricing/…`, and how is it answered?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rest_framework import serializers

from accounts.aws.read.advisor import BANDS
from accounts.wire import Strict, UsdPerHour
from instances.domain.market import DataType
from instances.domain.money import usd
from instances.domain.pool import INSTANCE_TYPE, ZONE_ID, ZONE_NAME, Product
from instances.market.publishing import BAND_BOUNDS
from instances.models import FetchOrder, OnDemandPrice, OrderState, SpotAdvisorRating

MOST_NAMED = 200  # types or regions in one order
WHOLE_MARKET = timedelta(days=1)  # the longest range without an instance type: all pools' changes of it
SINCE = timedelta(days=7)  # the range of one type's prices unless told; without a type it is WHOLE_MARKET
RATES = [round((low + (high or 1.0)) / 2, 4) for low, high in BAND_BOUNDS]


class Instant(serializers.DateTimeField):
    """An ISO 8601 time, or a date: its midnight in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["iso-8601", "%Y-%m-%d"], **kwargs)


class TypeName(serializers.RegexField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(regex=INSTANCE_TYPE, **kwargs)


class SpotQuery(Strict):
    """Query parameters of the Spot price changes."""

    instance_type = TypeName(required=False)
    region = serializers.RegexField(r"^[a-z]{2}(-[a-z]+)+-\d$", required=False)
    availability_zone = serializers.CharField(
        required=False, max_length=32, help_text="A zone id (use1-az1), or with account_id that account's zone name"
    )
    account_id = serializers.RegexField(
        r"^\d{12}$", required=False, help_text="An AWS account of yours: its zone names are taken and given"
    )
    product = serializers.ChoiceField([p.value for p in Product], default=Product.LINUX.value)
    start_date = Instant(
        required=False, help_text="From this time or date on; 7 days before the end unless given, 1 day without a type"
    )
    end_date = Instant(required=False, help_text="Up to, not including; now unless given")
    cursor = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=80,
        help_text="For long histories: begin with an empty cursor and follow `next` until it is null. Such pages cost "
        "the same however far one reads, rows that arrive meanwhile shift nothing, and `count` is null. It goes with "
        "`limit`; without it `limit` and `offset` count as everywhere, up to an offset of 10000.",
    )

    def validate_availability_zone(self, value: str) -> str:
        if not ZONE_ID.fullmatch(value) and not ZONE_NAME.fullmatch(value):
            raise serializers.ValidationError("This is neither a zone id (use1-az1) nor a zone name (us-east-1a).")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        zone = attrs.get("availability_zone", "")
        if zone and not ZONE_ID.fullmatch(zone) and "account_id" not in attrs:
            detail = "A zone name is an account's own alias: give account_id with it, or the zone id (use1-az1)."
            raise serializers.ValidationError({"account_id": [detail]})
        now: datetime = self.context["now"]
        end = attrs.setdefault("end_date", now)
        longest = SINCE if "instance_type" in attrs else WHOLE_MARKET
        begin = attrs.setdefault("start_date", end - longest)
        if begin >= end:
            raise serializers.ValidationError({"start_date": ["It lies behind end_date, or at it."]})
        if "instance_type" not in attrs and end - begin > WHOLE_MARKET:
            detail = "All types at once are given for a day at most: name an instance_type, or take a shorter range."
            raise serializers.ValidationError({"start_date": [detail]})
        return attrs


class SpotPriceSerializer(serializers.Serializer[Any]):
    """A price change: it holds from `timestamp` until the pool's next."""

    instance_type = serializers.CharField()
    region = serializers.CharField()
    az = serializers.CharField(help_text="The zone id, one place for all accounts")
    zone_name = serializers.CharField(allow_null=True, help_text="What the account calls it; null without account_id")
    product = serializers.CharField()
    spot_price = UsdPerHour()
    timestamp = serializers.DateTimeField()


class SpotPricePage(serializers.Serializer[Any]):
    count = serializers.IntegerField(allow_null=True, help_text="Null when read by cursor")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True, help_text="Null when read by cursor")
    results = SpotPriceSerializer(many=True)


class OnDemandPriceSerializer(serializers.ModelSerializer[OnDemandPrice]):
    """A list price, in force from `effective_date` until the type's next."""

    hourly_price = serializers.SerializerMethodField()
    effective_date = serializers.DateTimeField(source="effective_at")

    class Meta:
        model = OnDemandPrice
        fields = ("instance_type", "region", "hourly_price", "operating_system", "effective_date", "fetched_at")

    def get_hourly_price(self, row: OnDemandPrice) -> str:
        return f"{usd(row.usd_micro):f}"


class AdvisorRatingSerializer(serializers.ModelSerializer[SpotAdvisorRating]):
    """A rating in force. `last_updated`: the last time the Advisor was asked and said so."""

    interruption_band = serializers.SerializerMethodField()
    interruption_rate = serializers.SerializerMethodField()
    savings_over_od = serializers.IntegerField(source="savings_percent", help_text="Per cent; below 0 = dearer")
    last_updated = serializers.DateTimeField(source="fetched_at", allow_null=True)

    class Meta:
        model = SpotAdvisorRating
        fields = (
            *("instance_type", "region", "operating_system", "interruption_band", "interruption_rate"),
            *("savings_over_od", "observed_at", "last_updated"),
        )

    def get_interruption_band(self, row: SpotAdvisorRating) -> str:
        return BANDS[row.band]

    def get_interruption_rate(self, row: SpotAdvisorRating) -> float:
        """The middle of the band, as a share interrupted in a month."""
        return RATES[row.band]


class DateRange(serializers.Serializer[Any]):
    # `from` is a word of Python's, so the fields are named as they are answered
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            "from": serializers.DateTimeField(allow_null=True),
            "to": serializers.DateTimeField(allow_null=True),
        }


class CoverageSerializer(serializers.Serializer[Any]):
    instance_types = serializers.ListField(child=serializers.CharField())
    regions = serializers.ListField(child=serializers.CharField())
    date_range = DateRange(help_text="Of the Spot price changes")


class StatisticsSerializer(serializers.Serializer[Any]):
    spot_prices_count = serializers.IntegerField()
    is_estimate = serializers.BooleanField(help_text="Above a million, spot_prices_count is the database's estimate")
    spot_days_count = serializers.IntegerField(help_text="Daily rows, which stay when old changes go; an estimate too")
    on_demand_prices_count = serializers.IntegerField()
    spot_advisor_count = serializers.IntegerField(help_text="Ratings in force")
    last_updated = serializers.DateTimeField(allow_null=True, help_text="The newest of all sources")
    updated = serializers.DictField(
        child=serializers.DateTimeField(allow_null=True), help_text="Through when each source is known; null: never"
    )
    coverage = CoverageSerializer()


class FetchRequest(Strict):
    """`instance_types` narrow a range of past Spot prices; every other fetch takes a source whole."""

    data_type = serializers.ChoiceField([d.value for d in DataType])
    instance_types = serializers.ListField(child=TypeName(), required=False, max_length=MOST_NAMED, default=list)
    regions = serializers.ListField(
        child=serializers.CharField(max_length=24), required=False, max_length=MOST_NAMED, default=list
    )
    start_date = Instant(required=False, help_text="With end_date: a range of past Spot prices")
    end_date = Instant(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        dates = [name for name in ("start_date", "end_date") if name in attrs]
        is_range = attrs["data_type"] == DataType.SPOT_PRICES and len(dates) == 2
        if len(dates) == 1:
            raise serializers.ValidationError({dates[0]: ["start_date and end_date go together."]})
        if dates and not is_range:
            raise serializers.ValidationError({"start_date": ["Only Spot prices can be had of a range."]})
        if attrs["instance_types"] and not is_range:
            detail = "Only a range of Spot prices (start_date, end_date) can be had of some types alone."
            raise serializers.ValidationError({"instance_types": [detail]})
        unknown = sorted(set(attrs["regions"]) - set(self.context["regions"]))
        if unknown:
            raise serializers.ValidationError({"regions": [f"Not among this installation's: {', '.join(unknown)}."]})
        return attrs


class FetchOrderSerializer(serializers.ModelSerializer[FetchOrder]):
    task_id = serializers.UUIDField(source="pk")
    status = serializers.CharField(source="state", help_text=", ".join(OrderState))
    estimated_records = serializers.IntegerField(
        allow_null=True, help_text="Of all types, by what the last fetch brought; null: never fetched before"
    )

    class Meta:
        model = FetchOrder
        fields = ("task_id", "status", "estimated_records")
