//! An answer that a provider has the browser post (OAuth 2.0 Form Post Response Mode).
//!
//! Our cookies are `SameSite=Lax`: a browser does not send them with what another site's page posts. So the first post is
//! answered with a page of ours that holds the same fields and posts them again, now from this very site, and only that is
//! an answer. Neither is believed more than an address would be: the state must be this browser's, and its sign-in must
//! have asked for a form.

use http::Method;
use tracing::info;

use crate::auth::SignIn;
use crate::auth::refusal::Refusal;
use crate::oidc::authorization::{CallbackParams, KNOWN_NAMES};
use crate::snapshot::ResponseMode;
use crate::web::page::repost_page;
use crate::web::{Reply, RequestView};

/// The field that our own page adds.
const REPOSTED: &str = "zengate_reposted";

impl SignIn<'_> {
    /// The answer in the form of `view`, once our own page has posted it.
    ///
    /// # Errors
    /// What to answer instead.
    pub(super) fn posted_answer<'a>(&self, view: &RequestView<'a>) -> Result<&'a str, Box<Reply>> {
        let asks_for_forms = |mode: ResponseMode| mode == ResponseMode::FormPost;
        if view.method != Method::POST
            || !self.settings.registrations.iter().any(|registration| asks_for_forms(registration.response_mode))
        {
            return Err(Box::new(self.answers.refusal(Refusal::MethodNotAllowed, view)));
        }
        let form = std::str::from_utf8(view.form).unwrap_or_default();
        let reposted = url::form_urlencoded::parse(form.as_bytes()).any(|(name, _)| name == REPOSTED);
        if reposted && self.answers.is_same_origin(view) {
            return Ok(form);
        }
        if reposted {
            // No browser of a person sends it from elsewhere; and no cookie of ours would have come with it.
            return Err(Box::new(self.answers.refusal(Refusal::AttemptUnknown, view)));
        }
        if let Err(fault) = CallbackParams::parse(Some(form)) {
            info!(request_id = view.request_id, reason = %fault, "A posted answer was malformed");
            return Err(Box::new(self.answers.refusal(Refusal::CallbackMalformed, view)));
        }
        let fields = url::form_urlencoded::parse(form.as_bytes());
        let mut fields: Vec<_> = fields
            .filter(|(name, _)| KNOWN_NAMES.contains(&name.as_ref()))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        fields.push((REPOSTED.to_owned(), "1".to_owned()));
        Err(Box::new(repost_page(view.target.path(), &fields, view.request_id)))
    }
}
