//! Evidence paths as rows.

use bitcoin::{OutPoint, Txid};
use serde::Serialize;

use super::{OwnerRow, owner_row};
use crate::id::OutputIndex;
use crate::report::Report;
use crate::trace::{Path, Trace};

#[derive(Serialize)]
pub(super) struct PathsRow<'t> {
    policy: &'static str,
    to: OutPoint,
    tainted_sat: u64,
    /// Not under poison, whose paths overlap.
    explained_sat: Option<u64>,
    limit_hit: Option<&'static str>,
    paths: Vec<PathRow<'t>>,
}

#[derive(Serialize)]
struct PathRow<'t> {
    source: &'t str,
    amount_sat: u64,
    steps: Vec<StepRow>,
    explanation: String,
}

#[derive(Serialize)]
struct StepRow {
    outpoint: OutPoint,
    tainted_sat: u64,
    fee_of: Option<Txid>,
    certain: bool,
    /// Whether the step stayed inside one cluster and is no move, where moves are counted between owners.
    #[serde(skip_serializing_if = "Option::is_none")]
    inside: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Option<OwnerRow>>,
}

/// The paths to an output.
pub(super) fn paths_row<'t>(report: &Report<'t, '_>, trace: &'t Trace<'_>, output: OutputIndex) -> PathsRow<'t> {
    let view = trace.view();
    let found = trace.paths(output, report.limits);
    let row = |path: &Path| PathRow {
        source: trace.label(path.source),
        amount_sat: path.amount.to_sat(),
        steps: path
            .steps
            .iter()
            .map(|step| StepRow {
                outpoint: view.output(step.output).outpoint(),
                tainted_sat: step.tainted.to_sat(),
                fee_of: step.fee_of.map(|tx| view.tx(tx).txid()),
                certain: step.certain,
                inside: trace.entity_rules().map(|_| step.inside),
                owner: owner_row(report, Some(step.output)),
            })
            .collect(),
        explanation: match report.owners {
            Some(owners) => path.explain_with(trace, owners).to_string(),
            None => path.explain(trace).to_string(),
        },
    };
    PathsRow {
        policy: trace.policy().name,
        to: view.output(output).outpoint(),
        tainted_sat: found.tainted.to_sat(),
        explained_sat: trace.policy().conserving.then(|| found.explained().to_sat()),
        limit_hit: found.hit.map(|limit| limit.as_str()),
        paths: found.paths.iter().map(row).collect(),
    }
}
