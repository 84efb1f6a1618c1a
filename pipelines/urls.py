"""Pages of the lab console."""

from django.urls import path

from pipelines import settings_page, views

app_name = "pipelines"
urlpatterns = [
    path("", views.console, name="console"),
    path("instances/<int:pk>/", views.instance, name="instance"),
    path("instances/<int:pk>/evaluate/", views.evaluate, name="evaluate"),
    path("instances/<int:pk>/settings/", settings_page.settings, name="instance-settings"),
    path("runs/<uuid:pk>/", views.run, name="run"),
    path("decisions/<uuid:pk>/", views.decision, name="decision"),
]
