//! From decoded transactions whose prevouts are known to the columns of a store.
//!
//! [`Assembler`] takes transactions in chain order and copies what they bring; what joins two ends (spenders, addresses, sorted
//! orders) is dealt into buckets and put together at the end, each part in bounded memory. The builder and the writer
//! both end here, so the same facts give the same bytes.

pub(crate) mod chunk;
mod dense;
mod dictionary;
mod money;
mod order;
pub(crate) mod scratch;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::mem;

use bitcoin::Network;
use bitcoin::hashes::{Hash, sha256};

use self::chunk::Chunk;
pub(super) use self::order::prefix_of;
use self::scratch::{Buckets, Scratch, Spool};
use super::columns::{Columns, NO_OUTPUT, flag};
use super::format::{self, Column, Head};
use super::script::is_unspendable;
use crate::error::{ChainError, Error};
use crate::id::{self, AddressIndex, BlockHeight, InputIndex, OutputIndex, TxIndex};
use crate::par;

/// Positions are dealt into buckets of so many.
const BUCKET_ENTRIES: usize = 1 << BUCKET_BITS;
const BUCKET_BITS: u32 = 18;
/// Buckets by the first bits of the key of a script that is kept.
const BARE_BUCKETS: usize = 256;

fn bucket_of(position: u64) -> usize {
    id::at(position >> BUCKET_BITS)
}

fn bucket_start(bucket: usize) -> u64 {
    id::number(bucket) << BUCKET_BITS
}

/// The columns as they grow.
pub(super) struct Spools(Vec<Spool>);

impl Spools {
    fn new(scratch: &Scratch) -> Self {
        Self(Column::ALL.iter().map(|_| Spool::new(scratch)).collect())
    }

    pub(super) fn of(&mut self, column: Column) -> &mut Spool {
        &mut self.0[column.at()]
    }
}

/// How well things are known, counted by whoever resolves prevouts.
#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) prevouts_proven: u64,
    pub(super) prevouts_claimed: u64,
    pub(super) prevouts_unknown: u64,
    pub(super) positions: u64,
    pub(super) times: u64,
}

pub(super) struct Assembler {
    pub(super) network: Network,
    pub(super) complete: Option<(BlockHeight, BlockHeight)>,
    pub(super) stale: Option<u32>,
    pub(super) known: Known,
    scratch: Scratch,
    columns: Spools,
    blocks: u32,
    headers: u32,
    stubs: u64,
    of_stubs: u64,
    txs: u64,
    inputs: u64,
    outputs: u64,
    bare: u64,
    value_sat: u64,
    proven: u64,
    heights: u64,
    /// Outputs that cannot be spent though their type does not show it.
    dead: BTreeSet<u64>,
    spends: Buckets,
    scripts: Buckets,
    again: Buckets,
    txids: Buckets,
    bare_keys: Buckets,
}

impl Assembler {
    pub(super) fn new(network: Network, scratch: Scratch) -> Self {
        // In memory there is nothing to keep small.
        let buckets = |count: usize| match scratch {
            Scratch::Memory => Buckets::new(&scratch, 1),
            Scratch::Folder(_) => Buckets::new(&scratch, count),
        };
        Self {
            network,
            complete: None,
            stale: None,
            known: Known::default(),
            columns: Spools::new(&scratch),
            blocks: 0,
            headers: 0,
            stubs: 0,
            of_stubs: 0,
            txs: 0,
            inputs: 0,
            outputs: 0,
            bare: 0,
            value_sat: 0,
            proven: 0,
            heights: 0,
            dead: BTreeSet::new(),
            spends: buckets(1),
            scripts: buckets(dictionary::SCRIPT_BUCKETS),
            again: buckets(1),
            txids: buckets(order::TXID_BUCKETS),
            bare_keys: buckets(BARE_BUCKETS),
            scratch,
        }
    }

    pub(super) fn txs(&self) -> u64 {
        self.txs
    }

    pub(super) fn outputs(&self) -> u64 {
        self.outputs
    }

    /// Says that all transactions so far are stubs.
    pub(super) fn end_stubs(&mut self) {
        (self.stubs, self.of_stubs) = (self.txs, self.outputs);
    }

    /// Writes to a column that no other method fills.
    pub(super) fn column(&mut self, column: Column) -> &mut Spool {
        self.columns.of(column)
    }

    /// Says that an output is dead: overwritten, or of the genesis block.
    pub(super) fn dead(&mut self, output: u64) {
        self.dead.insert(output);
    }

    pub(super) fn is_dead(&self, output: u64) -> bool {
        self.dead.contains(&output)
    }

