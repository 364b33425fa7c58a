//! Names that an app may fold: spellings of a protected prefix that some server takes for the prefix itself.
//!
//! A gateway that guards `/admin` and lets everybody into `/` is walked around by `/ADMIN` where the app behind it runs on
//! a server that ignores case. What folds is the server's business and unknown here, so every folding of [`FOLDINGS`]
//! counts, in any combination: a path that one of them carries below a narrower route is judged by that route, if the
//! route that covers the path as it is written is weaker. Where several could be meant and none of them guards as much as
//! the others, the request is refused.
//!
//! Costs nothing where no route of a host is weaker than another one, one look at each byte where there is one, and more
//! only for paths that hold a byte of [`may_fold`].

use std::borrow::Cow;
use std::sync::Arc;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::{Route, Traits};
use crate::route::path::{NormalTarget, Reading};
use crate::route::{Access, RouteSettings};

/// What is folded: how it looks, and who does it. docs/SECURITY.md shows this table to operators.
pub const FOLDINGS: [(&str, &str); 9] = [
    ("/ADMIN", "letters of the other case: Windows, macOS and case-insensitive routers"),
    ("/admin.", "dots and blanks at the end of a segment: Windows"),
    ("/admin::$DATA", "what follows a colon, the name of a stream: Windows"),
    ("/admin;x=1", "path parameters: servlet containers"),
    ("/ADMINI~1", "short names of files (8.3): Windows"),
    ("/\u{ff41}dmin", "compatibility forms, full-width ones among them (NFKC): best-fit conversions, frameworks"),
    ("/ad\u{200b}min", "signs without a width: macOS"),
    ("/x\u{ff0f}\u{ff0e}\u{ff0e}/admin", "slashes and dot segments that appear only once another form is folded"),
    ("/admin\u{a5}x", "yen and won signs, the backslash of two code pages"),
];

/// A prefix, folded.
pub(super) type Segments = Box<[String]>;

/// The routes of one host that some other of its routes is weaker than.
#[derive(Debug)]
pub(super) struct Guarded<R> {
    routes: Box<[(Segments, Arc<R>)]>,
    /// A prefix is not written as it would be folded, so that any path may be another spelling of it.
    always: bool,
}

impl<R: AsRef<Route>> Guarded<R> {
    pub(super) fn new(routes: &[Arc<R>]) -> Self {
        let settings = |route: &Arc<R>| -> RouteSettings { (**route).as_ref().settings.clone() };
        // Hundreds of routes say the same few things: what differs is compared once.
        let mut kinds: Vec<RouteSettings> = Vec::new();
        for route in routes {
            if !kinds.iter().any(|kind| same_demands(kind, (**route).as_ref())) {
                kinds.push(settings(route));
            }
        }
        let guards = |route: &Route| kinds.iter().any(|kind| !guards_as_much(kind, route));
        let guarded = routes.iter().filter(|route| guards((***route).as_ref()));
        let routes: Box<[_]> =
            guarded.map(|route| (segments_of(&prefix_of((**route).as_ref())).into(), Arc::clone(route))).collect();
        let plain = |(segments, route): &(Segments, Arc<R>)| {
            let prefix = prefix_of((**route).as_ref());
            let folded: String = segments.iter().map(|segment| format!("/{}", trimmed(segment))).collect();
            // `/x/` is no spelling of an exact `/x` here, and is one to many servers.
            *folded == *prefix && !may_fold(prefix.as_bytes()) && !(**route).as_ref().conditions.exact
        };
        Self { always: !routes.iter().all(plain), routes }
    }

    /// Whether no route is weaker than another one.
    pub(super) fn is_even(&self) -> bool {
        self.routes.is_empty()
    }

    /// The route that judges `target`, which `found` covers as it is written. `None`: nobody can tell.
    pub(super) fn judge<'a>(
        &'a self,
        target: &NormalTarget,
        traits: Traits<'_>,
        found: &'a Arc<R>,
    ) -> Option<&'a Arc<R>> {
        if self.routes.is_empty() || !(self.always || may_fold(target.path().as_bytes())) {
            return Some(found);
        }
        let path = target.decoded_path(Reading::Plain, usize::MAX);
        let segments = segments_of(&String::from_utf8_lossy(&path));
        let written = (**found).as_ref();
        // What the operator wrote down as its own spelling is meant as it stands.
        let own = segments_of(&prefix_of(written));
        let own = if covers(&own, &segments) { own.len() } else { 0 };
        let meant: Vec<&(Segments, Arc<R>)> = self
            .routes
            .iter()
            .filter(|(prefix, route)| {
                let conditions = &(**route).as_ref().conditions;
                let narrower =
                    prefix.len() > own || prefix.len() == own && conditions.exact && !written.conditions.exact;
                let exact = !conditions.exact || prefix.len() == segments.len();
                narrower && exact && covers(prefix, &segments) && conditions.met_by(traits)
            })
            .filter(|(_, route)| !guards_as_much(written, (**route).as_ref()))
            .collect();
        let Some((_, narrowest)) = meant.iter().max_by_key(|(prefix, _)| prefix.len()) else { return Some(found) };
        let all = meant.iter().all(|(_, other)| guards_as_much((**narrowest).as_ref(), (**other).as_ref()));
        all.then_some(narrowest)
    }
}

