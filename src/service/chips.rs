//! Chips: coins of 0.001 * 2^k BTC, made in advance and handed over by key, as ChipMixer had them (May 2017 to March 2023).
//!
//! Returns findings for the transactions that make chips and for those that join chips again. The idea: a chip mixer gathers deposits (entry
//! consolidation), cuts them into chips, and hands a customer the *keys* of chips that somebody else's money made. No transaction of the chain links deposit and
//! customer. What can be seen is the making, and that a customer joins chips of several makings (exit consolidation).
//!
//! Exchanges and payout scripts pay 0.001, 0.002 and 0.004 BTC too, so a making is undecided but where the form is strict, many coins go in
//! and no change comes out. The strict form (feature `strict_form`) is the rule that the tool TaintedTX has for ChipMixer: at least four
//! outputs of at most two values, the repeated one at least 0.001 BTC and a multiple of it. It says nothing about taint.
//!
//! # References
//!
//! 1. Wu et al., "Towards Understanding and Demystifying Bitcoin Mixing Services" (WWW 2021): ChipMixer's transactions.
//! 2. TaintedTX, a tracing tool; its form for makings of chips, as named above.

use bitcoin::Amount;

use crate::chain::{Output, Tx, View};
use crate::detect::{Confidence, Finding, Kind, Verdict, coinjoin};
use crate::id::TxIndex;

/// The rule for transactions that make chips.
pub const MAKE: &str = "chips_make/2";
/// The rule for transactions that join them.
pub const JOIN: &str = "chips_join/2";

/// The least chip: 0.001 BTC.
pub const CHIP: Amount = Amount::from_sat(100_000);
/// The greatest is the least doubled so many times: 8.192 BTC.
const DOUBLINGS: u32 = 13;
/// TaintedTX has four outputs at least.
const CHIPS_MIN: usize = 4;
/// More are a payout (ours).
const CHIPS_MAX: usize = 100;
/// So many inputs are an entry consolidation (ours).
const ENTRY_MIN: usize = 5;
/// From so sure on a rule for CoinJoins is believed.
const MIX: Confidence = Confidence::from_percent(60);

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

/// Says whether a transaction makes chips: 4 to 100 chips, and at most one output of another value. O(n log n).
///
/// Confidence 60 % for the strict form with an entry consolidation and no change; 40 % for the strict form otherwise and 15 % for another,
/// both undecided. Nothing of what a rule with a mark of its own calls a CoinJoin.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Feature, Verdict};
/// use fundtrace::service::chips;
/// let chain = detect::sketch(&[1_000_000; 5], &[800_000; 6])?;
/// let finding = chain.view().txs().find_map(chips::make).unwrap();
/// assert_eq!(finding.features["chips"], Feature::Count(6));
/// assert_eq!((finding.verdict, finding.confidence.to_ppm()), (Verdict::Yes, 600_000));
/// // Sizes are mixed: weaker.
/// let chain = detect::sketch(&[2_000_000], &[100_000, 200_000, 400_000, 800_000])?;
/// let finding = chain.view().txs().find_map(chips::make).unwrap();
/// assert_eq!((finding.verdict, finding.confidence.to_ppm()), (Verdict::Undecided, 150_000));
/// // Four wages with change: it may be anything.
/// let chain = detect::sketch(&[1_000_000], &[100_000, 100_000, 100_000, 100_000, 590_000])?;
/// assert_eq!(chain.view().txs().find_map(chips::make).unwrap().verdict, Verdict::Undecided);
/// // Whirlpool's least pool.
/// let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
/// assert!(chain.view().txs().find_map(chips::make).is_none());
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A faucet that pays four people 0.001 BTC each from its small change, to the last satoshi.
///
/// ```
/// use fundtrace::{detect, service::chips};
/// let chain = detect::sketch(&[81_000; 5], &[100_000; 4])?;
/// assert!(chain.view().txs().find_map(chips::make).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn make(tx: Tx<'_>) -> Option<Finding> {
    let outputs = tx.outputs().len();
    if outputs < CHIPS_MIN || tx.is_coinbase() || tx.outputs().filter(|output| !is_chip(*output)).take(2).count() > 1 {
        return None;
    }
    let mut chips: Vec<u64> = tx.outputs().filter(|output| is_chip(*output)).filter_map(sat).collect();
    if !(CHIPS_MIN..=CHIPS_MAX).contains(&chips.len()) {
        return None;
    }
    // Whirlpool's least pool has the size of a chip.
    if coinjoin::is_mix(tx, MIX) {
        return None;
    }
    chips.sort_unstable();
    let total = chips.iter().sum();
    let count = chips.len();
    chips.dedup();
    let strict = chips.len() == 1 || (chips.len() == 2 && count == outputs);
    let entry = tx.inputs().len() >= ENTRY_MIN;
    let change = count < outputs;
    let (verdict, confidence) = match (strict, entry && !change) {
        (true, true) => (Verdict::Yes, 60),
        (true, false) => (Verdict::Undecided, 40),
        _ => (Verdict::Undecided, 15),
    };
    let finding = Finding::new(Kind::CustodialMixer, "chips", MAKE, Confidence::from_percent(confidence));
    Some(
        finding
            .verdict(verdict)
            .feature("change", change)
            .feature("chips", count)
            .feature("chips_max", CHIPS_MAX)
            .feature("chips_min", CHIPS_MIN)
            .sat("chips_sat", total)
            .denominations(chips)
            .feature("strict_form", strict)
            .feature("entry_consolidation", entry)
            .feature("inputs", tx.inputs().len()),
    )
}

