//! Approvals: only where some carrier could be asked.

use super::provider::Provider;
use super::{Resolver, time};
use crate::approval::{ApprovalSettings, Quota};
use crate::config::file::ApprovalsFile;
use crate::oidc::request_object::can_sign;

impl Resolver<'_> {
    /// `None` if the file says nothing about approvals.
    pub(super) fn approvals(
        &mut self,
        file: Option<&ApprovalsFile>,
        providers: &[Provider],
        public_url: Option<&url::Url>,
    ) -> Option<ApprovalSettings> {
        const KEY: &str = "approvals";
        if !self.is_given(KEY) {
            return None;
        }
        let asks = |provider: &Provider| {
            let settings = &provider.settings;
            let own = settings.federation.members.iter().filter_map(|member| member.authentication.as_ref());
            let profile = settings.federation.profile;
            let on_phone = profile.asks_on_phone && own.chain([&settings.authentication]).any(can_sign);
            on_phone || profile.issues_id_tokens
        };
        if !providers.iter().any(asks) {
            let text = "nobody could be asked: in the browser it takes a provider with ID tokens, and on the phone a key for \
                        RS256; write `client_keys` for ZenKey or for one of its members (`zengate keys --algorithm RS256`)";
            self.fault(KEY, text);
        }
        let file = file?;
        let ApprovalsFile { audience, ttl, receipt_ttl, keep, max_kept, webhook, .. } = file;
        let audience = audience.as_ref().map(|origin| &origin.0.0).or(public_url)?;
        Some(ApprovalSettings {
            audience: audience.origin().ascii_serialization(),
            ttl: time(ttl.as_ref()),
            receipt_ttl: time(receipt_ttl.as_ref()),
            keep: time(keep.as_ref()),
            most: (*max_kept)?,
            quota: Quota {
                per_hour: file.per_hour?,
                in_browser_per_hour: file.in_browser_per_hour?,
                pause: time(file.pause_after_denial.as_ref()),
            },
            webhook: webhook.as_ref().map(|url| url.0.0.clone()),
        })
    }
}
