//! From when on a rule's row is in force.

use bitcoin::Network;

use crate::chain::Tx;

/// A block of the main chain, by its height and roughly by its time, for transactions of which only the time is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) height: u32,
    pub(super) time: u32,
}

impl Block {
    /// Whether a transaction stands at this block or after it; `None` when neither its height nor its time is known.
    ///
    /// Heights of the main chain mean nothing elsewhere: on another network every transaction stands after every block.
    pub(super) fn is_reached_by(self, tx: Tx<'_>) -> Option<bool> {
        if tx.view().network() != Network::Bitcoin {
            return Some(true);
        }
        let by_height = tx.height().map(|height| height.to_u32() >= self.height);
        by_height.or_else(|| tx.time().map(|time| time >= self.time))
    }
}

/// Whether a transaction stands from one block on and before another. Where nobody knows when it was made, no row is ruled out.
pub(super) fn is_within(tx: Tx<'_>, from: Block, to: Option<Block>) -> bool {
    let begun = from.is_reached_by(tx).unwrap_or(true);
    let over = to.and_then(|to| to.is_reached_by(tx)).unwrap_or(false);
    begun && (!over || tx.view().network() != Network::Bitcoin)
}
