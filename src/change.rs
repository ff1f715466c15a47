//! Which outputs of a payment go back to the payer: one rule a file, sets of what a rule cannot rule out, and combinations of rules.
//!
//! No rule is true. A rule returns the outputs that it *cannot rule out* as change, or `None` where it does not apply; only a set of one
//! says anything ([`OutputSet::only`]). Every rule applies to payments alone: a transaction that spends something and has two or more
//! outputs that can be spent. (BlockSci asks rules about transactions of one output too, and its `unique` then calls that output
//! change.) Outputs that nobody can spend are never candidates.
//!
//! # Two kinds, told apart by type
//!
//! - [`Change`] is a rule that looks at the payment, at what it spends and at the chain before it. It is asked about a [`Payment`], which
//!   has no way to what came later, so its answer never changes when blocks are added.
//! - [`Hindsight`] is a rule that looks at who spends the outputs, or at what their addresses receive later. It is asked about a
//!   [`Tx`] of a [`View`] and sees as far as the view does: as of a height it sees no later spend or receipt. Its answer can change with every block.
//!
//! "New" means new in this input, and where previous transactions are missing the rules on new addresses ([`Client`], [`Ermilov`], [`Fresh`], [`Graphsense`], [`Legacy`],
//! [`Meiklejohn`] and its refinements, [`Shadow`]) decide by what the input happens to lack: an address that was paid for years is new if no transaction before this one
//! pays it or spends from it here, and the same payment can have another change on the whole chain. Only on whole blocks from genesis on is new what the name says.
//! An input that spends a missing transaction tells of an earlier output; it counts from that input on and not before, so later blocks change nothing here either.
//!
//! A caller who may not look ahead takes `impl Change`. A rule of the first kind becomes one of the second with [`Change::in_hindsight`],
//! never the other way round. What a closure knows nobody can check: rules that take one that may look ahead (who is in which cluster)
//! are of the second kind.
//!
//! | kind | rules |
//! |---|---|
//! | [`Change`] | [`AddressReuse`] [`AddressType`] [`Client`] [`Ermilov`] [`Fresh`] [`LastOutput`] [`Legacy`] [`Meiklejohn`] [`Nothing`] [`OptimalChange`] [`OptimalFee`] [`PowerOfTen`] [`Shadow`] [`TypeUnanimous`] [`Uih1`] [`Uih2`] |
//! | [`Hindsight`] | [`ClusterMember`] [`Consumer`] [`FixedFee`] [`Graphsense`] [`LockTime`] [`MeiklejohnGlobal`] [`MeiklejohnWait`] [`Peeling`] [`SameFingerprint`] [`Spent`] [`TwoHops`] |
//!
//! Which one to use first: [`Votes`] over several, at a threshold. Of single rules those with the fewest false positives in the
//! published evaluation are few decimals ([`PowerOfTen`]) and equal [`Fingerprints`]; [`Fresh`] names most and is wrong most often.
//! [`Rule::published`] has the rates.
//!
//! # Examples
//!
//! A rule of one's own, and an exception to it:
//!
//! ```
#![doc = include_str!("change/sketch.txt")]
//! use fundtrace::change::{Change, Payment, PowerOfTen};
//! use fundtrace::chain::OutputSet;
//!
//! /// The largest output is change.
//! #[derive(Debug)]
//! struct Largest;
//!
//! impl Change for Largest {
//!     fn name(&self) -> &'static str {
//!         "largest"
//!     }
//!     fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
//!         let most = payment.spendable().map(|output| output.value).max();
//!         payment.those(|output| Some(output.value) == most)
//!     }
//! }
//!
//! // A coin of 9,000,000 pays 5,000,000 and gets 3,999,000 back.
//! let chain = sketch(&[("t", &[("coin", 9_000_000, "alice")], &[(5_000_000, "bob"), (3_999_000, "new")])]);
//! assert_eq!(vouts(&chain, "t", &Largest), Some(vec![0]));
//! assert_eq!(vouts(&chain, "t", &PowerOfTen::default()), Some(vec![1]));
//! // They disagree: nothing is left, and neither is heard where the other speaks.
//! assert_eq!(vouts(&chain, "t", &Largest.and(PowerOfTen::default())), Some(vec![]));
//! assert_eq!(vouts(&chain, "t", &Largest.unless(|payment: &Payment<'_>| payment.outputs().len() == 2)), None);
//! ```
//!
//! # References
//!
//! 1. BlockSci 0.7, `change_address.cpp` (conventions and rule names; the code here is our own).
//! 2. Moeser and Narayanan, "Resurrecting Address Clustering in Bitcoin", Financial Cryptography 2022: all published rates unless a rule
//!    says otherwise, from the released notebooks, chain to block 689,256. They are rates on that ground truth, which sees only wallets that later spend together.

