"""A Django site that is an OpenID provider by django-oauth-toolkit (BSD). People sign in on the page of Django's admin.

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
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", LOGIN_URL="/admin/login/", STATIC_URL="/static/",
    INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                    "django.contrib.messages", "oauth2_provider"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware", "django.contrib.messages.middleware.MessageMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {"context_processors": [
        "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages"]}}],
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True, "PKCE_REQUIRED": True, "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": (STATE / "key.pem").read_text(),
        "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Claims",
        "SCOPES": {"openid": "who you are", "profile": "your name", "email": "your address", "groups": "your groups"},
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
    },
)
django.setup()

from django.contrib import admin                                           # noqa: E402
from django.contrib.auth.models import Group, User                         # noqa: E402
from oauth2_provider.models import get_application_model                   # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator              # noqa: E402

urlpatterns = [path("admin/", admin.site.urls), path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]


class Claims(OAuth2Validator):
    oidc_claim_scope = {**(OAuth2Validator.oidc_claim_scope or {}), "name": "profile", "email": "email", "email_verified": "email",
                        "groups": "groups"}

    def get_additional_claims(self, request):
        user = request.user
        return {"name": user.get_full_name(), "email": user.email, "email_verified": True,
                "groups": [group.name for group in user.groups.all()]}


def person(told):
    user = User.objects.create_user(told["username"], told["email"], told["password"], is_staff=True,
                                    first_name="Maya", last_name="Lindqvist")
    user.groups.add(Group.objects.create(name="staff"))


def client(told):
    kind = get_application_model()
    kind.objects.create(
        client_id=told["client_id"], client_secret=told.get("client_secret", ""), name="zengate", algorithm="RS256",
        client_type=kind.CLIENT_CONFIDENTIAL if told.get("client_secret") else kind.CLIENT_PUBLIC,
        authorization_grant_type=kind.GRANT_AUTHORIZATION_CODE, redirect_uris=" ".join(told["redirect_uris"]),
        post_logout_redirect_uris=" ".join(told.get("post_logout_redirect_uris", [])))


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
