//! Legacy: the one new output below the smallest input, outside CoinJoins.
//!
//! Returns it; applies where there is exactly one such output, all inputs' values are known and the transaction is no CoinJoin, which the caller tells. Source: BlockSci, after Goldfeder and others,
//! "When the cookie meets the blockchain" (PETS 2018). No published rate.

use std::fmt;

use super::{Change, Payment};
use crate::chain::OutputSet;

/// The only new output that is smaller than every input, unless the transaction is a CoinJoin.
///
/// # Fooled by
///
/// A payment of less than half a coin to a new address, with change to an old one.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::{Legacy, Payment};
/// let chain = sketch(&[
///     ("before", &[("coin", 100, "x")], &[(50, "alice's other"), (20, "y")]),
///     ("t", &[("coin", 900, "alice")], &[(100, "bob"), (799, "alice's other")]),
/// ]);
/// assert_eq!(vouts(&chain, "t", &Legacy::new(|_: &Payment<'_>| false)), Some(vec![0]));
/// assert_eq!(vouts(&chain, "t", &Legacy::new(|_: &Payment<'_>| true)), None);
/// ```
#[derive(Clone, Copy)]
pub struct Legacy<F> {
    is_coinjoin: F,
}

impl<F: Fn(&Payment<'_>) -> bool + Sync> Legacy<F> {
    /// Makes the rule with what tells CoinJoins; [`Payment::index`] finds a transaction in a list of them.
    pub fn new(is_coinjoin: F) -> Self {
        Self { is_coinjoin }
    }
}

impl<F> fmt::Debug for Legacy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Legacy").finish_non_exhaustive()
    }
}

impl<F: Fn(&Payment<'_>) -> bool + Sync> Change for Legacy<F> {
    fn name(&self) -> &'static str {
        "legacy"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        let least = payment.least_input()?;
        let found = payment.the_only(|output| output.value < least && output.is_new != Some(false))?;
        (!(self.is_coinjoin)(payment)).then_some(found)
    }
}