    /// The height of a transaction that has been added.
    pub(super) fn height_of(&mut self, tx: u32) -> io::Result<u32> {
        let blocks = u64::from(self.blocks);
        let first = self.columns.of(Column::BlockFirstTx).read(0..blocks * 4)?;
        let number = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        let block = first.as_chunks::<4>().0.partition_point(|first| number(first) <= tx) - 1;
        let at = id::number(block) * 4;
        let height = self.columns.of(Column::BlockHeight).read(at..at + 4)?;
        Ok(height.first_chunk().map_or(0, number))
    }

    /// Takes over the transactions of a store before `end`, whose last block is at `tip`.
    pub(super) fn resume(&mut self, from: Columns<'_>, end: TxIndex, tip: BlockHeight) -> Result<(), Error> {
        let txs = id::number(end.at());
        let inputs = from.inputs_of(TxIndex::from_u32(end.to_u32() - 1)).end.to_u64();
        let outputs = from.outputs_of(TxIndex::from_u32(end.to_u32() - 1)).end.to_u64();
        let height = |block: &usize| from.height_of_block(*block) <= tip.to_u32();
        let blocks = id::number((0..from.blocks()).take_while(height).count());
        use Column::*;
        for (column, entries) in [
            (BlockHeight, blocks),
            (BlockFirstTx, blocks),
            (BlockHeader, blocks),
            (Txid, txs),
            (TxFlags, txs),
            (TxVersion, txs),
            (TxLockTime, txs),
            (TxWeight, txs),
            (TxFirstInput, txs),
            (TxFirstOutput, txs),
            (InputSpend, inputs),
            (OutputValue, outputs),
            (OutputType, outputs),
        ] {
            let bytes = &from.bytes_of(column)[..id::at(entries * column.width())];
            for part in bytes.chunks(1 << 20) {
                self.columns.of(column).write(part)?;
            }
        }
        for tx in (0..end.to_u32()).map(TxIndex::from_u32) {
            self.proven += u64::from(from.flags(tx) & flag::PROVEN != 0);
            self.heights += u64::from(from.flags(tx) & flag::HEIGHT != 0);
            self.deal_txid(from.txid(tx).as_byte_array(), u64::from(tx.to_u32()))?;
            let range = from.inputs_of(tx);
            for input in range.start.to_u64()..range.end.to_u64() {
                let prevout = from.prevout(InputIndex::from_u64(input)).map_or(NO_OUTPUT, OutputIndex::to_u64);
                self.deal_spend(prevout, input, u64::from(tx.to_u32()))?;
            }
        }
        self.value_sat = from.numbers::<8>(OutputValue).slice(0..id::at(outputs)).iter().fold(0, u64::saturating_add);
        self.resume_addresses(from, outputs)?;
        for (at, output) in from.numbers::<5>(BareOutput).iter().enumerate().take_while(|(_, o)| *o < outputs) {
            let script = from.bare_script(at);
            self.keep_script(output, script.as_bytes())?;
            if !script.is_op_return() && is_unspendable(script) {
                self.dead(output);
            }
        }
        if tip.to_u32() == 0 || from.height_of_block(0) == 0 {
            let genesis = from.outputs_of(from.txs_of_block(0).start);
            (genesis.start.to_u64()..genesis.end.to_u64()).for_each(|output| self.dead(output));
        }
        self.blocks = id::small(id::at(blocks));
        self.headers = self.blocks;
        (self.txs, self.inputs, self.outputs) = (txs, inputs, outputs);
        Ok(())
    }

    fn resume_addresses(&mut self, from: Columns<'_>, outputs: u64) -> io::Result<()> {
        let first = from.numbers::<5>(Column::AddressFirstOutput);
        for (at, first) in first.iter().enumerate().take_while(|(_, first)| *first < outputs) {
            let script = from.address_script(AddressIndex::of(at)).as_bytes();
            let bucket = dictionary::script_bucket(script, self.scripts.len());
            let head = [&id::small(script.len()).to_le_bytes()[..1], script].concat();
            self.scripts.push(bucket, &head, &first.to_le_bytes()[..5])?;
        }
        let again = from.numbers::<4>(Column::AgainAddress).iter().zip(from.numbers::<5>(Column::AgainOutput).iter());
        for (address, output) in again.filter(|(_, output)| *output < outputs) {
            let first = first.get(id::at(address));
            self.again.push(bucket_of(first), &first.to_le_bytes()[..5], &output.to_le_bytes()[..5])?;
        }
        Ok(())
    }

