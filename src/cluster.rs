//! Which addresses appear to have one owner, under which rules, and what every merge rests on.
//!
//! That two addresses have one owner is an inference, never a fact of the chain. So a rule yields [`Evidence`]: inferences that each name the
//! rule with its version and parameters, the transaction they rest on, and the addresses they join. [`Clusters`] are what the evidence joins.
//!
//! - [`by_spending`] is the one to begin with: addresses that a transaction spends together. It keeps no evidence and costs least.
//! - [`Proofs`] keep it: [`Proofs::explain`] gives the shortest chain of inferences between two addresses and tells of each transaction
//!   whether it is the only link; [`Proofs::without`] what the clusters were without it.
//! - [`build()`] adds weighed evidence (change, say) in a stated order, under constraints; what a constraint prevents is recorded. The result is
//!   a tree of merges, cut at any confidence.
//! - [`History`] follows clusters as blocks come, with a log of which merged when.
//! - [`spread`](spread()) carries tags on to the clusters of their addresses.
//! - [`Graph`] and [`Clusters::statistics`] say what clusters hold and pay each other.
//!
//! Clusters are over addresses as the chain numbers them: a pay-to-pubkey output counts as the P2PKH address of its key, scripts without an
//! address are left out, and an address that nothing joins to another is a cluster of its own.

pub mod build;
mod evidence;
pub mod graph;
mod history;
mod opponents;
mod partition;
mod proof;
pub mod same_key;
pub mod spending;
mod spread;
mod statistics;
mod unnecessary;

pub use build::{Built, Constraints, Soft, build};
pub use evidence::{Evidence, Inference, Rule};
pub use graph::Graph;
pub use history::{History, Merged};
pub use partition::Clusters;
pub use proof::{Derivation, Proofs, Step};
pub use spending::by_spending;
pub use spread::{Carried, spread};
pub use statistics::Statistics;
pub use unnecessary::has_unnecessary_input;
