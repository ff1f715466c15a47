//! Payment processors: addresses that are paid once and hand the whole on at once, many of them to one place.
//!
//! [`find`] returns a [`Processor`] for each address (or cluster) to which at least [`Terms::forwarders_min`] such forwarders pay. A transaction forwards when it
//! has one output and each of its inputs spends the only output that ever paid its address, at most [`Terms::delay_blocks`] blocks after that output
//! was made. By default only P2SH and P2WSH forwarders count, the form in which forwarders of processors are known.
//!
//! Users cannot be separated beyond the place of collection: what leaves it is the processor's or its merchants' money, and the chain does not say for
//! whom a forwarder was made. A trace should stop at the forwarder, the last place that is one payer's.
//!
//! Confidence is low on purpose: 30 % where every forwarder is P2SH or P2WSH, 15 % otherwise, because an exchange's single-use deposit addresses do
//! the same. Tags tell the two apart. Reference: `algorithms`, 5.2, forwarders; no published rates are known to the author.
//!
//! # Fooled by
//!
//! An exchange that sweeps deposit addresses which were used once, and a person who sends ten payments on to one wallet.
//!
//! ```
#![doc = include_str!("../change/sketch.txt")]
//! use fundtrace::service::processor::{self, Terms};
//! let names: Vec<[String; 4]> = (0..10).map(|n| [format!("i{n}"), format!("f{n}"), format!("i{n}:0"), format!("p2sh:d{n}")]).collect();
//! let ins: Vec<_> = names.iter().map(|[.., to]| ([("coin", 9_000, "payer")], [(8_000, to.as_str())])).collect();
//! let outs: Vec<_> = names.iter().map(|[_, _, from, to]| ([(from.as_str(), 8_000, to.as_str())], [(7_000, "exchange")])).collect();
//! let mut rows: Vec<Row<'_>> = Vec::new();
//! for (at, [made, forwarded, ..]) in names.iter().enumerate() {
//!     rows.push((made, &ins[at].0, &ins[at].1));
//!     rows.push((forwarded, &outs[at].0, &outs[at].1));
//! }
//! let chain = sketch(&rows);
//! let found = processor::find(chain.view(), &Terms::default(), None);
//! assert_eq!((found.len(), found[0].forwarders.len(), found[0].confidence.to_ppm()), (1, 10, 300_000));
//! ```

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bitcoin::Amount;

use crate::chain::{Input, ScriptType, Tx, View};
use crate::cluster::Clusters;
use crate::detect::{Confidence, Feature, Finding, Kind};
use crate::id::{AddressIndex, TxIndex};

/// The rule and its version.
pub const RULE: &str = "processor/1";

/// What counts as a forwarder, and how many make a processor.
///
/// # Examples
///
/// ```
/// use fundtrace::service::processor::Terms;
/// let terms = Terms::default();
/// assert_eq!((terms.delay_blocks, terms.forwarders_min, terms.any_script), (144, 10, false));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Terms {
    /// At most so many blocks lie between being paid and handing on; a day by default.
    pub delay_blocks: u32,
    /// At least so many forwarders pay to one place; 10 by default, the number of depositors that other rules here ask for.
    pub forwarders_min: usize,
    /// Whether addresses of any script count and not P2SH and P2WSH alone.
    pub any_script: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self { delay_blocks: 144, forwarders_min: 10, any_script: false }
    }
}

/// A place to which many forwarders pay, said to be a payment processor's: an inference under [`RULE`]. Users cannot be separated beyond it.
///
/// # Examples
///
/// See [the module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Processor {
    /// Where forwarders pay to: the first such address, by [`AddressIndex`].
    pub address: AddressIndex,
    /// The forwarders, by [`AddressIndex`].
    pub forwarders: Vec<AddressIndex>,
    /// The transactions that forward, in chain order: what this rests on.
    pub rests_on: Vec<TxIndex>,
    /// What they forward.
    pub amount: Amount,
    /// Half of the forwarders wait no longer than this, in blocks.
    pub delay_median: u32,
    /// How sure the rule is.
    pub confidence: Confidence,
}

