//! No output is change. The empty set, to combine with and to compare with (BlockSci: `none`).

use super::{Change, Payment};
use crate::chain::OutputSet;

/// Rules every output out.
///
/// # Fooled by
///
/// Every payment that has change.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Nothing;
/// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice")])]);
/// assert_eq!(vouts(&chain, "t", &Nothing), Some(vec![]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl Change for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        payment.those(|_| false)
    }
}
