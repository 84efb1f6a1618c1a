from django.urls import path

from accounts.views import clouds, keys, people, second_factor, sign_in

app_name = "accounts"
urlpatterns = [
    path("sign-in/", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign-out"),
    path("work-in/", sign_in.work_in, name="work-in"),
    path("second-factor/", second_factor.second_factor_page, name="second-factor"),
    path("people/", people.people_page, name="people"),
    path("people/<int:pk>/role/", people.change_role, name="change-role"),
    path("people/<int:pk>/remove/", people.remove_person, name="remove-person"),
    path("people/invitations/<int:pk>/withdraw/", people.withdraw_invitation, name="withdraw-invitation"),
    path("invitations/<str:text>/", people.invitation, name="invitation"),
    path("keys/", keys.keys_page, name="keys"),
    path("keys/<int:pk>/revoke/", keys.revoke_key, name="revoke-key"),
    path("accounts/", clouds.accounts, name="accounts"),
    path("accounts/new/", clouds.enrol, name="enrol"),
    path("accounts/<int:pk>/", clouds.account, name="account"),
    path("accounts/<int:pk>/role/", clouds.role, name="role"),
    path("accounts/<int:pk>/role/<slug:form>/", clouds.template, name="role-template"),
    path("accounts/<int:pk>/validate/", clouds.validate, name="validate"),
    path("accounts/<int:pk>/change/", clouds.change, name="change"),
    path("accounts/<int:pk>/environment/", clouds.environment, name="environment"),
    path("accounts/<int:pk>/use/", clouds.use, name="use"),
]
