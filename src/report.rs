//! Traces written for people and for programs.
//!
//! Every function takes the traces of one run side by side: one view, the same seeds, one trace a rule. [`json`] is the whole result and
//! a stable interface; [`dot`] draws; behind features of the same names stand `graphml`, `csv` and `table`. Every report holds the
//! [`Manifest`], which says what went in and under which conventions, with neither clock nor path, so that two runs on the same
//! facts are equal byte for byte.

#[cfg(feature = "csv")]
pub mod csv;
pub mod dot;
mod drawing;
#[cfg(feature = "graphml")]
pub mod graphml;
pub mod json;
mod manifest;
mod spread;
#[cfg(feature = "table")]
pub mod table;

pub use manifest::Manifest;
pub use spread::{Spread, spreads};
