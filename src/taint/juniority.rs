//! Juniority, or clean first: the clean value fills the outputs first, in output order, and taint takes what is left.
//!
//! Used for: the other end from seniority. The fee comes last, so of what the clean value does not cover it is the first to be tainted.
//!
//! With several sources the total is placed first and then divided among them by the exact draw.
//!
//! Source: "Juniority" (seniority reversed) in the taint notebook of Moeser's dissertation (results only; the rule is our reading).

use bitcoin::Amount;

use super::seniority::take;
use super::shares::keeps_shares;
use super::{Lot, Origin, Part, Shares, Taint};
use crate::id::SourceIndex;

/// Clean value first, in output order.
///
/// # Fooled by
///
/// Output order: the thief names his own output last and the clean coin he adds covers the payment, which hides nothing; named
/// first, his own output looks clean.
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::{Lot, Shares, Juniority, Taint};
/// use fundtrace::SourceIndex;
///
/// let sat = Amount::from_sat;
/// let stolen = Lot { value: sat(5), mark: Juniority.seed(sat(5), SourceIndex::from_u32(0)) };
/// let clean = Lot { value: sat(5), mark: Shares::default() };
/// let mut marks = Vec::new();
/// Juniority.spread(1, &[stolen, clean], &[sat(5), sat(4), sat(1)], &mut marks);
/// assert_eq!(marks.iter().map(|mark| Juniority.amount(mark).to_sat()).collect::<Vec<_>>(), [0, 4, 1]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Juniority;

impl Taint for Juniority {
    const LINEAR: bool = false;
    const CONSERVING: bool = true;
    type Mark = Shares;

    fn name(&self) -> &'static str {
        "juniority"
    }

    keeps_shares!();

    fn spread(&self, _: usize, inputs: &[Lot<Shares>], outputs: &[Amount], into: &mut Vec<Shares>) {
        let from = Shares::sum(inputs);
        let value: Amount = inputs.iter().map(|lot| lot.value).sum();
        let mut clean = value - from.total();
        let tainted: Vec<Amount> = outputs.iter().map(|value| *value - take(&mut clean, *value)).collect();
        from.divide(&tainted, into);
    }
}
