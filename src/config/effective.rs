//! What a configuration amounts to, for `check` to print: settings with their sources, secrets without their text, and
//! the routes in the order in which they win.

use http::Method;

use super::human::write_duration;
use super::settings::Config;
use crate::identity::headers::Preset;
use crate::policy::RecentSim;
use crate::route::{Conditions, RouteSettings};

/// The whole of it as text, one fact a line.
pub fn effective(config: &Config) -> String {
    let mut out = String::new();
    let origin = &config.origin;
    out.push_str(
        "Settings (the file wins over defaults; environment variables count only where the file names them)\n",
    );
    let settings: Vec<[String; 3]> = origin
        .settings
        .iter()
        .map(|setting| {
            let source = match setting.place {
                Some(place) => format!("{}:{}:{}", origin.file, place.line, place.column),
                None => "default".to_owned(),
            };
            let secret = origin.secrets.iter().find(|(key, _)| *key == setting.key);
            let value = secret.map_or_else(|| setting.value.clone(), |(_, kind)| format!("{kind} (not shown)"));
            [setting.key.clone(), value, source]
        })
        .collect();
    table(&mut out, &settings);
    let lifetimes = &config.sessions.lifetimes;
    out.push_str(&format!(
        "\nSessions end after {} unused, after {} in any case.\n",
        write_duration(lifetimes.idle),
        write_duration(lifetimes.absolute)
    ));
    out.push_str("\nRoutes, the most specific first (what none of them names is refused)\n");
    let mut routes: Vec<[String; 6]> =
        vec![["HOST", "PATH", "ACCESS", "REQUIRES", "UPSTREAM", "HEADERS"].map(str::to_owned)];
    routes.extend(most_specific_first(config).into_iter().map(row));
    table(&mut out, &routes);
    out
}

/// The routes by host, the longest path first: the order in which the route table lets them win (Q07).
pub fn most_specific_first(config: &Config) -> Vec<&RouteSettings> {
    let mut routes: Vec<&RouteSettings> = config.routes.iter().collect();
    routes.sort_by(|a, b| a.host.cmp(&b.host).then(b.path.len().cmp(&a.path.len())).then(a.path.cmp(&b.path)));
    routes
}

fn row(route: &RouteSettings) -> [String; 6] {
    let mut demands = Vec::new();
    if !route.require.acr.is_empty() {
        demands.push(format!("acr={}", route.require.acr.join("|")));
    }
    demands.extend(route.require.attributes.iter().map(|name| format!("{name}=*")));
    demands.extend(route.require.claims.iter().map(|(name, values)| format!("{name}={}", values.join("|"))));
    if !route.require.email_domains.is_empty() {
        demands.push(format!("email@{}", route.require.email_domains.join("|")));
    }
    if let Some(rule) = route.require.sim_tenure {
        let recent = match rule.recent {
            RecentSim::StepUp => "step_up",
            RecentSim::Refuse => "refuse",
        };
        demands.push(format!("sim_tenure_24={recent}"));
    }
    let presets = route.identity_headers.presets.iter().map(|preset| match preset {
        Preset::Zenkey => "zenkey".to_owned(),
        Preset::XAuthRequest => "x-auth-request".to_owned(),
        Preset::XForwarded => "x-forwarded".to_owned(),
        Preset::RemoteUser => "remote-user".to_owned(),
    });
    let headers: Vec<String> = presets.chain(route.identity_headers.map.iter().map(|rule| rule.name.clone())).collect();
    let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    [
        route.host.clone(),
        path_of(route),
        route.access.as_str().to_owned(),
        dash(demands.join(" ")),
        match (&route.maintenance, &route.own_answer) {
            (Some(_), _) => "maintenance".to_owned(),
            (None, Some(answer)) => answer.to_string(),
            (None, None) => route.upstream.group.to_string(),
        },
        dash(headers.join(",")),
    ]
}

/// The path of a route, and its conditions.
fn path_of(route: &RouteSettings) -> String {
    let Conditions { exact, methods, headers } = &route.conditions;
    let exact = exact.then(|| "(exact)".to_owned());
    let methods: Vec<&str> = methods.iter().map(Method::as_str).collect();
    let methods = (!methods.is_empty()).then(|| methods.join("|"));
    let headers = headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap_or_default()));
    std::iter::once(route.path.clone()).chain(exact).chain(methods).chain(headers).collect::<Vec<_>>().join(" ")
}

/// Columns as wide as their widest cell, two spaces between, none at the end of a line.
fn table<const N: usize>(out: &mut String, rows: &[[String; N]]) {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let fill = width.saturating_sub(cell.chars().count());
            line.push_str(&format!("  {cell}{}", " ".repeat(fill)));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
