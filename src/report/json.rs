//! The whole result as JSON: a stable interface.
//!
//! Amounts are integers in satoshis and end in `_sat`; outputs are named `txid:vout`.
//!
//! | field | meaning |
//! |---|---|
//! | `manifest` | what went in, under which conventions: see [`Manifest`] |
//! | `runs[]` | one a rule, in the order asked for |
//! | `.policy`, `.conserving` | the rule's name; `false` for poison, whose amounts are an upper bound |
//! | `.seeded_sat` | the value of the seeds |
//! | `.balance` | `ends_sat`, `fees_sat`, `burned_sat`, `displaced_sat`, `truncated_sat`; for a conserving rule they sum to `seeded_sat` |
//! | `.by_source` | the same for each source, by its label |
//! | `.transactions` | how many transactions taint was carried through |
//! | `.ends[]` | a row for each output that still holds taint; over all rows `tainted_sat` sums to `ends_sat + truncated_sat` |
//! | `.ends[].outpoint`, `.value_sat`, `.tainted_sat`, `.by_source`, `.hops` | the output, its value, the taint in it (for poison its value once), the taint by source, hops from the nearest seed |
//! | `.ends[].reason`, `.detail` | `unspent`, `unknown_spender`, `unknown_prevout`, `tagged` (with the label), `custom` (with the text), or a limit: `hops`, `below`, `as_of`, `budget`, which count as truncated |
//! | `.ends[].address`, `.script_type`, `.height` | the address, or `null`; the kind of script; the height of its transaction, or `null` |
//! | `.carries[]` | the traced graph: `from`, `to` (txids), `via` (`txid:vout`, or `fee`), `tainted_sat` |
//! | `.fees[]`, `.burned[]`, `.displaced[]` | the rows behind the balance; a fee with a `coinbase` was carried on and is not in `fees_sat` |
//! | `.missing[]` | what to fetch to get further: `{"tx": txid}` or `{"spender_of": outpoint}` |
//! | `spread[]` | for each end the least and the most that any rule run puts there, and what each does |
//! | `paths[]` | the evidence paths that were asked for, by falling amount, and the limit that was hit |

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Manifest, spreads};
use crate::error::Error;
use crate::id::{OutputIndex, SourceIndex};
use crate::spec::ResolvedSeed;
use crate::taint::Part;
use crate::trace::{Balance, End, Missing, PathLimits, Trace, Via};

#[derive(Serialize)]
struct Document {
    manifest: Manifest,
    runs: Vec<RunRow>,
    spread: Vec<SpreadRow>,
    paths: Vec<PathsRow>,
}

#[derive(Serialize)]
struct RunRow {
    policy: &'static str,
    conserving: bool,
    seeded_sat: u64,
    balance: BalanceRow,
    by_source: BTreeMap<String, SourceRow>,
    transactions: u64,
    ends: Vec<EndRow>,
    carries: Vec<Value>,
    fees: Vec<Value>,
    burned: Vec<Value>,
    displaced: Vec<Value>,
    missing: Vec<Value>,
}

#[derive(Serialize)]
struct BalanceRow {
    ends_sat: u64,
    fees_sat: u64,
    burned_sat: u64,
    displaced_sat: u64,
    truncated_sat: u64,
}

#[derive(Serialize)]
struct SourceRow {
    seeded_sat: u64,
    balance: BalanceRow,
}

#[derive(Serialize)]
struct EndRow {
    outpoint: String,
    value_sat: u64,
    tainted_sat: u64,
    by_source: BTreeMap<String, u64>,
    hops: u32,
    reason: &'static str,
    detail: Option<String>,
    address: Option<String>,
    script_type: Option<&'static str>,
    height: Option<u32>,
}

