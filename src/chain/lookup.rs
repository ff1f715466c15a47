//! Finding things by name: a permutation sorted by txid, by script and by address, searched by halving.

use bitcoin::{Script, Txid};

use super::Chain;
use super::script::canonical;
use crate::id::{self, AddressIndex, TxIndex};

impl Chain {
    /// The transactions of this txid in chain order: one, or two for a BIP30 pair.
    pub(crate) fn find_txs(&self, txid: &Txid) -> impl DoubleEndedIterator<Item = TxIndex> + '_ {
        let start = self.by_txid.partition_point(|tx| self.txid[id::at(*tx)] < *txid);
        let end = self.by_txid.partition_point(|tx| self.txid[id::at(*tx)] <= *txid);
        self.by_txid[start..end].iter().map(|tx| TxIndex::from_u32(*tx))
    }

    pub(crate) fn find_script(&self, script: &Script) -> Option<u32> {
        find(&self.by_script, |number| self.scripts.get(number), script)
    }

    pub(crate) fn find_address(&self, script: &Script) -> Option<AddressIndex> {
        let canonical = canonical(script)?;
        find(&self.by_address, |number| self.addresses.get(number), &canonical).map(AddressIndex::from_u32)
    }
}

fn find<'a>(sorted: &[u32], get: impl Fn(u32) -> &'a Script, wanted: &Script) -> Option<u32> {
    sorted.binary_search_by(|number| get(*number).cmp(wanted)).ok().map(|at| sorted[at])
}
