//! Power of ten: change has more decimals than a person would write.
//!
//! Returns the outputs whose value in satoshis is no multiple of 10^d. The idea: people pay round sums, and what is left is not round. Source: BlockSci (d = 6, which is
//! 0.01 BTC). Published, for d = 2 to 7: TPR 0.467, 0.420, 0.375, 0.302, 0.211, 0.107; FPR 0.0117, 0.0062, 0.0051, 0.0056, 0.0050, 0.0005 (reference 2).

use super::{Change, Payment};
use crate::chain::OutputSet;

/// An output whose value is no multiple of 10^d satoshis.
///
/// # Fooled by
///
/// A price in another currency, and change that happens to be round.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::PowerOfTen;
/// let chain = sketch(&[("t", &[("coin", 9_123_456, "alice")], &[(4_122_456, "a shop"), (5_000_000, "alice2")])]);
/// assert_eq!(vouts(&chain, "t", &PowerOfTen::default()), Some(vec![0]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PowerOfTen {
    /// How many decimals of a satoshi amount must be zero for it to be round; 19 at most.
    pub digits: u32,
}

impl Default for PowerOfTen {
    fn default() -> Self {
        Self { digits: 6 }
    }
}

impl Change for PowerOfTen {
    fn name(&self) -> &'static str {
        "power_of_ten"
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        vec![("digits", self.digits.to_string())]
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        // From 20 digits on nothing but zero is a multiple.
        let unit = 10_u64.checked_pow(self.digits).unwrap_or(u64::MAX);
        payment.those(|output| !output.value.to_sat().is_multiple_of(unit))
    }
}
