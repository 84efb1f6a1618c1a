"""Addresses under `ml/` and `lab/` that this app answers."""

from django.urls import path

from instances.api import fetching, pricing, syncs

ml = [
    path("pricing/spot", pricing.SpotPrices.as_view(), name="spot-prices"),
    path("pricing/on-demand", pricing.OnDemandPrices.as_view(), name="on-demand-prices"),
    path("pricing/spot-advisor", pricing.AdvisorRatings.as_view(), name="spot-advisor"),
    path("pricing/stats", pricing.Statistics.as_view(), name="pricing-stats"),
    path("pricing/fetch", fetching.Fetch.as_view(), name="pricing-fetch"),
]

lab = [
    path("accounts/<int:account_pk>/sync", syncs.Sync.as_view(), name="sync-account"),
]
