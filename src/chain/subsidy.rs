//! What a block may create.

use bitcoin::{Amount, Network};

use crate::id::BlockHeight;

/// What a block may create: 50 BTC, halved every 210,000 blocks, on a regression test chain every 150 (Bitcoin Core,
/// `GetBlockSubsidy` and `nSubsidyHalvingInterval`).
pub(crate) fn subsidy(network: Network, height: BlockHeight) -> Amount {
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
