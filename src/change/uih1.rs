//! Unnecessary input heuristic 1: the smallest output, if it is smaller than every input.
//!
//! Returns it, or several where they are equal; does not apply where the smallest output is no smaller than some input, or values are unknown. `optimal_change` keeps every output below the
//! line, this one the smallest. Ours, after the first unnecessary input heuristic as payjoin/tx-indexer asks it of a transaction and BlockSci's optimal change. No published rate.

use super::{Change, Payment};
use crate::chain::OutputSet;

/// The smallest output, if smaller than every input.
///
/// # Fooled by
///
/// Any payment of less than half a coin.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Uih1;
/// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(100, "bob"), (799, "alice2")])]);
/// assert_eq!(vouts(&chain, "t", &Uih1), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Uih1;

impl Change for Uih1 {
    fn name(&self) -> &'static str {
        "uih1"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        let least = payment.least_input()?;
        let smallest = payment.spendable().map(|output| output.value).min()?;
        if smallest >= least {
            return None;
        }
        payment.those(|output| output.value == smallest)
    }
}
