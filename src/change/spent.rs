//! Spent outputs: what somebody has spent, as far as the view sees.
//!
//! Returns them. Not a rule about change; to combine with others (BlockSci: `spent`). Looks ahead: as of an earlier height fewer outputs are spent.

use super::{Hindsight, those};
use crate::chain::{OutputSet, Tx};

/// An output that is spent.
///
/// # Fooled by
///
/// A payee who spends at once, while the change rests.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Spent;
/// let chain = sketch(&[
///     ("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice2")]),
///     ("u", &[("t:0", 500, "bob")], &[(499, "carol")]),
/// ]);
/// assert_eq!(vouts_later(&chain, "t", &Spent), Some(vec![0]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent;

impl Hindsight for Spent {
    fn name(&self) -> &'static str {
        "spent"
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        those(tx, |output| output.spender().is_some())
    }
}
