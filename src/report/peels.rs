//! Peel chains on a trace, as rows: each chain one row that holds its peels.

use serde::Serialize;

use super::Report;
use crate::service::peel::Peels;
use crate::trace::{Fold, Folded, Trace};

#[derive(Serialize)]
pub(super) struct PeelsRow {
    pub(super) policy: &'static str,
    /// The change rule that says what goes on, with its version and parameters.
    change: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) transactions: usize,
    pub(super) entered_sat: u64,
    pub(super) peeled_sat: u64,
    pub(super) rest_sat: u64,
    pub(super) fees_sat: u64,
    /// Burned, or given way to another seed.
    pub(super) lost_sat: u64,
    pub(super) stop: Option<&'static str>,
    confidence_ppm: u32,
    pub(super) peels: Vec<PeelRow>,
}

#[derive(Serialize)]
pub(super) struct PeelRow {
    pub(super) output: String,
    pub(super) address: Option<String>,
    pub(super) tainted_sat: u64,
}

/// The chains under each rule, in the rules' order.
pub(super) fn rows(report: &Report<'_, '_>) -> Vec<PeelsRow> {
    let Some(peels) = report.peels else { return Vec::new() };
    report.traces.iter().flat_map(|trace| of_trace(trace, peels)).collect()
}

fn of_trace(trace: &Trace<'_>, peels: &Peels<'_>) -> Vec<PeelsRow> {
    let chains = trace.fold(peels).into_iter().filter_map(|fold| match fold {
        Fold::Chain(folded) => Some(row(trace, &folded, peels)),
        Fold::Tx(_) => None,
    });
    chains.collect()
}

fn row(trace: &Trace<'_>, folded: &Folded, peels: &Peels<'_>) -> PeelsRow {
    let name = |output| trace.view().output(output).outpoint().to_string();
    let cut = folded.peels().map(|(output, amount)| PeelRow {
        output: name(output),
        address: trace.view().output(output).address().map(|address| address.to_string()),
        tainted_sat: amount.to_sat(),
    });
    let chain = peels.chain_from(folded.steps[0].tx);
    PeelsRow {
        policy: trace.policy().name,
        change: peels.rule().to_owned(),
        from: name(folded.from),
        to: name(folded.to),
        transactions: folded.steps.len(),
        entered_sat: folded.entered.to_sat(),
        peeled_sat: folded.peeled().to_sat(),
        rest_sat: folded.rest.to_sat(),
        fees_sat: folded.fees().to_sat(),
        lost_sat: folded.lost().to_sat(),
        stop: folded.stop.map(|stop| stop.as_str()),
        confidence_ppm: chain.map_or(0, |chain| chain.confidence().to_ppm()),
        peels: cut.collect(),
    }
}
