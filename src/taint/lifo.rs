//! Last in, first out: the same row of satoshis as FIFO's, dealt from its end.
//!
//! The whole row is turned: the last input first, and within an input its last satoshi first; each output keeps its satoshis in
//! the order dealt. (Turning only the order of inputs gives other numbers.) The fee is dealt last, so it is the front of
//! the row; before it joins a coinbase's row it is put back into input order.
//!
//! Used for: the opposite end of the order's choice, beside FIFO; where the two agree, order does not matter.
//!
//! Source: the rule as in Kokelj's thesis and in TaintedTX (see DESIGN.md, "Which LIFO?").

use bitcoin::Amount;

use super::{Lot, Origin, Part, Runs, Taint};
use crate::id::SourceIndex;

/// Last satoshi in, first satoshi out.
///
/// # Fooled by
///
/// The order of inputs and outputs, like FIFO, only from the other side: a clean coin named last pays the first output.
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::{Lifo, Lot, Runs, Taint};
/// use fundtrace::SourceIndex;
///
/// let sat = Amount::from_sat;
/// let stolen = Lot { value: sat(5), mark: Lifo.seed(sat(5), SourceIndex::from_u32(0)) };
/// let clean = Lot { value: sat(5), mark: Runs::default() };
/// let mut marks = Vec::new();
/// Lifo.spread(1, &[stolen, clean], &[sat(5), sat(5), sat(0)], &mut marks);
/// assert_eq!(Lifo.amount(&marks[0]), sat(0));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Lifo;

impl Taint for Lifo {
    const LINEAR: bool = true;
    const CONSERVING: bool = true;
    type Mark = Runs;

    fn name(&self) -> &'static str {
        "lifo"
    }

    fn seed(&self, value: Amount, source: SourceIndex) -> Runs {
        Runs::of(source, value)
    }

    fn spread(&self, _: usize, inputs: &[Lot<Runs>], outputs: &[Amount], into: &mut Vec<Runs>) {
        into.clear();
        let mut row = Runs::row(inputs);
        into.extend(outputs.iter().map(|value| row.take_back(*value).into_mark()));
    }

    fn fee(&self, mark: Runs) -> Runs {
        mark.reversed()
    }

    fn amount(&self, mark: &Runs) -> Amount {
        mark.tainted()
    }

    fn parts(&self, mark: &Runs, each: &mut dyn FnMut(Part)) {
        mark.parts().for_each(each);
    }

    fn origin(&self) -> Origin {
        Origin::RowBack
    }
}
