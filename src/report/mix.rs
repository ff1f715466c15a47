//! The mixes on a trace's way as rows: for the table and for JSON alike.

use std::collections::BTreeMap;

use bitcoin::{OutPoint, Txid};
use serde::Serialize;

use crate::detect::Finding;
use crate::id::OutputIndex;
use crate::trace::{MixSheet, Trace};

/// What a trace says of mixes.
#[derive(Serialize)]
pub(super) struct MixRows<'t> {
    pub(super) through: &'static str,
    pub(super) sheet: MixSheet,
    crossings: Vec<CrossingRow<'t>>,
    /// Inferences: what has one payer all the same.
    pub(super) linked: Vec<LinkedRow>,
    /// Inferences: outputs of one mix that are spent together.
    pub(super) consolidations: Vec<ConsolidationRow>,
    /// Ends behind mixes.
    pub(super) behind: Vec<BehindRow>,
}

#[derive(Serialize)]
struct CrossingRow<'t> {
    txid: Txid,
    how: &'static str,
    entered_sat: u64,
    finding: &'t Finding,
}

#[derive(Serialize)]
pub(super) struct LinkedRow {
    pub(super) txid: Txid,
    pub(super) rule: &'static str,
    confidence_ppm: u32,
    vins: Vec<u32>,
    pub(super) vouts: Vec<u32>,
}

#[derive(Serialize)]
pub(super) struct ConsolidationRow {
    pub(super) txid: Txid,
    pub(super) mix: Txid,
    pub(super) rule: &'static str,
    confidence_ppm: u32,
    pub(super) outputs: Vec<OutPoint>,
}

#[derive(Serialize)]
pub(super) struct BehindRow {
    pub(super) outpoint: OutPoint,
    pub(super) mixes: Vec<Txid>,
    pub(super) more: bool,
}

/// The rows of a trace whose run had a choice of what happens at mixes.
pub(super) fn rows<'t>(trace: &'t Trace<'_>) -> Option<MixRows<'t>> {
    let view = trace.view();
    let txid = |tx| view.tx(tx).txid();
    let crossings = trace.mixes().iter().map(|crossing| CrossingRow {
        txid: txid(crossing.tx),
        how: crossing.how.as_str(),
        entered_sat: crossing.entered.to_sat(),
        finding: &crossing.finding,
    });
    let linked = trace.linked().iter().map(|linked| LinkedRow {
        txid: txid(linked.tx),
        rule: linked.rule,
        confidence_ppm: linked.confidence.to_ppm(),
        vins: linked.vins.clone(),
        vouts: linked.vouts.clone(),
    });
    let outpoint = |output: &OutputIndex| view.output(*output).outpoint();
    let consolidations = trace.consolidations().iter().map(|joined| ConsolidationRow {
        txid: txid(joined.tx),
        mix: txid(joined.mix),
        rule: joined.rule,
        confidence_ppm: joined.confidence.to_ppm(),
        outputs: joined.outputs.iter().map(outpoint).collect(),
    });
    let behind = trace.ends().iter().filter_map(|end| {
        let behind = trace.behind(end.output)?;
        let mixes = behind.mixes(view).into_iter().map(txid).collect();
        Some(BehindRow { outpoint: outpoint(&end.output), mixes, more: behind.more })
    });
    Some(MixRows {
        through: trace.through()?.as_str(),
        sheet: trace.mix_sheet(),
        crossings: crossings.collect(),
        linked: linked.collect(),
        consolidations: consolidations.collect(),
        behind: behind.collect(),
    })
}

/// How many mixes lie before ends: a line for each number of them.
#[cfg_attr(not(feature = "table"), expect(dead_code))]
pub(super) fn depths(rows: &MixRows<'_>) -> BTreeMap<usize, usize> {
    let mut depths = BTreeMap::new();
    for row in &rows.behind {
        *depths.entry(row.mixes.len()).or_default() += 1;
    }
    depths
}
