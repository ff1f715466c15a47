//! Addresses numbered by first appearance without holding them all: three passes over buckets.
//!
//! 1. Outputs dealt by their script's payload; in each bucket equal scripts meet, and the first output names the address.
//! 2. Addresses dealt by that first output; taken in order they get their numbers, and their later outputs follow them.
//! 3. The numbers dealt by output, for `join` to write down.

use std::io;

use super::super::format::{ADDRESS_STRIDE, Column, prefix_bits};
use super::super::script::payload;
use super::scratch::{Buckets, Scratch};
use super::{Spools, bucket_of, bucket_start, dense, order};
use crate::{id, par};

/// Buckets by payload.
pub(super) const SCRIPT_BUCKETS: usize = 1024;

/// Buckets of pass 2 that are listed side by side.
const LOADED: usize = 4;

/// Which bucket a script of an address goes to: they follow each other in the order of payloads.
pub(super) fn script_bucket(script: &[u8], buckets: usize) -> usize {
    id::at(order::prefix_of(payload(script), buckets.ilog2()))
}

/// An address's outputs as they lie in a bucket of pass 1.
struct Group {
    /// Offset of the record with the first output, which is the first to be dealt.
    first: u32,
    /// Offsets of the others, in chain order.
    again: std::ops::Range<u32>,
}

/// A bucket of pass 1, sorted.
struct Sorted {
    bytes: Vec<u8>,
    groups: Vec<Group>,
    again: Vec<u32>,
}

/// Numbers the addresses: writes the columns of addresses, and returns the number of each output's dealt by output, with the
/// count of addresses.
///
/// `again` brings the later outputs of addresses that are known already, dealt by first output.
pub(super) fn number(
    mut scripts: Buckets,
    mut again: Buckets,
    outputs: u64,
    scratch: &Scratch,
    columns: &mut Spools,
) -> io::Result<(Buckets, u32)> {
    // Pass 1.
    let mut firsts = Buckets::new(scratch, bucket_of(outputs) + 1);
    let bits = prefix_bits(outputs);
    let mut prefixes = vec![0_u32; 1 << bits];
    let mut rank = 0_u32;
    let mut from = 0;
    while from < scripts.len() {
        let (loaded, next) = order::load(&mut scripts, from)?;
        from = next;
        for sorted in par::map_owned(loaded, sort) {
            for group in &sorted.groups {
                let (script, first) = record(&sorted.bytes, group.first);
                let head = [&first.to_le_bytes()[..5], &rank.to_le_bytes()[..]].concat();
                let at = id::at(group.first);
                firsts.push(bucket_of(first), &head, &sorted.bytes[at..at + 1 + script.len()])?;
                for later in &sorted.again[id::at(group.again.start)..id::at(group.again.end)] {
                    let (_, output) = record(&sorted.bytes, *later);
                    again.push(bucket_of(first), &first.to_le_bytes()[..5], &output.to_le_bytes()[..5])?;
                }
                prefixes[id::at(order::prefix_of(payload(script), bits))] += 1;
                rank += 1;
            }
        }
    }
    let addresses = rank;
    order::write_prefixes(prefixes, bits, prefix_bits(u64::from(addresses)), columns.of(Column::AddressPrefix))?;

    // Pass 2.
    let mut ids = Buckets::new(scratch, bucket_of(outputs) + 1);
    let mut ranks = Buckets::new(scratch, bucket_of(u64::from(addresses)) + 1);
    let mut next = 0_u32;
    let mut from = 0;
    while from < firsts.len() {
        let to = (from + LOADED).min(firsts.len());
        let mut loaded = Vec::with_capacity(LOADED);
        for bucket in from..to {
            loaded.push((bucket, firsts.take(bucket)?, again.take(bucket)?));
        }
        from = to;
        for listed in par::map_owned(loaded, |(bucket, firsts, again)| list(bucket, outputs, &firsts, &again)) {
            next = write_down(&listed, next, &mut ids, &mut ranks, columns)?;
        }
    }
    dense::scatter::<4>(&mut ranks, u64::from(addresses), columns.of(Column::AddressOrder))?;
    Ok((ids, addresses))
}

/// The addresses of a bucket of pass 2 in the order of their first outputs.
struct Listed {
    lengths: Vec<u8>,
    scripts: Vec<u8>,
    first: Vec<u64>,
    rank: Vec<u32>,
    /// The later outputs, with which of these addresses each one pays.
    again: Vec<(u32, u64)>,
}

