//! How much a chain holds, and how well it is known.

use serde::Serialize;

use super::Chain;
use super::columns::Columns;
use super::format::Column;
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

/// Where each stands in the column `totals`.
pub(crate) const FEES_SAT: usize = 0;
pub(crate) const UNSPENT: usize = 1;
pub(crate) const UNSPENT_SAT: usize = 2;
pub(crate) const PROVEN: usize = 3;
pub(crate) const PREVOUTS_PROVEN: usize = 4;
pub(crate) const PREVOUTS_CLAIMED: usize = 5;
pub(crate) const PREVOUTS_UNKNOWN: usize = 6;
pub(crate) const HEIGHTS: usize = 7;
pub(crate) const POSITIONS: usize = 8;
pub(crate) const TIMES: usize = 9;
/// Of each type of script one, and one of unknown scripts.
pub(crate) const BY_TYPE: usize = 10;

impl Counts {
    /// What the store's totals say. They bind nobody before [`verify`](Chain::verify): a store that lies gives zeros here, not a panic.
    pub(super) fn of(columns: Columns<'_>) -> Self {
        let totals = columns.totals();
        let stubs = u64::from(columns.stubs());
        let transactions = id::number(columns.txs()).saturating_sub(stubs);
        Self {
            transactions,
            transactions_proven: totals.get(PROVEN),
            transactions_claimed: transactions.saturating_sub(totals.get(PROVEN)),
            stubs,
            prevouts_proven: totals.get(PREVOUTS_PROVEN),
            prevouts_claimed: totals.get(PREVOUTS_CLAIMED),
            prevouts_unknown: totals.get(PREVOUTS_UNKNOWN),
            heights_claimed: totals.get(HEIGHTS),
            heights_unknown: transactions.saturating_sub(totals.get(HEIGHTS)),
            positions_claimed: totals.get(POSITIONS),
            positions_unknown: transactions.saturating_sub(totals.get(POSITIONS)),
            times_claimed: totals.get(TIMES),
            unspent_claimed: columns.layout().entries(Column::SaidUnspent),
        }
    }

    /// The inputs that spend something.
    pub(super) fn prevouts(&self) -> u64 {
        self.prevouts_proven.saturating_add(self.prevouts_claimed).saturating_add(self.prevouts_unknown)
    }
}

impl<D: AsRef<[u8]>> Chain<D> {
    /// Counts what the chain holds and how well it is known, in constant time.
    pub fn counts(&self) -> Counts {
        Counts::of(self.columns())
    }
}
