//! How often a rule is wrong, where the truth is known.
//!
//! Pure functions over what a rule said and what a [`Truth`](crate::truth::Truth) says. Nothing here is an input of a rule.
//!
//! | of | function | measures |
//! |---|---|---|
//! | clusters of addresses | [`cluster`], [`ClusterStudy`] | pairwise and B-cubed precision, recall and F1, adjusted Rand index, collapse |
//! | change rules | [`ChangeScore`], [`ChangeStudy`] | true and false positive rate, coverage, Brier score |
//! | detectors | [`Detection`] | precision, recall and F1 of each class |
//! | deposit addresses | [`deposits`] | precision and recall, by how they are used, and decoys |
//! | traces | [`route`] | precision and recall by value on the true route, exits found, transactions opened |
//! | traces from where nothing was stolen | [`Decoys`], [`landing`] | what a trace "finds" when there is nothing to find |
//!
//! Every measure is a [`Ratio`] of whole numbers until it is printed; one over nothing is "n/a". Labels that are unknown are
//! unknown, never negative: they are left out of both parts of every ratio and counted apart. [`Bootstrap`] gives an interval, over
//! owners or thefts and never over transactions, because the transactions of one owner are alike. A [`Scorecard`] prints them.
//!
//! What comes out of a simulated chain is the rule's error in that simulation, and no known error rate on the real chain.

mod attribution;
mod bootstrap;
mod change;
mod change_study;
mod cluster;
mod cluster_study;
mod decoy;
mod deposit;
mod detect;
mod pattern;
mod ratio;
mod route;
mod scorecard;
mod study;

pub use attribution::Attribution;
pub use bootstrap::{Bootstrap, Interval};
pub use change::{ChangeCase, ChangeScore, Pick, true_change};
pub use change_study::{ChangeRow, ChangeStudy};
pub use cluster::{Ari, Clustering, OwnerPart, cluster};
pub use cluster_study::{ClusterRow, ClusterStudy};
pub use decoy::{Decoys, Landing, landing};
pub use deposit::{DepositScore, DepositUse, deposits, one_tag_each, tags_on_nobody};
pub use detect::{ClassScore, Detection, Label};
pub use pattern::{PayoutScore, PeelScore, payouts, peel_chains};
pub use ratio::Ratio;
pub use route::{Agreement, RouteScore, agreement, route};
pub use scorecard::{Score, Scorecard};
pub use study::{Cell, StudyOptions, TaintRow, TaintStudy};
