//! Sockets that whoever starts the gateway hands over.

use super::sound;
use crate::support::process::{Home, Process};
use crate::support::raw::{exchange, get};

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_systemd_is_served_by_its_number_and_by_its_name() {
    for address in ["fd:3", "fd:web"] {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        let home = Home::new();
        let config = home.write(
            "zengate.yaml",
            &sound().replace("listen: 127.0.0.1:0\nadmin", &format!("listen: {address}\nadmin")),
        );
        let (process, listen, _) = Process::serve_on(socket, &config);
        assert_eq!(listen, at.to_string(), "{address}");
        assert_eq!(exchange(at, get("/nowhere", "").as_bytes()).await.status(), 403);
        process.signal("TERM");
        assert_eq!(process.end().code, Some(0));
    }
}

#[test]
fn a_socket_that_nobody_handed_over_is_named() {
    let home = Home::new();
    let config = home.write("zengate.yaml", &sound().replace("listen: 127.0.0.1:0\nadmin", "listen: fd:web\nadmin"));
    let ended = Process::run(&["serve", "--config", config.to_str().unwrap()]);
    assert_ne!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("listen: cannot listen on fd:web: no such socket was handed over"),
        "{}",
        ended.stderr
    );
}
