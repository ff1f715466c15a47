//! TIHO, taint in, highest out: the tainted value fills the outputs first, the greatest output first.
//!
//! Used for: "the thief keeps the main part". The fee fills last, whatever its size. Outputs of equal value fill in output
//! order; the two public implementations disagree on this, so it stands here.
//!
//! With several sources the total is placed first and then divided among them by the exact draw, in output order.
//!
//! Source: Tironsakkul, Maarek, Eross & Just, "Probing the Mystery of Cryptocurrency Theft" (arXiv 1906.05754).

use bitcoin::Amount;

use super::seniority::take;
use super::shares::keeps_shares;
use super::{Lot, Origin, Part, Shares, Taint};
use crate::id::SourceIndex;

/// Tainted value first, greatest output first.
///
/// # Fooled by
///
/// A peel chain that pays an exchange with the small output: the rule follows the change and calls the deposit clean.
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::{Lot, Shares, Tiho, Taint};
/// use fundtrace::SourceIndex;
///
/// let sat = Amount::from_sat;
/// let stolen = Lot { value: sat(5), mark: Tiho.seed(sat(5), SourceIndex::from_u32(0)) };
/// let clean = Lot { value: sat(5), mark: Shares::default() };
/// let mut marks = Vec::new();
/// Tiho.spread(1, &[stolen, clean], &[sat(2), sat(8), sat(0)], &mut marks);
/// assert_eq!(marks.iter().map(|mark| Tiho.amount(mark).to_sat()).collect::<Vec<_>>(), [0, 5, 0]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Tiho;

impl Taint for Tiho {
    const LINEAR: bool = false;
    const CONSERVING: bool = true;
    type Mark = Shares;

    fn name(&self) -> &'static str {
        "tiho"
    }

    keeps_shares!();

    fn spread(&self, _: usize, inputs: &[Lot<Shares>], outputs: &[Amount], into: &mut Vec<Shares>) {
        let from = Shares::sum(inputs);
        let fee = outputs.len().saturating_sub(1);
        let mut order: Vec<usize> = (0..outputs.len()).collect();
        // Stable, so equal values keep output order.
        order.sort_by_key(|at| (*at == fee, std::cmp::Reverse(outputs[*at])));
        let mut left = from.total();
        let mut tainted = vec![Amount::ZERO; outputs.len()];
        for at in order {
            tainted[at] = take(&mut left, outputs[at]);
        }
        from.divide(&tainted, into);
    }
}
