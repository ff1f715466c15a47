//! The row of satoshis that a coinbase hands out: the block's subsidy and all its fees.

use bitcoin::{Amount, Network};

use super::CoinbaseOrder;
use crate::chain::{Tx, View};
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
        let declared = view.chain().complete().is_some_and(|(from, to)| (from..=to).contains(&height));
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

/// What a block may create: 50 BTC, halved every 210,000 blocks, on a regression test chain every 150 (Bitcoin Core,
/// `GetBlockSubsidy` and `nSubsidyHalvingInterval`).
fn subsidy(network: Network, height: BlockHeight) -> Amount {
    let interval = if network == Network::Regtest { 150 } else { 210_000 };
    let halvings = height.to_u32() / interval;
    Amount::from_sat(Amount::from_int_btc(50).to_sat().checked_shr(halvings).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsidy_halves() {
        let at = |height| subsidy(Network::Bitcoin, BlockHeight::from_u32(height)).to_sat();
        assert_eq!((at(0), at(209_999), at(210_000)), (5_000_000_000, 5_000_000_000, 2_500_000_000));
        assert_eq!((at(840_000), at(13_440_000), at(u32::MAX)), (312_500_000, 0, 0));
        assert_eq!(subsidy(Network::Regtest, BlockHeight::from_u32(150)).to_sat(), 2_500_000_000);
    }
}
