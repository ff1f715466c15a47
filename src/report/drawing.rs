//! The traced graph of several rules as one drawing: transactions, ends, and what each rule carried between them.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::Amount;

use crate::chain::View;
use crate::id::{OutputIndex, TxIndex};
use crate::trace::{Crossing, Reason, Suspect, Trace, Via, Way};

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
    /// What is said of transactions that are or may be mixes.
    pub(super) mixes: BTreeMap<TxIndex, String>,
    /// How the outputs that are drawn lie to mixes: under all rules the way that says the least.
    ways: BTreeMap<OutputIndex, Way>,
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
        let mut mixes = BTreeMap::new();
        for trace in traces {
            let crossed = |mix: &Crossing| (mix.tx, format!("mix: {}; {}", mix.finding.graded(), mix.how.as_str()));
            mixes.extend(trace.mixes().iter().map(crossed));
            let passed = |may: &Suspect| {
                let by = if may.vetoed { " by the caller's list" } else { "" };
                (may.tx, format!("may be a mix: {}; passed as none{by}", may.finding.graded()))
            };
            mixes.extend(trace.suspects().iter().map(passed));
        }
        let mut ways: BTreeMap<OutputIndex, Way> = BTreeMap::new();
        for trace in traces {
            let drawn = trace.ends().iter().map(|end| end.output);
            let carried = trace.carries().iter().filter_map(|carry| match carry.via {
                Via::Output(output) => Some(output),
                Via::Fee(_) => None,
            });
            for output in drawn.chain(carried) {
                if let Some(behind) = trace.behind(output) {
                    ways.entry(output).and_modify(|way| *way = behind.way.min(*way)).or_insert(behind.way);
                }
            }
        }
        let policies = traces.iter().map(|trace| trace.policy().name).collect();
        let seeds = traces.iter().flat_map(Trace::seeds).map(|seed| view.output(seed.output).tx().index()).collect();
        Self { view, policies, txs, seeds, ends, lines, mixes, ways }
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

    /// How an output lies to mixes, in words; `None` where none lies before it.
    pub(super) fn way(&self, output: OutputIndex) -> Option<&'static str> {
        self.ways.get(&output).map(|way| match way {
            Way::Mixed => "behind a mix",
            Way::Suspected => "behind what may be a mix",
            Way::Linked => "linked change of a mix",
        })
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
