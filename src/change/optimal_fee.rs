//! Optimal change with fee: change and the fee together are smaller than the smallest input.
//!
//! Returns the outputs for which that holds; applies where all inputs' values are known. As `optimal_change`, for a wallet that thinks of the fee when it
//! chooses coins: had change and fee covered an input, it could have been left away. Source: Moeser and Narayanan's notebooks, which name the rule; this form of the comparison is ours.
//! Published: TPR 0.239, FPR 0.0202 (reference 2).

use super::{Change, Payment};
use crate::chain::OutputSet;

/// An output that with the fee is smaller than every input.
///
/// # Fooled by
///
/// The same wallet that tidies up.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::OptimalFee;
/// let chain = sketch(&[("t", &[("coin", 600, "a"), ("coin", 700, "b")], &[(100, "bob"), (1_199, "alice")])]);
/// assert_eq!(vouts(&chain, "t", &OptimalFee), Some(vec![0]));
/// // With a fee of 500 neither can be.
/// let dear = sketch(&[("t", &[("coin", 600, "a"), ("coin", 700, "b")], &[(100, "bob"), (700, "alice")])]);
/// assert_eq!(vouts(&dear, "t", &OptimalFee), Some(vec![]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OptimalFee;

impl Change for OptimalFee {
    fn name(&self) -> &'static str {
        "optimal_fee"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        let (least, fee) = (payment.least_input()?, payment.fee()?);
        payment.those(|output| output.value.checked_add(fee).is_some_and(|sum| sum < least))
    }
}
