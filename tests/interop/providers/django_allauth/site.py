"""A Django site that is an OpenID provider by django-allauth's `idp.oidc` (MIT).

    site.py migrate | person | client | disable | enable | runserver …     with STATE and PORT in the environment
"""
import json
import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.urls import include, path

STATE = Path(os.environ["STATE"])

settings.configure(
    DEBUG=False, SECRET_KEY="a-key-of-a-test", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": STATE / "site.sqlite3"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", LOGIN_URL="/accounts/login/", STATIC_URL="/static/",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.messages",
                    "allauth", "allauth.account", "allauth.idp.oidc"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware", "django.contrib.messages.middleware.MessageMiddleware",
                "allauth.account.middleware.AccountMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {"context_processors": [
        "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages"]}}],
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend", "allauth.account.auth_backends.AuthenticationBackend"],
    ACCOUNT_LOGIN_METHODS={"username"}, ACCOUNT_EMAIL_VERIFICATION="none", ACCOUNT_RATE_LIMITS=False,
    IDP_OIDC_PRIVATE_KEY=(STATE / "key.pem").read_text(), IDP_OIDC_RATE_LIMITS=False,
)
django.setup()

from allauth.account.models import EmailAddress                            # noqa: E402
from allauth.idp.oidc.models import Client                                 # noqa: E402
from django.contrib.auth.hashers import make_password                      # noqa: E402
from django.contrib.auth.models import User                                # noqa: E402

urlpatterns = [path("accounts/", include("allauth.urls")), path("", include("allauth.idp.urls"))]


def person(told):
    user = User.objects.create_user(told["username"], told["email"], told["password"], first_name="Maya", last_name="Lindqvist")
    EmailAddress.objects.create(user=user, email=told["email"], verified=True, primary=True)


def client(told):
    public = not told.get("client_secret")
    Client.objects.create(
        id=told["client_id"], name="zengate", secret="" if public else make_password(told["client_secret"]),
        type=Client.Type.PUBLIC if public else Client.Type.CONFIDENTIAL, scopes="openid\nprofile\nemail",
        grant_types="authorization_code\nrefresh_token", redirect_uris="\n".join(told["redirect_uris"]),
        data={"post_logout_redirect_uris": told.get("post_logout_redirect_uris", [])})


def main():
    verb = sys.argv[1]
    if verb in ("person", "client"):
        globals()[verb](json.load(sys.stdin))
    elif verb in ("disable", "enable"):
        User.objects.update(is_active=verb == "enable")
    else:
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