/// Morally: sort the addresses by first output, and their later outputs by address and output.
fn list(bucket: usize, outputs: u64, firsts: &[u8], again: &[u8]) -> Listed {
    let base = bucket_start(bucket);
    // For each output of the bucket the offset of the address it is the first of.
    let mut slots = vec![u32::MAX; dense::bucket_len(bucket, outputs)];
    let mut at = 0;
    while at < firsts.len() {
        slots[id::at(dense::u40(&firsts[at..]) - base)] = id::small(at);
        at += 10 + usize::from(firsts[at + 9]);
    }
    let mut later: Vec<u64> =
        again.chunks_exact(10).map(|pair| (dense::u40(pair) - base) << 40 | dense::u40(&pair[5..])).collect();
    later.sort_unstable();
    let mut later = later.into_iter().peekable();
    let mut listed =
        Listed { lengths: Vec::new(), scripts: Vec::new(), first: Vec::new(), rank: Vec::new(), again: Vec::new() };
    for (slot, at) in slots.into_iter().enumerate().filter(|(_, at)| *at != u32::MAX) {
        let (slot, record) = (id::number(slot), &firsts[id::at(at)..]);
        while let Some(pair) = later.next_if(|pair| pair >> 40 == slot) {
            listed.again.push((id::small(listed.first.len()), pair & ((1 << 40) - 1)));
        }
        listed.first.push(base + slot);
        listed.rank.push(u32::from_le_bytes(record[5..9].try_into().expect("4 bytes")));
        listed.lengths.push(record[9]);
        listed.scripts.extend_from_slice(&record[10..10 + usize::from(record[9])]);
    }
    listed
}

/// Numbers listed addresses from `next` on; returns the number after them.
fn write_down(
    listed: &Listed,
    next: u32,
    ids: &mut Buckets,
    ranks: &mut Buckets,
    columns: &mut Spools,
) -> io::Result<u32> {
    let mut start = columns.of(Column::AddressBytes).len();
    for (number, length) in (u64::from(next)..).zip(&listed.lengths) {
        if number.is_multiple_of(ADDRESS_STRIDE) {
            columns.of(Column::AddressFirstByte).number::<5>(start)?;
        }
        start += u64::from(*length);
    }
    columns.of(Column::AddressLength).write(&listed.lengths)?;
    columns.of(Column::AddressBytes).write(&listed.scripts)?;
    for (number, (output, rank)) in (next..).zip(listed.first.iter().zip(&listed.rank)) {
        columns.of(Column::AddressFirstOutput).number::<5>(*output)?;
        let rank = u64::from(*rank);
        ranks.push(bucket_of(rank), &rank.to_le_bytes()[..5], &number.to_le_bytes())?;
        ids.push(bucket_of(*output), &output.to_le_bytes()[..5], &number.to_le_bytes())?;
    }
    for (address, output) in &listed.again {
        let number = next + address;
        columns.of(Column::AgainAddress).number::<4>(u64::from(number))?;
        columns.of(Column::AgainOutput).number::<5>(*output)?;
        ids.push(bucket_of(*output), &output.to_le_bytes()[..5], &number.to_le_bytes())?;
    }
    Ok(next + id::small(listed.first.len()))
}

/// A record of pass 1: a length byte, the script, the output.
fn record(bytes: &[u8], at: u32) -> (&[u8], u64) {
    let at = id::at(at);
    let end = at + 1 + usize::from(bytes[at]);
    (&bytes[at + 1..end], dense::u40(&bytes[end..]))
}

/// Morally: sort the records by payload and script, and cut between different scripts.
fn sort(bytes: Vec<u8>) -> Sorted {
    let mut keys: Vec<(u64, u32)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let script = &bytes[at + 1..at + 1 + usize::from(bytes[at])];
        keys.push((order::prefix_of(payload(script), 64), id::small(at)));
        at += 6 + script.len();
    }
    let whole = |at: u32| {
        let script = record(&bytes, at).0;
        (payload(script), script)
    };
    // Equal scripts stay in chain order, which is the order of their offsets.
    keys.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| whole(a.1).cmp(&whole(b.1))).then_with(|| a.1.cmp(&b.1)));
    let mut groups: Vec<Group> = Vec::new();
    let mut again = Vec::new();
    let mut last: Option<(u64, &[u8])> = None;
    for (key, at) in keys {
        let script = record(&bytes, at).0;
        if last == Some((key, script)) {
            again.push(at);
            groups.last_mut().expect("a first one").again.end += 1;
        } else {
            let end = id::small(again.len());
            groups.push(Group { first: at, again: end..end });
            last = Some((key, script));
        }
    }
    Sorted { groups, again, bytes }
}
