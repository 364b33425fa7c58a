"""django-allauth as an identity provider, for Python."""
from pathlib import Path

from provider import PERSON
from providers.django_oauth_toolkit import DjangoSite


class DjangoAllauth(DjangoSite):
    name = "django_allauth"
    package = "django-allauth 65.22.1, idp.oidc, on Django 5.2 (PyPI)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    requirements = ["django-allauth[idp-oidc]==65.22.1", "requests==2.34.2", "django==5.2.19"]
    site = Path(__file__).resolve().parent / "site.py"


PROVIDER = DjangoAllauth
