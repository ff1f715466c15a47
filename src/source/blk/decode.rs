//! A block's bytes into columns, without a copy in between: the hot path, whose twin is [`Blocks::txs`](super::Blocks::txs).

use std::ops::ControlFlow;

use bitcoin::block::Header;
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bitcoin::{OutPoint, Script, Txid};
use bitcoin_slices::{Visit, Visitor, bsl};

use crate::chain::chunk::{Chunk, TxHead};
use crate::chain::{Spend, WitnessFacts, flag, merkle_root};
use crate::error::BlkError;
use crate::id::BlockHeight;

/// Decodes a block and checks that its transactions give the header's merkle root.
pub(super) fn block(bytes: &[u8], height: BlockHeight, header: &Header, chunk: &mut Chunk) -> Result<(), BlkError> {
    chunk.block(height.to_u32(), Some(header));
    let mut decoder = Decoder { chunk, first_input: 0, vin: 0, witness: WitnessFacts::default() };
    let what = |what: String| BlkError::NotABlock { what };
    let parsed = bsl::Block::visit(bytes, &mut decoder).map_err(|error| what(format!("{error:?}")))?;
    if !parsed.remaining().is_empty() {
        return Err(what(format!("{} bytes follow its last transaction", parsed.remaining().len())));
    }
    if merkle_root(chunk.txids().to_vec()) != header.merkle_root.to_byte_array() {
        return Err(BlkError::MerkleRoot { block: header.block_hash() });
    }
    Ok(())
}

struct Decoder<'c> {
    chunk: &'c mut Chunk,
    first_input: usize,
    vin: usize,
    witness: WitnessFacts,
}

impl Visitor for Decoder<'_> {
    fn visit_tx_ins(&mut self, _inputs: usize) {
        self.first_input = self.chunk.inputs();
    }

    fn visit_tx_in(&mut self, _vin: usize, input: &bsl::TxIn<'_>) -> ControlFlow<()> {
        let txid = input.prevout().txid().first_chunk().copied().unwrap_or_default();
        let outpoint = OutPoint::new(Txid::from_byte_array(txid), input.prevout().vout());
        let spend = Spend::base(input.script_sig(), input.sequence(), outpoint.is_null());
        self.chunk.input(outpoint, Some(spend));
        ControlFlow::Continue(())
    }

    fn visit_tx_out(&mut self, _vout: usize, output: &bsl::TxOut<'_>) -> ControlFlow<()> {
        self.chunk.output(output.value(), Some(Script::from_bytes(output.script_pubkey())));
        ControlFlow::Continue(())
    }

    fn visit_witness(&mut self, vin: usize) -> ControlFlow<()> {
        self.vin = vin;
        ControlFlow::Continue(())
    }

    fn visit_witness_total_element(&mut self, items: usize) {
        self.witness = WitnessFacts::new(items);
    }

    fn visit_witness_element(&mut self, _item: usize, bytes: &[u8]) {
        self.witness.item(bytes);
    }

    fn visit_witness_end(&mut self) {
        self.chunk.add_witness(self.first_input + self.vin, self.witness);
    }

    fn visit_transaction(&mut self, tx: &bsl::Transaction<'_>) -> ControlFlow<()> {
        let (version, body, lock_time) = tx.txid_preimage();
        let mut engine = sha256d::Hash::engine();
        engine.input(version);
        engine.input(body);
        engine.input(lock_time);
        let coinbase = self.chunk.is_coinbase_from(self.first_input);
        self.chunk.tx(TxHead {
            txid: Txid::from_raw_hash(sha256d::Hash::from_engine(engine)),
            flags: flag::PROVEN | flag::HEIGHT | flag::VERSION | if coinbase { flag::COINBASE } else { 0 },
            version: tx.version(),
            lock_time: tx.locktime(),
            // More than a block can weigh says nothing.
            weight: u32::try_from(tx.weight()).unwrap_or(0),
        });
        ControlFlow::Continue(())
    }
}
