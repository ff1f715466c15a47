//! Fixed fee: change is spent at the same fee rate.
//!
//! Returns the outputs whose spender pays the same fee in satoshis per 1000 virtual bytes, rounded down; unspent ones stay. Applies where fee and weight of the payment are known; a spender of which
//! either is unknown cannot be ruled out. A virtual size is a quarter of the weight, rounded up (BIP 141). Source: BlockSci. No published rate:
//! reference 2 has 0.042 and 0.0081 of "relative fee", an equal fingerprint, which is another predicate. Looks ahead, to the spenders that the view sees.

use super::{Hindsight, those};
use crate::chain::{OutputSet, Tx};

/// An output whose spender pays the same fee rate.
///
/// # Fooled by
///
/// Everybody in a quiet week, when all wallets pay the least.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::FixedFee;
/// let chain = sketch(&[
///     ("t weight=400", &[("coin", 1_000, "alice")], &[(500, "bob"), (400, "alice2")]),
///     ("u weight=400", &[("t:0", 500, "bob")], &[(400, "carol")]),
///     ("w weight=400", &[("t:1", 400, "alice2")], &[(200, "dave")]),
/// ]);
/// assert_eq!(vouts_later(&chain, "t", &FixedFee), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FixedFee;

impl Hindsight for FixedFee {
    fn name(&self) -> &'static str {
        "fixed_fee"
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        let own = rate(tx)?;
        those(tx, |output| output.spender().and_then(rate).is_none_or(|rate| rate == own))
    }
}

/// The fee in satoshis per 1000 virtual bytes.
fn rate(tx: Tx<'_>) -> Option<u64> {
    let size = u64::from(tx.weight()?.div_ceil(4));
    // No fee exceeds 21 million BTC, so the product fits.
    (tx.fee()?.to_sat() * 1000).checked_div(size)
}
