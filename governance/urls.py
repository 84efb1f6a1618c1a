"""Pages of the audit log and of the system monitor."""

from django.urls import path

from governance import views

app_name = "governance"
urlpatterns = [
    path("audit/", views.audit, name="audit"),
    path("audit/check/", views.audit_check, name="audit-check"),
    path("system/", views.system, name="system"),
    path("system/beside/", views.system_beside, name="system-beside"),
]
