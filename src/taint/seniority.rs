//! Seniority: the tainted value fills the outputs first, in output order, the fee last.
//!
//! Used for: "the thief pays himself first". Among the rules that keep amounts it is the one that looks at output order.
//!
//! With several sources the total is placed first and then divided among them by the exact draw, so a joint run depends on
//! which sources take part and is not the sum of single runs.
//!
//! Source: "Seniority" in the taint notebook of Moeser's dissertation (results only; the rule is our reading). Often called FIFO by mistake.

use bitcoin::Amount;

use super::shares::keeps_shares;
use super::{Lot, Origin, Part, Shares, Taint};
use crate::id::SourceIndex;

/// Tainted value first, in output order.
///
/// # Fooled by
///
/// Output order, which the spender chooses: a payment to a merchant named first is called stolen, the change is called clean.
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::{Lot, Shares, Seniority, Taint};
/// use fundtrace::SourceIndex;
///
/// let sat = Amount::from_sat;
/// let stolen = Lot { value: sat(5), mark: Seniority.seed(sat(5), SourceIndex::from_u32(0)) };
/// let clean = Lot { value: sat(5), mark: Shares::default() };
/// let mut marks = Vec::new();
/// Seniority.spread(1, &[stolen, clean], &[sat(5), sat(4), sat(1)], &mut marks);
/// assert_eq!(marks.iter().map(|mark| Seniority.amount(mark).to_sat()).collect::<Vec<_>>(), [5, 0, 0]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Seniority;

impl Taint for Seniority {
    const LINEAR: bool = false;
    const CONSERVING: bool = true;
    type Mark = Shares;

    fn name(&self) -> &'static str {
        "seniority"
    }

    keeps_shares!();

    fn spread(&self, _: usize, inputs: &[Lot<Shares>], outputs: &[Amount], into: &mut Vec<Shares>) {
        let from = Shares::sum(inputs);
        let mut left = from.total();
        let tainted: Vec<Amount> = outputs.iter().map(|value| take(&mut left, *value)).collect();
        from.divide(&tainted, into);
    }
}

/// Takes up to `most` off what is left.
pub(super) fn take(left: &mut Amount, most: Amount) -> Amount {
    let taken = most.min(*left);
    *left -= taken;
    taken
}
