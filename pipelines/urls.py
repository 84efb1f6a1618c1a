"""Pages: the overview, the lab console, experiments."""

from django.urls import path

from pipelines.views import console, experiments, landing, settings

app_name = "pipelines"
urlpatterns = [
    path("", landing.overview, name="overview"),
    path("overview/<slug:card>/", landing.card, name="overview-card"),
    path("instances/", console.console, name="console"),
    path("instances/<int:pk>/", console.instance, name="instance"),
    path("instances/<int:pk>/evaluate/", console.evaluate, name="evaluate"),
    path("instances/<int:pk>/settings/", settings.settings, name="instance-settings"),
    path("runs/<uuid:pk>/", console.run, name="run"),
    path("decisions/<uuid:pk>/", console.decision, name="decision"),
    path("experiments/", experiments.experiments, name="experiments"),
    path("experiments/compare/", experiments.comparison, name="comparison"),
]
