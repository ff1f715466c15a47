//! Which addresses appear to have one owner, under which rules, and what every merge rests on.
//!
//! That two addresses have one owner is an inference, never a fact of the chain. So a rule yields [`Evidence`]: inferences that each name the
//! rule with its version and parameters, the transaction they rest on, and the addresses they join. [`Clusters`] are what the evidence joins.
//!
//! - [`by_spending`] is the one to begin with: addresses that a transaction spends together. It keeps no evidence and costs least.
//! - [`Proofs`] keep it: [`Proofs::explain`] gives the shortest chain of inferences between two addresses and tells of each transaction
//!   whether it is the only [link](Link); [`Proofs::without`] what the clusters were without it.
//! - [`Guard`] says what must not be evidence: CoinJoins, and what looks as if several people signed. Its default is the one to begin with.
//! - [`by_votes`] adds what votes on change say, as far as nothing speaks against it. [`build()`] adds any weighed evidence in a stated
//!   order, under constraints; what a constraint prevents is recorded. The result is a tree of merges, cut at any confidence.
//! - [`History`] follows clusters as blocks come, with a log of which merged when.
//! - [`spread`](spread()) carries tags on to the clusters of their addresses.
//! - [`Graph`] and [`Clusters::statistics`] say what clusters hold and pay each other.
//!
//! # What we recommend
//!
//! By the rows of `COMPARE.md` on simulated worlds (precision and recall by pairs, and B-cubed recall):
//!
//! | for | rules | why |
//! |---|---|---|
//! | evidence that others will question | [`by_spending`] under [`Guard::default`] | 0.979, 0.032, 0.084. Without the guard 0.972, and 35 owners in one cluster instead of 4 |
//! | more addresses, nothing later known | spending, [`change::voters`](crate::change::voters) at 3, [`by_votes`] with a growth limit of [`voted::GROWTH`] | 0.972, 0.036, 0.093. `votes` on the command line |
//! | more addresses, looking back | the same with [`change::voters_in_hindsight`](crate::change::voters_in_hindsight) at 5 | 0.970, 0.041, 0.115. `votes_in_hindsight` |
//!
//! What votes add is less sure than the rows say: of the added pairs 0.92 and 0.94 are right, and the worst cluster has 22 and 18 owners instead of 4.
//!
//! Joining what a change rule names collapses clusters however good the rule is: `type_unanimous` is right of 0.991 of the payments that it decides and of 0.355 of
//! pairs, because one mistake joins all that both sides have. So it is the growth limit that pays: a guess alone never joins two clusters that are both larger.
//!
//! [`Guard`] is made against the mixes that there are and not against whoever knows it: a mix of two, one of dust, or one padded with odd outputs passes
//! ([`has_repeated_outputs`] shows them).
//!
//! Clusters are over addresses as the chain numbers them: a pay-to-pubkey output counts as the P2PKH address of its key, scripts without an
//! address are left out, and an address that nothing joins to another is a cluster of its own.
//!
//! A cluster has its first address in chain order for a name. Where previous transactions are missing, each one that is spent from comes first in that order, even one
//! that only a later block spends from. So on such input names and the number of addresses as of a height can change when later blocks are added; whom spending and change rules join does not.

pub mod build;
mod evidence;
pub mod graph;
mod guard;
mod history;
mod opponents;
mod partition;
mod proof;
mod repeated;
pub mod same_key;
pub mod spending;
mod spread;
mod statistics;
mod unnecessary;
pub mod voted;

pub use build::{Built, Constraints, Soft, build};
pub use evidence::{Basis, Evidence, Inference, Rule};
pub use graph::Graph;
pub use guard::Guard;
pub use history::{History, Merged};
pub use partition::Clusters;
pub use proof::{Derivation, Link, Proofs, Step};
pub use repeated::has_repeated_outputs;
pub use spending::by_spending;
pub use spread::{Carried, spread};
pub use statistics::Statistics;
pub use unnecessary::has_unnecessary_input;
pub use voted::by_votes;
