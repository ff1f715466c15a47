//! Ermilov's change: of two outputs, the new one, if the other is rounder by four digits.
//!
//! Returns it; applies to payments of exactly two outputs that can be spent, exactly one of them new and neither of an input. The other must have at least four significant digits fewer (the
//! digits of its value in satoshis without the zeros at the end). Source: Ermilov, Panov and Yanovich, "Automatic Bitcoin Address Clustering" (ICMLA 2017). The four is quoted from memory and was not
//! checked against the paper. Their votes from tags outside the chain are the cluster builder's. No published rate. It speaks only where `fresh` names the
//! same. "New" is new in this input (see [the module](super)).

use super::{Change, Payment};
use crate::chain::OutputSet;

/// Ermilov and others: how many significant digits the other output has less.
const DIGITS_FEWER: u32 = 4;

/// The new one of two addresses, if the other's value is rounder.
///
/// # Fooled by
///
/// An odd price at a shop that gives new addresses, and change that is round and goes to an address in use.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Ermilov;
/// let chain = sketch(&[
///     ("before", &[("coin", 100, "x")], &[(50, "alice's other"), (20, "y")]),
///     ("t", &[("coin", 9_123_456, "alice")], &[(4_122_456, "the shop's new one"), (5_000_000, "alice's other")]),
/// ]);
/// assert_eq!(vouts(&chain, "t", &Ermilov), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Ermilov;

impl Change for Ermilov {
    fn name(&self) -> &'static str {
        "ermilov"
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        let mut outputs = payment.spendable();
        let (Some(one), Some(other), None) = (outputs.next(), outputs.next(), outputs.next()) else { return None };
        if one.is_of_input || other.is_of_input {
            return None;
        }
        let (new, old) = match (one.is_new?, other.is_new?) {
            (true, false) => (one, other),
            (false, true) => (other, one),
            _ => return None,
        };
        let rounder = digits(old.value.to_sat()) + DIGITS_FEWER <= digits(new.value.to_sat());
        rounder.then(|| [new.index].into_iter().collect())
    }
}

/// The digits of a number without the zeros at its end; none of zero.
fn digits(mut sat: u64) -> u32 {
    while sat > 0 && sat.is_multiple_of(10) {
        sat /= 10;
    }
    sat.checked_ilog10().map_or(0, |log| log + 1)
}
