"""Pages of the market."""

from django.urls import path

from instances import views

app_name = "instances"
urlpatterns = [path("prices/", views.prices, name="prices")]