mod address_reuse;
mod address_type;
mod client;
mod cluster_member;
mod combine;
mod consumer;
mod ermilov;
mod fingerprint;
mod fixed_fee;
mod fresh;
mod graphsense;
mod last_output;
mod legacy;
mod lock_time;
mod meiklejohn;
mod meiklejohn_global;
mod meiklejohn_wait;
mod nothing;
mod optimal_change;
mod optimal_fee;
mod payment;
mod peeling;
mod picks;
mod power_of_ten;
mod rule;
mod same_fingerprint;
mod shadow;
mod spent;
mod two_hops;
mod type_unanimous;
mod uih1;
mod uih2;
mod voters;
mod votes;

pub use address_reuse::AddressReuse;
pub use address_type::AddressType;
pub use client::Client;
pub use cluster_member::ClusterMember;
pub use combine::{And, InHindsight, Minus, Or, Unique, Unless};
pub use consumer::Consumer;
pub use ermilov::Ermilov;
pub use fingerprint::{Fingerprint, Fingerprints, Mask};
pub use fixed_fee::FixedFee;
pub use fresh::Fresh;
pub use graphsense::Graphsense;
pub use last_output::LastOutput;
pub use legacy::Legacy;
pub use lock_time::LockTime;
pub use meiklejohn::Meiklejohn;
pub use meiklejohn_global::MeiklejohnGlobal;
pub use meiklejohn_wait::MeiklejohnWait;
pub use nothing::Nothing;
pub use optimal_change::OptimalChange;
pub use optimal_fee::OptimalFee;
pub use payment::{Funds, Paid, Payment};
pub use peeling::Peeling;
pub use picks::{Guess, links, picks, picks_in_hindsight, picks_of_all, votes, votes_in_hindsight};
pub use power_of_ten::PowerOfTen;
pub use rule::{Context, Published, Rule};
pub use same_fingerprint::SameFingerprint;
pub use shadow::Shadow;
pub use spent::Spent;
pub use two_hops::TwoHops;
pub use type_unanimous::TypeUnanimous;
pub use uih1::Uih1;
pub use uih2::Uih2;
pub(crate) use voters::VOTERS;
pub use voters::{voters, voters_in_hindsight};
pub use votes::{Ballot, Vote, Votes};

#[cfg(doc)]
use crate::chain::View;
use crate::chain::{Output, OutputSet, Tx};

/// A rule that looks at a payment, at what it spends and at the chain before it, and at nothing later.
///
/// # Examples
///
/// See [the module](self) for a rule of one's own.
pub trait Change: Sync {
    /// Returns the rule's name, in snake case.
    fn name(&self) -> &'static str;

    /// Returns the rule's version: another version may give other answers.
    fn version(&self) -> u32 {
        1
    }

    /// Returns what a reader must know to repeat the answers.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Returns the outputs that the rule cannot rule out as change; `None` where it does not apply.
    ///
    /// [`Payment::those`] does the filtering of outputs that cannot be spent.
    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet>;

    /// Returns what both cannot rule out; `None` where either does not apply.
    fn and<B: Change>(self, other: B) -> And<Self, B>
    where
        Self: Sized,
    {
        And::new(self, other)
    }

    /// Returns what either cannot rule out; what one says alone where the other does not apply.
    fn or<B: Change>(self, other: B) -> Or<Self, B>
    where
        Self: Sized,
    {
        Or::new(self, other)
    }

    /// Takes away what the other names; all that this one says stays where the other does not apply.
    fn minus<B: Change>(self, other: B) -> Minus<Self, B>
    where
        Self: Sized,
    {
        Minus::new(self, other)
    }

    /// Speaks only where one output is left.
    fn unique(self) -> Unique<Self>
    where
        Self: Sized,
    {
        Unique::new(self)
    }

