//! The traced graph of several rules as one drawing: transactions, ends, and what each rule carried between them.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::Amount;

use crate::chain::View;
use crate::id::{OutputIndex, TxIndex};
use crate::trace::{Reason, Trace, Via};

/// A node: a transaction, or an output where some rule's trace ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Dot {
    Tx(TxIndex),
    End(OutputIndex),
}

/// An edge: from, to, and by which output or fee.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Line {
    pub(super) from: Dot,
    pub(super) to: Dot,
    pub(super) via: Via,
}

pub(super) struct Drawing<'c> {
    pub(super) view: View<'c>,
    pub(super) policies: Vec<&'static str>,
    pub(super) txs: Vec<TxIndex>,
    /// The transactions of seeds.
    pub(super) seeds: BTreeSet<TxIndex>,
    /// Each end with the reasons that the rules give, without repetition.
    pub(super) ends: BTreeMap<OutputIndex, Vec<Reason>>,
    /// What each rule carried along each line; zero where it carried nothing.
    pub(super) lines: BTreeMap<Line, Vec<Amount>>,
}

impl<'c> Drawing<'c> {
    pub(super) fn of(traces: &[Trace<'c>]) -> Self {
        let view = traces[0].view();
        let mut lines: BTreeMap<Line, Vec<Amount>> = BTreeMap::new();
        let mut ends: BTreeMap<OutputIndex, Vec<Reason>> = BTreeMap::new();
        let mut txs = Vec::new();
        for (at, trace) in traces.iter().enumerate() {
            let mut draw = |line, amount| {
                let amounts = lines.entry(line).or_insert_with(|| vec![Amount::ZERO; traces.len()]);
                amounts[at] = amount;
            };
            for carry in trace.carries() {
                draw(Line { from: Dot::Tx(carry.from), to: Dot::Tx(carry.to), via: carry.via }, carry.amount);
            }
            for end in trace.ends() {
                let from = view.output(end.output).tx().index();
                txs.push(from);
                draw(Line { from: Dot::Tx(from), to: Dot::End(end.output), via: Via::Output(end.output) }, end.amount);
                let reasons = ends.entry(end.output).or_default();
                if !reasons.contains(&end.reason) {
                    reasons.push(end.reason.clone());
                }
            }
            txs.extend_from_slice(trace.nodes());
        }
        txs.sort_unstable();
        txs.dedup();
        let policies = traces.iter().map(|trace| trace.policy().name).collect();
        let seeds = traces.iter().flat_map(Trace::seeds).map(|seed| view.output(seed.output).tx().index()).collect();
        Self { view, policies, txs, seeds, ends, lines }
    }

    /// A name that is unique in the drawing and safe in every format.
    pub(super) fn id(&self, dot: Dot) -> String {
        match dot {
            Dot::Tx(tx) => format!("tx_{}", self.view.tx(tx).txid()),
            Dot::End(output) => {
                let outpoint = self.view.output(output).outpoint();
                format!("end_{}_{}", outpoint.txid, outpoint.vout)
            }
        }
    }

    pub(super) fn reasons(&self, output: OutputIndex) -> String {
        let reasons = self.ends.get(&output).map_or(&[][..], Vec::as_slice);
        reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join(", ")
    }

    #[cfg(feature = "graphml")]
    pub(super) fn via(&self, via: Via) -> String {
        match via {
            Via::Output(output) => self.view.output(output).outpoint().to_string(),
            Via::Fee(tx) => format!("fee of {}", self.view.tx(tx).txid()),
        }
    }
}
