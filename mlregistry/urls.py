"""Pages of the models."""

from django.urls import path

from mlregistry import views

app_name = "mlregistry"
urlpatterns = [
    path("models/", views.models, name="models"),
    path("models/upload/", views.upload, name="upload"),
    path("models/<int:model_id>/", views.model, name="model"),
    path("models/<int:model_id>/activate/", views.activate, name="activate"),
    path("models/<int:model_id>/status/", views.status, name="status"),
    path("models/<int:model_id>/delete/", views.delete, name="delete"),
    path("models/<int:model_id>/assign/", views.assign, name="assign"),
    path("assignments/<int:assignment_id>/end/", views.end, name="end"),
]
