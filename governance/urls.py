"""Pages of the audit log and of the system monitor."""

from django.urls import path

from governance import policy_pages, views

app_name = "governance"
urlpatterns = [
    path("audit/", views.audit, name="audit"),
    path("audit/check/", views.audit_check, name="audit-check"),
    path("system/", views.system, name="system"),
    path("system/beside/", views.system_beside, name="system-beside"),
    path("policies/", policy_pages.organization, name="policies"),
    path("policies/accounts/<int:pk>/", policy_pages.account, name="account-policy"),
    path("policies/instances/<int:pk>/", policy_pages.instance, name="instance-policy"),
]