    /// Adds transactions of which `prevouts` are the outputs that the inputs spend, in order.
    pub(super) fn append(&mut self, chunk: &Chunk, prevouts: &[u64]) -> Result<(), Error> {
        let txs = self.txs + id::number(chunk.txid.len());
        if txs >= u64::from(u32::MAX) {
            return Err(ChainError::TooMany { what: "transactions" }.into());
        }
        // So that a sum over different outputs cannot overflow, nor one over outputs and fees, which are paid out of outputs. All
        // that was ever paid on the main chain is a small part of this bound.
        self.value_sat = self.value_sat.saturating_add(chunk.value_sat());
        if self.value_sat > u64::MAX / 4 {
            return Err(ChainError::TooMany { what: "satoshis over all outputs" }.into());
        }
        for block in &chunk.blocks {
            self.columns.of(Column::BlockHeight).number::<4>(u64::from(block.height))?;
            self.columns.of(Column::BlockFirstTx).number::<4>(self.txs + u64::from(block.first_tx))?;
            self.blocks += 1;
            if let Some(header) = &block.header {
                self.columns.of(Column::BlockHeader).write(&header[..])?;
                self.headers += 1;
            }
        }
        self.append_txs(chunk)?;
        self.append_inputs(chunk, prevouts)?;
        self.append_outputs(chunk)?;
        self.txs = txs;
        self.inputs += id::number(chunk.outpoint.len());
        self.outputs += id::number(chunk.script_type.len());
        Ok(())
    }

    fn append_txs(&mut self, chunk: &Chunk) -> io::Result<()> {
        self.columns.of(Column::Txid).write(chunk.txid.as_flattened())?;
        for (column, bytes) in [
            (Column::TxFlags, &chunk.flags),
            (Column::TxVersion, &chunk.version),
            (Column::TxLockTime, &chunk.lock_time),
            (Column::TxWeight, &chunk.weight),
        ] {
            self.columns.of(column).write(bytes)?;
        }
        for (column, first, ends) in [
            (Column::TxFirstInput, self.inputs, &chunk.input_end),
            (Column::TxFirstOutput, self.outputs, &chunk.output_end),
        ] {
            let spool = self.columns.of(column);
            let mut start = 0;
            for end in ends {
                spool.number::<5>(first + u64::from(start))?;
                start = *end;
            }
        }
        for (at, txid) in chunk.txid.iter().enumerate() {
            self.proven += u64::from(chunk.flags[at] & flag::PROVEN != 0);
            self.heights += u64::from(chunk.flags[at] & flag::HEIGHT != 0);
            self.deal_txid(txid, self.txs + id::number(at))?;
        }
        Ok(())
    }

    fn deal_txid(&mut self, txid: &[u8; 32], tx: u64) -> io::Result<()> {
        let bucket = order::prefix_of(txid, self.txids.len().ilog2());
        self.txids.push(id::at(bucket), txid, &tx.to_le_bytes()[..4])
    }

    fn append_inputs(&mut self, chunk: &Chunk, prevouts: &[u64]) -> io::Result<()> {
        self.columns.of(Column::InputSpend).write(&chunk.spend)?;
        let mut at = 0;
        for (tx, end) in chunk.input_end.iter().enumerate() {
            let tx = self.txs + id::number(tx);
            while at < id::at(*end) {
                self.deal_spend(prevouts[at], self.inputs + id::number(at), tx)?;
                at += 1;
            }
        }
        Ok(())
    }

    fn deal_spend(&mut self, prevout: u64, input: u64, tx: u64) -> io::Result<()> {
        self.columns.of(Column::InputPrevout).number::<5>(prevout)?;
        if prevout == NO_OUTPUT {
            return Ok(());
        }
        let mut tail = [0; 9];
        tail[..5].copy_from_slice(&input.to_le_bytes()[..5]);
        tail[5..].copy_from_slice(&tx.to_le_bytes()[..4]);
        self.spends.push(bucket_of(prevout), &prevout.to_le_bytes()[..5], &tail)
    }

    fn append_outputs(&mut self, chunk: &Chunk) -> io::Result<()> {
        self.columns.of(Column::OutputValue).write(&chunk.value)?;
        self.columns.of(Column::OutputType).write(&chunk.script_type)?;
        let mut rest = &chunk.scripts[..];
        let mut output = self.outputs;
        while let [length, after @ ..] = rest {
            let length = usize::from(*length);
            if length > 0 {
                let bucket = dictionary::script_bucket(&after[..length], self.scripts.len());
                self.scripts.push(bucket, &rest[..=length], &output.to_le_bytes()[..5])?;
            }
            rest = &after[length..];
            output += 1;
        }
        let mut start = 0;
        for (output, end) in &chunk.bare {
            let script = &chunk.bare_bytes[id::at(start)..id::at(*end)];
            start = *end;
            self.keep_script(self.outputs + u64::from(*output), script)?;
        }
        self.dead.extend(chunk.oversized.iter().map(|output| self.outputs + u64::from(*output)));
        Ok(())
    }

