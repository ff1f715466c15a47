//! The outputs that can still be spent, by txid: what memory must hold while a chain is written in order.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hasher};

use bitcoin::OutPoint;
use bitcoin::hashes::Hash;

use crate::id;

/// Several tables, so that they do not all grow at once.
const SHARDS: usize = 64;

/// A transaction with outputs that can be spent.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) first_output: u64,
    pub(super) tx: u32,
    pub(super) proven: bool,
    left: Left,
}

/// Which outputs are left, a bit each.
#[derive(Clone, Debug)]
enum Left {
    Few(u64),
    Many(Box<[u64]>),
}

impl Left {
    fn of(outputs: u32) -> Self {
        let words = id::at(outputs.div_ceil(64));
        if words <= 1 { Self::Few(0) } else { Self::Many(vec![0; words].into()) }
    }

    fn word(&mut self, vout: u32) -> Option<&mut u64> {
        match self {
            Self::Few(word) => (vout < 64).then_some(word),
            Self::Many(words) => words.get_mut(id::at(vout / 64)),
        }
    }

    fn set(&mut self, vout: u32) {
        *self.word(vout).expect("sized for all outputs") |= 1 << (vout % 64);
    }

    /// Takes an output; false when it is not there.
    fn take(&mut self, vout: u32) -> bool {
        let bit = 1 << (vout % 64);
        match self.word(vout) {
            Some(word) if *word & bit != 0 => {
                *word &= !bit;
                true
            }
            _ => false,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Few(word) => *word == 0,
            Self::Many(words) => words.iter().all(|word| *word == 0),
        }
    }
}

/// The table of transactions with outputs that can be spent.
#[derive(Debug)]
pub(super) struct LiveOutputs {
    shards: Vec<HashMap<[u8; 32], Live, Prehashed>>,
}

impl LiveOutputs {
    pub(super) fn new() -> Self {
        Self { shards: vec![HashMap::default(); SHARDS] }
    }

    fn shard(&mut self, txid: &[u8; 32]) -> &mut HashMap<[u8; 32], Live, Prehashed> {
        &mut self.shards[usize::from(txid[31]) % SHARDS]
    }

    /// Adds a transaction with those of its outputs that can be spent. Returns the earlier one of the same txid, if outputs of it
    /// are left.
    pub(super) fn insert(
        &mut self,
        txid: &[u8; 32],
        mut live: Live,
        spendable: impl Iterator<Item = u32>,
    ) -> Option<Live> {
        spendable.for_each(|vout| live.left.set(vout));
        if live.left.is_empty() {
            return None;
        }
        self.shard(txid).insert(*txid, live)
    }

    /// Takes an output; `None` when no such output is left.
    pub(super) fn take(&mut self, outpoint: &OutPoint) -> Option<(u64, bool)> {
        let txid = outpoint.txid.as_byte_array();
        let Entry::Occupied(mut entry) = self.shard(txid).entry(*txid) else { return None };
        let live = entry.get_mut();
        if !live.left.take(outpoint.vout) {
            return None;
        }
        let spent = (live.first_output + u64::from(outpoint.vout), live.proven);
        if live.left.is_empty() {
            entry.remove();
        }
        Some(spent)
    }
}

impl Live {
    pub(super) fn new(tx: u32, first_output: u64, outputs: u32, proven: bool) -> Self {
        Self { first_output, tx, proven, left: Left::of(outputs) }
    }
}

/// Txids are hashes already.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Prehashed;

impl BuildHasher for Prehashed {
    type Hasher = FirstBytes;

    fn build_hasher(&self) -> FirstBytes {
        FirstBytes(0)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

#[cfg(test)]
mod tests {
    use bitcoin::Txid;

    use super::*;

    #[test]
    fn each_output_is_taken_once() {
        let mut outputs = LiveOutputs::new();
        for (byte, count) in [(1_u8, 3_u32), (2, 200)] {
            let live = Live::new(u32::from(byte), u64::from(byte) * 1000, count, true);
            assert!(outputs.insert(&[byte; 32], live, (0..count).filter(|vout| *vout != 1)).is_none());
            let name = |vout| OutPoint::new(Txid::from_byte_array([byte; 32]), vout);
            assert_eq!(outputs.take(&name(2)), Some((u64::from(byte) * 1000 + 2, true)));
            assert_eq!((outputs.take(&name(2)), outputs.take(&name(1))), (None, None));
            assert_eq!((outputs.take(&name(count)), outputs.take(&name(u32::MAX))), (None, None));
        }
        assert!(outputs.insert(&[1; 32], Live::new(9, 9, 1, false), 0..1).is_some());
    }
}
