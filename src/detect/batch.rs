//! Batch payouts: one payer, many payees.
//!
//! Exchanges and pools pay many customers at once. The outputs go to many scripts, and few inputs pay for them. Whoever follows coins
//! through a batch follows them to many people of whom at most a few matter. What the protocols of mixes look like is left to
//! [`coinjoin`](super::coinjoin): outputs that are mostly equal are no batch here.

use super::{Confidence, Finding, Kind, shape};
use crate::chain::Tx;
use crate::detect::shape::Lazy;

/// The rule's name and version.
pub const RULE: &str = "batch/1";

/// Fewer than this many payees are a payment with company (the count is ours; BlockSci and others use from 4 to 20).
const PAYEES_MIN: usize = 10;
/// A payer brings at most one input for so many payees.
const PAYEES_AN_INPUT: usize = 2;

/// Says whether a transaction pays many at once. O(n log n).
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, batch};
/// let payees: Vec<u64> = (1..=20).map(|n| 10_000 * n + n).collect();
/// let chain = detect::sketch(&[5_000_000], &payees)?;
/// assert!(chain.view().txs().find_map(batch::find).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A wallet that divides its coin among new addresses of its own: no payee is anybody else.
///
/// ```
/// use fundtrace::detect::{self, batch};
/// let own: Vec<u64> = (1..=12).map(|n| 70_000 + 977 * n).collect();
/// let chain = detect::sketch(&[2_000_000], &own)?;
/// assert!(chain.view().txs().find_map(batch::find).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    of(&Lazy::of(tx))
}

pub(super) fn of(shape: &Lazy<'_>) -> Option<Finding> {
    let tx = shape.tx;
    let (inputs, outputs) = (tx.inputs().len(), tx.outputs().len());
    if outputs < PAYEES_MIN || inputs * PAYEES_AN_INPUT > outputs || tx.is_coinbase() {
        return None;
    }
    let shape = shape.get();
    let equal = shape.mode().map_or(0, |mode| mode.count);
    if equal * 2 > shape.outputs.len() || shape.output_scripts() < PAYEES_MIN {
        return None;
    }
    let payees = shape.output_scripts();
    // One script among the inputs is one payer; several may be several.
    let percent = if shape.input_scripts() == Some(1) { 80 } else { 60 };
    let distinct = shape::ppm(payees, shape.outputs.len());
    Some(
        Finding::new(Kind::Batch, "batch", RULE, Confidence::from_percent(percent))
            .room(5)
            .feature("distinct_ppm", distinct)
            .feature("equal_outputs", equal)
            .feature("inputs", inputs)
            .feature("payees", payees)
            .feature("payees_min", PAYEES_MIN),
    )
}
