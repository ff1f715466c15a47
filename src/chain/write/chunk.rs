//! Transactions decoded into columns before their place in the chain is known, so that decoding can run ahead on any thread.

use std::ops::Range;

use bitcoin::block::Header;
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Script, Txid};

use super::super::columns::{UNKNOWN_TYPE, flag};
use super::super::record::NewTx;
use super::super::script::{ScriptType, canonical, is_unspendable};
use super::super::spend::{Spend, WitnessFacts};
use crate::id;

/// Numbers stand as they will in the store, so that placing a chunk is copying.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Chunk {
    pub(crate) blocks: Vec<ChunkBlock>,
    pub(super) txid: Vec<[u8; 32]>,
    pub(super) flags: Vec<u8>,
    pub(super) version: Vec<u8>,
    pub(super) lock_time: Vec<u8>,
    pub(super) weight: Vec<u8>,
    /// Where the inputs and the outputs of each transaction end.
    pub(super) input_end: Vec<u32>,
    pub(super) output_end: Vec<u32>,
    pub(super) outpoint: Vec<OutPoint>,
    pub(super) spend: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) script_type: Vec<u8>,
    /// For each output a length byte, zero where it has no address, and the script of its address.
    pub(super) scripts: Vec<u8>,
    /// The outputs whose script is kept, and where each ends in `bare_bytes`.
    pub(super) bare: Vec<(u32, u32)>,
    pub(super) bare_bytes: Vec<u8>,
    /// Outputs that cannot be spent though their type does not show it.
    pub(super) oversized: Vec<u32>,
    value_sat: u64,
}

/// Where a block begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ChunkBlock {
    pub(crate) height: u32,
    pub(crate) header: Option<Box<[u8; 80]>>,
    /// Its first transaction in the chunk.
    pub(super) first_tx: u32,
}

impl ChunkBlock {
    pub(crate) fn first_tx(&self) -> u32 {
        self.first_tx
    }
}

/// Where the entries of a transaction lie, given where those of each end.
fn span(ends: &[u32], tx: u32) -> Range<u32> {
    let start = id::at(tx).checked_sub(1).map_or(0, |before| ends[before]);
    start..ends[id::at(tx)]
}

/// The parts of a transaction that are neither inputs nor outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TxHead {
    pub(crate) txid: Txid,
    pub(crate) flags: u8,
    pub(crate) version: i32,
    pub(crate) lock_time: u32,
    pub(crate) weight: u32,
}

impl TxHead {
    pub(crate) fn of(tx: &NewTx) -> Self {
        let mut flags = 0;
        for (set, bit) in [
            (tx.is_coinbase(), flag::COINBASE),
            (tx.proven, flag::PROVEN),
            (tx.height.is_some(), flag::HEIGHT),
            (tx.version.is_some() && tx.lock_time.is_some(), flag::VERSION),
        ] {
            flags |= if set { bit } else { 0 };
        }
        let (version, lock_time) = tx.version.zip(tx.lock_time).unwrap_or_default();
        Self { txid: tx.txid, flags, version, lock_time, weight: tx.weight.unwrap_or(0) }
    }
}

impl Chunk {
    pub(crate) fn block(&mut self, height: u32, header: Option<&Header>) {
        let header = header.map(|header| Box::new(serialize(header).try_into().expect("a header has 80 bytes")));
        self.blocks.push(ChunkBlock { height, header, first_tx: self.txs() });
    }

    pub(crate) fn input(&mut self, outpoint: OutPoint, spend: Option<Spend>) {
        self.outpoint.push(outpoint);
        self.spend.extend(spend.map_or(0, Spend::bits).to_le_bytes());
    }

    /// Adds what an input's witness shows, which is read after all inputs.
    pub(crate) fn add_witness(&mut self, input: usize, witness: WitnessFacts) {
        let bits = &mut self.spend.as_chunks_mut::<2>().0[input];
        if let Some(mut spend) = Spend::from_bits(u16::from_le_bytes(*bits)) {
            spend.add_witness(witness, self.outpoint[input].is_null());
            *bits = spend.bits().to_le_bytes();
        }
    }

    /// True when the inputs from `first` on are one that spends nothing.
    pub(crate) fn is_coinbase_from(&self, first: usize) -> bool {
        matches!(&self.outpoint[first..], [only] if only.is_null())
    }

    pub(crate) fn output(&mut self, value: u64, script: Option<&Script>) {
        self.value.extend(value.to_le_bytes());
        if script.is_some() {
            self.value_sat = self.value_sat.saturating_add(value);
        }
        let Some(script) = script else {
            self.script_type.push(UNKNOWN_TYPE);
            self.scripts.push(0);
            return;
        };
        let script_type = ScriptType::of(script);
        let code = script_type.code().to_le_bytes()[0];
        self.script_type.push(code);
        use ScriptType::*;
        let address = match script_type {
            P2pkh | P2sh | P2wpkh | P2wsh | P2tr => Some(std::borrow::Cow::Borrowed(script)),
            OpReturn | Multisig => None,
            _ => canonical(script),
        };
        if let Some(address) = &address {
            self.scripts.push(id::small(address.len()).to_le_bytes()[0]);
            self.scripts.extend(address.as_bytes());
        } else {
            self.scripts.push(0);
        }
        if address.is_none() || script_type == P2pk {
            self.bare_bytes.extend(script.as_bytes());
            self.bare.push((self.outputs() - 1, id::small(self.bare_bytes.len())));
            if script_type != OpReturn && is_unspendable(script) {
                self.oversized.push(self.outputs() - 1);
            }
        }
    }

    /// Ends a transaction: its inputs and outputs have been added.
    pub(crate) fn tx(&mut self, head: TxHead) {
        self.txid.push(head.txid.to_byte_array());
        self.flags.push(head.flags);
        self.version.extend(head.version.to_le_bytes());
        self.lock_time.extend(head.lock_time.to_le_bytes());
        self.weight.extend(head.weight.to_le_bytes());
        self.input_end.push(id::small(self.outpoint.len()));
        self.output_end.push(self.outputs());
    }

    /// Adds a record whole.
    pub(crate) fn record(&mut self, tx: &NewTx) {
        for input in &tx.inputs {
            self.input(input.outpoint, input.spend);
        }
        for output in &tx.outputs {
            self.output(output.value.to_sat(), Some(&output.script_pubkey));
        }
        self.tx(TxHead::of(tx));
    }

    pub(crate) fn txs(&self) -> u32 {
        id::small(self.txid.len())
    }

    pub(crate) fn inputs(&self) -> usize {
        self.outpoint.len()
    }

    /// The txid and the flags of a transaction.
    pub(crate) fn tx_at(&self, tx: u32) -> (&[u8; 32], u8) {
        (&self.txid[id::at(tx)], self.flags[id::at(tx)])
    }

    pub(crate) fn outpoints_of(&self, tx: u32) -> &[OutPoint] {
        let range = span(&self.input_end, tx);
        &self.outpoint[id::at(range.start)..id::at(range.end)]
    }

    pub(crate) fn outputs_of(&self, tx: u32) -> Range<u32> {
        span(&self.output_end, tx)
    }

    pub(crate) fn is_spendable(&self, output: u32) -> bool {
        u16::from(self.script_type[id::at(output)]) != ScriptType::OpReturn.code() && !self.oversized.contains(&output)
    }

    /// The value of all outputs.
    pub(super) fn value_sat(&self) -> u64 {
        self.value_sat
    }

    pub(crate) fn txids(&self) -> &[[u8; 32]] {
        &self.txid
    }

    fn outputs(&self) -> u32 {
        id::small(self.script_type.len())
    }
}
