//! Peeling chain: change is what is peeled again.
//!
//! Returns the outputs that are unspent or whose spender is a link of a peeling chain too. A link has one input and two outputs, and the transaction that it spends or one that spends it has too; the rule applies to
//! links. Source: BlockSci, `change_address.cpp` and `tx_identification.cpp`. No published rate. Looks ahead, to the spenders of outputs and to the spenders of theirs, as far as the view sees.

use super::{Hindsight, those};
use crate::chain::{OutputSet, Tx};

/// In a chain of transactions with one input and two outputs, an output that is unspent or leads to another.
///
/// # Fooled by
///
/// A payee who peels too, and change that is spent together with other coins.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Peeling;
/// let chain = sketch(&[
///     ("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice2")]),
///     ("u", &[("t:0", 500, "bob")], &[(100, "carol"), (399, "bob2")]),
///     ("w", &[("t:1", 399, "alice2"), ("coin", 5, "alice3")], &[(403, "dave")]),
/// ]);
/// assert_eq!(vouts_later(&chain, "t", &Peeling), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Peeling;

impl Hindsight for Peeling {
    fn name(&self) -> &'static str {
        "peeling"
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        if !is_link(tx) {
            return None;
        }
        those(tx, |output| output.spender().is_none_or(is_link))
    }
}

fn is_link(tx: Tx<'_>) -> bool {
    let parent = || tx.inputs().filter_map(|input| input.prevout()).any(|output| has_shape(output.tx()));
    let child = || tx.outputs().filter_map(|output| output.spender()).any(has_shape);
    has_shape(tx) && (parent() || child())
}

fn has_shape(tx: Tx<'_>) -> bool {
    !tx.is_coinbase() && !tx.is_stub() && (tx.inputs().len(), tx.outputs().len()) == (1, 2)
}
