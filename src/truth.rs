//! What is known to be true of a chain: who owned each output, what it was for, what was stolen.
//!
//! The truth comes from a simulator, from an emulated network whose wallets were watched, or from a researcher's own records, as
//! lines of JSON beside the chain ([the format](crate::_documentation::truth)). It is read against a chain, so that a row about a transaction that is
//! not there is an error. No rule, detector or trace ever sees it; [`eval`](crate::eval) alone does. What no row tells is unknown, which is not "no".
//!
//! [`Row`] is a line; [`Truth`] is all of them, joined with the chain.

mod entity;
mod known;
mod read;
mod route;
mod row;

pub use entity::{Account, Entity, EntityKind, Theft};
pub use known::Truth;
pub use route::Exit;
pub use row::{Handover, Kind, OutputTruth, Role, Row, Stolen, TxTruth};