    /// Does not apply where `exception` holds: at CoinJoins, for one.
    fn unless<F: Fn(&Payment<'_>) -> bool + Sync>(self, exception: F) -> Unless<Self, F>
    where
        Self: Sized,
    {
        Unless::new(self, exception)
    }

    /// Makes a rule of the other kind of it, to be combined with such rules.
    fn in_hindsight(self) -> InHindsight<Self>
    where
        Self: Sized,
    {
        InHindsight::new(self)
    }
}

/// A rule that looks at later transactions too, as far as the view that it is asked on.
///
/// # Examples
///
/// ```
#[doc = include_str!("change/sketch.txt")]
/// use fundtrace::change::{Change, Fresh, Hindsight, Spent};
///
/// let chain = sketch(&[
///     ("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "carol")]),
///     ("u", &[("t:1", 399, "carol")], &[(398, "dave")]),
/// ]);
/// assert_eq!(vouts_later(&chain, "t", &Spent), Some(vec![1]));
/// // As of the first block nobody has spent anything.
/// let early = chain.as_of(fundtrace::BlockHeight::from_u32(1));
/// assert!(Spent.candidates(early.txs().next().unwrap()).unwrap().is_empty());
/// // Both outputs are new, so the rule of the other kind does not say which.
/// assert_eq!(vouts_later(&chain, "t", &Fresh.in_hindsight().or(Spent)), Some(vec![1]));
/// ```
pub trait Hindsight: Sync {
    /// Returns the rule's name, in snake case.
    fn name(&self) -> &'static str;

    /// Returns the rule's version: another version may give other answers.
    fn version(&self) -> u32 {
        1
    }

    /// Returns what a reader must know to repeat the answers.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Returns the outputs that the rule cannot rule out as change, as far as the transaction's view sees; `None` where it does not apply.
    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet>;

    /// Returns what both cannot rule out; `None` where either does not apply.
    fn and<B: Hindsight>(self, other: B) -> And<Self, B>
    where
        Self: Sized,
    {
        And::new(self, other)
    }

    /// Returns what either cannot rule out; what one says alone where the other does not apply.
    fn or<B: Hindsight>(self, other: B) -> Or<Self, B>
    where
        Self: Sized,
    {
        Or::new(self, other)
    }

    /// Takes away what the other names; all that this one says stays where the other does not apply.
    fn minus<B: Hindsight>(self, other: B) -> Minus<Self, B>
    where
        Self: Sized,
    {
        Minus::new(self, other)
    }

    /// Speaks only where one output is left.
    fn unique(self) -> Unique<Self>
    where
        Self: Sized,
    {
        Unique::new(self)
    }

    /// Does not apply where `exception` holds: at CoinJoins, for one.
    fn unless<F: Fn(Tx<'_>) -> bool + Sync>(self, exception: F) -> Unless<Self, F>
    where
        Self: Sized,
    {
        Unless::new(self, exception)
    }
}

/// A rule works behind a reference and a box alike.
macro_rules! behind {
    ($pointer:ty) => {
        impl<T: Change + ?Sized> Change for $pointer
        where
            Self: Sync,
        {
            fn name(&self) -> &'static str {
                (**self).name()
            }
            fn version(&self) -> u32 {
                (**self).version()
            }
            fn parameters(&self) -> Vec<(&'static str, String)> {
                (**self).parameters()
            }
            fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
                (**self).candidates(payment)
            }
        }

        impl<T: Hindsight + ?Sized> Hindsight for $pointer
        where
            Self: Sync,
        {
            fn name(&self) -> &'static str {
                (**self).name()
            }
            fn version(&self) -> u32 {
                (**self).version()
            }
            fn parameters(&self) -> Vec<(&'static str, String)> {
                (**self).parameters()
            }
            fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
                (**self).candidates(tx)
            }
        }
    };
}

behind!(&T);
behind!(Box<T>);

/// The outputs of a payment that can be spent and for which `keep` holds; `None` where `tx` is no payment.
///
/// What [`Payment::those`] is to rules of the other kind.
fn those<'c>(tx: Tx<'c>, keep: impl Fn(Output<'c>) -> bool) -> Option<OutputSet> {
    if tx.is_coinbase() || tx.is_stub() || tx.outputs().filter(|output| !output.is_unspendable()).take(2).count() < 2 {
        return None;
    }
    Some(tx.outputs().filter(|output| !output.is_unspendable() && keep(*output)).map(Output::index).collect())
}
