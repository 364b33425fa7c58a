//! The door: what was typed becomes a call, what came back becomes an exit code.

mod check;
#[cfg(feature = "demo")]
mod demo;
mod health;
mod keys;
mod serve;
mod signals;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::telemetry::writer;

/// How long the end of the process waits for whoever reads the log.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

const ABOUT: &str = "Reverse-proxy authentication gateway: signs people in through their mobile carrier (ZenKey) or any \
OpenID Connect issuer, in front of unmodified web apps.";

#[cfg(feature = "demo")]
const DEMO: &str = "
  zengate demo                          everything simulated here; open the address it prints";
#[cfg(not(feature = "demo"))]
const DEMO: &str = "";

/// Begins with a line break: a `\\` at the end of a line would take the blanks of the next one with it.
const HELP: &str = "
  zengate check --config zengate.yaml   all faults of a configuration at once, with line and key
  zengate serve --config zengate.yaml   run the gateway

Addresses (defaults; change them in the configuration):
  :4180             people and programs; everything of ours lies under /oauth2
  127.0.0.1:44180   private: /metrics /livez /readyz

Exit codes: 0 done, 1 refused or failed (the reason is on standard error), 2 wrong usage.";

#[derive(Debug, Parser)]
#[command(name = "zengate", version, about = ABOUT, after_help = format!("First time here?{DEMO}{HELP}"))]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// Configuration file (YAML). Start from config/zengate.example.yaml.
    #[arg(long, short, value_name = "FILE", env = "ZENGATE_CONFIG")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway until SIGTERM, SIGINT or SIGQUIT; requests under way are finished first, unless a second one comes.
    Serve(ConfigFile),
    /// Read a configuration, ask the session store and the issuers what a sign-in would ask them, and report every fault with
    /// its place, or print what it means.
    ///
    /// Exit code 0: no fault; the effective route table is printed, most specific route first, secrets masked. Whoever does
    /// not answer is a warning: it may be reachable where the gateway runs, or later. Where nobody can be asked, as in CI, or
    /// is to be, as in ExecStartPre= (a gateway starts while store and issuers are away), write --offline.
    /// Exit code 1: one line per fault as file:line:column: key: what was found, what was expected. An answer with which
    /// nobody could sign in is a fault: another issuer's, one of an address that is not allowed, a Redis that is a replica,
    /// a Sentinel or a node of a cluster.
    Check {
        /// Configuration file (YAML). Start from config/zengate.example.yaml.
        #[arg(long, short, value_name = "FILE", env = "ZENGATE_CONFIG", required_unless_present = "schema")]
        config: Option<PathBuf>,
        /// Ask nobody: neither the session store, nor the issuers, nor for the addresses of upstreams.
        #[arg(long)]
        offline: bool,
        /// Print the JSON Schema of the configuration, for editors, and do nothing else.
        #[arg(long)]
        schema: bool,
    },
    /// Ask a running gateway whether it is ready: for containers without a shell.
    Health {
        /// Address of the private listener.
        #[arg(long, default_value = "127.0.0.1:44180", value_name = "ADDRESS")]
        address: String,
        /// Ask only whether the process is alive (/livez), not whether it is ready (/readyz).
        #[arg(long)]
        live: bool,
    },
    /// Start simulated carriers, a sample app and the gateway on loopback, and print one address to open.
    ///
    /// Nothing leaves this machine. Ctrl-C ends everything.
    #[cfg(feature = "demo")]
    Demo {
        /// Port of the gateway; the simulated services use the six ports above it, the private listener the seventh.
        #[arg(long, default_value_t = 4180)]
        port: u16,
    },
    /// Make a private key with which the gateway shows a provider who it is (`private_key_jwt`).
    ///
    /// The file must not exist yet; only its owner can read it. The public half is printed as a key set, and served at
    /// /oauth2/jwks.json once `client_keys` names the file.
    Keys {
        /// What it signs with.
        #[arg(long, value_enum, default_value = "ES256")]
        algorithm: keys::KeyKind,
        /// Where the key goes.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print the version.
    Version,
}

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    // The first thing of all: the framework would otherwise choose another cryptography provider for the process.
    let _installed_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let code = run(Cli::parse().command);
    writer::flush(LOG_PATIENCE);
    code
}

fn run(command: Command) -> ExitCode {
    match command {
        Command::Serve(file) => serve::run(&file.config),
        Command::Check { config, offline, schema } => check::run(config.as_deref(), offline, schema),
        Command::Health { address, live } => health::run(&address, live),
        #[cfg(feature = "demo")]
        Command::Demo { port } => demo::run(port),
        Command::Keys { algorithm, out } => keys::run(algorithm, &out),
        Command::Version => {
            println!("zengate {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}

/// Says why and fails. What was logged before stands before it.
pub(crate) fn fail(why: impl std::fmt::Display) -> ExitCode {
    writer::flush(LOG_PATIENCE);
    eprintln!("zengate: {why}");
    ExitCode::FAILURE
}
