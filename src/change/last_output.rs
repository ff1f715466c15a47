//! The last output is change, as naive code has it.
//!
//! Returns the last output that can be spent. Of a wallet that appends its change it is always right, of one that shuffles or sorts half the time. Source:
//! payjoin/tx-indexer's naive rule. No published rate; it stands here as what any rule must beat.

use super::{Change, Payment};
use crate::chain::OutputSet;

/// The last output that can be spent.
///
/// # Fooled by
///
/// A wallet that sorts its outputs by value (BIP 69).
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::LastOutput;
/// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(399, "alice2"), (500, "bob")])]);
/// assert_eq!(vouts(&chain, "t", &LastOutput), Some(vec![1]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LastOutput;

impl Change for LastOutput {
    fn name(&self) -> &'static str {
        "last_output"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        let last = payment.spendable().next_back()?.index;
        payment.those(|output| output.index == last)
    }
}
