//! The private listener: tokens that nobody guesses, each for one name.

use std::collections::HashMap;

use super::{Resolver, time, values};
use crate::config::fault::shown;
use crate::config::file::{AdminFile, List, ScopeWord};
use crate::gateway::{AdminSettings, AdminToken, Scope};

impl Resolver<'_> {
    pub(super) fn admin(&mut self, file: &AdminFile) -> AdminSettings {
        let mut tokens: Vec<AdminToken> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (index, entry) in file.tokens.iter().flat_map(List::items) {
            let key = format!("admin.tokens[{index}]");
            let (Some(name), Some(reference), Some(scope)) = (&entry.name, &entry.token, entry.scope) else { continue };
            let name = &name.0.0;
            if let Some(earlier) = places.insert(name, index) {
                let text = format!("{} is already the name of admin.tokens[{earlier}]", shown(name));
                self.fault(&format!("{key}.name"), text);
            }
            let key = format!("{key}.token");
            let Some(found) = self.secret(&key, reference) else { continue };
            self.warn_of_literal(&key, &found);
            if found.secret.expose().len() < AdminToken::SHORTEST {
                let text = "is so short that it may be guessed: draw one with `openssl rand -base64 32`";
                self.fault(&key, text);
                continue;
            }
            let scope = match scope {
                ScopeWord::Read => Scope::Read,
                ScopeWord::Accounts => Scope::Accounts,
                ScopeWord::Approvals => Scope::Approvals,
                ScopeWord::Operate => Scope::Operate,
            };
            let token = AdminToken::new(name.clone(), scope, &found.secret);
            if tokens.iter().any(|earlier| earlier.is_same_token(&token)) {
                self.fault(&key, "is the same token as an earlier one; who used it could not be told");
            }
            tokens.push(token);
        }
        AdminSettings {
            hosts: values(file.hosts.as_ref(), |host| host.0.0.clone()),
            tokens,
            connections: file.connections.unwrap_or(0) as usize,
            header_deadline: time(file.header_deadline.as_ref()),
            body_deadline: time(file.body_deadline.as_ref()),
        }
    }
}
