//! First in, first out: the inputs' satoshis in input order are dealt to the outputs in output order; the rest is the fee.
//!
//! Used for: a result with precedent. It follows Clayton's case (1816), the rule English courts apply to money mixed in
//! one account; every satoshi keeps one owner, so results stay small and backward is the exact inverse of forward.
//!
//! Source: Anderson, Shumailov, Ahmed & Rietmann, "Bitcoin Redux" (2018). Two things go by this name that are not
//! it: filling the first output from the total taint (that is [`Seniority`](super::Seniority)), and moving an input's tainted
//! satoshis to its front.

use bitcoin::Amount;

use super::{Lot, Origin, Part, Runs, Taint};
use crate::id::SourceIndex;

/// First satoshi in, first satoshi out.
///
/// # Fooled by
///
/// The order of inputs and outputs, which the spender chooses. Here the thief names a clean coin first and so takes clean
/// satoshis home and leaves the stolen ones in the other output:
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::{Fifo, Lot, Runs, Taint};
/// use fundtrace::SourceIndex;
///
/// let sat = Amount::from_sat;
/// let clean = Lot { value: sat(5), mark: Runs::default() };
/// let stolen = Lot { value: sat(5), mark: Fifo.seed(sat(5), SourceIndex::from_u32(0)) };
/// let mut marks = Vec::new();
/// Fifo.spread(1, &[clean, stolen], &[sat(5), sat(5), sat(0)], &mut marks);
/// assert_eq!(Fifo.amount(&marks[0]), sat(0));
/// assert_eq!(Fifo.amount(&marks[1]), sat(5));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Fifo;

impl Taint for Fifo {
    const LINEAR: bool = true;
    const CONSERVING: bool = true;
    type Mark = Runs;

    fn name(&self) -> &'static str {
        "fifo"
    }

    fn seed(&self, value: Amount, source: SourceIndex) -> Runs {
        Runs::of(source, value)
    }

    fn spread(&self, _: usize, inputs: &[Lot<Runs>], outputs: &[Amount], into: &mut Vec<Runs>) {
        into.clear();
        let mut row = Runs::row(inputs);
        into.extend(outputs.iter().map(|value| row.take_front(*value).into_mark()));
    }

    fn amount(&self, mark: &Runs) -> Amount {
        mark.tainted()
    }

    fn parts(&self, mark: &Runs, each: &mut dyn FnMut(Part)) {
        mark.parts().for_each(each);
    }

    fn origin(&self) -> Origin {
        Origin::RowFront
    }
}
