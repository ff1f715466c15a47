//! The whole result as JSON: a stable interface.
//!
//! Amounts are integers in satoshis and end in `_sat`; outputs are named `txid:vout`.
//!
//! | field | meaning |
//! |---|---|
//! | `manifest` | what went in, under which conventions: see [`Manifest`](super::Manifest) |
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
//! | `.exposure` | where it was asked for: `rows[]` by `source` with `category`, `label`, `hops` (`1`, `2-3`, `4-10`, `11+`), `tags`, `inferred` and `conflict` of a tagged service, or `why`, `detail` and `limit` of what reached none; under a conserving rule `amount_sat` sums to the source's in `sources_sat`. `passed[]`, which overlaps: services gone past. With `policy`, `version`, `direction`, `stop` and `fees` |
//! | `.ends[].tag` | of a `tagged` end the whole tag: label, category, source, and what else it says ([`Tag`]); `inferred` where a cluster carried it there; otherwise `null` |
//! | `spread[]` | for each end the least and the most that any rule run is known to put there, in all and by source |
//! | `.by_policy` | what each rule puts there, ended or carried on; `null` where a stop cut that rule before it could be seen, and then `.cut` is `true` |
//! | `leads[]` | the first ends at services by `rank` (`exit`, `evidence`, `mixes` before it and `suspects`, `per_mille` of what was seeded, and `because` in words), as the `sentence` says them, with `why` and `defeat`: see [`Sentence`](super::Sentence) |
//! | `elsewhere[]` | the first leads of which nobody says who is there, by `rank` too, under one rule (`policy`): `address`, `outpoint` (the output there that holds the most, of so many `outputs`), `amount_sat`, `hops`, `reason`; `swap`, in words, where a transaction that pays there carries a swap memo |
//! | `tagged[]` | where the report knows tags: the tagged outputs that taint touched, whether some rule carried it on (`passed`), whether sources contradict each other (`conflict`), and their `tags`; `lapsed` are those that do not hold on the block's day or were taken back, and count for nothing |
//! | `bounds[]` | where they were asked for: the `place`, the `least_sat` and `most_sat` that any conserving rule can assign to it (`null` where nothing can be said), why there is no upper one (`void`: `unknown_spender`, `limit`), and the `sentence` that says so; they are of rules followed without limits, by the run's convention on fees |
//! | `peel_chains[]` | where they were asked for: each peel chain on the way as one step, under each rule, with its peels: an inference (`meaning`) by `rule` with `change` and `confidence_ppm`; `upper_bound` under poison; `cut_short` where a tag (`stop_tag`) alone makes it too short to be a chain |
//! | `manifest.peels` | where peel chains were asked for: the rule, the change rule, and every threshold (`terms`) |
//! | `routes[]` | where they were asked for: the best routes `to` an output on the touched graph in each `order`, step by step; under poison where it was run |
//! | `manifest.owners` | where owners were asked for: the rules they were inferred under, and whether moves are counted between them (`entities`) |
//! | `.owner` of ends, carries, spread, steps of paths and routes | where owners were asked for: the inferred owner, `cluster` (its first address) and how many `addresses` it has; `null` for an output without an address |
//! | `runs[].owners[]` | where owners were asked for: what each holds where the trace ends, the greatest first; `tainted_sat` sums to that of the ends |
//! | `runs[].inside` | where moves are counted between owners: how many transfers stayed inside one cluster and were no moves, the taint in them (a satoshi counts once a transfer), each of them, and a `sentence` that says so |
//! | `paths[]` | the evidence paths that were asked for, the widest first; how much of the taint they explain; and the limit that was hit |

use std::collections::BTreeMap;
use std::io::Write;

mod paths;

use bitcoin::{Amount, OutPoint, Txid};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use paths::paths_row;

use super::{Report, Spread, elsewhere, mix, passed, peels, routes};
use crate::error::Error;
use crate::id::{OutputIndex, SourceIndex};
use crate::tag::Tag;
use crate::taint::Part;
use crate::trace::{
    Balance, Bound, Burned, Carry, Displaced, End, FeeTaint, Holding, Missing, Most, Reason, Trace, Transfer, Via,
};

