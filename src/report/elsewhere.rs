//! Leads of which nobody says who is there, as rows: coins to watch, data to fetch, limits to lift.

use bitcoin::OutPoint;
use serde::Serialize;

use super::Report;
use super::sentence::telling;
use crate::chain::{Tx, View};
use crate::detect::{Feature, Finding, Verdict, memo};
use crate::trace::{Exit, Lead, LeadOrder, Rank};

/// How many leads are told.
const LEADS_MAX: usize = 20;

/// How many outputs of a lead are asked for a memo.
const OUTPUTS_MAX: usize = 100;

#[derive(Serialize)]
pub(super) struct Row {
    /// The rule under which the amount is there: the one whose evidence says most.
    pub(super) policy: &'static str,
    pub(super) address: Option<String>,
    /// The output there that holds the most.
    pub(super) outpoint: OutPoint,
    /// How many outputs there hold taint.
    pub(super) outputs: usize,
    amount_sat: u64,
    pub(super) hops: u32,
    reason: &'static str,
    pub(super) rank: Rank,
    /// What the transaction that pays it writes about a swap, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) swap: Option<String>,
}

/// What a transaction writes about a swap to another chain, as a line of a report; `None` where it writes nothing of the kind.
pub(super) fn swap(tx: Tx<'_>) -> Option<String> {
    let finding = memo::find(tx).filter(|finding| finding.verdict != Verdict::No)?;
    let asset = word(&finding, "asset")?;
    let whom = word(&finding, "destination").unwrap_or("its sender");
    let name = word(&finding, "destination_kind").is_some_and(|kind| kind == "thorname");
    let whom = if name { format!("the name {whom}") } else { whom.to_owned() };
    Some(format!(
        "this transaction carries a swap memo: {} to {asset} {whom} ({}): the coins may go on on another chain",
        finding.protocol,
        finding.graded()
    ))
}

fn word<'f>(finding: &'f Finding, name: &str) -> Option<&'f str> {
    match finding.features.get(name)? {
        Feature::Text(text) => Some(text),
        _ => None,
    }
}

/// As [`swap`], of what pays a lead: first the output that holds the most.
fn swap_of(view: View<'_>, lead: &Lead) -> Option<String> {
    let most = view.output_at(lead.outpoint).into_iter();
    let all = lead.outputs.iter().take(OUTPUTS_MAX).map(|index| view.output(index));
    most.chain(all).find_map(|output| swap(output.tx()))
}

/// The first leads in the report's order.
pub(super) fn rows(report: &Report<'_, '_>) -> Vec<Row> {
    let trace = telling(report.traces);
    let leads = match report.order {
        LeadOrder::Rank => trace.leads().ranked(),
        LeadOrder::Value => trace.leads().by_amount(),
    };
    let is_classed = |lead: &Lead| {
        let index = || trace.view().output_at(lead.outpoint)?.address_index();
        report.classified.is_some_and(|classified| index().is_some_and(|index| classified.contains_key(&index)))
    };
    let is_named = |lead: &Lead| matches!(lead.rank.exit, Exit::Service | Exit::Named) || is_classed(lead);
    let row = |lead: Lead| Row {
        policy: trace.policy().name,
        address: lead.address.as_ref().map(ToString::to_string),
        outpoint: lead.outpoint,
        outputs: lead.outputs.len(),
        amount_sat: lead.amount.to_sat(),
        hops: lead.hops,
        reason: lead.reason.as_str(),
        rank: lead.rank,
        swap: swap_of(trace.view(), &lead),
    };
    leads.filter(|lead| !is_named(lead)).take(LEADS_MAX).map(row).collect()
}
