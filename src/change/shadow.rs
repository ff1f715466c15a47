//! Shadow address: of two outputs, the one whose address is new.
//!
//! Returns it; applies to payments of exactly two outputs that can be spent, exactly one of them new. An output without an address leaves the question open, and
//! the rule does not apply. "New" is new in this input (see [the module](super)). Source: Androulaki and others, "Evaluating User Privacy
//! in Bitcoin" (Financial Cryptography 2013). Published: precision 0.960, recall 0.550 (reference 2).

use super::{Change, Payment};
use crate::chain::OutputSet;

/// The new one of two addresses.
///
/// # Fooled by
///
/// The same as fools every rule on new addresses: the payee's is new, the payer's own is not.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Shadow;
/// let chain = sketch(&[
///     ("before", &[("coin", 950, "x")], &[(900, "alice"), (20, "y")]),
///     ("t", &[("before:0", 900, "alice")], &[(500, "the shop's new one"), (399, "alice")]),
/// ]);
/// assert_eq!(vouts(&chain, "t", &Shadow), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Shadow;

impl Change for Shadow {
    fn name(&self) -> &'static str {
        "shadow"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        if payment.spendable().count() != 2 || payment.spendable().any(|output| output.is_new.is_none()) {
            return None;
        }
        payment.the_only(|output| output.is_new == Some(true))
    }
}
