from django.apps import AppConfig

from accounts.domain import PLATFORM, SHARED


class InstancesConfig(AppConfig):
    name = "instances"
    verbose_name = "Instances"

    ownership = {
        "InstanceType": SHARED,
        "AutoScalingGroup": "account__organization",
        "Instance": "account__organization",
        "InventorySync": "account__organization",
        "Pool": SHARED,
        "SpotPrice": SHARED,
        "SpotPriceDaily": SHARED,
        "OnDemandPrice": SHARED,
        "AdvisorFile": PLATFORM,
        "SpotAdvisorRating": SHARED,
        "ZoneName": "account__organization",
        "MarketFetch": PLATFORM,
        "FetchOrder": PLATFORM,
    }
