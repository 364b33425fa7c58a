"""The plans of the suite that a relying party such as the gateway can take, and what each needs of it."""

SECRET = "a-secret-of-more-than-32-characters-0123456789"
CLIENT_ID = "zengate-rp"
WAIT = 3                                    # seconds that a module gives the relying party to do something wrong

STATIC = {"client_registration": "static_client", "request_type": "plain_http_request"}
BASIC = {**STATIC, "client_auth_type": "client_secret_basic", "response_mode": "default"}
CODE = {**BASIC, "response_type": "code"}


def logout(gate, *kinds):
    """The addresses that a client registers to be told of the end of a session."""
    own = {"post_logout_redirect_uri": f"{gate}/oauth2/signed_out"}
    if "back" in kinds:
        own["backchannel_logout_uri"] = f"{gate}/oauth2/backchannel_logout"
    if "front" in kinds:
        own.update(frontchannel_logout_uri=f"{gate}/oauth2/frontchannel_logout", frontchannel_logout_session_required=True)
    return own


class Plan:
    def __init__(self, title, plan, variant, client=None, oidc=None, rest=None):
        self.title, self.plan, self.variant = title, plan, variant
        self.client = client or (lambda gate: {})             # what the client's registration holds beside the usual
        self.oidc, self.rest = oidc or {}, rest or {}         # keys of `provider.oidc`, and other keys of the gateway


def comprehensive(method, **oidc):
    return Plan(f"Comprehensive, `{method}`", "oidcc-client-test-plan", {**CODE, "client_auth_type": method},
                oidc={"token_endpoint_auth_method": method, **oidc})


SIGN_OUT = {"sign_out": {"provider": "always"}}
FRAME = {"sign_out": {"provider": "always", "front_channel": True}}

PLANS = {
    "basic": Plan("Basic certification", "oidcc-client-basic-certification-test-plan", STATIC),
    "config": Plan("Config certification", "oidcc-client-config-certification-test-plan", BASIC),
    "formpost": Plan("Form Post Basic certification", "oidcc-client-formpost-basic-certification-test-plan", STATIC,
                     oidc={"response_mode": "form_post"}),
    # With static registration this module loses a race inside the suite, so the runner registers the client.
    "3rd": Plan("Third-party-initiated login", "oidcc-client-test-3rd-party-init-login-test-plan", {**CODE, "client_registration": "dynamic_client"},
                lambda gate: {"initiate_login_uri": f"{gate}/oauth2/start"}),
    "refresh": Plan("Refresh tokens", "oidcc-client-refreshtoken-test-plan", CODE, rest={"sessions": {"recheck": "1m"}}),
    "rpinit": Plan("RP-initiated logout", "oidcc-client-rp-initiated-logout-rp-basic", BASIC, lambda gate: logout(gate, "back"), rest=SIGN_OUT),
    "backchannel": Plan("Back-channel logout", "oidcc-client-back-channel-logout-rp-basic", BASIC, lambda gate: logout(gate, "back"), rest=SIGN_OUT),
    "frontchannel": Plan("Front-channel logout", "oidcc-client-front-channel-logout-rp-basic", BASIC, lambda gate: logout(gate, "front"), rest=FRAME),
    "logout": Plan("Logout, all modules", "oidcc-client-logout-test-plan", CODE, lambda gate: logout(gate, "back", "front"), rest=FRAME),
    "all": Plan("Comprehensive, `client_secret_basic`", "oidcc-client-test-plan", CODE),
    "all_post": comprehensive("client_secret_post"),
    "all_secret_jwt": comprehensive("client_secret_jwt"),
    "all_key_jwt": comprehensive("private_key_jwt", client_secret=None),
    "all_none": comprehensive("none", client_secret=None),
}
