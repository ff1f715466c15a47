//! What lies behind a mix: every output with the outputs of mixes that its taint came through, and what has one payer all the same.
//!
//! One pass over the traced transactions, parents first. What goes into a transaction came through what its inputs came through; an output
//! of a mix adds itself, with how it was reached ([`Way`]): mixed, or as linked change where the mix was crossed so that the change got its
//! payer's taint alone. An output of what may be a mix and was passed as none adds itself too. A seed begins anew. Of more than 256 outputs
//! the first in the chain are kept, and that there are more is said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::{How, Mixes, Passage, Through};
use crate::chain::{Tx, View};
use crate::detect::Confidence;
use crate::detect::coinjoin::{change, premix};
use crate::id::{OutputIndex, TxIndex};
use crate::trace::{Trace, Via};

/// How many outputs of mixes are kept for each output.
const OUTPUTS_MAX: usize = 256;

/// How taint came through an output of a mix. The first says the least about whose it is.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::Way;
/// assert!(Way::Mixed < Way::Linked);
/// assert_eq!(Way::Suspected.as_str(), "suspected");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Way {
    /// As one of the outputs that may be anybody's.
    Mixed,
    /// Out of a transaction that may be a mix, and that the run passed as none: undecided, or less sure than was asked for.
    Suspected,
    /// As an output that has one payer by an inference: change by [`change::RULE`], or by the matrix of links, provided that no participant
    /// pays another. Clear of the mix if the inference holds, and only then.
    Linked,
}

impl Way {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Mixed, Self::Suspected, Self::Linked];

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Suspected => "suspected",
            Self::Linked => "linked",
        }
    }

    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Self::Mixed => ", behind a mix",
            Self::Suspected => ", behind what may be a mix",
            Self::Linked => ", as linked change of a mix",
        }
    }
}

/// The mixes behind which an output lies.
///
/// # Examples
///
/// See [`Trace::mixes`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Behind {
    /// The outputs of mixes that taint came through, in chain order, and how.
    pub outputs: Arc<[(OutputIndex, Way)]>,
    /// The way of all outputs, those that are not kept too, that says the least.
    pub way: Way,
    /// Whether there are more than are kept; the first are.
    pub more: bool,
    /// The outputs of the last mixes before it, and of no mix before those.
    pub(super) last: Arc<[OutputIndex]>,
}

impl Behind {
    /// Returns the transactions that were passed this way, in chain order.
    ///
    /// # Panics
    ///
    /// When the view is of another chain.
    pub fn mixes(&self, view: View<'_>, way: Way) -> Vec<TxIndex> {
        let mut mixes: Vec<TxIndex> = self.passed(way).map(|output| view.output(output).tx().index()).collect();
        mixes.dedup();
        mixes
    }

    /// Returns the outputs that were passed this way, in chain order.
    pub fn passed(&self, way: Way) -> impl Iterator<Item = OutputIndex> + '_ {
        self.outputs.iter().filter(move |(_, own)| *own == way).map(|(output, _)| *output)
    }

    fn of(
        mut outputs: Vec<(OutputIndex, Way)>,
        mut last: Vec<OutputIndex>,
        way: Option<Way>,
        more: bool,
    ) -> Option<Self> {
        last.sort_unstable();
        last.dedup();
        last.truncate(OUTPUTS_MAX);
        outputs.sort_unstable();
        outputs.dedup();
        let way = outputs.iter().map(|(_, way)| *way).chain(way).min()?;
        let more = more || outputs.len() > OUTPUTS_MAX;
        outputs.truncate(OUTPUTS_MAX);
        Some(Self { outputs: outputs.into(), way, more, last: last.into() })
    }

    fn joined<'b>(of: impl Iterator<Item = &'b Self>) -> Option<Self> {
        let mut all: Vec<&Self> = of.collect();
        all.dedup_by(|a, b| Arc::ptr_eq(&a.outputs, &b.outputs) && Arc::ptr_eq(&a.last, &b.last));
        if let [one] = all[..] {
            return Some(one.clone());
        }
        let more = all.iter().any(|one| one.more);
        let way = all.iter().map(|one| one.way).min();
        let last = all.iter().flat_map(|one| one.last.iter().copied()).collect();
        Self::of(all.iter().flat_map(|one| one.outputs.iter().copied()).collect(), last, way, more)
    }
}

/// Outputs that are one payer's though the transaction hides or prepares to hide who is who: an inference.
///
/// # Examples
///
/// See [`Trace::linked`](crate::trace::Trace::linked) and [`change::find`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Linked {
    /// The transaction.
    pub tx: TxIndex,
    /// The rule and its version.
    pub rule: &'static str,
    /// How sure the rule is.
    pub confidence: Confidence,
    /// The payer's inputs.
    pub vins: Vec<u32>,
    /// The outputs that are the payer's.
    pub vouts: Vec<u32>,
    /// The mixes that spend these outputs, in chain order: of a Tx0 the evidence that it is one. Empty for the change of a mix.
    pub spent_by: Vec<TxIndex>,
}

