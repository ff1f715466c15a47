//! Following stolen coins: from seeds, under a rule, until nothing is left to follow or a stop says so.
//!
//! [`forward`] returns a [`Trace`]: every end with its reason and amount, the fees, what was burned and displaced, and the balance
//! sheet that ties them to the seeds. [`Trace::paths`] explains an end, [`Trace::leads`] ranks them, and [`Trace::missing`] says what to
//! fetch to get further. [`Trace::routes`] finds the widest, shortest, earliest and least mixed ways to an output, and [`connect`] any
//! way between two sets of outputs, with no trace and no rule. [`forward_through`] is [`forward`] with a choice of what happens at mixes
//! ([`through`]).
//!
//! Hops: a seed has 0; another output has one more than the least of its transaction's tainted inputs that were carried on;
//! a hop into a coinbase counts one. Between owners ([`forward_between`]) an output that the payer paid to itself has no more than that least.

mod backward;
mod balance;
mod bounds;
mod coinbase;
mod connect;
mod evidence;
mod exposure;
mod fold;
mod forward;
mod graph;
mod lead;
mod missing;
mod owners;
mod path;
mod rank;
mod reach;
mod reason;
pub mod route;
mod seed;
pub mod stop;
pub mod through;
mod watch;

pub use backward::{OriginBalance, OriginEnd, OriginReason, Origins, backward};
pub use balance::Balance;
pub use bounds::{Bound, BoundLimits, Gap, Most, Place, bounds};
pub use connect::{ConnectLimit, ConnectLimits, Connection, Link, connect};
pub use exposure::{CategoryExposure, ExposedTo, Exposure, ExposureRow, HopBucket};
pub use fold::{Fold, Folded, FoldedStep};
pub use forward::{forward, forward_between, forward_through};
pub use graph::{Carry, Via};
pub use lead::{Lead, Leads};
pub use missing::Missing;
pub(crate) use owners::told;
pub use owners::{Holding, Inside, Owner, Owners, Transfer};
pub use path::{Path, PathLimit, PathLimits, PathStep, Paths};
pub use rank::{Exit, Grade, LeadOrder, Rank};
pub use reach::{Engine, Reach, Reached, Shares, reach, reach_between, reach_with};
pub use reason::{Classed, Reason};
pub use seed::Seed;
pub use stop::{Stop, Visit};
pub use through::{
    Behind, Consolidation, Crossing, How, Linked, ListGiven, Mix, MixSheet, MixStop, Mixes, MixesGiven, Mode, Suspect,
    Through, Way,
};
pub use watch::{Alert, Event, Progress, Watch};

use std::collections::BTreeMap;

use bitcoin::Amount;
use serde::{Deserialize, Serialize};

use crate::chain::View;
use crate::id::{OutputIndex, SourceIndex, TxIndex};
use crate::taint::{Origin, Part, Taint};

/// The conventions of a run. The defaults cut nothing.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::{Fees, Options};
/// let options = Options::default().fees(Fees::Coinbase);
/// assert_ne!(options, Options::default());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub struct Options {
    /// What becomes of the taint in fees.
    pub fees: Fees,
    /// In which order subsidy and fees stand in a coinbase's row.
    pub coinbase_order: CoinbaseOrder,
    /// What happens where taint reaches another seed.
    pub overlap: Overlap,
}

impl Options {
    /// Sets what becomes of the taint in fees.
    #[must_use]
    pub fn fees(mut self, fees: Fees) -> Self {
        self.fees = fees;
        self
    }

    /// Sets the order of subsidy and fees in a coinbase's row.
    #[must_use]
    pub fn coinbase_order(mut self, order: CoinbaseOrder) -> Self {
        self.coinbase_order = order;
        self
    }
}