/// Writes the result as one JSON object and a newline.
///
/// Rows are made as they are written, so that memory does not grow with them.
///
/// # Errors
///
/// When writing fails ([`Error::is_io`]).
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, report::{self, Report}, spec::{self, Rule}, trace::{Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let traces = spec::run(chain.view(), &[], &[Rule::Fifo], &stop::never(), &Options::default());
/// let mut bytes = Vec::new();
/// report::json::write(&Report::new(&traces)?, &mut bytes)?;
/// let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
/// assert_eq!(value["runs"][0]["policy"], "fifo");
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn write(report: &Report<'_, '_>, mut to: impl Write) -> Result<(), Error> {
    serde_json::to_writer_pretty(&mut to, &Document(report)).map_err(std::io::Error::from)?;
    to.write_all(b"\n")?;
    Ok(())
}

#[derive(Serialize)]
struct BoundRow<'b> {
    place: &'b str,
    least_sat: Option<u64>,
    most_sat: Option<u64>,
    void: Vec<&'static str>,
    sentence: String,
}

fn bound_row(bound: &Bound) -> BoundRow<'_> {
    let most_sat = match bound.most {
        Most::Sat(most) => Some(most.to_sat()),
        _ => None,
    };
    let sentence = bound.to_string();
    let void = bound.void.iter().map(|gap| gap.as_str()).collect();
    BoundRow { place: &bound.name, least_sat: bound.least.map(Amount::to_sat), most_sat, void, sentence }
}

struct Document<'r, 't, 'c>(&'r Report<'t, 'c>);

impl Serialize for Document<'_, '_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(report) = self;
        let explained = report.explain.iter().flat_map(|output| report.traces.iter().map(|trace| (trace, *output)));
        let explained: Vec<_> = explained.collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("manifest", &report.manifest())?;
        map.serialize_entry("runs", &each(report.traces, |trace| Run(report, trace)))?;
        map.serialize_entry("spread", &each(&report.spreads(), |spread| spread_row(report, spread)))?;
        map.serialize_entry("leads", &report.sentences())?;
        map.serialize_entry("elsewhere", &elsewhere::rows(report))?;
        map.serialize_entry("tagged", &passed::rows(report))?;
        map.serialize_entry("bounds", &each(report.bounds, bound_row))?;
        map.serialize_entry("peel_chains", &peels::rows(report))?;
        map.serialize_entry("routes", &routes::rows(report))?;
        map.serialize_entry("paths", &each(&explained, |(trace, output)| paths_row(report, trace, *output)))?;
        map.end()
    }
}

/// A list whose rows are made one at a time.
fn each<'t, T, R: Serialize>(items: &'t [T], row: impl Fn(&'t T) -> R + 't) -> impl Serialize + 't {
    struct Each<'t, T, F>(&'t [T], F);

    impl<'t, T, R: Serialize, F: Fn(&'t T) -> R> Serialize for Each<'t, T, F> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().map(&self.1))
        }
    }

    Each(items, row)
}

struct Run<'r, 't, 'c>(&'r Report<'t, 'c>, &'t Trace<'c>);

impl Serialize for Run<'_, '_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(report, trace) = self;
        let balance = trace.balance();
        let by_source: BTreeMap<&str, SourceRow> =
            trace.sources().iter().map(String::as_str).zip(trace.balances().iter().map(SourceRow::of)).collect();
        let missing = trace.missing();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("policy", trace.policy().name)?;
        map.serialize_entry("conserving", &trace.policy().conserving)?;
        map.serialize_entry("seeded_sat", &balance.seeded.to_sat())?;
        map.serialize_entry("balance", &BalanceRow::of(&balance))?;
        map.serialize_entry("by_source", &by_source)?;
        map.serialize_entry("transactions", &trace.transactions())?;
        if let Some(inside) = inside_row(trace) {
            map.serialize_entry("inside", &inside)?;
        }
        if let Some(owners) = report.owners {
            map.serialize_entry("owners", &each(&trace.holdings(owners), |holding| holding_row(trace, holding)))?;
        }
        map.serialize_entry("ends", &each(trace.ends(), |end| EndRow::of(report, trace, end)))?;
        map.serialize_entry("carries", &each(trace.carries(), |carry| CarryRow::of(report, trace, carry)))?;
        map.serialize_entry("fees", &each(trace.fees(), |fee| FeeRow::of(trace, fee)))?;
        map.serialize_entry("burned", &each(trace.burned(), |burned| BurnedRow::of(trace, burned)))?;
        map.serialize_entry("displaced", &each(trace.displaced(), |displaced| DisplacedRow::of(trace, displaced)))?;
        if let Some(rows) = mix::rows(trace) {
            map.serialize_entry("mixes", &rows)?;
        }
        if let Some(exposure) = report.exposure_of(trace) {
            map.serialize_entry("exposure", &exposure)?;
        }
        map.serialize_entry("missing", &each(&missing, |missing| MissingRow::of(*missing)))?;
        map.end()
    }
}

