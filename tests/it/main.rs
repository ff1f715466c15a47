//! The one integration test binary: a file a theme.

mod api;
mod architecture;
mod backward;
mod blocks;
mod bounds;
mod built;
mod change;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod cluster_command;
mod clusters;
mod detect;
mod eval;
mod exposure;
mod golden;
mod graph;
mod hostile;
mod laws;
mod links;
#[cfg(feature = "cli")]
mod long_runs;
mod mainnet;
mod memos;
mod mini;
mod mixers;
mod model;
mod oracle;
mod owners;
mod owners_trace;
mod peel;
#[cfg(feature = "simulate")]
mod pools;
mod random;
mod reach;
mod reference;
mod routes;
mod scenarios;
mod services;
mod sketch;
mod sources;
mod store;
#[cfg(feature = "cli")]
mod stores;
#[cfg(feature = "cli")]
mod tags;
mod through;
mod twin;
#[cfg(feature = "simulate")]
mod watch;
#[cfg(feature = "simulate")]
mod worlds;
