//! What a cluster holds and has done.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::Amount;

use super::Clusters;
use crate::chain::{ScriptType, Spent, View};
use crate::id::{self, ClusterIndex, TxIndex};

/// What a cluster's addresses were paid and have spent, as far as the view shows.
///
/// # Examples
///
/// See [`Clusters::statistics`].
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Statistics {
    /// Its addresses.
    pub addresses: u64,
    /// Supplied transactions that pay or spend from one of them.
    pub transactions: u64,
    /// Outputs that pay them.
    pub outputs: u64,
    /// Outputs of which no source told the value; they are worth nothing in the sums.
    pub outputs_unknown: u64,
    /// What they were paid, change included.
    pub received: Amount,
    /// What of that a visible transaction spends.
    pub spent: Amount,
    /// The rest: what no visible transaction spends, whether it is known to be unspent or not.
    pub balance: Amount,
    /// What of the balance may have been spent for all that the view shows; nothing where the chain is complete.
    pub unknown: Amount,
    /// The first supplied transaction that pays or spends.
    pub first: Option<TxIndex>,
    /// The last one.
    pub last: Option<TxIndex>,
    /// The outputs by the type of their script.
    pub outputs_by_type: BTreeMap<ScriptType, u64>,
}

impl Clusters {
    /// Sums up a cluster. The view must be of the chain that was clustered.
    ///
    /// # Panics
    ///
    /// When the cluster or its addresses are not there.
    ///
    /// # Complexity
    ///
    /// A look-up for each address, then linear in its outputs.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
    /// use fundtrace::chain::{ChainBuilder, NewInput, NewTx, ScriptType};
    /// use fundtrace::cluster;
    ///
    /// let to = |key: u8, sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
    /// let from = |tx: u8, key: u8| NewInput::new(OutPoint::new(Txid::from_byte_array([tx; 32]), 0)).prevout(to(key, 50));
    /// let mut builder = ChainBuilder::new();
    /// builder.insert(NewTx::claimed(Txid::from_byte_array([9; 32]), vec![from(5, 1), from(6, 2)], vec![to(2, 30), to(3, 70)]))?;
    /// let chain = builder.finish()?;
    /// let clusters = cluster::by_spending(chain.view(), |_| false);
    /// let statistics = clusters.statistics(chain.view(), clusters.largest(1)[0]);
    /// assert_eq!((statistics.addresses, statistics.outputs, statistics.transactions), (2, 3, 1));
    /// assert_eq!([statistics.received, statistics.spent, statistics.balance].map(Amount::to_sat), [130, 100, 30]);
    /// // Of a part of a chain nobody knows whether the 30 are still there.
    /// assert_eq!(statistics.unknown.to_sat(), 30);
    /// assert_eq!(statistics.outputs_by_type[&ScriptType::P2pkh], 3);
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn statistics(&self, view: View<'_>, cluster: ClusterIndex) -> Statistics {
        let mut sums = Statistics { addresses: id::number(self.size(cluster)), ..Statistics::default() };
        let mut txs = BTreeSet::new();
        for address in self.members(cluster) {
            for output in view.outputs_of(*address).iter().map(|index| view.output(index)) {
                sums.outputs += 1;
                sums.outputs_unknown += u64::from(output.value().is_none());
                let value = output.value().unwrap_or(Amount::ZERO);
                sums.received += value;
                if let Some(script_type) = output.script_type() {
                    *sums.outputs_by_type.entry(script_type).or_default() += 1;
                }
                if !output.tx().is_stub() {
                    txs.insert(output.tx().index());
                }
                match output.spent() {
                    Spent::By(spender) => {
                        sums.spent += value;
                        txs.insert(spender);
                    }
                    Spent::Unspent => {}
                    Spent::Unknown => sums.unknown += value,
                }
            }
        }
        sums.balance = sums.received - sums.spent;
        sums.transactions = id::number(txs.len());
        (sums.first, sums.last) = (txs.first().copied(), txs.last().copied());
        sums
    }
}
