//! Unnecessary input heuristic 2: an output is no payment if it could have been paid without the smallest input.
//!
//! Returns the outputs that with the fee are worth no more than the inputs without the smallest: as a payment each of them would make an input unnecessary, so it is change if
//! the wallet adds none. Applies to two or more inputs of known value. Ours, after the second unnecessary input heuristic, which BlockSci and payjoin/tx-indexer ask of a
//! transaction (it could pay without its smallest input) and not of each output. No published rate.

use super::{Change, Payment};
use crate::chain::OutputSet;

/// An output that could be paid without the smallest input.
///
/// # Fooled by
///
/// A wallet that adds inputs to tidy up, or one that is paid in the same transaction (PayJoin).
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Uih2;
/// let chain = sketch(&[("t", &[("coin", 600, "a"), ("coin", 700, "b")], &[(100, "bob"), (1_199, "alice")])]);
/// assert_eq!(vouts(&chain, "t", &Uih2), Some(vec![0]));
/// let plain = sketch(&[("t", &[("coin", 600, "a"), ("coin", 700, "b")], &[(1_000, "bob"), (299, "alice")])]);
/// assert_eq!(vouts(&plain, "t", &Uih2), Some(vec![1]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Uih2;

impl Change for Uih2 {
    fn name(&self) -> &'static str {
        "uih2"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        if payment.inputs().len() < 2 {
            return None;
        }
        let (least, fee) = (payment.least_input()?, payment.fee()?);
        let others = payment.inputs().iter().filter_map(|input| input.value).sum::<bitcoin::Amount>() - least;
        payment.those(|output| output.value.checked_add(fee).is_some_and(|sum| sum <= others))
    }
}
