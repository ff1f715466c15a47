//! Chips: coins of 0.001 * 2^k BTC, made in advance and handed over by key, as ChipMixer had them (May 2017 to March 2023).
//!
//! Returns findings for the transactions that make chips and for those that join chips again. The idea: a chip mixer gathers deposits (entry
//! consolidation), cuts them into chips, and hands a customer the *keys* of chips that somebody else's money made. No transaction of the chain links deposit and
//! customer. What can be seen is the making, and that a customer joins chips of several makings (exit consolidation).
//!
//! Exchanges and payout scripts pay 0.001, 0.002 and 0.004 BTC too, so the confidence stays low but where the form is strict: that is the
//! rule of TaintedTX, at least four outputs of at most two values, the repeated one at least 0.001 BTC and a multiple of it.
//!
//! # References
//!
//! 1. Wu et al., "Towards Understanding and Demystifying Bitcoin Mixing Services" (WWW 2021): ChipMixer's transactions.
//! 2. TaintedTX, the rule named above.

use bitcoin::Amount;

use crate::chain::{Output, Tx, View};
use crate::detect::{Confidence, Finding, Kind};
use crate::id::TxIndex;

/// The rule for transactions that make chips.
pub const MAKE: &str = "chips_make/1";
/// The rule for transactions that join them.
pub const JOIN: &str = "chips_join/1";

/// The least chip: 0.001 BTC.
pub const CHIP: Amount = Amount::from_sat(100_000);
/// The greatest is the least doubled so many times: 8.192 BTC.
const DOUBLINGS: u32 = 13;
/// TaintedTX has four outputs at least.
const CHIPS_MIN: usize = 4;
/// So many inputs are an entry consolidation (ours).
const ENTRY_MIN: usize = 5;

/// Tells how often the least chip is doubled to get this amount; `None` for what is no chip.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::service::chips;
/// assert_eq!(chips::size(Amount::from_sat(100_000)), Some(0));
/// assert_eq!(chips::size(Amount::from_sat(819_200_000)), Some(13));
/// assert_eq!(chips::size(Amount::from_sat(300_000)), None);
/// ```
pub fn size(amount: Amount) -> Option<u32> {
    let times = amount.to_sat().checked_div(CHIP.to_sat())?;
    let whole = times.is_power_of_two() && times * CHIP.to_sat() == amount.to_sat();
    Some(times).filter(|_| whole).map(u64::ilog2).filter(|doublings| *doublings <= DOUBLINGS)
}

fn is_chip(output: Output<'_>) -> bool {
    output.value().and_then(size).is_some()
}

/// Says whether a transaction makes chips: at least four outputs, all of them chips but for one of another value. O(n log n).
///
/// Confidence 60 % for TaintedTX's form with an entry consolidation, 40 % for it alone, 15 % otherwise.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Feature};
/// use fundtrace::service::chips;
/// let chain = detect::sketch(&[1_000_000; 5], &[800_000, 800_000, 800_000, 800_000, 800_000, 990_000])?;
/// let finding = chain.view().txs().find_map(chips::make).unwrap();
/// assert_eq!(finding.features["chips"], Feature::Count(5));
/// assert_eq!(finding.confidence.to_ppm(), 600_000);
/// // Sizes are mixed: weaker.
/// let chain = detect::sketch(&[2_000_000], &[100_000, 200_000, 400_000, 800_000])?;
/// assert_eq!(chain.view().txs().find_map(chips::make).unwrap().confidence.to_ppm(), 150_000);
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A faucet that pays four people 0.001 BTC each from its small change.
///
/// ```
/// use fundtrace::{detect, service::chips};
/// let chain = detect::sketch(&[90_000; 5], &[100_000, 100_000, 100_000, 100_000, 40_000])?;
/// assert_eq!(chain.view().txs().find_map(chips::make).unwrap().confidence.to_ppm(), 600_000);
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn make(tx: Tx<'_>) -> Option<Finding> {
    let outputs = tx.outputs().len();
    if outputs < CHIPS_MIN || tx.is_coinbase() || tx.outputs().filter(|output| !is_chip(*output)).take(2).count() > 1 {
        return None;
    }
    let mut chips: Vec<u64> = tx.outputs().filter(|output| is_chip(*output)).filter_map(sat).collect();
    if chips.len() < CHIPS_MIN {
        return None;
    }
    chips.sort_unstable();
    let total = chips.iter().sum();
    let count = chips.len();
    chips.dedup();
    let strict = chips.len() == 1 || (chips.len() == 2 && count == outputs);
    let entry = tx.inputs().len() >= ENTRY_MIN;
    let confidence = match (strict, entry) {
        (true, true) => 60,
        (true, false) => 40,
        _ => 15,
    };
    let finding = Finding::new(Kind::CustodialMixer, "chips", MAKE, Confidence::from_percent(confidence));
    Some(
        finding
            .feature("chips", count)
            .feature("chips_min", CHIPS_MIN)
            .sat("chips_sat", total)
            .denominations(chips)
            .feature("tainted_tx", strict)
            .feature("entry_consolidation", entry)
            .feature("inputs", tx.inputs().len()),
    )
}

