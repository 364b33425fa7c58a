//! Parts that this program plays itself, each as a process of its own so that the kernel counts its time apart.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{ChildStdout, Command, Stdio};

use super::process::Process;

/// A part that runs; ends with this value.
pub struct Role {
    /// Its process.
    pub process: Process,
    /// What it said first: where it listens.
    pub address: String,
    output: BufReader<ChildStdout>,
}

/// Starts a part through `wrapper` (a program and its arguments, perhaps none) and waits until it says where it listens.
pub fn start(wrapper: &[String], arguments: &[&str]) -> Role {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = match wrapper.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.arg("role").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("this program starts again");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut role = Role { process: Process::new(child), address: String::new(), output };
    role.address = role.line();
    role
}

impl Role {
    /// Tells it a line, and returns the line it says to it.
    pub fn tell(&mut self, order: &str) -> String {
        self.process.tell(order);
        self.line()
    }

    /// Its process alone, which goes on.
    pub fn into_process(self) -> Process {
        self.process
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the part speaks");
        line.trim().to_owned()
    }
}

/// In a part: ends this process with whoever started it, however that ends.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let _closed = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

/// In a part: says a line.
pub fn say(text: impl std::fmt::Display) {
    println!("{text}");
    std::io::stdout().flush().expect("whoever started us listens");
}

/// In a part: a listener on a port that the kernel chose.
pub fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}
