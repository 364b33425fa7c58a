//! Listeners: no two at one place, and the private one apart from the public ones.

use std::net::SocketAddr;

use super::hsts::is_https;
use super::{Resolver, values};
use crate::config::file::{File, List, ListenerFile};
use crate::gateway::{ListenAddress, ListenerSettings};

impl Resolver<'_> {
    /// The public listeners: those of the list, or the one that `listen` is short for.
    pub(super) fn listeners(&mut self, file: &File) -> Vec<ListenerSettings> {
        let admin = file.admin_listen.as_ref().map(|listen| listen.0.0);
        let short = || {
            let address = file.listen.as_ref()?.0.0.clone();
            Some(ListenerSettings::plain(address))
        };
        if file.listeners.is_some() && self.is_given("listen") {
            self.fault("listen", "is short for one plain listener and stands beside `listeners`; write one of the two");
        }
        let listeners: Vec<_> = match &file.listeners {
            None => short().into_iter().collect(),
            Some(list) => self.listed(list, is_https(file)),
        };
        for (index, listener) in listeners.iter().enumerate() {
            let earlier = listeners.iter().take(index).find(|earlier| are_one(&earlier.address, &listener.address));
            if let Some(earlier) = earlier {
                let text = format!("\"{}\" is where {} listens already", listener.address, earlier.key);
                self.fault(&listener.key, text);
            }
        }
        if let Some(admin) = admin {
            self.private_listener(&listeners, admin);
        }
        listeners
    }

    fn listed(&mut self, list: &List<ListenerFile>, is_https: bool) -> Vec<ListenerSettings> {
        let listener = |(index, listener): (usize, &ListenerFile)| {
            let key = format!("listeners[{index}]");
            let tls = listener.tls.as_ref().map(|tls| self.listener_tls(&format!("{key}.tls"), tls));
            let h2c = listener.h2c.unwrap_or(false);
            if h2c && tls.is_some() {
                self.fault(
                    &format!("{key}.h2c"),
                    "is for listeners without `tls`, where HTTP/2 is `tls.http2`; leave it out",
                );
            }
            let redirects = listener.redirect_to_https.unwrap_or(false);
            if redirects && (tls.is_some() || !is_https) {
                let text = "sends people from plain HTTP to https: it stands on a listener without `tls`, beside a public_url of https";
                self.fault(&format!("{key}.redirect_to_https"), text);
            }
            let address = listener.address.as_ref()?.0.0.clone();
            let balancers = listener.proxy_protocol.as_ref();
            let balancers = balancers.map(|protocol| values(protocol.from.as_ref(), |network| network.0.0));
            Some(ListenerSettings { key: format!("{key}.address"), address, tls, h2c, redirects, balancers })
        };
        list.items().filter_map(listener).collect()
    }

    fn private_listener(&mut self, listeners: &[ListenerSettings], admin: SocketAddr) {
        // One port for both would put administration on the public side.
        let shared = listeners.iter().find(|listener| {
            listener.address.tcp().is_some_and(|address| address.port() == admin.port() && overlap(address, admin))
        });
        if let Some(shared) = shared.filter(|_| admin.port() != 0) {
            let (key, address) = (shared.key.trim_end_matches(".address"), &shared.address);
            self.fault(
                "admin_listen",
                format!("\"{admin}\" shares its port with {key} (\"{address}\"); choose another"),
            );
        }
        if !admin.ip().is_loopback() {
            let text =
                format!("\"{admin}\" is reachable from other machines; whoever reaches it reads metrics and health");
            self.warn("admin_listen", text);
        }
    }
}

/// Whether one socket would answer for both; ports are not looked at.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified()
}

fn are_one(one: &ListenAddress, other: &ListenAddress) -> bool {
    match (one, other) {
        (ListenAddress::Tcp(one), ListenAddress::Tcp(other)) => {
            one.port() == other.port() && one.port() != 0 && overlap(*one, *other)
        }
        _ => one == other,
    }
}