/// What becomes of the taint in a transaction's fee. In every rule the fee is the last output.
///
/// # Examples
///
/// See [`Options`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fees {
    /// It is booked and not followed.
    #[default]
    Drop,
    /// It goes on into the coinbase of the block, when the block is there: the coinbase, and exactly the fees that it claims, or a
    /// chain declared complete over this height. Where the block is not there the fee is booked as under `Drop`. Where positions in
    /// the block are not given, the fees stand in topological order, then by txid, which need not be the block's own.
    Coinbase,
}

impl Fees {
    /// What becomes of fees, in a sentence.
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Self::Drop => "booked where they are paid",
            Self::Coinbase => "followed into coinbases",
        }
    }

    /// Returns the name, as it is written in case files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Coinbase => "coinbase",
        }
    }
}

/// In which order the subsidy and the fees make up a coinbase's row; the literature knows both.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::CoinbaseOrder;
/// assert_eq!(CoinbaseOrder::default(), CoinbaseOrder::SubsidyFirst);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CoinbaseOrder {
    /// The new coins, then the fees in block order (as BlockSci has it).
    #[default]
    SubsidyFirst,
    /// The fees in block order, then the new coins (as RustyTaintChain has it).
    FeesFirst,
}

impl CoinbaseOrder {
    /// Returns the name, as it is written in case files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SubsidyFirst => "subsidy-first",
            Self::FeesFirst => "fees-first",
        }
    }
}

/// What happens where taint reaches an output that is a seed itself.
///
/// # Examples
///
/// ```
/// assert_eq!(fundtrace::trace::Overlap::default(), fundtrace::trace::Overlap::Reset);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Overlap {
    /// The output belongs wholly to the seed that names it; the taint that arrived is booked as displaced.
    #[default]
    Reset,
}

/// Which rule a trace was run under.
///
/// # Examples
///
/// See [`forward`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Policy {
    /// The rule's name.
    pub name: &'static str,
    /// The rule's version.
    pub version: u32,
    /// What else is needed to repeat the run.
    pub parameters: BTreeMap<&'static str, String>,
    /// Whether runs of disjoint sources add up.
    pub linear: bool,
    /// Whether the balance sheet adds up; where not, the result is an upper bound.
    pub conserving: bool,
    /// How evidence is walked back.
    #[serde(skip)]
    pub origin: Origin,
}

impl Policy {
    fn of<T: Taint>(rule: &T, sources: usize) -> Self {
        Self {
            name: rule.name(),
            version: rule.version(),
            parameters: rule.parameters(sources).into_iter().collect(),
            linear: T::LINEAR,
            conserving: T::CONSERVING,
            origin: rule.origin(),
        }
    }
}

/// An output that was seeded.
///
/// # Examples
///
/// See [`forward`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Seeded {
    /// The output.
    pub output: OutputIndex,
    /// Its source.
    pub source: SourceIndex,
    /// Its value, all of it stolen.
    pub value: Amount,
}

/// An output that taint reached.
///
/// # Examples
///
/// See [`forward`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Touch {
    /// The output.
    pub output: OutputIndex,
    /// Hops from the nearest seed; between owners, moves.
    pub hops: u32,
    /// How much of it is tainted, over all sources.
    pub amount: Amount,
    /// Its taint, piece by piece.
    pub parts: Vec<Part>,
    /// Whether its taint was carried into the transaction that spends it.
    pub carried: bool,
}

/// An output where taint ends.
///
/// # Examples
///
/// See [`forward`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct End {
    /// The output.
    pub output: OutputIndex,
    /// Hops from the nearest seed.
    pub hops: u32,
    /// How much of it is tainted: over all sources, and for poison its value once.
    pub amount: Amount,
    /// The amount by source; for poison these overlap.
    pub by_source: Vec<(SourceIndex, Amount)>,
    /// Why the trace ends here.
    pub reason: Reason,
}

