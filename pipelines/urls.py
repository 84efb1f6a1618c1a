"""Pages of the lab console."""

from django.urls import path

from pipelines import views

app_name = "pipelines"
urlpatterns = [
    path("", views.console, name="console"),
    path("instances/<int:pk>/", views.instance, name="instance"),
    path("instances/<int:pk>/evaluate/", views.evaluate, name="evaluate"),
    path("runs/<uuid:pk>/", views.run, name="run"),
    path("decisions/<uuid:pk>/", views.decision, name="decision"),
    path("experiments/", views.experiments, name="experiments"),
    path("experiments/compare/", views.comparison, name="comparison"),
]