/// Says whether a transaction joins chips: at least two inputs, each of them a chip that a transaction of [`make`]'s form made. O(n log n)
/// in the transactions that it spends.
///
/// Confidence 50 % where they come from several makings, of which [`make`] affirms one; undecided with 20 % otherwise.
///
/// # Examples
///
/// ```
#[doc = include_str!("../change/sketch.txt")]
/// use fundtrace::service::chips;
/// let chips = |who: &'static str| [(400_000, who), (400_000, "x"), (400_000, "y"), (400_000, "z")];
/// let coins = [("coin", 340_000, "mixer"); 5];
/// let chain = sketch(&[
///     ("a", &coins, &chips("c1")),
///     ("b", &coins, &chips("c2")),
///     ("c", &[("a:0", 400_000, "c1"), ("b:0", 400_000, "c2")], &[(799_000, "customer")]),
/// ]);
/// let finding = chips::join(chain.view().tx_at(&txid("c")).unwrap()).unwrap();
/// assert!(finding.is_yes());
/// assert_eq!(finding.confidence.to_ppm(), 500_000);
/// ```
///
/// # Fooled by
///
/// Somebody whom an employer pays 0.004 BTC a week, together with others, out of five coins and with nothing left.
///
/// ```
#[doc = include_str!("../change/sketch.txt")]
/// use fundtrace::service::chips;
/// let wages = |who: &'static str| [(400_000, who), (400_000, "ann"), (400_000, "ben"), (400_000, "cid")];
/// let coins = [("coin", 340_000, "boss"); 5];
/// let chain = sketch(&[
///     ("a", &coins, &wages("me")),
///     ("b", &coins, &wages("me")),
///     ("c", &[("a:0", 400_000, "me"), ("b:0", 400_000, "me")], &[(799_000, "landlord")]),
/// ]);
/// assert!(chips::join(chain.view().tx_at(&txid("c")).unwrap()).unwrap().is_yes());
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
    let affirmed = made.iter().any(Finding::is_yes) && makers.len() > 1;
    let (verdict, percent) = if affirmed { (Verdict::Yes, 50) } else { (Verdict::Undecided, 20) };
    let rests_on = makers.iter().map(|maker| tx.view().tx(*maker).txid()).collect();
    Some(
        Finding::new(Kind::CustodialMixer, "chips", JOIN, Confidence::from_percent(percent))
            .verdict(verdict)
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
