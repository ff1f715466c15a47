//! Dormancy broken: coins of worth that nobody touched for years.
//!
//! What a thief left alone since the theft, or an owner whose keys were just stolen, moves like this. It is only asked where the heights of
//! both transactions are known, and it looks at one more transaction than its own: the one that made the coin, whose txid the finding
//! names.

use bitcoin::Amount;

use super::{Confidence, Feature, Finding, Kind};
use crate::chain::Tx;

/// The rule's name and version.
pub const RULE: &str = "dormant/1";

/// How long, and how much.
///
/// # Examples
///
/// See [`find`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Terms {
    /// A coin that was not moved for so many blocks is dormant.
    pub age_min_blocks: u32,
    /// Dormant inputs together are worth at least so much.
    pub value_min: Amount,
}

impl Default for Terms {
    /// Three years, at 144 blocks a day, and 10 BTC.
    fn default() -> Self {
        Self { age_min_blocks: 157_680, value_min: Amount::from_int_btc(10) }
    }
}

/// Says whether a transaction spends coins of worth after a long time.
///
/// # Complexity
///
/// O(n), and a logarithmic look-up for each input where the inputs are worth enough.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::detect::dormant::{self, Terms};
/// use fundtrace::BlockHeight;
///
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let coin = TxOut { value: Amount::from_int_btc(12), script_pubkey: ScriptBuf::from_hex("51")? };
/// let mut builder = ChainBuilder::new();
/// let before = NewInput::new(OutPoint::new(txid(9), 0)).prevout(coin.clone());
/// builder.insert(NewTx::claimed(txid(1), vec![before], vec![coin.clone()]).height(BlockHeight::from_u32(100_000)))?;
/// let spend = NewInput::new(OutPoint::new(txid(1), 0));
/// builder.insert(NewTx::claimed(txid(2), vec![spend], vec![coin]).height(BlockHeight::from_u32(400_000)))?;
/// let chain = builder.finish()?;
/// let finding = chain.view().txs().find_map(|tx| dormant::find(tx, Terms::default())).unwrap();
/// assert_eq!(serde_json::to_value(&finding.features["age_blocks"])?, 300_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Fooled by
///
/// An early owner who moves savings to a new wallet: the example is exactly that, unless somebody tells.
pub fn find(tx: Tx<'_>, terms: Terms) -> Option<Finding> {
    // First what stands beside the inputs; the coins' own transactions lie far away.
    let worth: Amount = tx.inputs().filter_map(|input| input.value()).sum();
    if worth < terms.value_min || tx.is_coinbase() {
        return None;
    }
    let height = tx.height().map(|height| height.to_u32()).filter(|height| *height >= terms.age_min_blocks)?;
    let (mut sum, mut coins, mut oldest) = (Amount::ZERO, 0_u32, None);
    for input in tx.inputs() {
        let parent = input.prevout()?.tx();
        let age = parent.height().filter(|_| !parent.is_stub()).map(|made| height - made.to_u32());
        if let Some(age) = age.filter(|age| *age >= terms.age_min_blocks) {
            sum += input.value()?;
            coins += 1;
            oldest = oldest.max(Some((age, std::cmp::Reverse(parent.txid()))));
        }
    }
    let (age, std::cmp::Reverse(parent)) = oldest.filter(|_| sum >= terms.value_min)?;
    Some(
        Finding::new(Kind::Dormant, "dormant", RULE, Confidence::from_percent(100))
            .feature("age_blocks", age)
            .feature("age_min_blocks", terms.age_min_blocks)
            .feature("coins", coins)
            .sat("value_sat", sum.to_sat())
            .feature("rests_on", Feature::Txs(vec![parent])),
    )
}
