//! Lock time: change is spent by a wallet that sets lock times as this one does.
//!
//! Returns the outputs whose spender has a lock time exactly if the payment has one; unspent ones stay. Applies where a source gave the payment's lock time; a spender of
//! unknown lock time cannot be ruled out. Source: BlockSci. No published rate: reference 2 has 0.307 and 0.0029
//! of another predicate, that a payment's one spent output has an equal fingerprint (`fingerprint_lock_time` of [`Mask::ALL`](super::Mask::ALL)). Looks ahead, to the spenders that the view sees.

use super::{Hindsight, those};
use crate::chain::{OutputSet, Tx};

/// An output whose spender has a lock time exactly if the payment has one.
///
/// # Fooled by
///
/// A wallet that learned to set lock times between the two, and a payee whose wallet never does.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::LockTime;
/// let chain = sketch(&[
///     ("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice2")]),
///     ("u", &[("t:0", 500, "bob")], &[(499, "carol")]),
///     ("w lock=2", &[("t:1", 399, "alice2")], &[(398, "dave")]),
/// ]);
/// assert_eq!(vouts_later(&chain, "t", &LockTime), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LockTime;

impl Hindsight for LockTime {
    fn name(&self) -> &'static str {
        "lock_time"
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        let own = tx.lock_time()? > 0;
        those(tx, |output| output.spender().and_then(Tx::lock_time).is_none_or(|lock_time| (lock_time > 0) == own))
    }
}
