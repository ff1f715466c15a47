//! Finding things by name: orders sorted by txid, by payload and by key, searched by halving between the two ends that
//! the name's first bits give.

use std::ops::Range;

use bitcoin::hashes::Hash;
use bitcoin::{Script, Txid};

use super::columns::Columns;
use super::format::{Column, prefix_bits};
use super::script::{canonical, payload};
use super::write::{prefix_of, script_key};
use crate::id::{self, AddressIndex, OutputIndex, TxIndex};

impl<'c> Columns<'c> {
    /// The transactions of this txid in chain order: one, or two for a BIP30 pair.
    pub(crate) fn find_txs(self, txid: &Txid) -> impl DoubleEndedIterator<Item = TxIndex> + 'c {
        let order = self.numbers::<4>(Column::TxidOrder);
        let near = order.slice(self.near(Column::TxidPrefix, order.len(), txid.as_byte_array()));
        let at = |tx: u64| self.txid(TxIndex::of(id::at(tx)));
        let range = near.partition_point(|tx| at(tx) < *txid)..near.partition_point(|tx| at(tx) <= *txid);
        range.map(move |at| TxIndex::from_u32(near.get_u32(at)))
    }

    pub(crate) fn find_address(self, script: &Script) -> Option<AddressIndex> {
        let canonical = canonical(script)?;
        let wanted = (payload(canonical.as_bytes()), canonical.as_bytes());
        let order = self.numbers::<4>(Column::AddressOrder);
        let near = order.slice(self.near(Column::AddressPrefix, order.len(), wanted.0));
        let script_of = |address: u64| self.address_script(AddressIndex::of(id::at(address))).as_bytes();
        let at = near.partition_point(|address| (payload(script_of(address)), script_of(address)) < wanted);
        let found = (at < near.len()).then(|| AddressIndex::from_u32(near.get_u32(at)))?;
        (self.address_script(found).as_bytes() == wanted.1).then_some(found)
    }

    /// The outputs whose script is kept and has the key of this one; the script itself is still to be compared.
    pub(crate) fn find_bare(self, script: &Script) -> impl Iterator<Item = OutputIndex> + 'c {
        let key = u64::from_be_bytes(script_key(script.as_bytes()));
        let keys = self.numbers::<8>(Column::BareKey);
        let range = keys.partition_point(|entry| entry < key)..keys.partition_point(|entry| entry <= key);
        let outputs = self.numbers::<5>(Column::BareOutput);
        let by_key = self.numbers::<5>(Column::BareByKey).slice(range);
        by_key.iter().map(move |at| OutputIndex::from_u64(outputs.get(id::at(at))))
    }

    /// Where names that begin as this one does stand in a sorted order of `entries`.
    fn near(self, prefixes: Column, entries: usize, name: &[u8]) -> Range<usize> {
        let prefix = id::at(prefix_of(name, prefix_bits(id::number(entries))));
        let first = self.numbers::<4>(prefixes);
        id::at(first.get_u32(prefix))..id::at(first.get_u32(prefix + 1))
    }
}
