//! Leads of which nobody says who is there, as rows: coins to watch, data to fetch, limits to lift.

use bitcoin::OutPoint;
use serde::Serialize;

use super::Report;
use super::sentence::telling;
use crate::trace::{Exit, Lead, LeadOrder, Rank};

/// How many leads are told.
const LEADS_MAX: usize = 20;

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
    };
    leads.filter(|lead| !is_named(lead)).take(LEADS_MAX).map(row).collect()
}
