//! How much a chain holds, and how well it is known.

use serde::Serialize;

use super::Chain;
use super::columns::{NO_TIME, UNKNOWN_VALUE};
use crate::id;

/// What a chain holds, counted by how well it is known.
///
/// # Examples
///
/// ```
/// let chain = fundtrace::ChainBuilder::new().finish().unwrap();
/// assert_eq!(chain.counts().transactions, 0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Transactions that were supplied.
    pub transactions: u64,
    /// Supplied transactions whose txid is the hash of their bytes.
    pub transactions_proven: u64,
    /// Supplied transactions that lack bytes which their txid covers.
    pub transactions_claimed: u64,
    /// Transactions known only through what spends them.
    pub stubs: u64,
    /// Prevouts whose value and script stand in a proven previous transaction.
    pub prevouts_proven: u64,
    /// Prevouts whose value and script someone claims.
    pub prevouts_claimed: u64,
    /// Prevouts of which nothing is known.
    pub prevouts_unknown: u64,
    /// Supplied transactions with a height. Heights are always claims.
    pub heights_claimed: u64,
    /// Supplied transactions without a height.
    pub heights_unknown: u64,
    /// Supplied transactions with a position in their block (a coinbase's is 0). Positions are always claims; without them the
    /// order within a block is topological, then by txid.
    pub positions_claimed: u64,
    /// Supplied transactions without a position.
    pub positions_unknown: u64,
    /// Supplied transactions with a block time. Times are always claims.
    pub times_claimed: u64,
    /// Outputs that a source says are unspent.
    pub unspent_claimed: u64,
}

impl Chain {
    /// Counts what the chain holds and how well it is known. Linear time.
    pub fn counts(&self) -> Counts {
        let stubs = id::at(self.stubs);
        let mut counts = Counts {
            transactions: id::number(self.txid.len() - stubs),
            stubs: id::number(stubs),
            unspent_claimed: id::number(self.unspent.len()),
            ..Counts::default()
        };
        for tx in self.view().txs() {
            counts.transactions_proven += u64::from(tx.is_proven());
            counts.heights_claimed += u64::from(tx.height().is_some());
            counts.positions_claimed += u64::from(tx.is_coinbase() || tx.position().is_some());
            counts.times_claimed += u64::from(self.time[tx.index().at()] != NO_TIME);
            for prevout in tx.inputs().filter_map(|input| input.prevout()) {
                if self.value[prevout.index().at()] == UNKNOWN_VALUE {
                    counts.prevouts_unknown += 1;
                } else if prevout.tx().is_proven() {
                    counts.prevouts_proven += 1;
                } else {
                    counts.prevouts_claimed += 1;
                }
            }
        }
        counts.transactions_claimed = counts.transactions - counts.transactions_proven;
        counts.positions_unknown = counts.transactions - counts.positions_claimed;
        counts.heights_unknown = counts.transactions - counts.heights_claimed;
        counts
    }
}
