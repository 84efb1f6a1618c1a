"""What may a platform admin look at in the market and the fleets, and what may one say about an instance?"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.staff_site import REASON, ReadOnly, staff
from instances import instance_settings
from instances.domain.money import usd
from instances.models import (
    AdvisorFile,
    AutoScalingGroup,
    FetchOrder,
    Instance,
    InstanceType,
    InventorySync,
    MarketFetch,
    OnDemandPrice,
    Pool,
    SpotAdvisorRating,
    ZoneName,
)


@admin.register(InstanceType)
class InstanceTypeAdmin(ReadOnly):
    list_display = ("name", "vcpus", "memory_mib", "architectures", "gpu_count", "is_spot_supported", "fetched_at")
    list_filter = ("is_current_generation", "is_burstable", "is_bare_metal", "is_spot_supported", "hypervisor")
    search_fields = ("name",)


@admin.register(AutoScalingGroup)
class AutoScalingGroupAdmin(ReadOnly):
    list_display = ("name", "account", "region", "minimum", "desired", "maximum", "seen_at", "vanished_at")
    list_filter = ("region", "account")
    list_select_related = ("account",)
    search_fields = ("name", "account__name", "account__account_id")


@admin.register(Instance)
class InstanceAdmin(ReadOnly):
    """What AWS said is read only; what people said (the last section) may be changed here too."""

    list_display = (
        *("instance_id", "name", "account", "region", "zone_name", "instance_type", "state", "is_spot"),
        *("pipeline_mode", "is_shadow_mode", "seen_at", "vanished_at"),
    )
    list_filter = ("state", "is_spot", "pipeline_mode", "is_shadow_mode", "region", "account")
    list_select_related = ("account",)
    search_fields = ("instance_id", "name", "instance_type", "cluster_name", "account__account_id")
    said_by_people = ("pipeline_mode", "health_port", "health_path")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in Instance._meta.fields if field.name not in self.said_by_people]

    def save_model(self, request: HttpRequest, obj: Instance, form: Any, change: bool) -> None:
        before = Instance.objects.filter(pk=obj.pk).values(*self.said_by_people).first()
        super().save_model(request, obj, form, change)
        instance_settings.touch(obj, by=f"admin {request.user}", now=timezone.now())
        audit.record(
            staff(request),
            "instance.changed",
            obj,
            organization=obj.account.organization,
            before=before,
            after={name: getattr(obj, name) for name in self.said_by_people},
            reason=request.session.get(REASON, ""),
        )


@admin.register(Pool)
class PoolAdmin(ReadOnly):
    list_display = ("id", "instance_type", "zone_id", "product", "region")
    list_filter = ("region", "product")
    search_fields = ("instance_type", "zone_id")


@admin.register(OnDemandPrice)
class OnDemandPriceAdmin(ReadOnly):
    list_display = ("instance_type", "region", "operating_system", "usd_per_hour", "effective_at", "fetched_at")
    list_filter = ("region", "operating_system")
    search_fields = ("instance_type",)
    date_hierarchy = "effective_at"

    @admin.display(description="USD per hour", ordering="usd_micro")
    def usd_per_hour(self, row: OnDemandPrice) -> str:
        return f"{usd(row.usd_micro):f}"


@admin.register(AdvisorFile)
class AdvisorFileAdmin(ReadOnly):
    list_display = ("sha256", "fetched_at", "published_at", "entries", "etag")
    search_fields = ("sha256",)
    fields = ("sha256", "fetched_at", "published_at", "entries", "etag")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AdvisorFile]:
        return super().get_queryset(request).defer("raw")


@admin.register(SpotAdvisorRating)
class SpotAdvisorRatingAdmin(ReadOnly):
    list_display = (
        *("instance_type", "region", "operating_system", "band", "savings_percent"),
        *("observed_at", "superseded_at"),
    )
    list_filter = ("region", "operating_system", "band", ("superseded_at", admin.EmptyFieldListFilter))
    search_fields = ("instance_type",)
    fields = (*list_display, "sha256")

    @admin.display(description="file")
    def sha256(self, row: SpotAdvisorRating) -> str:
        return AdvisorFile.objects.values_list("sha256", flat=True).get(pk=row.file_id)


@admin.register(ZoneName)
class ZoneNameAdmin(ReadOnly):
    list_display = ("name", "zone_id", "account", "region", "fetched_at")
    list_filter = ("region", ("account", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("account",)
    search_fields = ("name", "zone_id", "account__account_id")


@admin.register(MarketFetch)
class MarketFetchAdmin(ReadOnly):
    list_display = (
        *("source", "region", "outcome", "since", "through", "started_at", "ended_at"),
        *("pages", "rows", "written", "rejected"),
    )
    list_filter = ("source", "outcome", "region")
    search_fields = ("region", "detail")
    date_hierarchy = "started_at"


@admin.register(FetchOrder)
class FetchOrderAdmin(ReadOnly):
    list_display = (
        *("data_type", "regions", "instance_types", "since", "until", "state", "estimated_records"),
        *("requested_by", "created_at", "ended_at"),
    )
    list_filter = ("data_type", "state")
    search_fields = ("requested_by", "detail")
    date_hierarchy = "created_at"


@admin.register(InventorySync)
class InventorySyncAdmin(ReadOnly):
    list_display = ("account", "state", "requested_by", "requested_at", "started_at", "ended_at")
    list_filter = ("state", ("account", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("account", "requested_by")
    search_fields = ("account__name", "account__account_id", "error")
    date_hierarchy = "requested_at"
