"""Addresses under `auth/` and `lab/` that this app answers."""

from django.urls import path

from accounts.api import clouds, tickets, tokens

auth = [
    path("token/", tokens.TokenPair.as_view(), name="token"),
    path("token/refresh/", tokens.TokenRefresh.as_view(), name="token-refresh"),
    path("token/revoke/", tokens.TokenRevoke.as_view(), name="token-revoke"),
    path("ws-ticket/", tickets.WsTicket.as_view(), name="ws-ticket"),
]

lab = [
    path("accounts", clouds.AccountList.as_view(), name="accounts"),
    path("accounts/<int:account_pk>", clouds.AccountDetail.as_view(), name="account"),
    path("accounts/<int:account_pk>/role-template", clouds.RoleTemplate.as_view(), name="role-template"),
    path("accounts/<int:account_pk>/validate", clouds.Validation.as_view(), name="validate-account"),
]
