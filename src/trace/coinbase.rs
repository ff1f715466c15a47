//! The row of satoshis that a coinbase hands out: the block's subsidy and all its fees.

use bitcoin::Amount;

use super::CoinbaseOrder;
use crate::chain::{Tx, View, subsidy};
use crate::id::{BlockHeight, TxIndex};

/// A block's coinbase, and what it is entitled to.
pub(super) struct Row<'c> {
    pub(super) coinbase: Tx<'c>,
    subsidy: Amount,
    /// The block's other transactions in block order, with their fees.
    fees: Vec<(TxIndex, Amount)>,
    /// What the miner was entitled to and did not claim.
    pub(super) unclaimed: Amount,
}

impl<'c> Row<'c> {
    /// The row of the block at `height`, if the block is there: its coinbase, and every fee.
    ///
    /// That every fee is there is known when the chain is declared complete over this height, and shown when subsidy and fees are
    /// exactly what the coinbase claims.
    pub(super) fn of(view: View<'c>, height: BlockHeight) -> Option<Self> {
        let mut block = view.block(height);
        let coinbase = block.next().filter(|tx| tx.is_coinbase())?;
        let fees: Vec<(TxIndex, Amount)> = block.map(|tx| Some((tx.index(), tx.fee()?))).collect::<Option<_>>()?;
        let subsidy = subsidy(view.network(), height);
        let entitled = fees.iter().try_fold(subsidy, |sum, (_, fee)| sum.checked_add(*fee))?;
        let unclaimed = entitled.checked_sub(coinbase.output_value()?)?;
        let declared = view.complete().is_some_and(|(from, to)| (from..=to).contains(&height));
        (declared || unclaimed == Amount::ZERO).then_some(Self { coinbase, subsidy, fees, unclaimed })
    }

    /// The row's lots in order: `None` for the subsidy, otherwise whose fee it is.
    pub(super) fn lots(&self, order: CoinbaseOrder) -> Vec<(Option<TxIndex>, Amount)> {
        let mut lots: Vec<_> = self.fees.iter().map(|(tx, fee)| (Some(*tx), *fee)).collect();
        match order {
            CoinbaseOrder::SubsidyFirst => lots.insert(0, (None, self.subsidy)),
            CoinbaseOrder::FeesFirst => lots.push((None, self.subsidy)),
        }
        lots
    }

    /// The outputs' values, and last what was not claimed.
    pub(super) fn outputs(&self) -> Vec<Amount> {
        let values = self.coinbase.outputs().map(|output| output.value().unwrap_or(Amount::ZERO));
        values.chain([self.unclaimed]).collect()
    }
}
