from django.urls import path

from accounts.views import sign_in

app_name = "accounts"
urlpatterns = [
    path("sign-in/", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign-out"),
    path("work-in/", sign_in.work_in, name="work-in"),
]