/// Says whether a transaction joins chips: at least two inputs, each of them a chip that a transaction of [`make`]'s form made. O(n log n)
/// in the transactions that it spends.
///
/// Confidence 50 % where they come from several makings, of which one has TaintedTX's form; 20 % otherwise.
///
/// # Examples
///
/// ```
#[doc = include_str!("../change/sketch.txt")]
/// use fundtrace::service::chips;
/// let chips = |who: &'static str| [(400_000, who), (400_000, "x"), (400_000, "y"), (400_000, "z")];
/// let chain = sketch(&[
///     ("a", &[("coin", 1_700_000, "mixer")], &chips("c1")),
///     ("b", &[("coin", 1_700_000, "mixer")], &chips("c2")),
///     ("c", &[("a:0", 400_000, "c1"), ("b:0", 400_000, "c2")], &[(799_000, "customer")]),
/// ]);
/// let finding = chips::join(chain.view().tx_at(&txid("c")).unwrap()).unwrap();
/// assert_eq!(finding.confidence.to_ppm(), 500_000);
/// ```
///
/// # Fooled by
///
/// Somebody whom an employer pays 0.004 BTC a week, together with others.
///
/// ```
#[doc = include_str!("../change/sketch.txt")]
/// use fundtrace::service::chips;
/// let wages = |who: &'static str| [(400_000, who), (400_000, "ann"), (400_000, "ben"), (400_000, "cid")];
/// let chain = sketch(&[
///     ("a", &[("coin", 1_700_000, "boss")], &wages("me")),
///     ("b", &[("coin", 1_700_000, "boss")], &wages("me")),
///     ("c", &[("a:0", 400_000, "me"), ("b:0", 400_000, "me")], &[(799_000, "landlord")]),
/// ]);
/// assert!(chips::join(chain.view().tx_at(&txid("c")).unwrap()).is_some());
/// ```
pub fn join(tx: Tx<'_>) -> Option<Finding> {
    if tx.inputs().len() < 2 || tx.is_coinbase() || !tx.inputs().all(|input| input.value().and_then(size).is_some()) {
        return None;
    }
    let mut makers: Vec<TxIndex> =
        tx.inputs().map(|input| Some(input.prevout()?.tx().index())).collect::<Option<_>>()?;
    makers.sort_unstable();
    makers.dedup();
    let made: Vec<Finding> = makers.iter().map(|maker| make(tx.view().tx(*maker))).collect::<Option<_>>()?;
    let strict = made.iter().any(|finding| finding.confidence >= Confidence::from_percent(40));
    let percent = if strict && makers.len() > 1 { 50 } else { 20 };
    let rests_on = makers.iter().map(|maker| tx.view().tx(*maker).txid()).collect();
    Some(
        Finding::new(Kind::CustodialMixer, "chips", JOIN, Confidence::from_percent(percent))
            .feature("chips", tx.inputs().len())
            .sat("chips_sat", tx.inputs().filter_map(|input| Some(input.value()?.to_sat())).sum())
            .feature("makings", makers.len())
            .feature("rests_on", crate::detect::Feature::Txs(rests_on)),
    )
}

/// Asks both rules about every transaction of a view, on the caller's rayon pool; findings in chain order.
///
/// # Examples
///
/// ```
/// let chain = fundtrace::detect::sketch(&[2_000_000], &[400_000; 4])?;
/// assert_eq!(fundtrace::service::chips::scan(chain.view()).len(), 1);
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn scan(view: View<'_>) -> Vec<(TxIndex, Finding)> {
    view.gather(|tx, found| found.extend([make(tx), join(tx)].into_iter().flatten().map(|said| (tx.index(), said))))
}

fn sat(output: Output<'_>) -> Option<u64> {
    output.value().map(Amount::to_sat)
}
