"""Pages: the overview, the lab console, experiments."""

from django.urls import path

from pipelines.views import console, experiments, landing

app_name = "pipelines"
urlpatterns = [
    path("", landing.overview, name="overview"),
    path("overview/<slug:card>/", landing.card, name="overview-card"),
    path("instances/", console.console, name="console"),
    path("instances/<int:pk>/", console.instance, name="instance"),
    path("instances/<int:pk>/evaluate/", console.evaluate, name="evaluate"),
    path("runs/<uuid:pk>/", console.run, name="run"),
    path("decisions/<uuid:pk>/", console.decision, name="decision"),
    path("experiments/", experiments.experiments, name="experiments"),
    path("experiments/compare/", experiments.comparison, name="comparison"),
]
