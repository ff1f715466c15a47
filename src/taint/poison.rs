//! Poison: if any input is tainted, every output is tainted whole, and the fee.
//!
//! Used for: an upper bound and a test of exclusion. What poison does not reach, no rule reaches; what it does reach may hold
//! nothing of the theft. It conserves nothing, so its balance sheet does not add up and its amounts must not be summed.
//!
//! An output that nothing can spend and that is worth nothing (the usual `OP_RETURN`) holds no coin and is passed over;
//! another output worth nothing is poisoned, because its spender would be.
//!
//! Source: Moeser, Boehme & Breuker, "Towards Risk Scoring of Bitcoin Transactions" (2014).

use bitcoin::Amount;

use super::{Lot, Origin, Part, Taint};
use crate::id::SourceIndex;

/// Any taint taints everything.
///
/// # Fooled by
///
/// Dust: one stolen satoshi sent to a rich stranger makes all the stranger's money "tainted" when it is next spent with it.
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::{Lot, Poison, Poisoned, Taint};
/// use fundtrace::SourceIndex;
///
/// let sat = Amount::from_sat;
/// let dust = Lot { value: sat(1), mark: Poison.seed(sat(1), SourceIndex::from_u32(0)) };
/// let savings = Lot { value: sat(999_999), mark: Poisoned::default() };
/// let mut marks = Vec::new();
/// Poison.spread(1, &[dust, savings], &[sat(1_000_000), sat(0)], &mut marks);
/// assert_eq!(Poison.amount(&marks[0]), sat(1_000_000));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Poison;

/// The mark of [`Poison`]: the sources that reach a value, which is then tainted whole by each of them.
///
/// # Examples
///
/// See [`Poison`].
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Poisoned {
    value: Amount,
    sources: Vec<SourceIndex>,
}

impl Taint for Poison {
    const LINEAR: bool = true;
    const CONSERVING: bool = false;
    type Mark = Poisoned;

    fn name(&self) -> &'static str {
        "poison"
    }

    fn seed(&self, value: Amount, source: SourceIndex) -> Poisoned {
        Poisoned { value, sources: vec![source] }
    }

    fn spread(&self, _: usize, inputs: &[Lot<Poisoned>], outputs: &[Amount], into: &mut Vec<Poisoned>) {
        into.clear();
        let mut sources: Vec<SourceIndex> = inputs.iter().flat_map(|lot| lot.mark.sources.iter().copied()).collect();
        sources.sort_unstable();
        sources.dedup();
        if sources.is_empty() {
            into.resize(outputs.len(), Poisoned::default());
        } else {
            into.extend(outputs.iter().map(|value| Poisoned { value: *value, sources: sources.clone() }));
        }
    }

    fn amount(&self, mark: &Poisoned) -> Amount {
        mark.value
    }

    fn parts(&self, mark: &Poisoned, each: &mut dyn FnMut(Part)) {
        mark.sources.iter().for_each(|source| each(Part { source: *source, offset: Amount::ZERO, amount: mark.value }));
    }

    fn origin(&self) -> Origin {
        Origin::Whole
    }
}