impl Processor {
    /// Writes it out as a finding, of the place that is paid, with the terms under which it was found.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::service::processor::{self, Terms};
    /// let (chain, terms) = (fundtrace::ChainBuilder::new().finish()?, Terms::default());
    /// let found = processor::find(chain.view(), &terms, None);
    /// let said: Vec<_> = found.iter().map(|processor| processor.finding(chain.view(), &terms)).collect();
    /// assert!(said.is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn finding(&self, view: View<'_>, terms: &Terms) -> Finding {
        let finding = Finding::new(Kind::Processor, "processor", RULE, self.confidence);
        super::rests_on(finding, view, &self.rests_on)
            .feature("forwarders", self.forwarders.len())
            .feature("forwarders_min", terms.forwarders_min)
            .feature("amount_sat", Feature::Value(self.amount))
            .feature("delay_median_blocks", self.delay_median)
            .feature("delay_max_blocks", terms.delay_blocks)
            .feature("any_script", terms.any_script)
    }
}

/// A transaction that forwards.
struct Forward {
    to: AddressIndex,
    tx: TxIndex,
    amount: Amount,
    /// The forwarders, each with its delay in blocks and whether its address is a script's.
    from: Vec<(AddressIndex, u32, bool)>,
}

/// Finds the processors of a view, the one with the most forwarders first, then by address; places of collection are gathered by cluster where clusters
/// are given. O(inputs), on the caller's rayon pool.
///
/// # Panics
///
/// When the clusters are of another chain.
///
/// # Examples
///
/// See [the module](self).
pub fn find(view: View<'_>, terms: &Terms, clusters: Option<&Clusters>) -> Vec<Processor> {
    let forwards = view.gather(|tx, found| found.extend(forward(tx, terms)));
    let owner = |address| {
        let own = clusters.and_then(|clusters| clusters.of(address).map(|cluster| clusters.first(cluster)));
        own.unwrap_or(address)
    };
    let mut places: BTreeMap<AddressIndex, Vec<Forward>> = BTreeMap::new();
    for forward in forwards {
        places.entry(owner(forward.to)).or_default().push(forward);
    }
    let many = |forwards: &Vec<Forward>| {
        forwards.iter().map(|forward| forward.from.len()).sum::<usize>() >= terms.forwarders_min.max(1)
    };
    let mut found: Vec<Processor> = places.into_values().filter(many).filter_map(|all| processor(&all)).collect();
    found.sort_by_key(|processor| (Reverse(processor.forwarders.len()), processor.address));
    found
}

fn forward(tx: Tx<'_>, terms: &Terms) -> Option<Forward> {
    if tx.is_coinbase() || tx.outputs().len() != 1 {
        return None;
    }
    let output = tx.outputs().next()?;
    let from = tx.inputs().map(|input| forwarder(input, terms)).collect::<Option<_>>()?;
    Some(Forward { to: output.address_index()?, tx: tx.index(), amount: output.value()?, from })
}

fn forwarder(input: Input<'_>, terms: &Terms) -> Option<(AddressIndex, u32, bool)> {
    let is_script = matches!(input.script_type(), Some(ScriptType::P2sh | ScriptType::P2wsh));
    let address = input.address_index().filter(|_| is_script || terms.any_script)?;
    let (paid, spent) = (input.prevout()?.tx().height()?, input.tx().height()?);
    let delay = spent.to_u32().checked_sub(paid.to_u32()).filter(|delay| *delay <= terms.delay_blocks)?;
    input.tx().view().is_paid_once(address).then_some((address, delay, is_script))
}

fn processor(forwards: &[Forward]) -> Option<Processor> {
    let from = || forwards.iter().flat_map(|forward| &forward.from);
    let mut forwarders: Vec<AddressIndex> = from().map(|(address, ..)| *address).collect();
    forwarders.sort_unstable();
    let mut delays: Vec<u32> = from().map(|(_, delay, _)| *delay).collect();
    delays.sort_unstable();
    let scripts = from().all(|(.., is_script)| *is_script);
    Some(Processor {
        address: forwards.iter().map(|forward| forward.to).min()?,
        forwarders,
        rests_on: forwards.iter().map(|forward| forward.tx).collect(),
        amount: forwards.iter().map(|forward| forward.amount).sum(),
        delay_median: delays[delays.len().saturating_sub(1) / 2],
        confidence: Confidence::from_percent(if scripts { 30 } else { 15 }),
    })
}
