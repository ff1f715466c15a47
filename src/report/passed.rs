//! Tagged addresses that taint touched, whether it stopped there or not.

use std::collections::BTreeSet;

use bitcoin::OutPoint;
use serde::Serialize;

use super::Report;
use crate::id::OutputIndex;
use crate::tag::{Tag, are_at_odds};

/// A tagged output that taint touched.
#[derive(Serialize)]
pub(super) struct Row<'t> {
    pub(super) outpoint: OutPoint,
    pub(super) address: Option<String>,
    /// Whether some rule carried taint on from here.
    pub(super) passed: bool,
    /// Whether two of the tags contradict each other.
    pub(super) conflict: bool,
    pub(super) tags: Vec<&'t Tag>,
    /// Tags that do not hold on the day of its block, or were taken back: shown, and not used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) lapsed: Vec<&'t Tag>,
}

/// The tagged outputs that some rule's taint touched, in chain order; none where the report knows no tags.
pub(super) fn rows<'t>(report: &Report<'t, '_>) -> Vec<Row<'t>> {
    let Some(known) = report.tags.filter(|tags| !tags.is_empty()) else { return Vec::new() };
    let view = report.traces[0].view();
    let touched: BTreeSet<OutputIndex> =
        report.traces.iter().flat_map(|trace| trace.touched()).map(|touch| touch.output).collect();
    let row = |index: OutputIndex| {
        let output = view.output(index);
        let tags: Vec<&Tag> = known.holding(output).collect();
        let lapsed: Vec<&Tag> = known.lapsed(output).collect();
        (!tags.is_empty() || !lapsed.is_empty()).then(|| Row {
            outpoint: output.outpoint(),
            address: output.address().map(|address| address.to_string()),
            passed: report.traces.iter().any(|trace| trace.touch(index).is_some_and(|touch| touch.carried)),
            conflict: are_at_odds(&tags),
            tags,
            lapsed,
        })
    };
    touched.into_iter().filter_map(row).collect()
}