/// An inferred owner. Where owners are not asked for the field is left out; where an output has none it is `null`.
#[derive(Serialize)]
pub(super) struct OwnerRow {
    pub(super) cluster: String,
    addresses: usize,
}

pub(super) fn owner_row(report: &Report<'_, '_>, output: Option<OutputIndex>) -> Option<Option<OwnerRow>> {
    report.owners?;
    let owner = output.and_then(|output| report.owner(output));
    Some(owner.map(|(owner, cluster)| OwnerRow { cluster, addresses: owner.addresses }))
}

#[derive(Serialize)]
struct HoldingRow {
    owner: Option<OwnerRow>,
    tainted_sat: u64,
    ends: usize,
    hops: u32,
}

fn holding_row(trace: &Trace<'_>, holding: &Holding) -> HoldingRow {
    let owner = holding
        .owner
        .map(|owner| OwnerRow { cluster: trace.view().address(owner.name).to_string(), addresses: owner.addresses });
    HoldingRow { owner, tainted_sat: holding.amount.to_sat(), ends: holding.outputs.len(), hops: holding.hops }
}

#[derive(Serialize)]
struct InsideRow {
    transfers: u64,
    tainted_sat: u128,
    sentence: String,
    each: Vec<TransferRow>,
}

#[derive(Serialize)]
struct TransferRow {
    outpoint: OutPoint,
    tainted_sat: u64,
}

fn inside_row(trace: &Trace<'_>) -> Option<InsideRow> {
    let inside = trace.inside()?;
    let row = |transfer: &Transfer| TransferRow {
        outpoint: trace.view().output(transfer.output).outpoint(),
        tainted_sat: transfer.amount.to_sat(),
    };
    Some(InsideRow {
        transfers: inside.transfers,
        tainted_sat: inside.taint_sat,
        sentence: super::inside_sentence(trace, &inside.taint_sat.to_string())?,
        each: trace.inside_transfers().iter().map(row).collect(),
    })
}

#[derive(Serialize)]
struct BalanceRow {
    ends_sat: u64,
    fees_sat: u64,
    burned_sat: u64,
    displaced_sat: u64,
    truncated_sat: u64,
}

impl BalanceRow {
    fn of(balance: &Balance) -> Self {
        Self {
            ends_sat: balance.ends.to_sat(),
            fees_sat: balance.fees.to_sat(),
            burned_sat: balance.burned.to_sat(),
            displaced_sat: balance.displaced.to_sat(),
            truncated_sat: balance.truncated.to_sat(),
        }
    }
}

#[derive(Serialize)]
struct SourceRow {
    seeded_sat: u64,
    balance: BalanceRow,
}

impl SourceRow {
    fn of(balance: &Balance) -> Self {
        Self { seeded_sat: balance.seeded.to_sat(), balance: BalanceRow::of(balance) }
    }
}

#[derive(Serialize)]
struct EndRow<'t> {
    outpoint: OutPoint,
    value_sat: u64,
    tainted_sat: u64,
    by_source: BTreeMap<&'t str, u64>,
    hops: u32,
    reason: &'static str,
    detail: Option<&'t str>,
    tag: Option<&'t Tag>,
    address: Option<String>,
    script_type: Option<&'static str>,
    height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Option<OwnerRow>>,
}

impl<'t> EndRow<'t> {
    fn of(report: &Report<'_, '_>, trace: &'t Trace<'_>, end: &'t End) -> Self {
        let output = trace.view().output(end.output);
        let tag = match &end.reason {
            Reason::Tagged(tag) => Some(&**tag),
            _ => None,
        };
        Self {
            outpoint: output.outpoint(),
            value_sat: output.value().map_or(0, Amount::to_sat),
            tainted_sat: end.amount.to_sat(),
            by_source: end.by_source.iter().map(|(of, amount)| (trace.label(*of), amount.to_sat())).collect(),
            hops: end.hops,
            reason: end.reason.as_str(),
            detail: end.reason.detail(),
            tag,
            address: output.address().map(|address| address.to_string()),
            script_type: output.script_type().map(|kind| kind.as_str()),
            height: output.tx().height().map(crate::BlockHeight::to_u32),
            owner: owner_row(report, Some(end.output)),
        }
    }
}

#[derive(Serialize)]
struct CarryRow {
    from: Txid,
    to: Txid,
    via: String,
    tainted_sat: u64,
    /// Of the output that carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Option<OwnerRow>>,
}

