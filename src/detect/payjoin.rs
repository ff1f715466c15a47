//! Payjoin: an input that the payer would not have needed.
//!
//! In a payjoin the payee adds a coin to the payment, so that inputs are no longer one owner's. From outside such a transaction has an
//! unnecessary input: even for the larger output the other inputs would have sufficed. Wallets that choose coins carelessly make such
//! transactions too, and far more often than payjoins occur: of the simulated worlds' transactions with this form, 2 in 1,000 are payjoins
//! (COMPARE.md). So the rule affirms nothing: each finding is undecided, a suspicion for whoever counts on common inputs.
//!
//! References: A. Gibson, PayJoin (2018), "unnecessary input heuristic" 1 and 2; Ghesmati, Kern, Judmayer, Stifter and Weippl, Unnecessary
//! Input Heuristics and PayJoin Transactions (HCI International 2021).

use super::{Confidence, Finding, Kind, Verdict};
use crate::chain::{ScriptType, Tx};
use crate::id::AddressIndex;

/// The rule's name and version.
pub const RULE: &str = "unnecessary_input/2";

/// More inputs are a consolidation on the side.
pub(crate) const INPUTS_MAX: usize = 5;

/// Says whether a transaction of two outputs has an input that no payment needed: undecided, for most that have are no payjoin. O(n).
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Verdict, payjoin};
/// // Whichever output is the payment, the 90,000 alone would have paid it.
/// let chain = detect::sketch(&[90_000, 40_000], &[70_000, 59_000])?;
/// assert_eq!(chain.view().txs().find_map(payjoin::find).unwrap().verdict, Verdict::Undecided);
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
/// assert!(finding.confidence < Confidence::from_percent(5));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    let mut outputs = tx.output_sats();
    if outputs.len() != 2 || !(2..=INPUTS_MAX).contains(&tx.inputs().len()) {
        return None;
    }
    let (mut sum, mut least) = (0, u64::MAX);
    for sat in tx.input_sats() {
        let sat = sat?;
        (sum, least) = (sum + sat, least.min(sat));
    }
    let [first, second] = [outputs.next()?.unwrap_or(0), outputs.next()?.unwrap_or(0)];
    let (low, high) = (first.min(second), first.max(second));
    // The least input is not needed for the larger output, fee and all: sum - least >= high + fee, where the fee is sum - low - high.
    if low < least || low + high > sum || tx.output_types().any(|of| of == Some(ScriptType::OpReturn)) {
        return None;
    }
    // The payee sees to it that its coin looks like the payer's.
    let mut types = tx.input_types();
    let of = types.next()?;
    if types.any(|other| other != of) {
        return None;
    }
    // Two owners have two addresses, and nobody pays back to where the coins come from.
    let sender = tx.input_addresses().next()?;
    let pays_back = |sender: Option<AddressIndex>| tx.output_addresses().any(|payee| payee == sender);
    if tx.input_addresses().any(pays_back) {
        return None;
    }
    tx.input_addresses().any(|address| address != sender).then(|| {
        Finding::new(Kind::Payjoin, "payjoin", RULE, Confidence::from_percent(2))
            .verdict(Verdict::Undecided)
            .sat("input_least_sat", least)
            .sat("output_greatest_sat", high)
            .sat("output_least_sat", low)
            .participants(2)
    })
}
