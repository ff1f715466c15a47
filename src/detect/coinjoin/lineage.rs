//! Whether the inputs of Whirlpool's mixes come from where they should: a second sweep in chain order.
//!
//! 1. An input of the pool's amount comes from a mix of the same pool, a larger one from a Tx0 of the same pool.
//! 2. In chain order every parent is judged before its children, so one pass takes the whole ancestry into account: what comes from a mix
//!    that was refuted is no remix.
//! 3. A parent that nobody supplied is no evidence against a mix; a pool's first mixes, which the caller names as anchors, need no parents.
//!
//! Source: the lineage rule of Dumplings and of the crocs group; Stockinger et al., arXiv 2109.10229, section 4.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Amount, Txid};

use super::{premix, whirlpool};
use crate::chain::{Tx, View};
use crate::detect::shape::Lazy;
use crate::detect::{Confidence, Feature, Finding, Kind, Verdict};
use crate::id::TxIndex;

/// The rule's name and version.
pub const RULE: &str = "whirlpool_lineage/2";

/// Of what rests on transactions that were looked at.
const SURE: Confidence = Confidence::from_percent(99);

/// What the form says, and what the sweep has found.
struct Known {
    kind: Kind,
    pool: Amount,
    refuted: bool,
}

/// Where the inputs of a mix come from.
#[derive(Default)]
struct Parents {
    mixes: usize,
    premixes: usize,
    unknown: usize,
    wrong: usize,
    right_txids: BTreeSet<Txid>,
    wrong_txids: BTreeSet<Txid>,
}

/// Judges every mix and Tx0 of a view, in chain order.
///
/// A mix is confirmed when all its inputs have the right parents, refuted when a supplied one is wrong, and undecided when some are not
/// supplied. A Tx0 is confirmed when a mix that is not refuted spends one of its outputs, and undecided otherwise. What a finding rests
/// on is its feature `rests_on`: the right parents, of a refuted mix the wrong ones, of a Tx0 the mixes. A verdict that rests on some has
/// 99 %; one that is undecided, or is the caller's word about an anchor, has what the form alone has.
///
/// # Complexity
///
/// O(n log n) in what the transactions hold.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Verdict, coinjoin::lineage};
/// let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
/// // Nobody supplied the parents.
/// let found = lineage::whirlpool(chain.view(), &Default::default());
/// assert_eq!(found.len(), 1);
/// assert_eq!(found[0].1.verdict, Verdict::Undecided);
/// assert_eq!(found[0].1.confidence.to_ppm(), 950_000);
/// let anchor = chain.view().tx(found[0].0).txid();
/// assert!(lineage::whirlpool(chain.view(), &[anchor].into())[0].1.is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// Whoever makes the Tx0 and the mix alone, out of coins of one owner: every parent is right, and nobody else took part. The first example
/// with an anchor is such a mix.
pub fn whirlpool(view: View<'_>, anchors: &BTreeSet<Txid>) -> Vec<(TxIndex, Finding)> {
    let found = view.gather(|tx, found| found.extend(form(tx).map(|finding| (tx.index(), finding))));
    judge(view, found.iter().map(|(index, finding)| (*index, finding)), anchors)
}

/// As [`whirlpool`], of mixes and Tx0s that were found before, in chain order.
pub(crate) fn judge<'a>(
    view: View<'_>,
    found: impl Iterator<Item = (TxIndex, &'a Finding)>,
    anchors: &BTreeSet<Txid>,
) -> Vec<(TxIndex, Finding)> {
    let mut known: BTreeMap<TxIndex, Known> = BTreeMap::new();
    let mut confirmed: BTreeMap<TxIndex, BTreeSet<Txid>> = BTreeMap::new();
    let mut judged = Vec::new();
    for (index, form) in found {
        let tx = view.tx(index);
        let pool = match (form.kind, form.denominations_found(), form.features.get("pool_sat")) {
            (Kind::Coinjoin, [pool], _) => *pool,
            (_, _, Some(Feature::Value(pool))) => *pool,
            _ => continue,
        };
        let mut verdict = Verdict::Undecided;
        let mut finding =
            Finding::new(form.kind, "whirlpool", RULE, form.confidence).feature("pool_sat", Feature::Value(pool));
        if form.kind == Kind::Coinjoin {
            let parents = parents(tx, pool, &known);
            let anchor = anchors.contains(&tx.txid());
            verdict = match (anchor, parents.wrong, parents.unknown) {
                (true, ..) | (_, 0, 0) => Verdict::Yes,
                (_, 0, _) => Verdict::Undecided,
                _ => Verdict::No,
            };
            if verdict != Verdict::No {
                for parent in tx.inputs().filter_map(|input| input.prevout()).map(|output| output.tx()) {
                    confirmed.entry(parent.index()).or_default().insert(tx.txid());
                }
            }
            let rests_on = if verdict == Verdict::No { parents.wrong_txids } else { parents.right_txids };
            if verdict != Verdict::Undecided && !rests_on.is_empty() {
                finding.confidence = SURE;
            }
            finding = finding
                .feature("anchor", anchor)
                .feature("inputs_from_mixes", parents.mixes)
                .feature("inputs_from_premix", parents.premixes)
                .feature("inputs_unknown", parents.unknown)
                .feature("inputs_wrong", parents.wrong)
                .feature("rests_on", Feature::Txs(rests_on.into_iter().collect()));
        }
        known.insert(index, Known { kind: form.kind, pool, refuted: verdict == Verdict::No });
        judged.push((index, finding.verdict(verdict)));
    }
    for (index, finding) in judged.iter_mut().filter(|(_, finding)| finding.kind == Kind::Premix) {
        let spenders = confirmed.remove(index).unwrap_or_default();
        finding.verdict = if spenders.is_empty() { Verdict::Undecided } else { Verdict::Yes };
        if !spenders.is_empty() {
            finding.confidence = SURE;
        }
        finding.features.insert("rests_on", Feature::Txs(spenders.into_iter().collect()));
    }
    judged
}

fn form(tx: Tx<'_>) -> Option<Finding> {
    let mix = || Lazy::of(tx).has_equal_outputs().then(|| whirlpool::find(tx)).flatten();
    mix().or_else(|| premix::find(tx))
}

fn parents(tx: Tx<'_>, pool: Amount, known: &BTreeMap<TxIndex, Known>) -> Parents {
    let mut parents = Parents::default();
    for input in tx.inputs() {
        let parent = input.prevout().map(|output| output.tx());
        let Some(parent) = parent.filter(|parent| !parent.is_stub()) else {
            parents.unknown += 1;
            continue;
        };
        let wanted = if input.value() == Some(pool) { Kind::Coinjoin } else { Kind::Premix };
        match known.get(&parent.index()) {
            Some(known) if known.kind == wanted && known.pool == pool && !known.refuted => {
                parents.right_txids.insert(parent.txid());
                if wanted == Kind::Coinjoin {
                    parents.mixes += 1;
                } else {
                    parents.premixes += 1;
                }
            }
            _ => {
                parents.wrong_txids.insert(parent.txid());
                parents.wrong += 1;
            }
        }
    }
    parents
}
