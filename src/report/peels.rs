//! Peel chains on a trace, as rows: each chain one row that holds its peels.

use serde::Serialize;

use super::Report;
use crate::service::peel::{Peels, RULE, Stop};
use crate::trace::{Fold, Folded, Trace};

/// What a peel chain is.
pub(super) const MEANING: &str =
    "an inference: that one owner cut these pieces off one coin rests on the change rule at every step";

#[derive(Serialize)]
pub(super) struct PeelsRow {
    pub(super) policy: &'static str,
    /// The rule that infers the chain, and its version.
    pub(super) rule: &'static str,
    /// The change rule that says what goes on, with its version and parameters.
    pub(super) change: String,
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
    /// The tag at which the chain ends, where the report knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_tag: Option<String>,
    /// Whether a tag alone makes it shorter than a chain must be.
    pub(super) cut_short: bool,
    pub(super) confidence_ppm: u32,
    /// Whether the amounts are upper bounds that overlap, as under poison.
    pub(super) upper_bound: bool,
    /// What the chain is, and what that rests on.
    pub(super) meaning: &'static str,
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
    report.traces.iter().flat_map(|trace| of_trace(report, trace, peels)).collect()
}

fn of_trace(report: &Report<'_, '_>, trace: &Trace<'_>, peels: &Peels<'_>) -> Vec<PeelsRow> {
    let chains = trace.fold(peels).into_iter().filter_map(|fold| match fold {
        Fold::Chain(folded) => Some(row(report, trace, &folded, peels)),
        Fold::Tx(_) => None,
    });
    chains.collect()
}

fn row(report: &Report<'_, '_>, trace: &Trace<'_>, folded: &Folded, peels: &Peels<'_>) -> PeelsRow {
    let name = |output| trace.view().output(output).outpoint().to_string();
    let cut = folded.peels().map(|(output, amount)| PeelRow {
        output: name(output),
        address: trace.view().output(output).address().map(|address| address.to_string()),
        tainted_sat: amount.to_sat(),
    });
    let at_tag = report.tags.filter(|_| folded.stop == Some(Stop::Service));
    let stop_tag = at_tag.and_then(|tags| tags.holding(trace.view().output(folded.to)).next());
    PeelsRow {
        policy: trace.policy().name,
        rule: RULE,
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
        stop_tag: stop_tag.map(ToString::to_string),
        cut_short: folded.cut_short,
        confidence_ppm: folded.confidence.to_ppm(),
        upper_bound: folded.is_bound,
        meaning: MEANING,
        peels: cut.collect(),
    }
}
