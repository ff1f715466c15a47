//! Payjoin: an input that the payer would not have needed.
//!
//! In a payjoin the payee adds a coin to the payment, so that inputs are no longer one owner's. From outside such a transaction has an
//! unnecessary input: even for the larger output the other inputs would have sufficed. Wallets that choose coins carelessly make such
//! transactions too, and far more often than payjoins occur: a suspicion, for whoever counts on common inputs.
//!
//! References: A. Gibson, PayJoin (2018), "unnecessary input heuristic" 1 and 2; Ghesmati, Kern, Judmayer, Stifter and Weippl, Unnecessary
//! Input Heuristics and PayJoin Transactions (HCI International 2021).

use super::{Confidence, Finding, Kind, shape};
use crate::chain::Tx;

/// The rule's name and version.
pub const RULE: &str = "unnecessary_input/1";

/// More inputs are a consolidation on the side.
pub(crate) const INPUTS_MAX: usize = 5;

/// Says whether a transaction of two outputs has an input that no payment needed. O(n).
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, payjoin};
/// // Whichever output is the payment, the 90,000 alone would have paid it.
/// let chain = detect::sketch(&[90_000, 40_000], &[70_000, 59_000])?;
/// assert!(chain.view().txs().find_map(payjoin::find).unwrap().is_yes());
/// // Both are needed for the larger one.
/// let chain = detect::sketch(&[90_000, 40_000], &[110_000, 19_000])?;
/// assert!(chain.view().txs().find_map(payjoin::find).is_none());
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A wallet that spends a small coin along to be rid of it. The first example is such a transaction just as well.
///
/// ```
/// use fundtrace::detect::{self, Confidence, payjoin};
/// let chain = detect::sketch(&[90_000, 2_000], &[70_000, 21_000])?;
/// let finding = chain.view().txs().find_map(payjoin::find).unwrap();
/// assert!(finding.confidence < Confidence::from_percent(20));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    let inputs = tx.inputs().len();
    if tx.outputs().len() != 2 || !(2..=INPUTS_MAX).contains(&inputs) {
        return None;
    }
    let (mut sum, mut least, mut kind) = (0, u64::MAX, None);
    for input in tx.inputs() {
        let sat = input.value()?.to_sat();
        (sum, least) = (sum + sat, least.min(sat));
        // The payee sees to it that its coin looks like the payer's.
        let of = input.script_type();
        if kind.is_some_and(|kind| kind != of) {
            return None;
        }
        kind = Some(of);
    }
    let [first, second] = [tx.outputs().next()?, tx.outputs().nth(1)?];
    let (low, high) = (shape::sat(first).min(shape::sat(second)), shape::sat(first).max(shape::sat(second)));
    // The least input is not needed for the larger output, fee and all: sum - least >= high + fee, where the fee is sum - low - high.
    if low < least || low + high > sum || shape::is_data(first) || shape::is_data(second) {
        return None;
    }
    // Two owners have two addresses, and nobody pays back to where the coins come from.
    let sender = tx.inputs().next()?.address_index();
    let (to_first, to_second) = (first.address_index(), second.address_index());
    let mut addresses = tx.inputs().map(|input| input.address_index());
    if addresses.any(|address| address == to_first || address == to_second) {
        return None;
    }
    tx.inputs().any(|input| input.address_index() != sender).then(|| {
        Finding::new(Kind::Payjoin, "payjoin", RULE, Confidence::from_percent(15))
            .participants(2)
            .sat("input_least_sat", least)
            .sat("output_least_sat", low)
            .sat("output_greatest_sat", high)
    })
}
