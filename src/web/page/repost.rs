//! Posts what another site's page had the browser post to us once more, from this site.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};

use super::{STYLE, document, escape, reply};
use crate::secret::sha256;
use crate::web::Reply;

/// The one script of ours: it sends the form of the page that it stands on.
const SCRIPT: &str = "document.forms[0].submit()";

/// This script and no other. Where the form may lead is not limited, as a browser would apply that to every redirect that
/// follows, to the provider and to other hosts too; the form itself goes to an address of ours.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let [style, script] = [STYLE, SCRIPT].map(|text| STANDARD.encode(sha256(text.as_bytes())));
    let policy = format!(
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; style-src 'sha256-{style}'; \
         script-src 'sha256-{script}'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
});

/// The page: it posts `fields` to `address`, a path of ours, by itself, or by its button where scripts are off.
pub fn repost_page(address: &str, fields: &[(String, String)], request_id: &str) -> Reply {
    let mut form = format!("<form method=post action=\"{}\">", escape(address));
    for (name, value) in fields {
        // Writing into a String cannot fail.
        let _ = write!(form, "<input type=hidden name=\"{}\" value=\"{}\">", escape(name), escape(value));
    }
    let _ = write!(form, "<button>Continue</button></form><script>{SCRIPT}</script>");
    let text = "If nothing happens, press the button.";
    let mut page = reply(StatusCode::OK, document("Signing you in", text, &form, None, request_id));
    page.set(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    page
}
