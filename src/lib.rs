#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! In reading order, which is also import order: a module uses only what stands above it.

pub mod error;
pub mod id;
mod par;

pub mod chain;
pub mod source;

pub mod graph;
pub mod taint;

pub mod tag;

pub mod trace;

pub use chain::{Chain, ChainBuilder, View};
pub use error::Error;
pub use id::{AddressIndex, BlockHeight, OutputIndex, SourceIndex, TxIndex};
pub use {bitcoin, petgraph};
