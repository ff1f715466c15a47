//! Whirlpool's Tx0: one owner cuts coins to a pool's size and pays the coordinator.
//!
//! One output with data, up to 70 equal outputs a little above the pool's amount, the coordinator's fee and perhaps change. The
//! change is the owner's, so a Tx0 hides nothing by itself: whoever follows coins into a mix can follow the change out of it.
//! Source: graphsense-lib's Whirlpool rule and Dumplings' scanner, thresholds alone.

use bitcoin::Amount;

use super::whirlpool::{EXCESS_SAT, Pool, pools};
use crate::chain::{Output, ScriptType, Tx};
use crate::detect::shape::{self, Repeated, Shape};
use crate::detect::{Confidence, Feature, Finding, Kind};

/// The rule's name and version.
pub const RULE: &str = "whirlpool_tx0/1";

const PREMIX_MAX: usize = 70;
/// The data of a Tx0, which only the coordinator can read, are 64 bytes, or 80 in later versions; with `OP_RETURN` and the push before
/// them. (Observed: 194 and 87 of 281 labelled ones, none of another length.)
const DATA_SCRIPT_BYTES: [usize; 2] = [66, 83];

/// Says whether a transaction prepares coins for a Whirlpool. O(n log n).
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::detect::{Kind, coinjoin::premix};
///
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat, n: u8| {
///     let script = ScriptBuf::from_bytes([&[0, 20][..], &[n; 20]].concat());
///     TxOut { value: Amount::from_sat(sat), script_pubkey: script }
/// };
/// let data = ScriptBuf::from_bytes([&[0x6a, 64][..], &[7; 64]].concat());
/// let data = TxOut { value: Amount::ZERO, script_pubkey: data };
/// let spend = NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(2_500_000, 1));
/// let outputs = vec![data, out(50_000, 2), out(430_000, 3), out(1_009_500, 4), out(1_009_500, 5)];
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(txid(2), vec![spend], outputs))?;
/// let chain = builder.finish()?;
/// let finding = chain.view().txs().find_map(premix::find).unwrap();
/// assert_eq!(finding.kind, Kind::Premix);
/// assert_eq!(serde_json::to_value(&finding.features["premix_outputs"]).unwrap(), 2);
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A payment of the right size that carries data, such as a swap's memo of 64 bytes with 1,009,500 sat to a vault and 50,000 sat of
/// change: the fee's place is taken by the change.
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::detect::coinjoin::premix;
///
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat, n: u8| {
///     let script = ScriptBuf::from_bytes([&[0, 20][..], &[n; 20]].concat());
///     TxOut { value: Amount::from_sat(sat), script_pubkey: script }
/// };
/// let memo = ScriptBuf::from_bytes([&[0x6a, 64][..], &[b'='; 64]].concat());
/// let memo = TxOut { value: Amount::ZERO, script_pubkey: memo };
/// let spend = NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(1_060_000, 1));
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(txid(2), vec![spend], vec![out(1_009_500, 2), memo, out(50_000, 3)]))?;
/// let chain = builder.finish()?;
/// assert!(chain.view().txs().find_map(premix::find).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    // Nearly all transactions have no data.
    let mut data = tx.outputs().filter(|output| output.script_type() == Some(ScriptType::OpReturn));
    let script = data.next()?.script()?;
    if data.next().is_some() || tx.outputs().len() < 3 || tx.is_coinbase() {
        return None;
    }
    if !DATA_SCRIPT_BYTES.contains(&script.len()) {
        return None;
    }
    let shape = Shape::of(tx);
    pools(tx).find_map(|pool| of_pool(&shape, pool))
}

/// Returns the outputs of a Tx0 that belong to who paid it, ascending: the pieces for the mix and the change, all but the data and the
/// coordinator's fee. Empty for what is none.
///
/// Where several outputs may be the fee none of them is named.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, coinjoin::premix};
/// let chain = detect::sketch(&[5_000], &[3_000, 1_500])?;
/// assert!(premix::kept(chain.view().txs().next().unwrap()).is_empty());
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// Whatever fools [`find`]; and somebody who pays another with an output of the Tx0, which the protocol's wallets do not do.
pub fn kept(tx: Tx<'_>) -> Vec<u32> {
    let Some(finding) = find(tx).filter(Finding::is_yes) else { return Vec::new() };
    let fee = finding.features.get("coordinator_fee_sat");
    let is_fee = |value: Option<Amount>| value.is_some_and(|value| fee == Some(&Feature::Value(value)));
    let theirs = |output: &Output<'_>| !shape::is_data(*output) && !is_fee(output.value());
    tx.outputs().filter(theirs).map(|output| output.vout()).collect()
}

fn of_pool(shape: &Shape<'_>, pool: &Pool) -> Option<Finding> {
    let spendable = shape.outputs.len();
    let is_premix = |sat: u64| sat.checked_sub(pool.sat).is_some_and(|more| EXCESS_SAT.contains(&more));
    let premix: Repeated = shape
        .values()
        .filter(|value| is_premix(value.sat))
        .reduce(|best, next| if next.count > best.count { next } else { best })?;
    if premix.count + 2 < spendable || premix.count > PREMIX_MAX {
        return None;
    }
    let is_fee = |sat: &u64| pool.entry_sat.is_some_and(|fee| (fee / 2..=fee * 3).contains(sat));
    let fee = shape.sorted.iter().copied().filter(|sat| *sat != premix.sat).find(is_fee);
    // Some are let in for nothing or for less, and what a revived pool charges is not known; one output alone says too little then.
    let percent = match (fee, premix.count) {
        (Some(_), _) => 90,
        (None, 2..) => 60,
        (None, _) => return None,
    };
    let finding = Finding::new(Kind::Premix, "whirlpool", RULE, Confidence::from_percent(percent))
        .sat("pool_sat", pool.sat)
        .sat("premix_sat", premix.sat)
        .feature("premix_outputs", premix.count);
    Some(match fee {
        Some(fee) => finding.sat("coordinator_fee_sat", fee),
        None => finding,
    })
}
