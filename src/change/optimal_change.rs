//! Optimal change: change is smaller than the smallest input.
//!
//! Returns the outputs below it; applies where all inputs' values are known. The idea: a wallet adds no input that it does not need, and an output that is at
//! least as large as an input could have been left away with it. With one input it rules nothing out. Source: BlockSci. Published: TPR 0.306, FPR 0.0263 (reference 2).

use super::{Change, Payment};
use crate::chain::OutputSet;

/// An output that is smaller than every input.
///
/// # Fooled by
///
/// A wallet that spends all its small coins to tidy up: the payment is the small output.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::OptimalChange;
/// let chain = sketch(&[("t", &[("coin", 600, "a"), ("coin", 700, "b")], &[(100, "bob"), (1_199, "alice")])]);
/// assert_eq!(vouts(&chain, "t", &OptimalChange), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OptimalChange;

impl Change for OptimalChange {
    fn name(&self) -> &'static str {
        "optimal_change"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        let least = payment.least_input()?;
        payment.those(|output| output.value < least)
    }
}
