//! Sockets that whoever started us has opened: systemd, or a supervisor that speaks as it does (sd_listen_fds(3)).

use std::io;

use listenfd::ListenFd;

use super::address::Descriptor;
use super::socket::ListeningSocket;

/// The number of the first of them.
const FIRST: u32 = 3;

/// The sockets that are left to be taken.
pub(super) struct Inherited {
    sockets: ListenFd,
    names: Vec<String>,
}

impl Inherited {
    /// Those of this process. The environment that names them is cleared, so that no child takes them for its own; this
    /// happens once, before anything else is started, and only where a configuration asks for one.
    pub(super) fn of_process() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        Self { sockets: ListenFd::from_env(), names: names.split(':').map(str::to_owned).collect() }
    }

    /// Takes one.
    pub(super) fn take(&mut self, which: &Descriptor) -> io::Result<ListeningSocket> {
        let missing = || {
            let text = "no such socket was handed over (LISTEN_FDS, LISTEN_FDNAMES), or an earlier listener has it";
            io::Error::new(io::ErrorKind::NotFound, text)
        };
        let index = match which {
            Descriptor::Number(number) => number.checked_sub(FIRST).and_then(|index| usize::try_from(index).ok()),
            Descriptor::Name(name) => self.names.iter().position(|known| known == name),
        };
        let index = index.ok_or_else(missing)?;
        let socket = match self.sockets.take_tcp_listener(index) {
            Ok(socket) => ListeningSocket::Tcp(socket.ok_or_else(missing)?),
            Err(_) => ListeningSocket::Unix(self.sockets.take_unix_listener(index)?.ok_or_else(missing)?, None),
        };
        socket.set_nonblocking()?;
        Ok(socket)
    }
}
