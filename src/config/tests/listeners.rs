//! Listeners.

use super::*;

#[test]
fn listeners_stand_in_a_list_or_one_of_them_in_short() {
    let list = "listeners:\n  - { address: ':443' }\n  - { address: 'unix:/run/zengate/http.sock' }\n  - { address: fd:web }\n";
    let config = good(&top(list));
    let shown: Vec<_> = config.listeners.iter().map(|listener| listener.address.to_string()).collect();
    assert_eq!(shown, ["[::]:443", "unix:/run/zengate/http.sock", "fd:web"]);
    one_fault(
        "listen: is short for one plain listener",
        &top(&format!("listen: ':80'\n{list}")),
        &top("listen: ':80'\n"),
    );
    one_fault("listeners: ", &top("listeners: []\n"), &top(list));
}

#[test]
fn no_two_listeners_are_at_one_place() {
    let two =
        |first: &str, second: &str| top(&format!("listeners: [{{ address: '{first}' }}, {{ address: '{second}' }}]\n"));
    for (first, second, twin) in [
        (":443", "127.0.0.1:443", "127.0.0.1:444"),
        ("0.0.0.0:443", "0.0.0.0:443", "0.0.0.0:80"),
        ("unix:/a", "unix:/a", "unix:/b"),
        ("fd:3", "fd:3", "fd:4"),
    ] {
        let fault = format!(
            "listeners[1].address: \"{}\" is where listeners[0].address listens already",
            if second == ":443" { "[::]:443" } else { second }
        );
        one_fault(&fault, &two(first, second), &two(first, twin));
    }
    one_fault(
        "admin_listen: \"127.0.0.1:44180\" shares its port with listeners[1]",
        &two(":443", ":44180"),
        &two(":443", ":44181"),
    );
    let upstream = |listener: &str| two(":443", listener).replace("http://127.0.0.1:3000", "http://127.0.0.1:8080");
    one_fault("is the gateway's own listen", &upstream("127.0.0.1:8080"), &upstream("127.0.0.1:8081"));
}