/// Whether whoever may use `this` route may use `other` as well. In doubt not.
fn guards_as_much(this: &RouteSettings, other: &RouteSettings) -> bool {
    if this.maintenance.is_some() || other.maintenance.is_some() {
        // Nobody gets through a closed one.
        return this.maintenance.is_some();
    }
    let access = match (this.access, other.access) {
        (_, Access::Anonymous) => return true,
        (Access::Session | Access::Bearer, Access::SessionOrBearer) => true,
        (this, other) => this == other,
    };
    // Of two lists of what is enough, the one that is empty asks for nothing.
    let asks = |this: &[String], other: &[String]| other.is_empty() || this == other;
    let claims = other.require.claims.iter().all(|claim| this.require.claims.contains(claim));
    access
        && claims
        && asks(&this.require.acr, &other.require.acr)
        && other.require.attributes.iter().all(|name| this.require.attributes.contains(name))
        && this.require.assurance >= other.require.assurance
        && other.require.max_auth_age.is_none_or(|age| this.require.max_auth_age.is_some_and(|ours| ours <= age))
        && other.require.amr.iter().all(|methods| this.require.amr.contains(methods))
        && asks(&this.require.email_domains, &other.require.email_domains)
        && other
            .require
            .sim_tenure
            .is_none_or(|rule| this.require.sim_tenure.is_some_and(|ours| ours.guards_as_much(rule)))
        && this.websocket.guards_as_much(&other.websocket)
        && asks(&this.token.audiences, &other.token.audiences)
        && other.token.scopes.iter().all(|scope| this.token.scopes.contains(scope))
}

pub(super) fn same_demands(a: &RouteSettings, b: &RouteSettings) -> bool {
    a.access == b.access
        && a.require == b.require
        && a.token == b.token
        && a.websocket == b.websocket
        && a.maintenance == b.maintenance
}

/// The prefix of a route, decoded.
pub(super) fn prefix_of(route: &Route) -> Cow<'_, str> {
    String::from_utf8_lossy(&route.prefix)
}

/// Whether a path holds a byte with which it could be another spelling of a plain one: a capital, a sign that some
/// server cuts at or drops, or an escape. A dot counts at the end of a segment only, where one in a thousand has it.
fn may_fold(path: &[u8]) -> bool {
    const MARKS: [bool; 256] = {
        let mut marks = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            marks[byte] = (byte as u8).is_ascii_uppercase()
                || matches!(byte as u8, b'%' | b':' | b';' | b'~' | b' ' | b'\\')
                || byte >= 128;
            byte += 1;
        }
        marks
    };
    path.iter().any(|byte| MARKS.get(usize::from(*byte)) == Some(&true))
        || path.last() == Some(&b'.')
        || memchr::memmem::find(path, b"./").is_some()
}

/// The segments of a decoded path as the most forgiving server sees them: forms and case folded, separators and dot
/// segments that appear by it resolved. Each may still end in what [`may_be`] cuts off.
pub(super) fn segments_of(path: &str) -> Vec<String> {
    let folded = if path.is_ascii() {
        path.to_ascii_lowercase()
    } else {
        let visible =
            |c: &char| !matches!(*c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
        let visible: String = path.chars().filter(visible).collect();
        // Twice, because what is made small may have a composed form, and the other way round.
        let normal = ComposingNormalizerBorrowed::new_nfkc();
        normal.normalize(&normal.normalize(&visible).to_lowercase()).into_owned()
    };
    let mut segments: Vec<String> = Vec::new();
    for segment in folded.split(['/', '\\', '\u{a5}', '\u{20a9}', '\u{2044}', '\u{2215}', '\u{29f5}', '\u{29f8}']) {
        match segment.trim_end_matches(' ') {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment.to_owned()),
        }
    }
    segments
}

pub(super) fn covers(prefix: &[String], path: &[String]) -> bool {
    prefix.len() <= path.len() && prefix.iter().zip(path).all(|(prefix, segment)| may_be(segment, prefix))
}

fn trimmed(segment: &str) -> &str {
    segment.trim_end_matches(['.', ' '])
}

/// Whether some server takes `segment` for `name`, both folded.
fn may_be(segment: &str, name: &str) -> bool {
    let same = |text: &str| text == name || trimmed(text) == trimmed(name);
    let cut = |sign: char| segment.split_once(sign).is_some_and(|(before, _)| same(before));
    same(segment)
        || cut(';')
        || cut(':')
        || (segment.contains('~') && is_short_for(trimmed(segment.split([';', ':']).next().unwrap_or_default()), name))
}

/// Whether `short` is a name that Windows would give `name` beside its own: the first six signs, or two and a hash, then
/// `~` and a number, then at most three signs of the extension.
fn is_short_for(short: &str, name: &str) -> bool {
    let (short, extension) = short.rsplit_once('.').unwrap_or((short, ""));
    let Some((stem, number)) = short.split_once('~') else { return false };
    let (long, long_extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let kept = long.chars().filter(|sign| !matches!(sign, ' ' | '.'));
    let long: String = kept.map(|sign| if "+,;=[]".contains(sign) { '_' } else { sign }).collect();
    let first = |count: usize| -> String { long.chars().take(count).collect() };
    let by_hash = || {
        let (two, hash) = stem.split_at_checked(stem.len().saturating_sub(4))?;
        Some(two == first(2) && hash.len() == 4 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && (stem == first(6) || by_hash() == Some(true))
        && extension == long_extension.chars().take(3).collect::<String>()
}

#[cfg(test)]
mod tests;