    fn keep_script(&mut self, output: u64, script: &[u8]) -> io::Result<()> {
        let first_byte = self.columns.of(Column::BareBytes).len();
        self.columns.of(Column::BareFirstByte).number::<5>(first_byte)?;
        self.columns.of(Column::BareOutput).number::<5>(output)?;
        self.columns.of(Column::BareBytes).write(script)?;
        let key = script_key(script);
        let bucket = order::prefix_of(&key, self.bare_keys.len().ilog2());
        self.bare_keys.push(id::at(bucket), &key, &self.bare.to_le_bytes()[..5])?;
        self.bare += 1;
        Ok(())
    }

    /// Puts together what joins two ends, and checks that no money is made.
    pub(super) fn finish(mut self) -> Result<Assembled, Error> {
        self.columns.of(Column::TxFirstInput).number::<5>(self.inputs)?;
        self.columns.of(Column::TxFirstOutput).number::<5>(self.outputs)?;
        self.columns.of(Column::BlockFirstTx).number::<4>(self.txs)?;
        let bare_end = self.columns.of(Column::BareBytes).len();
        self.columns.of(Column::BareFirstByte).number::<5>(bare_end)?;
        if self.headers < self.blocks {
            *self.columns.of(Column::BlockHeader) = Spool::new(&self.scratch);
        }
        let dead: Vec<u64> = self.dead.into_iter().collect();
        let txs = id::small(id::at(self.txs));
        let (scratch, txids, bare_keys) = (&self.scratch, self.txids, self.bare_keys);
        let mut sorted = [(); 4].map(|()| Spool::new(scratch));
        let [txid_order, txid_prefix, bare_key, bare_by_key] = &mut sorted;
        let columns = &mut self.columns;
        let outputs = dense::Outputs { count: self.outputs, of_stubs: self.of_stubs, dead: &dead };
        let (scripts, again, mut spends, inputs) = (self.scripts, self.again, self.spends, self.inputs);
        let (joined, ordered) = par::join(
            || -> io::Result<_> {
                let (mut ids, addresses) = dictionary::number(scripts, again, outputs.count, scratch, columns)?;
                Ok((dense::join(&mut ids, &mut spends, outputs, inputs, scratch, columns)?, addresses))
            },
            || {
                order::txids(txids, txs, txid_order, txid_prefix)?;
                order::bare(bare_keys, bare_key, bare_by_key)
            },
        );
        ordered?;
        let (totals, addresses) = joined?;
        let [txid_order, txid_prefix, bare_key, bare_by_key] = sorted;
        *self.columns.of(Column::TxidOrder) = txid_order;
        *self.columns.of(Column::TxidPrefix) = txid_prefix;
        *self.columns.of(Column::BareKey) = bare_key;
        *self.columns.of(Column::BareByKey) = bare_by_key;
        let money = money::Money {
            network: self.network,
            complete: self.complete,
            stubs: self.stubs,
            txs: self.txs,
            blocks: u64::from(self.blocks),
        };
        let fees = money.check(&mut self.columns)?;
        let known = self.known;
        let counted = [
            [fees, totals.unspent, totals.unspent_sat, self.proven, known.prevouts_proven],
            [known.prevouts_claimed, known.prevouts_unknown, self.heights, known.positions, known.times],
        ];
        for number in counted.as_flattened().iter().chain(&totals.by_type) {
            self.columns.of(Column::Totals).number::<8>(*number)?;
        }
        let head = Head {
            network: self.network,
            txs,
            stubs: id::small(id::at(self.stubs)),
            blocks: self.blocks,
            inputs: self.inputs,
            outputs: self.outputs,
            addresses,
            stale: self.stale,
            complete: self.complete,
        };
        let mut columns = mem::replace(&mut self.columns, Spools(Vec::new())).0;
        let directory: Vec<(u64, sha256::Hash)> =
            columns.iter_mut().map(|spool| Ok((spool.len(), spool.seal()?))).collect::<io::Result<_>>()?;
        Ok(Assembled { header: format::write(&head, &directory), columns })
    }
}

/// The first 8 bytes of a script's SHA-256: how a script that is kept is found.
pub(super) fn script_key(script: &[u8]) -> [u8; 8] {
    *sha256::Hash::hash(script).as_byte_array().first_chunk().expect("32 bytes")
}

/// A store that only has to be written down.
pub(super) struct Assembled {
    header: Vec<u8>,
    columns: Vec<Spool>,
}

impl Assembled {
    pub(super) fn len(&self) -> u64 {
        id::number(self.header.len()) + self.columns.iter().map(Spool::len).sum::<u64>()
    }

    pub(super) fn write_to_file(&mut self, out: &mut File) -> io::Result<()> {
        out.write_all(&self.header)?;
        self.columns.iter_mut().try_for_each(|spool| spool.copy_to_file(out))
    }

    pub(super) fn write_to(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.header)?;
        self.columns.iter_mut().try_for_each(|spool| spool.copy_to(out))
    }
}
