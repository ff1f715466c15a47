//! The mixes on a trace's way as rows: for the table and for JSON alike.

use std::collections::BTreeMap;

use bitcoin::{OutPoint, Txid};
use serde::Serialize;

use crate::detect::Finding;
use crate::id::OutputIndex;
use crate::trace::{Behind, MixSheet, Trace, Way};

/// What a trace says of mixes.
#[derive(Serialize)]
pub(super) struct MixRows<'t> {
    pub(super) through: &'static str,
    pub(super) sheet: MixSheet,
    pub(super) crossings: Vec<CrossingRow<'t>>,
    /// What may be a mix and was passed as none.
    pub(super) suspects: Vec<SuspectRow<'t>>,
    /// Inferences: what has one payer all the same.
    pub(super) linked: Vec<LinkedRow>,
    /// Inferences: outputs of one mix that are spent together.
    pub(super) consolidations: Vec<ConsolidationRow>,
    /// Ends behind mixes.
    pub(super) behind: Vec<BehindRow>,
}

#[derive(Serialize)]
pub(super) struct CrossingRow<'t> {
    pub(super) txid: Txid,
    pub(super) how: &'static str,
    pub(super) entered_sat: u64,
    pub(super) finding: &'t Finding,
}

#[derive(Serialize)]
pub(super) struct SuspectRow<'t> {
    pub(super) txid: Txid,
    pub(super) vetoed: bool,
    pub(super) entered_sat: u64,
    pub(super) finding: &'t Finding,
}

#[derive(Serialize)]
pub(super) struct LinkedRow {
    pub(super) txid: Txid,
    pub(super) rule: &'static str,
    pub(super) confidence_ppm: u32,
    pub(super) vins: Vec<u32>,
    pub(super) vouts: Vec<u32>,
    /// The mixes that spend these outputs; of a Tx0 alone.
    pub(super) spent_by: Vec<Txid>,
}

#[derive(Serialize)]
pub(super) struct ConsolidationRow {
    pub(super) txid: Txid,
    pub(super) mix: Txid,
    pub(super) rule: &'static str,
    pub(super) confidence_ppm: u32,
    pub(super) outputs: Vec<OutPoint>,
}

#[derive(Serialize)]
pub(super) struct BehindRow {
    pub(super) outpoint: OutPoint,
    /// The way that says the least about whose the coin is.
    pub(super) way: Way,
    pub(super) mixes: Vec<Txid>,
    suspected: Vec<Txid>,
    /// Mixes out of which it came as linked change.
    linked: Vec<Txid>,
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
    let suspects = trace.suspects().iter().map(|suspect| SuspectRow {
        txid: txid(suspect.tx),
        vetoed: suspect.vetoed,
        entered_sat: suspect.entered.to_sat(),
        finding: &suspect.finding,
    });
    let linked = trace.linked().iter().map(|linked| LinkedRow {
        txid: txid(linked.tx),
        rule: linked.rule,
        confidence_ppm: linked.confidence.to_ppm(),
        vins: linked.vins.clone(),
        vouts: linked.vouts.clone(),
        spent_by: linked.spent_by.iter().copied().map(txid).collect(),
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
        let passed = |way| behind.mixes(view, way).into_iter().map(txid).collect();
        Some(BehindRow {
            outpoint: outpoint(&end.output),
            way: behind.way,
            mixes: passed(Way::Mixed),
            suspected: passed(Way::Suspected),
            linked: passed(Way::Linked),
            more: behind.more,
        })
    });
    Some(MixRows {
        through: trace.through()?.as_str(),
        sheet: trace.mix_sheet(),
        crossings: crossings.collect(),
        suspects: suspects.collect(),
        linked: linked.collect(),
        consolidations: consolidations.collect(),
        behind: behind.collect(),
    })
}

/// What lies before an output in the way of mixes, for formats with a field: the way that says the least, and the transactions.
#[cfg_attr(not(feature = "csv"), expect(dead_code))]
pub(super) fn fields(trace: &Trace<'_>, output: OutputIndex) -> (&'static str, String) {
    let Some(behind) = trace.behind(output) else { return ("clear", String::new()) };
    let Behind { way, more, .. } = behind;
    let mixes = Way::ALL.into_iter().flat_map(|way| behind.mixes(trace.view(), way));
    let mixes: Vec<String> = mixes.map(|tx| trace.view().tx(tx).txid().to_string()).collect();
    (way.as_str(), mixes.join(" ") + if *more { " and more" } else { "" })
}

/// How many mixes lie before ends: a line for each number of them.
#[cfg_attr(not(feature = "table"), expect(dead_code))]
pub(super) fn depths(rows: &MixRows<'_>) -> BTreeMap<usize, usize> {
    let mut depths = BTreeMap::new();
    for row in rows.behind.iter().filter(|row| row.way == Way::Mixed) {
        *depths.entry(row.mixes.len()).or_default() += 1;
    }
    depths
}
