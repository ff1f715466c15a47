//! Passes over the outputs and the inputs in order, a range at a time that fits in memory: who spends an output, which
//! address it pays, and both beside its value on the input's side.

use std::io;

use super::super::columns::{NO_ADDRESS, NO_TX, UNKNOWN_TYPE, UNKNOWN_VALUE};
use super::super::format::Column;
use super::super::script::ScriptType;
use super::scratch::{Buckets, Scratch, Spool};
use super::{BUCKET_ENTRIES, Spools, bucket_of, bucket_start};
use crate::id;

pub(super) fn u40(bytes: &[u8]) -> u64 {
    let mut whole = [0; 8];
    whole[..5].copy_from_slice(&bytes[..5]);
    u64::from_le_bytes(whole)
}

/// Writes a column of `N` bytes an entry from records of a position (u40) and a value; ones where there is no record.
pub(super) fn scatter<const N: usize>(dealt: &mut Buckets, entries: u64, spool: &mut Spool) -> io::Result<()> {
    for (bucket, start) in ranges(entries) {
        let mut part = vec![0xff; id::at(len(start, entries)) * N];
        for record in dealt.take(bucket)?.chunks_exact(5 + N) {
            let at = id::at(u40(record) - start) * N;
            part[at..at + N].copy_from_slice(&record[5..]);
        }
        spool.write(&part)?;
    }
    Ok(())
}

/// What a pass over all outputs counts.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct OutputTotals {
    pub(super) unspent: u64,
    pub(super) unspent_sat: u64,
    pub(super) by_type: [u64; 12],
}

/// The outputs of stubs come first and are nobody's unspent outputs; `dead` ones cannot be spent though their type does not
/// show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outputs<'d> {
    pub(super) count: u64,
    pub(super) of_stubs: u64,
    pub(super) dead: &'d [u64],
}

/// Joins outputs and inputs. A record of `ids` is an output and its address, one of `spends` an output, the input that spends it
/// and that input's transaction; both are dealt by output.
pub(super) fn join(
    ids: &mut Buckets,
    spends: &mut Buckets,
    outputs: Outputs<'_>,
    inputs: u64,
    scratch: &Scratch,
    columns: &mut Spools,
) -> io::Result<OutputTotals> {
    let mut totals = OutputTotals::default();
    let mut sides = Buckets::new(scratch, bucket_of(inputs) + 1);
    for (bucket, start) in ranges(outputs.count) {
        let count = len(start, outputs.count);
        let value = columns.of(Column::OutputValue).read(start * 8..(start + count) * 8)?;
        let script_type = columns.of(Column::OutputType).read(start..start + count)?;
        let (value, _) = value.as_chunks::<8>();
        let mut address = vec![NO_ADDRESS.to_le_bytes(); id::at(count)];
        for record in ids.take(bucket)?.chunks_exact(9) {
            address[id::at(u40(record) - start)].copy_from_slice(&record[5..]);
        }
        let mut spender = vec![NO_TX.to_le_bytes(); id::at(count)];
        for record in spends.take(bucket)?.chunks_exact(14) {
            let at = id::at(u40(record) - start);
            spender[at].copy_from_slice(&record[10..]);
            let input = u40(&record[5..]);
            let mut side = [0; 13];
            side[..8].copy_from_slice(&value[at]);
            side[8..12].copy_from_slice(&address[at]);
            side[12] = script_type[at];
            sides.push(bucket_of(input), &record[5..10], &side)?;
        }
        columns.of(Column::OutputAddress).write(address.as_flattened())?;
        columns.of(Column::OutputSpender).write(spender.as_flattened())?;
        for (at, kind) in script_type.iter().enumerate() {
            totals.by_type[usize::from(*kind).min(11)] += 1;
            let output = start + id::number(at);
            let unspendable = u16::from(*kind) == ScriptType::OpReturn.code();
            if spender[at] == NO_TX.to_le_bytes() && !unspendable && output >= outputs.of_stubs {
                if outputs.dead.binary_search(&output).is_ok() {
                    continue;
                }
                totals.unspent += 1;
                totals.unspent_sat += u64::from_le_bytes(value[at]);
            }
        }
    }
    for (bucket, start) in ranges(inputs) {
        let count = id::at(len(start, inputs));
        let mut value = vec![UNKNOWN_VALUE.to_le_bytes(); count];
        let mut address = vec![NO_ADDRESS.to_le_bytes(); count];
        let mut script_type = vec![UNKNOWN_TYPE; count];
        for record in sides.take(bucket)?.chunks_exact(18) {
            let at = id::at(u40(record) - start);
            value[at].copy_from_slice(&record[5..13]);
            address[at].copy_from_slice(&record[13..17]);
            script_type[at] = record[17];
        }
        columns.of(Column::InputValue).write(value.as_flattened())?;
        columns.of(Column::InputAddress).write(address.as_flattened())?;
        columns.of(Column::InputType).write(&script_type)?;
    }
    Ok(totals)
}

fn ranges(entries: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..bucket_of(entries + id::number(BUCKET_ENTRIES) - 1)).map(|bucket| (bucket, bucket_start(bucket)))
}

/// How many of `entries` positions a bucket holds.
pub(super) fn bucket_len(bucket: usize, entries: u64) -> usize {
    id::at(entries.saturating_sub(bucket_start(bucket)).min(id::number(BUCKET_ENTRIES)))
}

fn len(start: u64, entries: u64) -> u64 {
    (entries - start).min(id::number(BUCKET_ENTRIES))
}
