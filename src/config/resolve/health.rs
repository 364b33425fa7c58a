//! Where the public listeners say whether they serve.

use super::Resolver;
use crate::config::file::{File, List};

impl Resolver<'_> {
    /// The path. It is none that somebody would miss.
    pub(super) fn health_path(&mut self, file: &File) -> Option<String> {
        let path = file.health_path.as_ref()?.0.0.clone();
        let is_under =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let routes = file.routes.iter().flat_map(List::items);
        let mut paths = routes.filter_map(|(index, route)| Some((index, route.path.as_ref()?.0.0.as_str())));
        if path == "/" || file.prefix.as_ref().is_some_and(|prefix| is_under(&prefix.0.0)) {
            let text = format!("\"{path}\" is what people open; choose a path of its own, such as `/healthz`");
            self.fault("health_path", text);
        } else if let Some((index, _)) = paths.find(|(_, found)| *found == path) {
            let text = format!("\"{path}\" is the path of routes[{index}], which nobody would reach; choose another");
            self.fault("health_path", text);
        }
        Some(path)
    }
}
