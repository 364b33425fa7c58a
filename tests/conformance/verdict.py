"""What came of a module: the suite's word and what the person saw, taken together."""
import re

# Modules whose answer is wrong: nobody may get in.
REFUSE = re.compile(r"invalid-(iss|aud|sig|athash|chash|sub)|missing-(sub|aud|iat|athash|chash)|nonce-invalid|userinfo-invalid-sub"
                    r"|issuer-mismatch|form-post-error")
# Modules where either end is right: the specification leaves it open, or nobody needs to sign in.
EITHER = re.compile(r"idtoken-sig-none|kid-absent-multiple|discovery|refresh-token-invalid")

# Why a module is not passed, where the gateway is not meant to do what it asks for.
REASONS = [
    (r"session-management", "no session management by a frame that polls; back-channel logout does what it is for"),
    (r"webfinger", "no WebFinger: the issuer is configured (the suite says PASSED at the first discovery request, which proves nothing)"),
    (r"distributed-claims", "distributed claims are named in the log, not fetched"),
    (r"userinfo-bearer-body", "the access token goes in the header, the other way that RFC 6750 allows"),
]

WORDS = {
    "PASS": "the suite's result is right, and the person got in, or was kept out, as the module means",
    "WARNING": "as PASS, with a warning of the suite's",
    "FAIL": "the suite's result is a failure",
    "LETIN": "the suite is content, but somebody got in by a wrong answer",
    "NOTIN": "the suite is content, but nobody got in by a right answer",
    "STILLIN": "the suite is content, but the person was still signed in afterwards",
    "MISSING": "the gateway has no such feature",
    "DRIVER": "the runner could not try it",
}


def verdict(module, status, result, signed_in, framed=None, missing=None, trouble=None):
    """One of WORDS, and a reason where there is one. `signed_in`: `None` if nobody tried. `framed`: what the
    gateway answered in a frame, which the suite leaves to people to look at."""
    if trouble:
        return "DRIVER", trouble
    if missing:
        return "MISSING", f"no such key yet: {missing}"
    reason = next((why for pattern, why in REASONS if re.search(pattern, module)), None)
    good = status == "FINISHED" and result in ("PASSED", "WARNING", "REVIEW", "SKIPPED")
    word = "WARNING" if result == "WARNING" else "PASS"
    if not good:
        word = "FAIL"
    elif "frontchannel" in module and framed != 200:
        return ("MISSING", "no address for front-channel logout") if framed == 404 else ("FAIL", f"the frame was answered {framed}")
    elif "logout" in module:
        word = "STILLIN" if signed_in else word
    elif EITHER.search(module):
        pass
    elif REFUSE.search(module):
        word = "LETIN" if signed_in else word
    elif not signed_in:
        word = "NOTIN"
    if reason and word != "LETIN":
        return "MISSING", reason
    return word, None
