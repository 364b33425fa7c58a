//! Headers that the operator writes or takes away: not those that are the gateway's own to write.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};

use super::Resolver;
use crate::config::fault::shown;
use crate::config::file::{EditEntry, EditFile, EditItem, EditsFile, File, List};
use crate::config::secret_ref::SecretRef;
use crate::config::validate::join;
use crate::identity::headers::{HeaderPlan, IdentityHeaderSettings, reservable, same_name};
use crate::route::{Edit, Edited, HeaderEdits, edit_fault};

/// Longest value, in bytes: what most servers take as a whole head.
const LONGEST: usize = 8 << 10;

impl Resolver<'_> {
    /// Further headers that no client may send.
    pub(super) fn reserved_headers(&mut self, file: &File) -> Vec<HeaderName> {
        let mut names = Vec::new();
        for (index, name) in file.reserved_headers.iter().flat_map(List::items) {
            match reservable(&name.0.0) {
                Ok(name) => names.push(name),
                Err(_) => {
                    let text = format!("{} is, or begins, a header that ordinary requests have", shown(&name.0.0));
                    self.fault(&format!("reserved_headers[{index}]"), text);
                }
            }
        }
        names
    }

    /// What is done to requests or answers. `identity` writes headers of its own into requests.
    pub(super) fn edits(
        &mut self,
        key: &str,
        file: Option<&EditsFile>,
        on: Edited,
        identity: &IdentityHeaderSettings,
    ) -> HeaderEdits {
        let mut edits = HeaderEdits::default();
        let Some(file) = file else { return edits };
        let plan = HeaderPlan::compile(identity).unwrap_or_default();
        for (index, name) in file.remove.iter().flat_map(List::items) {
            if let Some(name) =
                self.edited_name(&format!("{key}.remove[{index}]"), &name.0.0, (on, Edit::Remove), &plan)
            {
                edits.remove(name);
            }
        }
        for (name, values) in self.written(&format!("{key}.set"), file.set.as_ref(), (on, Edit::Set), &plan) {
            edits.set(&name, values);
        }
        for (name, values) in self.written(&format!("{key}.add"), file.add.as_ref(), (on, Edit::Add), &plan) {
            edits.add(&name, values);
        }
        edits
    }

    fn written(
        &mut self,
        key: &str,
        entries: Option<&BTreeMap<String, EditEntry>>,
        what: (Edited, Edit),
        plan: &HeaderPlan,
    ) -> Vec<(HeaderName, Vec<HeaderValue>)> {
        let mut written: Vec<(HeaderName, Vec<HeaderValue>)> = Vec::new();
        for (name, entry) in entries.into_iter().flatten() {
            let key = join(key, name);
            let Some(name) = self.edited_name(&key, name, what, plan) else { continue };
            if let Some((earlier, _)) = written.iter().find(|(earlier, _)| same_name(earlier.as_str(), name.as_str())) {
                let text = format!("is the same name as {} to many apps; keep one", shown(earlier.as_str()));
                self.fault(&key, text);
                continue;
            }
            let values = match entry {
                EditEntry::Text(text) => self.plain_value(&key, text).into_iter().collect(),
                EditEntry::Full(full) => self.value(&key, full).into_iter().collect(),
                EditEntry::Many(list) => {
                    let each = list.items().map(|(index, item)| {
                        let key = format!("{key}[{index}]");
                        match item {
                            EditItem::Text(text) => self.plain_value(&key, text),
                            EditItem::Full(full) => self.value(&key, full),
                        }
                    });
                    each.collect::<Vec<_>>().into_iter().flatten().collect()
                }
            };
            written.push((name, values));
        }
        written
    }

    fn edited_name(
        &mut self,
        key: &str,
        name: &str,
        (on, edit): (Edited, Edit),
        plan: &HeaderPlan,
    ) -> Option<HeaderName> {
        let told = on == Edited::Requests && plan.names().any(|told| same_name(told.as_str(), name));
        let told = told.then_some("is written by this route's `identity_headers`; remove it from one of both");
        if let Some(fault) = edit_fault(name, on, edit).or(told) {
            self.fault(key, format!("{} {fault}", shown(name)));
            return None;
        }
        HeaderName::from_bytes(name.as_bytes()).ok()
    }

    fn plain_value(&mut self, key: &str, text: &str) -> Option<HeaderValue> {
        self.header_value(key, text)
    }

    /// A value with a secret in it; it stays out of what is printed.
    fn value(&mut self, key: &str, file: &EditFile) -> Option<HeaderValue> {
        let from = [file.file.is_some(), file.env.is_some(), file.basic.is_some()];
        if from.into_iter().filter(|given| *given).count() != 1 {
            self.fault(key, "needs exactly one of `file`, `env` and `basic`");
            return None;
        }
        let prefix = file.prefix.as_deref().unwrap_or_default();
        let mut value = match &file.basic {
            None => {
                let reference = SecretRef::Elsewhere { file: file.file.clone(), env: file.env.clone() };
                let found = self.secret(key, &reference)?;
                self.header_value(key, &format!("{prefix}{}", found.secret.expose()))?
            }
            Some(_) if !prefix.is_empty() => {
                self.fault(&format!("{key}.prefix"), "stands beside `basic`, which writes its own; remove it");
                return None;
            }
            Some(basic) => {
                let (user, password) = (basic.user.as_ref()?, basic.password.as_ref()?);
                if user.contains(':') || user.chars().any(char::is_control) {
                    self.fault(&format!("{key}.basic.user"), "holds a colon or a control character (RFC 7617, 2)");
                    return None;
                }
                let at = format!("{key}.basic.password");
                let found = self.secret(&at, password)?;
                self.warn_of_literal(&at, &found);
                let both = STANDARD.encode(format!("{user}:{}", found.secret.expose()));
                self.header_value(key, &format!("Basic {both}"))?
            }
        };
        value.set_sensitive(true);
        Some(value)
    }

    /// A value as HTTP can carry it and as every server reads it: visible ASCII and blanks, none at either end.
    fn header_value(&mut self, key: &str, text: &str) -> Option<HeaderValue> {
        let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) && text.trim() == text;
        if !plain || text.is_empty() || text.len() > LONGEST {
            let fault = "is no value that a header can carry: visible ASCII and blanks between, of at most 8KiB";
            self.fault(key, fault);
            return None;
        }
        HeaderValue::from_str(text).ok()
    }
}
