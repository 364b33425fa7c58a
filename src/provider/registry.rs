//! Every provider that people may sign in with, by its id.

use std::fmt;
use std::sync::Arc;

use super::Provider;

/// The ways to providers, by the ids of the configuration; at least one.
#[derive(Clone)]
pub struct Providers {
    first: (String, Arc<dyn Provider>),
    further: Vec<(String, Arc<dyn Provider>)>,
}

impl Providers {
    /// One provider, whose id is empty: there is nothing to tell it from.
    pub fn one(provider: Arc<dyn Provider>) -> Self {
        Self::new((String::new(), provider), Vec::new())
    }

    /// Several, each with its id.
    pub fn new(first: (String, Arc<dyn Provider>), further: Vec<(String, Arc<dyn Provider>)>) -> Self {
        Self { first, further }
    }

    /// The first of the configuration.
    pub fn first(&self) -> &Arc<dyn Provider> {
        &self.first.1
    }

    /// All in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<dyn Provider>)> {
        std::iter::once(&self.first).chain(&self.further).map(|(id, provider)| (id.as_str(), provider))
    }

    /// The one with this id.
    pub fn get(&self, id: &str) -> Option<&Arc<dyn Provider>> {
        std::iter::once(&self.first).chain(&self.further).find(|(known, _)| known == id).map(|(_, provider)| provider)
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(std::iter::once(&self.first).chain(&self.further).map(|(id, _)| id)).finish()
    }
}