/// Taint in a transaction's fee.
///
/// # Examples
///
/// See [`forward`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FeeTaint {
    /// The transaction that paid it.
    pub tx: TxIndex,
    /// How much of it is tainted.
    pub amount: Amount,
    /// Its taint, piece by piece; in input order.
    pub parts: Vec<Part>,
    /// The coinbase it went on to, if it did; otherwise it is booked.
    pub coinbase: Option<TxIndex>,
}

/// Taint that no one can spend any more.
///
/// # Examples
///
/// See [`forward`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Burned {
    /// The transaction in which it was burned.
    pub tx: TxIndex,
    /// The unspendable output; `None` for a reward that the miner did not claim.
    pub output: Option<OutputIndex>,
    /// How much.
    pub amount: Amount,
    /// Piece by piece.
    pub parts: Vec<Part>,
}

/// Taint that gave way to another seed.
///
/// # Examples
///
/// See [`forward`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Displaced {
    /// The output where it happened.
    pub output: OutputIndex,
    /// The source that the output belongs to.
    pub by: SourceIndex,
    /// How much gave way.
    pub amount: Amount,
    /// Piece by piece.
    pub parts: Vec<Part>,
}

/// Where taint went from a set of seeds under one rule.
///
/// Every list is in chain order.
///
/// # Examples
///
/// See [`forward`].
#[derive(Clone, Debug)]
pub struct Trace<'c> {
    view: View<'c>,
    policy: Policy,
    options: Options,
    stop: String,
    sources: Vec<String>,
    seeds: Vec<Seeded>,
    unseeded: Vec<OutputIndex>,
    touched: Vec<Touch>,
    ends: Vec<End>,
    fees: Vec<FeeTaint>,
    burned: Vec<Burned>,
    displaced: Vec<Displaced>,
    carries: Vec<Carry>,
    carries_in: Vec<u32>,
    nodes: Vec<TxIndex>,
    transactions: u64,
    /// What a trace between owners did not count as moves.
    between: Option<owners::Between>,
    passage: through::Passage,
}

impl<'c> Trace<'c> {
    /// Returns the view that was traced.
    pub fn view(&self) -> View<'c> {
        self.view
    }

    /// Returns the rule.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the conventions of the run.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Returns what the stop rules were, as they describe themselves.
    pub fn stop(&self) -> &str {
        &self.stop
    }

    /// Returns the labels of the sources; [`SourceIndex`] counts them.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Returns the label of a source.
    ///
    /// # Panics
    ///
    /// When the index is not from this trace.
    pub fn label(&self, source: SourceIndex) -> &str {
        &self.sources[source.at()]
    }

    /// Returns the outputs that were seeded, in the order they were given.
    pub fn seeds(&self) -> &[Seeded] {
        &self.seeds
    }

    /// Returns the seeds that could not be used: outputs that the view does not show, or whose value nobody told.
    pub fn unseeded(&self) -> &[OutputIndex] {
        &self.unseeded
    }

    /// Returns every output that taint reached, ends included; not what was burned or displaced.
    pub fn touched(&self) -> &[Touch] {
        &self.touched
    }

    /// Returns the outputs that still hold taint.
    pub fn ends(&self) -> &[End] {
        &self.ends
    }

    /// Returns the taint in fees, booked or carried on.
    pub fn fees(&self) -> &[FeeTaint] {
        &self.fees
    }

    /// Returns the taint that was burned.
    pub fn burned(&self) -> &[Burned] {
        &self.burned
    }

    /// Returns the taint that gave way to other seeds.
    pub fn displaced(&self) -> &[Displaced] {
        &self.displaced
    }

    /// Returns how many transactions taint was carried through, coinbases not counted.
    pub fn transactions(&self) -> u64 {
        self.transactions
    }

    /// Finds what taint did at an output. Logarithmic time.
    pub fn touch(&self, output: OutputIndex) -> Option<&Touch> {
        let at = self.touched.binary_search_by_key(&output, |touch| touch.output).ok()?;
        Some(&self.touched[at])
    }
}
