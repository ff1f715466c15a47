//! Haircut: every output, and the fee, takes taint in proportion to its value.
//!
//! Used for: a picture of where value could have gone when nothing but value is known; it spreads thin and far.
//!
//! In whole satoshis, exactly: with one source in the run, by largest remainder (ties to the lower output, the fee last); with
//! several, by a draw that keeps every output within its value and loses nothing of any source (DESIGN.md, "How does haircut
//! stay exact?"). Which of the two was used stands in the manifest. An amount is less than one satoshi an output off the
//! real-valued share with one source. Rounding looks at the taint, so integer haircut is neither linear nor monotone.
//!
//! Source: Moeser, Boehme & Breuker, "Towards Risk Scoring of Bitcoin Transactions" (2014); rounding is ours.

use bitcoin::Amount;

use super::shares::{keeps_shares, mark_in_proportion, split};
use super::{Lot, Origin, Part, Shares, Taint};
use crate::id::SourceIndex;

/// Every output in proportion to its value.
///
/// # Fooled by
///
/// Mixing with other people's money, which is what a custodian's hot wallet does all day: a hundredth of the theft then sits in every
/// customer's withdrawal.
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::{Haircut, Lot, Shares, Taint};
/// use fundtrace::SourceIndex;
///
/// let sat = Amount::from_sat;
/// let deposit = Lot { value: sat(100), mark: Haircut.seed(sat(100), SourceIndex::from_u32(0)) };
/// let others = Lot { value: sat(9_900), mark: Shares::default() };
/// let mut marks = Vec::new();
/// Haircut.spread(1, &[deposit, others], &[vec![sat(100); 100], vec![sat(0)]].concat(), &mut marks);
/// assert!(marks[..100].iter().all(|mark| Haircut.amount(mark) == sat(1)));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Haircut;

impl Taint for Haircut {
    const LINEAR: bool = false;
    const CONSERVING: bool = true;
    type Mark = Shares;

    fn name(&self) -> &'static str {
        "haircut"
    }

    fn parameters(&self, sources: usize) -> Vec<(&'static str, String)> {
        let rounding = if sources <= 1 { "largest_remainder" } else { "draw" };
        vec![("rounding", rounding.into())]
    }

    keeps_shares!();

    fn spread(&self, sources: usize, inputs: &[Lot<Shares>], outputs: &[Amount], into: &mut Vec<Shares>) {
        let from = Shares::sum(inputs);
        let tainted = from.total();
        if sources <= 1 {
            from.divide(&split(tainted, outputs), into);
        } else {
            let value: Amount = inputs.iter().map(|lot| lot.value).sum();
            mark_in_proportion(&from, value - tainted, outputs, into);
        }
    }
}
