//! The best routes to an output, in each order, as rows.

use serde::Serialize;

use super::Report;
use super::json::{OwnerRow, owner_row};
use crate::id::OutputIndex;
use crate::trace::route::{Order, Route, RouteOptions, Share};
use crate::trace::{Trace, Via};

/// How many routes are shown in each order.
const ROUTES_MAX: usize = 3;

#[derive(Serialize)]
pub(super) struct RoutesRow<'r> {
    pub(super) to: String,
    pub(super) policy: &'static str,
    pub(super) order: &'static str,
    pub(super) routes: Vec<RouteRow<'r>>,
    /// Whether there are more routes than are shown.
    pub(super) more: bool,
}

#[derive(Serialize)]
pub(super) struct RouteRow<'r> {
    pub(super) source: &'r str,
    pub(super) hops: u32,
    pub(super) width_sat: u64,
    pub(super) steps: Vec<StepRow>,
}

#[derive(Serialize)]
pub(super) struct StepRow {
    /// `txid:vout`, or `fee`.
    pub(super) via: String,
    /// The transaction that it goes into.
    pub(super) into: Option<String>,
    pub(super) value_sat: u64,
    pub(super) tainted_sat: u64,
    /// What part of that transaction's inputs it is: satoshis, and of how many.
    pub(super) share_sat: Option<[u64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<Option<OwnerRow>>,
}

/// The routes that were asked for, under poison where it was run (then they hold under every rule), else under the first rule.
pub(super) fn rows<'t>(report: &Report<'t, '_>) -> Vec<RoutesRow<'t>> {
    let whole = report.traces.iter().find(|trace| !trace.policy().conserving);
    let Some(trace) = whole.or(report.traces.first()) else { return Vec::new() };
    let orders = [Order::FewestHops, Order::Widest, Order::LeastMixing, Order::Earliest];
    let asked = report.routes_to.iter().flat_map(|to| orders.map(|order| (*to, order)));
    asked.map(|(to, order)| row(report, trace, to, order)).collect()
}

fn row<'t>(report: &Report<'t, '_>, trace: &'t Trace<'_>, to: OutputIndex, order: Order) -> RoutesRow<'t> {
    let found = trace.routes(&[to], &RouteOptions::default().order(order).routes(ROUTES_MAX));
    RoutesRow {
        to: trace.view().output(to).outpoint().to_string(),
        policy: trace.policy().name,
        order: order.as_str(),
        routes: found.routes.iter().map(|route| route_row(report, trace, route)).collect(),
        more: found.more,
    }
}

fn route_row<'t>(report: &Report<'t, '_>, trace: &'t Trace<'_>, route: &Route) -> RouteRow<'t> {
    let view = trace.view();
    let steps = route.steps.iter().map(|step| StepRow {
        via: match step.via {
            Via::Output(output) => view.output(output).outpoint().to_string(),
            Via::Fee(_) => "fee".to_owned(),
        },
        into: step.into.map(|tx| view.tx(tx).txid().to_string()),
        value_sat: step.value.to_sat(),
        tainted_sat: step.tainted.to_sat(),
        share_sat: step.share.map(|Share { part, whole, .. }| [part.to_sat(), whole.to_sat()]),
        owner: owner_row(report, step.output()),
    });
    RouteRow {
        source: trace.label(route.source),
        hops: route.hops,
        width_sat: route.width.to_sat(),
        steps: steps.collect(),
    }
}