impl CarryRow {
    fn of(report: &Report<'_, '_>, trace: &Trace<'_>, carry: &Carry) -> Self {
        let view = trace.view();
        let (via, output) = match carry.via {
            Via::Output(output) => (view.output(output).outpoint().to_string(), Some(output)),
            Via::Fee(_) => ("fee".to_owned(), None),
        };
        let [from, to] = [carry.from, carry.to].map(|tx| view.tx(tx).txid());
        Self { from, to, via, tainted_sat: carry.amount.to_sat(), owner: owner_row(report, output) }
    }
}

#[derive(Serialize)]
struct FeeRow<'t> {
    tx: Txid,
    tainted_sat: u64,
    by_source: BTreeMap<&'t str, u64>,
    coinbase: Option<Txid>,
}

impl<'t> FeeRow<'t> {
    fn of(trace: &'t Trace<'_>, fee: &FeeTaint) -> Self {
        let txid = |tx| trace.view().tx(tx).txid();
        Self {
            tx: txid(fee.tx),
            tainted_sat: fee.amount.to_sat(),
            by_source: by_label(trace, &fee.parts),
            coinbase: fee.coinbase.map(txid),
        }
    }
}

#[derive(Serialize)]
struct BurnedRow<'t> {
    tx: Txid,
    outpoint: Option<OutPoint>,
    tainted_sat: u64,
    by_source: BTreeMap<&'t str, u64>,
}

impl<'t> BurnedRow<'t> {
    fn of(trace: &'t Trace<'_>, burned: &Burned) -> Self {
        Self {
            tx: trace.view().tx(burned.tx).txid(),
            outpoint: burned.output.map(|output| trace.view().output(output).outpoint()),
            tainted_sat: burned.amount.to_sat(),
            by_source: by_label(trace, &burned.parts),
        }
    }
}

#[derive(Serialize)]
struct DisplacedRow<'t> {
    outpoint: OutPoint,
    by: &'t str,
    tainted_sat: u64,
    by_source: BTreeMap<&'t str, u64>,
}

impl<'t> DisplacedRow<'t> {
    fn of(trace: &'t Trace<'_>, displaced: &Displaced) -> Self {
        Self {
            outpoint: trace.view().output(displaced.output).outpoint(),
            by: trace.label(displaced.by),
            tainted_sat: displaced.amount.to_sat(),
            by_source: by_label(trace, &displaced.parts),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum MissingRow {
    Tx(Txid),
    SpenderOf(OutPoint),
}

impl MissingRow {
    fn of(missing: Missing) -> Self {
        match missing {
            Missing::Tx(txid) => Self::Tx(txid),
            Missing::SpenderOf(outpoint) => Self::SpenderOf(outpoint),
        }
    }
}

fn by_label<'t>(trace: &'t Trace<'_>, parts: &[Part]) -> BTreeMap<&'t str, u64> {
    let mut sums = BTreeMap::new();
    for part in parts {
        *sums.entry(trace.label(part.source)).or_insert(0) += part.amount.to_sat();
    }
    sums
}

#[derive(Serialize)]
struct SpreadRow<'t> {
    outpoint: OutPoint,
    address: Option<String>,
    value_sat: u64,
    least_sat: u64,
    most_sat: u64,
    cut: bool,
    by_policy: BTreeMap<&'static str, Option<u64>>,
    by_source: BTreeMap<&'t str, LeastMost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Option<OwnerRow>>,
}

#[derive(Serialize)]
struct LeastMost {
    least_sat: u64,
    most_sat: u64,
}

fn spread_row<'t>(report: &Report<'t, '_>, spread: &Spread) -> SpreadRow<'t> {
    let traces = report.traces;
    let output = traces[0].view().output(spread.output);
    let names = traces.iter().map(|trace| trace.policy().name);
    let amounts = spread.by_rule.iter().map(|arrived| arrived.amount().map(Amount::to_sat));
    let sources = traces[0].sources().iter().enumerate().map(|(at, label)| {
        let (least, most) = spread.of_source(SourceIndex::of(at));
        (label.as_str(), LeastMost { least_sat: least.to_sat(), most_sat: most.to_sat() })
    });
    SpreadRow {
        outpoint: output.outpoint(),
        address: output.address().map(|address| address.to_string()),
        value_sat: output.value().map_or(0, Amount::to_sat),
        least_sat: spread.least().to_sat(),
        most_sat: spread.most().to_sat(),
        cut: spread.is_cut(),
        by_policy: names.zip(amounts).collect(),
        by_source: sources.filter(|(_, spread)| spread.most_sat > 0).collect(),
        owner: owner_row(report, Some(spread.output)),
    }
}
