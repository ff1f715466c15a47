//! The command `fundtrace`.
//!
//! Exit status: 0; 1 when data is absent, empty, bad or lacks a seed; 2 when the command line cannot be parsed. Results go to standard
//! output, messages to standard error.

mod ballot;
mod cluster;
mod detect;
mod eval;
mod index;
mod info;
mod input;
mod jobs;
mod joined;
mod look;
mod members;
mod mixes;
mod origins;
mod peels;
mod progress;
mod save;
mod services;
mod simulate;
mod store;
mod tags;
mod trace;
mod watch;

use std::error::Error as _;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fundtrace::Error;

const EXIT_STATUS: &str = "Exit status: 0 when the work is done, 1 when the data are absent, empty, bad or lack a seed, \
                           2 when the command line cannot be understood.";

/// Follows stolen funds on a blockchain: exact to the satoshi, under several rules side by side, every step explained.
#[derive(Parser, Debug)]
#[command(version, propagate_version = true, after_help = EXIT_STATUS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Cluster(cluster::Args),
    Detect(detect::Args),
    Eval(eval::Args),
    Explain(cluster::ExplainArgs),
    Index(index::Args),
    Info(info::Args),
    Verify(info::VerifyArgs),
    Tx(look::TxArgs),
    Address(look::AddressArgs),
    Output(look::OutputArgs),
    Simulate(simulate::Args),
    Trace(Box<trace::Args>),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Cluster(args) => cluster::run(&args),
        Command::Detect(args) => detect::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Explain(args) => cluster::explain(&args),
        Command::Index(args) => index::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Verify(args) => info::verify(&args),
        Command::Tx(args) => look::tx(&args),
        Command::Address(args) => look::address(&args),
        Command::Output(args) => look::output(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Trace(args) => trace::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads us has seen enough: `| head` is no failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let mut message = format!("fundtrace: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                message.push_str(&format!(": {error}"));
                cause = error.source();
            }
            // Nothing is left to tell when standard error is closed too.
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    error.io_kind() == Some(ErrorKind::BrokenPipe)
}
