//! What lies behind a mix: every output with the outputs of mixes that its taint came through, and what has one payer all the same.
//!
//! One pass over the traced transactions, parents first. What goes into a transaction came through what its inputs came through; an output
//! of a mix adds itself, unless it is linked change and the mix was crossed so that the change got its payer's taint alone. A seed
//! begins anew. Of more than 256 outputs of mixes the first in the chain are kept, and that there are more is said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{How, Passage};
use crate::chain::View;
use crate::detect::coinjoin::{change, premix};
use crate::detect::{Confidence, Finding};
use crate::id::{OutputIndex, TxIndex};
use crate::trace::{Trace, Via};

/// How many outputs of mixes are kept for each output.
const OUTPUTS_MAX: usize = 256;

/// The mixes behind which an output lies.
///
/// # Examples
///
/// See [`Trace::mixes`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Behind {
    /// The outputs of mixes that taint came through, in chain order.
    pub outputs: Arc<[OutputIndex]>,
    /// Whether there are more than are kept; the first are.
    pub more: bool,
}

impl Behind {
    /// Returns the mixes, in chain order.
    ///
    /// # Panics
    ///
    /// When the view is of another chain.
    pub fn mixes(&self, view: View<'_>) -> Vec<TxIndex> {
        let mut mixes: Vec<TxIndex> = self.outputs.iter().map(|output| view.output(*output).tx().index()).collect();
        mixes.dedup();
        mixes
    }

    fn of(outputs: BTreeSet<OutputIndex>, more: bool) -> Option<Self> {
        let more = more || outputs.len() > OUTPUTS_MAX;
        let outputs: Arc<[OutputIndex]> = outputs.into_iter().take(OUTPUTS_MAX).collect();
        (!outputs.is_empty()).then_some(Self { outputs, more })
    }

    fn joined<'b>(of: impl Iterator<Item = &'b Self>) -> Option<Self> {
        let mut all: Vec<&Self> = of.collect();
        all.dedup_by(|a, b| Arc::ptr_eq(&a.outputs, &b.outputs));
        if let [one] = all[..] {
            return Some(one.clone());
        }
        let more = all.iter().any(|one| one.more);
        Self::of(all.iter().flat_map(|one| one.outputs.iter().copied()).collect(), more)
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
}

/// Works out all that a trace says about mixes beside its amounts.
pub(in crate::trace) fn finish(trace: &mut Trace<'_>) {
    trace.passage.crossings.sort_by_key(|crossing| crossing.tx);
    trace.passage.behind = behind(trace);
    trace.passage.linked = linked(trace);
    trace.passage.consolidations = super::consolidation::find(trace);
}

fn behind(trace: &Trace<'_>) -> BTreeMap<OutputIndex, Behind> {
    let Passage { crossings, .. } = &trace.passage;
    let mut found: BTreeMap<OutputIndex, Behind> = BTreeMap::new();
    if crossings.iter().all(|crossing| crossing.how == How::Stopped) {
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
        let mixes = crossing.is_some();
        for output in touched.get(&tx).into_iter().flatten() {
            let vout = view.output(*output).vout();
            let settled = crossing.is_some_and(|crossing| crossing.settled.contains(&vout));
            let own = if mixes && !settled { with(into.as_ref(), *output) } else { into.clone() };
            found.extend(own.map(|own| (*output, own)));
        }
        // The fee of a mix is no output; its first output stands for it.
        let first = view.tx(tx).outputs().next().map(|output| output.index());
        let fee = if let (true, Some(first)) = (mixes, first) { with(into.as_ref(), first) } else { into };
        fees.extend(fee.map(|fee| (tx, fee)));
    }
    found
}

fn with(behind: Option<&Behind>, output: OutputIndex) -> Option<Behind> {
    let outputs = behind.iter().flat_map(|behind| behind.outputs.iter().copied()).chain([output]);
    Behind::of(outputs.collect(), behind.is_some_and(|behind| behind.more))
}

fn linked(trace: &Trace<'_>) -> Vec<Linked> {
    let mut linked = Vec::new();
    for crossing in &trace.passage.crossings {
        let link = |link: &change::ChangeLink| Linked {
            tx: crossing.tx,
            rule: change::RULE,
            confidence: change::CONFIDENCE,
            vins: link.vins.clone(),
            vouts: vec![link.vout],
        };
        linked.extend(crossing.changes.iter().map(link));
    }
    if trace.passage.mode.is_some() {
        for tx in trace.nodes.iter().filter(|tx| trace.carries_to(**tx).next().is_some()) {
            let tx = trace.view.tx(*tx);
            let Some(finding) = premix::find(tx).filter(Finding::is_yes) else { continue };
            let vins = (0..crate::id::small(tx.inputs().len())).collect();
            let (rule, confidence) = (finding.rule, finding.confidence);
            linked.push(Linked { tx: tx.index(), rule, confidence, vins, vouts: premix::kept(tx) });
        }
    }
    linked.sort_by(|a, b| (a.tx, &a.vouts).cmp(&(b.tx, &b.vouts)));
    linked
}
