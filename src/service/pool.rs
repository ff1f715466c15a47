//! Mining pools: who is paid by coinbases.
//!
//! [`find`] returns a [`Pool`] for each owner that the coinbases of at least [`BLOCKS_MIN`] blocks pay. A coinbase is its owner's word that it mined the block, so
//! the payee of a block is nearly a fact; that the payee shares the reward with others is the inference. A block counts for the address
//! that gets more than half of the reward; one that pays nobody that much (a coinbase that pays miners directly, as P2Pool's) counts for none. Addresses
//! are gathered by cluster where clusters are given; alone, a pool that pays itself at a new address each time is not seen. The text that pools
//! write into coinbases is not in a store, so no name comes of this: names are the business of tags.
//!
//! Confidence: 40 % from 3 blocks on, 60 % from 10, 80 % from 100; 15 points more where a reward is spent in a payment to at least [`PAYEES_MIN`]. The grades are the
//! author's. Reference: the labelling of pools by coinbase receipts, as in BlockSci and GraphSense (`algorithms`, 5.3: coinbase receipts, hence a pool).
//!
//! # Fooled by
//!
//! Somebody who mines for herself three times, and an exchange at which a small miner lets rewards arrive: its address is said to be a pool's.
//!
//! ```
//! use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
//! use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
//! use fundtrace::{BlockHeight, service::pool};
//! let mut builder = ChainBuilder::new();
//! let reward = TxOut { value: Amount::from_sat(5_000_000_000), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([7; 20])) };
//! for n in 1..=3 {
//!     let coinbase = NewTx::claimed(Txid::from_byte_array([n; 32]), vec![NewInput::new(OutPoint::null())], vec![reward.clone()]);
//!     builder.insert(coinbase.height(BlockHeight::from_u32(n.into())))?;
//! }
//! let chain = builder.finish()?;
//! let pools = pool::find(chain.view(), None);
//! assert_eq!((pools.len(), pools[0].blocks.len(), pools[0].confidence.to_ppm()), (1, 3, 400_000));
//! # Ok::<(), fundtrace::Error>(())
//! ```

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bitcoin::Amount;

use crate::chain::{Tx, View};
use crate::cluster::Clusters;
use crate::detect::{Confidence, Feature, Finding, Kind};
use crate::id::{AddressIndex, BlockHeight, TxIndex};

/// The rule and its version.
pub const RULE: &str = "pool/1";

/// Fewer blocks than this say nothing.
pub const BLOCKS_MIN: usize = 3;

/// A payment to so many shares a reward.
pub const PAYEES_MIN: usize = 10;

/// An owner that is said to be a mining pool: an inference under [`RULE`].
///
/// # Examples
///
/// See [the module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Pool {
    /// The first of its addresses that a coinbase pays, by [`AddressIndex`].
    pub address: AddressIndex,
    /// How many of its addresses coinbases pay.
    pub addresses: usize,
    /// The coinbases that pay it, in chain order: what this rests on.
    pub blocks: Vec<TxIndex>,
    /// The height of the first, where any is known.
    pub first: Option<BlockHeight>,
    /// The height of the last.
    pub last: Option<BlockHeight>,
    /// What they paid it.
    pub reward: Amount,
    /// How many of these rewards are spent in a payment to at least [`PAYEES_MIN`] outputs.
    pub shared: usize,
    /// How sure the rule is.
    pub confidence: Confidence,
}

impl Pool {
    /// Writes it out as a finding, of its first address.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::service::pool;
    /// let chain = fundtrace::ChainBuilder::new().finish()?;
    /// let said: Vec<_> = pool::find(chain.view(), None).iter().map(|pool| pool.finding(chain.view())).collect();
    /// assert!(said.is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn finding(&self, view: View<'_>) -> Finding {
        let finding = Finding::new(Kind::Pool, "pool", RULE, self.confidence);
        let mut finding = super::rests_on(finding, view, &self.blocks)
            .feature("blocks", self.blocks.len())
            .feature("blocks_min", BLOCKS_MIN)
            .feature("addresses", self.addresses)
            .feature("reward_sat", Feature::Value(self.reward))
            .feature("shared", self.shared)
            .feature("payees_min", PAYEES_MIN);
        for (name, height) in [("first_height", self.first), ("last_height", self.last)] {
            if let Some(height) = height {
                finding = finding.feature(name, height.to_u32());
            }
        }
        finding
    }
}

/// A block's payee.
struct Mined {
    owner: AddressIndex,
    address: AddressIndex,
    coinbase: TxIndex,
    amount: Amount,
    shared: bool,
}

/// Finds the pools of a view, the one with the most blocks first, then by address. O(transactions), on the caller's rayon pool.
///
/// # Panics
///
/// When the clusters are of another chain.
///
/// # Examples
///
/// See [the module](self).
pub fn find(view: View<'_>, clusters: Option<&Clusters>) -> Vec<Pool> {
    let mined = view.gather(|tx, found| found.extend(payee(tx, clusters)));
    let mut owners: BTreeMap<AddressIndex, Vec<Mined>> = BTreeMap::new();
    for block in mined {
        owners.entry(block.owner).or_default().push(block);
    }
    let mut pools: Vec<Pool> =
        owners.into_values().filter(|mined| mined.len() >= BLOCKS_MIN).map(|mined| pool(view, &mined)).collect();
    pools.sort_by_key(|pool| (Reverse(pool.blocks.len()), pool.address));
    pools
}

fn payee(tx: Tx<'_>, clusters: Option<&Clusters>) -> Option<Mined> {
    if !tx.is_coinbase() {
        return None;
    }
    let mut sums: BTreeMap<AddressIndex, Amount> = BTreeMap::new();
    for output in tx.outputs() {
        if let (Some(address), Some(value)) = (output.address_index(), output.value()) {
            *sums.entry(address).or_default() += value;
        }
    }
    let (address, amount) = sums.into_iter().max_by_key(|(address, amount)| (*amount, Reverse(*address)))?;
    let rest = tx.output_value()?.checked_sub(amount)?;
    if amount <= rest {
        return None;
    }
    let own = clusters.and_then(|clusters| clusters.of(address).map(|cluster| clusters.first(cluster)));
    let mut paid = tx.outputs().filter(|output| output.address_index() == Some(address));
    let shared = paid.any(|output| output.spender().is_some_and(|spender| spender.outputs().len() >= PAYEES_MIN));
    Some(Mined { owner: own.unwrap_or(address), address, coinbase: tx.index(), amount, shared })
}

fn pool(view: View<'_>, mined: &[Mined]) -> Pool {
    let mut addresses: Vec<AddressIndex> = mined.iter().map(|block| block.address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let heights = || mined.iter().filter_map(|block| view.tx(block.coinbase).height());
    let shared = mined.iter().filter(|block| block.shared).count();
    let grade = match mined.len() {
        100.. => 80,
        10.. => 60,
        _ => 40,
    };
    Pool {
        address: addresses[0],
        addresses: addresses.len(),
        blocks: mined.iter().map(|block| block.coinbase).collect(),
        first: heights().min(),
        last: heights().max(),
        reward: mined.iter().map(|block| block.amount).sum(),
        shared,
        confidence: Confidence::from_percent(grade + if shared > 0 { 15 } else { 0 }),
    }
}