/// Works out all that a trace says about mixes beside its amounts.
pub(in crate::trace) fn finish(trace: &mut Trace<'_>, through: Option<&Through>) {
    let Some(through) = through else { return };
    trace.passage.crossings.sort_by_key(|crossing| crossing.tx);
    trace.passage.suspects.sort_by_key(|suspect| suspect.tx);
    trace.passage.behind = behind(trace);
    trace.passage.linked = linked(trace, &through.mixes);
    trace.passage.consolidations = super::consolidation::find(trace);
}

fn behind(trace: &Trace<'_>) -> BTreeMap<OutputIndex, Behind> {
    let Passage { crossings, suspects, .. } = &trace.passage;
    let mut found: BTreeMap<OutputIndex, Behind> = BTreeMap::new();
    if suspects.is_empty() && crossings.iter().all(|crossing| crossing.how == How::Stopped) {
        return found;
    }
    let view = trace.view;
    let seeds: BTreeSet<OutputIndex> = trace.seeds.iter().map(|seed| seed.output).collect();
    let mut touched: BTreeMap<TxIndex, Vec<OutputIndex>> = BTreeMap::new();
    for touch in trace.touched.iter().filter(|touch| !seeds.contains(&touch.output)) {
        touched.entry(view.output(touch.output).tx().index()).or_default().push(touch.output);
    }
    let mut order: Vec<TxIndex> = trace.nodes.clone();
    // A coinbase takes the fees of its block, so it comes after all of the block's.
    order.sort_by_key(|tx| (view.columns().height_in_force(*tx), view.tx(*tx).is_coinbase(), *tx));
    // What the fees of transactions came through.
    let mut fees: BTreeMap<TxIndex, Behind> = BTreeMap::new();
    for tx in order {
        let into = Behind::joined(trace.carries_to(tx).filter_map(|carry| match carry.via {
            Via::Output(output) => found.get(&output),
            Via::Fee(payer) => fees.get(&payer),
        }));
        let crossing = trace.passage.at(tx).filter(|crossing| crossing.how != How::Stopped);
        let way = match crossing {
            Some(_) => Some(Way::Mixed),
            None => trace.passage.suspect(tx).map(|_| Way::Suspected),
        };
        for output in touched.get(&tx).into_iter().flatten() {
            let vout = view.output(*output).vout();
            let settled = crossing.is_some_and(|crossing| crossing.settled.contains(&vout));
            let own = with(into.as_ref(), *output, if settled { Some(Way::Linked) } else { way });
            found.extend(own.map(|own| (*output, own)));
        }
        // The fee of a mix is no output; its first output stands for it.
        let first = view.tx(tx).outputs().next().map(|output| output.index());
        let fee = first.and_then(|first| with(into.as_ref(), first, way));
        fees.extend(fee.map(|fee| (tx, fee)));
    }
    found
}

/// What lies before an output: what came in, and the output itself where its transaction is or may be a mix.
fn with(behind: Option<&Behind>, output: OutputIndex, way: Option<Way>) -> Option<Behind> {
    let Some(way) = way else { return behind.cloned() };
    let outputs = behind.iter().flat_map(|behind| behind.outputs.iter().copied()).chain([(output, way)]);
    // Behind a mix nobody knows which coin came through which mix before it.
    let last = match way {
        Way::Mixed | Way::Linked => vec![output],
        Way::Suspected => behind.map_or(Vec::new(), |behind| behind.last.to_vec()),
    };
    Behind::of(outputs.collect(), last, behind.map(|behind| behind.way), behind.is_some_and(|behind| behind.more))
}

fn linked(trace: &Trace<'_>, mixes: &Mixes) -> Vec<Linked> {
    let mut linked = Vec::new();
    for crossing in &trace.passage.crossings {
        let link = |link: &change::ChangeLink| Linked {
            tx: crossing.tx,
            rule: change::RULE,
            confidence: change::CONFIDENCE,
            vins: link.vins.clone(),
            vouts: vec![link.vout],
            spent_by: Vec::new(),
        };
        linked.extend(crossing.changes.iter().map(link));
    }
    for tx in trace.nodes.iter().filter(|tx| trace.carries_to(**tx).next().is_some()) {
        let tx = trace.view.tx(*tx);
        let Some(finding) = premix::find(tx).filter(|finding| mixes.affirms(finding)) else { continue };
        let (rule, confidence) = (finding.rule, finding.confidence);
        let (vins, vouts) = ((0..crate::id::small(tx.inputs().len())).collect(), premix::kept(tx));
        let spenders =
            tx.outputs().filter(|output| vouts.contains(&output.vout())).filter_map(|output| output.spender());
        let mut spent_by: Vec<TxIndex> =
            spenders.filter(|spender| mixes.find(*spender).is_some()).map(Tx::index).collect();
        spent_by.sort_unstable();
        spent_by.dedup();
        linked.push(Linked { tx: tx.index(), rule, confidence, vins, vouts, spent_by });
    }
    linked.sort_by(|a, b| (a.tx, &a.vouts).cmp(&(b.tx, &b.vouts)));
    linked
}
