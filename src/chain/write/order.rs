//! Sorted orders: of txids, and the prefix tables that stand before them.

use std::io;

use super::super::format::prefix_bits;
use super::scratch::{Buckets, Spool};
use crate::{id, par};

/// Buckets by the txid's first bits.
pub(super) const TXID_BUCKETS: usize = 1024;
/// Bytes of buckets that are sorted side by side.
const LOAD_BYTES: usize = 24 << 20;

/// The first bits of bytes, big end first; what is missing is zero.
pub(crate) fn prefix_of(bytes: &[u8], bits: u32) -> u64 {
    let mut first = [0; 8];
    let length = bytes.len().min(8);
    first[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(first).checked_shr(64 - bits).unwrap_or(0)
}

/// Takes buckets from `from` on until they are enough for all threads; returns them and the next one.
pub(super) fn load(buckets: &mut Buckets, from: usize) -> io::Result<(Vec<Vec<u8>>, usize)> {
    let (mut loaded, mut bytes, mut at) = (Vec::new(), 0, from);
    while at < buckets.len() && bytes < LOAD_BYTES {
        let bucket = buckets.take(at)?;
        bytes += bucket.len();
        if !bucket.is_empty() {
            loaded.push(bucket);
        }
        at += 1;
    }
    Ok((loaded, at))
}

/// Writes the transactions sorted by txid. A record is the txid and the transaction, dealt by the txid's first bits.
pub(super) fn txids(mut dealt: Buckets, txs: u32, order: &mut Spool, prefix: &mut Spool) -> io::Result<()> {
    let bits = prefix_bits(u64::from(txs));
    let mut prefixes = vec![0_u32; 1 << bits];
    let mut from = 0;
    while from < dealt.len() {
        let (loaded, next) = load(&mut dealt, from)?;
        from = next;
        let sorted = par::map_owned(loaded, |bytes| {
            let (records, _) = bytes.as_chunks::<36>();
            // Within a transaction of the same txid the later one has the greater number, least byte first.
            let key = |record: &[u8; 36]| (prefix_of(record, 64), u32_of(&record[32..]));
            let mut keys: Vec<(u64, u32, u32)> = (0..records.len())
                .map(|at| {
                    let (key, tx) = key(&records[at]);
                    (key, tx, id::small(at))
                })
                .collect();
            keys.sort_unstable_by(|a, b| {
                a.0.cmp(&b.0)
                    .then_with(|| records[id::at(a.2)][..32].cmp(&records[id::at(b.2)][..32]))
                    .then(a.1.cmp(&b.1))
            });
            keys
        });
        for (key, tx, _) in sorted.into_iter().flatten() {
            order.number::<4>(u64::from(tx))?;
            prefixes[id::at(key.checked_shr(64 - bits).unwrap_or(0))] += 1;
        }
    }
    write_prefixes(prefixes, bits, bits, prefix)
}

/// Writes the sorted keys of the scripts that are kept, and whose they are. A record is the key and the position.
pub(super) fn bare(mut dealt: Buckets, key: &mut Spool, by_key: &mut Spool) -> io::Result<()> {
    let mut from = 0;
    while from < dealt.len() {
        let (loaded, next) = load(&mut dealt, from)?;
        from = next;
        let sorted = par::map_owned(loaded, |bytes| {
            let (records, _) = bytes.as_chunks::<13>();
            let mut keys: Vec<(u64, u64)> =
                records.iter().map(|record| (prefix_of(record, 64), super::dense::u40(&record[8..]))).collect();
            keys.sort_unstable();
            keys
        });
        for (first, position) in sorted.into_iter().flatten() {
            key.number::<8>(first)?;
            by_key.number::<5>(position)?;
        }
    }
    Ok(())
}

/// Turns counts by prefix of `from` bits into where each prefix of `to` bits begins.
pub(super) fn write_prefixes(counts: Vec<u32>, from: u32, to: u32, spool: &mut Spool) -> io::Result<()> {
    let mut total = 0_u32;
    for prefixes in counts.chunks(1 << (from - to)) {
        spool.number::<4>(u64::from(total))?;
        total += prefixes.iter().sum::<u32>();
    }
    spool.number::<4>(u64::from(total))
}

fn u32_of(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().expect("4 bytes"))
}
