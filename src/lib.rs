#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! In reading order, which is import order too: a module uses only what stands above it.
//!
//! | module | what lives there |
//! |---|---|
//! | [`error`] | the one error |
//! | [`id`] | indexes and heights |
//! | [`chain`] | transactions frozen into columns, and views of them |
//! | [`source`] | bytes in, transactions out |
//! | [`graph`] | petgraph's traits over a view |
//! | [`taint`] | the seven rules |
//! | [`detect`] | what kind of transaction it is: mixes, swaps, other shapes |
//! | [`change`] | which outputs go back to the payer: rules, votes, fingerprints |
//! | [`cluster`] | which addresses appear to have one owner, and what every merge rests on |
//! | [`service`] | deposit addresses, hot wallets, custodial mixers, peel chains: what needs several transactions, owners or tags |
//! | [`tag`] | who is said to stand behind an address, and files of such tags |
//! | [`trace`] | following taint, stops, balance sheets, evidence |
//! | [`spec`] | rules, seeds and cases by name |
//! | [`report`] | traces written for people and programs |
//! | [`truth`] | what is known to be true of a chain: owners, roles, thefts |
//! | `simulate` | chains with known truth, from a seed (feature `simulate`) |
//! | [`eval`] | how often a rule is wrong, where the truth is known |
//!
//! # Features
//!
//! None is on by default, and each only adds.
//!
//! - `csv`: `report::csv`, and files of tags as CSV. Brings the crate `csv`.
//! - `graphml`: `report::graphml`. Brings `quick-xml`.
//! - `table`: `report::table`. Brings `comfy-table`.
//! - `tagpack`: `tag::read` reads GraphSense's TagPacks. Brings `serde-saphyr`.
//! - `toml`: `spec::Case::from_toml`. Brings `toml`.
//! - `parquet`: members of clusters as Parquet, from the command. Brings `parquet`, without Arrow.
//! - `simulate`: the module `simulate`. Brings `k256`.
//! - `cli`: the command `fundtrace`, and every feature that a subcommand needs. Brings `clap`.

// The library speaks through values; only the command and the examples print. `expect("why this holds")` instead of `unwrap`.
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro, clippy::unwrap_used)]

pub mod error;
pub mod id;
mod par;

pub mod chain;
pub mod source;

pub mod graph;
pub mod taint;

pub mod detect;

pub mod change;

pub mod tag;

pub mod cluster;

pub mod service;

pub mod trace;

pub mod spec;

pub mod report;

pub mod truth;

#[cfg(feature = "simulate")]
pub mod simulate;

pub mod eval;

#[cfg(doc)]
/// The documents beside the code.
pub mod _documentation;

pub use chain::{Chain, ChainBuilder, View};
pub use error::Error;
pub use id::{AddressIndex, BlockHeight, ClusterIndex, EntityIndex, OutputIndex, SourceIndex, TxIndex};
pub use trace::Trace;
pub use {bitcoin, petgraph};