#[derive(Serialize)]
struct SpreadRow {
    outpoint: String,
    address: Option<String>,
    value_sat: u64,
    least_sat: u64,
    most_sat: u64,
    by_policy: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct PathsRow {
    policy: &'static str,
    to: String,
    limit_hit: Option<&'static str>,
    paths: Vec<PathRow>,
}

#[derive(Serialize)]
struct PathRow {
    source: String,
    amount_sat: u64,
    steps: Vec<Value>,
    explanation: String,
}

/// Writes the result as one JSON object and a newline. `explain` names outputs whose evidence paths are wanted.
///
/// # Errors
///
/// When writing fails ([`Error::is_io`]).
///
/// # Panics
///
/// When there is no trace.
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, report, spec::{self, Rule}, trace::{Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let traces = spec::run(chain.view(), &[], &[Rule::Fifo], &stop::never(), &Options::default());
/// let mut bytes = Vec::new();
/// report::json::write(&traces, &[], &[], &mut bytes)?;
/// let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
/// assert_eq!(value["runs"][0]["policy"], "fifo");
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn write(
    traces: &[Trace<'_>],
    given: &[ResolvedSeed],
    explain: &[OutputIndex],
    mut to: impl Write,
) -> Result<(), Error> {
    let document = Document {
        manifest: Manifest::of(traces, given),
        runs: traces.iter().map(run).collect(),
        spread: spread(traces),
        paths: explain.iter().flat_map(|output| traces.iter().map(|trace| paths(trace, *output))).collect(),
    };
    serde_json::to_writer_pretty(&mut to, &document).map_err(std::io::Error::from)?;
    to.write_all(b"\n")?;
    Ok(())
}

fn run(trace: &Trace<'_>) -> RunRow {
    let view = trace.view();
    let txid = |tx| view.tx(tx).txid().to_string();
    let outpoint = |output| view.output(output).outpoint().to_string();
    let balance = trace.balance();
    let by_source = trace.sources().iter().zip(trace.balances()).map(|(label, balance)| {
        (label.clone(), SourceRow { seeded_sat: balance.seeded.to_sat(), balance: balance_row(&balance) })
    });
    let via = |via| match via {
        Via::Output(output) => outpoint(output),
        Via::Fee(_) => "fee".to_owned(),
    };
    RunRow {
        policy: trace.policy().name,
        conserving: trace.policy().conserving,
        seeded_sat: balance.seeded.to_sat(),
        balance: balance_row(&balance),
        by_source: by_source.collect(),
        transactions: trace.transactions(),
        ends: trace.ends().iter().map(|end| end_row(trace, end)).collect(),
        carries: trace
            .carries()
            .iter()
            .map(|carry| json!({"from": txid(carry.from), "to": txid(carry.to), "via": via(carry.via), "tainted_sat": carry.amount.to_sat()}))
            .collect(),
        fees: trace
            .fees()
            .iter()
            .map(|fee| json!({"tx": txid(fee.tx), "tainted_sat": fee.amount.to_sat(), "by_source": by_label(trace, &fee.parts), "coinbase": fee.coinbase.map(txid)}))
            .collect(),
        burned: trace
            .burned()
            .iter()
            .map(|burned| json!({"tx": txid(burned.tx), "outpoint": burned.output.map(outpoint), "tainted_sat": burned.amount.to_sat(), "by_source": by_label(trace, &burned.parts)}))
            .collect(),
        displaced: trace
            .displaced()
            .iter()
            .map(|displaced| json!({"outpoint": outpoint(displaced.output), "by": trace.label(displaced.by), "tainted_sat": displaced.amount.to_sat(), "by_source": by_label(trace, &displaced.parts)}))
            .collect(),
        missing: trace.missing().into_iter().map(missing_row).collect(),
    }
}

fn balance_row(balance: &Balance) -> BalanceRow {
    BalanceRow {
        ends_sat: balance.ends.to_sat(),
        fees_sat: balance.fees.to_sat(),
        burned_sat: balance.burned.to_sat(),
        displaced_sat: balance.displaced.to_sat(),
        truncated_sat: balance.truncated.to_sat(),
    }
}

fn end_row(trace: &Trace<'_>, end: &End) -> EndRow {
    let output = trace.view().output(end.output);
    let label = |(source, amount): &(SourceIndex, bitcoin::Amount)| (trace.label(*source).to_owned(), amount.to_sat());
    EndRow {
        outpoint: output.outpoint().to_string(),
        value_sat: output.value().map_or(0, bitcoin::Amount::to_sat),
        tainted_sat: end.amount.to_sat(),
        by_source: end.by_source.iter().map(label).collect(),
        hops: end.hops,
        reason: end.reason.as_str(),
        detail: end.reason.detail().map(str::to_owned),
        address: output.address().map(|address| address.to_string()),
        script_type: output.script_type().map(|kind| kind.as_str()),
        height: output.tx().height().map(crate::BlockHeight::to_u32),
    }
}

fn by_label(trace: &Trace<'_>, parts: &[Part]) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for part in parts {
        *sums.entry(trace.label(part.source).to_owned()).or_insert(0) += part.amount.to_sat();
    }
    sums
}

fn missing_row(missing: Missing) -> Value {
    match missing {
        Missing::Tx(txid) => json!({"tx": txid.to_string()}),
        Missing::SpenderOf(outpoint) => json!({"spender_of": outpoint.to_string()}),
    }
}

fn spread(traces: &[Trace<'_>]) -> Vec<SpreadRow> {
    let Some(first) = traces.first() else { return Vec::new() };
    let row = |spread: super::Spread| {
        let output = first.view().output(spread.output);
        let names = traces.iter().map(|trace| trace.policy().name);
        SpreadRow {
            outpoint: output.outpoint().to_string(),
            address: output.address().map(|address| address.to_string()),
            value_sat: output.value().map_or(0, bitcoin::Amount::to_sat),
            least_sat: spread.least().to_sat(),
            most_sat: spread.most().to_sat(),
            by_policy: names.zip(spread.amounts.iter().map(|amount| amount.to_sat())).collect(),
        }
    };
    spreads(traces).into_iter().map(row).collect()
}

fn paths(trace: &Trace<'_>, output: OutputIndex) -> PathsRow {
    let view = trace.view();
    let found = trace.paths(output, PathLimits::default());
    let step = |step: &crate::trace::PathStep| {
        json!({
            "outpoint": view.output(step.output).outpoint().to_string(),
            "tainted_sat": step.tainted.to_sat(),
            "fee_of": step.fee_of.map(|tx| view.tx(tx).txid().to_string()),
            "certain": step.certain,
        })
    };
    PathsRow {
        policy: trace.policy().name,
        to: view.output(output).outpoint().to_string(),
        limit_hit: found.hit.map(|limit| limit.as_str()),
        paths: found
            .paths
            .iter()
            .map(|path| PathRow {
                source: trace.label(path.source).to_owned(),
                amount_sat: path.amount.to_sat(),
                steps: path.steps.iter().map(step).collect(),
                explanation: path.explain(trace).to_string(),
            })
            .collect(),
    }
}
