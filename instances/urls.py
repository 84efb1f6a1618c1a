"""Pages of the market, and of an account's inventory."""

from django.urls import path

from instances import views

app_name = "instances"
urlpatterns = [
    path("prices/", views.prices, name="prices"),
    path("accounts/<int:pk>/inventory/", views.inventory, name="inventory"),
    path("accounts/<int:pk>/sync/", views.sync, name="sync"),
]
