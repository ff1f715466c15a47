//! Meiklejohn's second heuristic: the one output whose address appears for the first time.
//!
//! Returns it where no output pays an input's address (no self-change), exactly one address is new, and all others have been seen; an output without an address leaves
//! the question open. Unlike `fresh` it lets outputs repeat an old address. Source: Meiklejohn and others, "A Fistful of Bitcoins" (IMC 2013), section 4.2. Their
//! estimate of false positives is 13 %, 1 % and less with the refinements of `meiklejohn_wait`. "New" is new in this input (see [the module](super)).

use super::{Change, Payment};
use crate::chain::OutputSet;

/// The only new address where no output pays an input's.
///
/// # Fooled by
///
/// A payment to a friend's new address with change to an old one, as with `Fresh`. An output that repeats an address is no obstacle here.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::{Fresh, Meiklejohn};
/// let chain = sketch(&[
///     ("before", &[("coin", 100, "x")], &[(50, "alice's other"), (20, "y")]),
///     ("t", &[("coin", 900, "alice")], &[(500, "new"), (300, "alice's other"), (99, "alice's other")]),
/// ]);
/// assert_eq!(vouts(&chain, "t", &Meiklejohn), Some(vec![0]));
/// assert_eq!(vouts(&chain, "t", &Fresh), None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Meiklejohn;

impl Change for Meiklejohn {
    fn name(&self) -> &'static str {
        "meiklejohn"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        if payment.spendable().any(|output| output.is_of_input || output.is_new.is_none()) {
            return None;
        }
        payment.the_only(|output| output.is_new == Some(true))
    }
}
