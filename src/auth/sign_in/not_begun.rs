//! A sign-in that did not begin, and at whose expense.

use std::time::SystemTime;

use crate::auth::SignIn;
use crate::auth::refusal::Refusal;
use crate::route::path::ReturnTo;
use crate::web::{Reply, RequestView};

impl SignIn<'_> {
    /// Refuses to begin. What the client spent for it comes back if the store or the provider was away: an office whose
    /// people try until it is well again must not be locked out then.
    pub(super) fn not_begun(
        &self,
        refusal: Refusal,
        view: &RequestView<'_>,
        page: &ReturnTo,
        now: SystemTime,
    ) -> Reply {
        if is_away(refusal) {
            self.limits.starts.give_back(view.client, now);
        }
        self.answers.refusal_to(refusal, view, Some(page))
    }
}

/// Whether it is neither the person nor the operator who can do better.
fn is_away(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::ProviderTimeout
            | Refusal::ProviderUnavailable(_)
            | Refusal::StoreNotWritable
            | Refusal::StoreUnavailable
    )
}
