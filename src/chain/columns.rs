//! The frozen chain: one array a property, in chain order.
//!
//! Offsets (`first_input`, `first_output`) make the arrays a compressed sparse graph: `prevout` are its edges backwards,
//! `spender` forwards. Stubs come first, so the transactions of known place are a suffix sorted by height and a view as
//! of a height is a prefix. The sentinels below never leave this module's siblings: the API says `None`.

use std::fmt;

use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::{Network, Txid};

use super::View;
use super::script::{ScriptType, Scripts};
use crate::id::{self, BlockHeight, InputIndex, OutputIndex, TxIndex};

pub(crate) const NO_TX: u32 = u32::MAX;
pub(crate) const NO_SCRIPT: u32 = u32::MAX;
pub(crate) const NO_ADDRESS: u32 = u32::MAX;
pub(crate) const NO_TIME: u32 = u32::MAX;
pub(crate) const NO_POSITION: u32 = u32::MAX;
pub(crate) const NO_OUTPUT: u64 = u64::MAX;
pub(crate) const UNKNOWN_VALUE: u64 = u64::MAX;

/// What is so about a transaction, a bit each.
pub(crate) mod flag {
    pub(crate) const COINBASE: u8 = 1;
    pub(crate) const PROVEN: u8 = 2;
    pub(crate) const HEIGHT: u8 = 4;
    /// Some input's prevout has no known value, so neither the fee nor a share can be computed.
    pub(crate) const BLIND: u8 = 8;
}

/// A frozen chain, or the part of one that was supplied.
///
/// Made by [`ChainBuilder::finish`](super::ChainBuilder::finish); nothing changes afterwards. It can be shared between
/// threads; every question goes through a [`View`].
///
/// # Examples
///
/// ```
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// assert_eq!(chain.view().txs().count(), 0);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone)]
pub struct Chain {
    pub(crate) network: Network,
    pub(crate) complete: Option<(BlockHeight, BlockHeight)>,
    /// The first so many transactions are stubs.
    pub(crate) stubs: u32,

    pub(crate) txid: Vec<Txid>,
    /// The height in force: as given, or the least that the parents allow.
    pub(crate) height: Vec<u32>,
    pub(crate) position: Vec<u32>,
    pub(crate) time: Vec<u32>,
    pub(crate) flags: Vec<u8>,
    pub(crate) first_input: Vec<u64>,
    pub(crate) first_output: Vec<u64>,

    pub(crate) prevout: Vec<u64>,

    pub(crate) value: Vec<u64>,
    pub(crate) script: Vec<u32>,
    pub(crate) spender: Vec<u32>,
    /// The vout of each stub's output; elsewhere it is the distance from `first_output`.
    pub(crate) stub_vout: Vec<u32>,

    pub(crate) scripts: Scripts,
    pub(crate) script_type: Vec<ScriptType>,
    pub(crate) script_address: Vec<u32>,
    pub(crate) first_with_script: Vec<u64>,
    pub(crate) with_script: Vec<u64>,
    /// The canonical script of each address.
    pub(crate) addresses: Scripts,
    pub(crate) first_of_address: Vec<u64>,
    pub(crate) of_address: Vec<u32>,

    pub(crate) by_txid: Vec<u32>,
    pub(crate) by_script: Vec<u32>,
    pub(crate) by_address: Vec<u32>,

    /// Outputs that a source says are unspent, sorted.
    pub(crate) unspent: Vec<u64>,
    /// Outputs whose spender a source names without its being here, sorted by output.
    pub(crate) spent_by: Vec<(u64, Txid)>,
    /// BIP30: a coinbase, and the height at which a later one of the same txid made it unspendable.
    pub(crate) overwritten: Vec<(u32, BlockHeight)>,
}

impl Chain {
    /// Views all of it.
    pub fn view(&self) -> View<'_> {
        View::whole(self)
    }

    /// Views it as of the end of the block at `height`: nothing later is visible, and a transaction whose height is unknown
    /// is left out (see [`View::left_out`]).
    pub fn as_of(&self, height: BlockHeight) -> View<'_> {
        View::as_of(self, height)
    }

    /// Returns the network, which decides how addresses are written and when the subsidy halves.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Returns the heights from and to which every block is here whole, if that was declared.
    pub fn complete(&self) -> Option<(BlockHeight, BlockHeight)> {
        self.complete
    }

    /// Hashes everything that the chain was told, in chain order: the same facts give the same hash, in whatever order and
    /// form they came.
    ///
    /// SHA-256 over, all numbers little-endian: the line `fundtrace input 1`, the network's name and a newline; the declared
    /// complete heights (2 x u32, ones where none); for every transaction, stubs first: txid, height, position,
    /// time (u32 each, ones where unknown), whether proven (u8), the number of inputs (u64) and each one's outpoint, the number of
    /// outputs (u64) and each one's vout (u32), value (u64, ones where unknown), script length (u64) and script, a fate byte (0 unknown,
    /// 1 said to be unspent, 2 said to be spent by the txid that follows). Linear time.
    pub fn digest(&self) -> sha256::Hash {
        let mut engine = sha256::Hash::engine();
        engine.input(b"fundtrace input 1\n");
        engine.input(self.network.to_string().as_bytes());
        engine.input(b"\n");
        let unknown = (BlockHeight::from_u32(u32::MAX), BlockHeight::from_u32(u32::MAX));
        let (from, to) = self.complete.unwrap_or(unknown);
        engine.input(&from.to_u32().to_le_bytes());
        engine.input(&to.to_u32().to_le_bytes());
        for at in 0..self.txid.len() {
            self.digest_tx(TxIndex::of(at), &mut engine);
        }
        sha256::Hash::from_engine(engine)
    }

    fn digest_tx(&self, tx: TxIndex, engine: &mut sha256::HashEngine) {
        let known_height = self.flags[tx.at()] & flag::HEIGHT != 0;
        engine.input(self.txid[tx.at()].as_byte_array());
        let height = if known_height { self.height[tx.at()] } else { u32::MAX };
        for number in [height, self.position[tx.at()], self.time[tx.at()]] {
            engine.input(&number.to_le_bytes());
        }
        engine.input(&[u8::from(self.flags[tx.at()] & flag::PROVEN != 0)]);
        let view = self.view();
        let inputs = self.inputs_of(tx);
        engine.input(&(inputs.end.to_u64() - inputs.start.to_u64()).to_le_bytes());
        for input in inputs.start.to_u64()..inputs.end.to_u64() {
            let outpoint = match self.prevout[InputIndex::from_u64(input).at()] {
                NO_OUTPUT => bitcoin::OutPoint::null(),
                output => view.output(OutputIndex::from_u64(output)).outpoint(),
            };
            engine.input(outpoint.txid.as_byte_array());
            engine.input(&outpoint.vout.to_le_bytes());
        }
        let outputs = self.outputs_of(tx);
        engine.input(&(outputs.end.to_u64() - outputs.start.to_u64()).to_le_bytes());
        for number in outputs.start.to_u64()..outputs.end.to_u64() {
            let output = view.output(OutputIndex::from_u64(number));
            engine.input(&output.vout().to_le_bytes());
            engine.input(&self.value[output.index().at()].to_le_bytes());
            let script = output.script().map_or(&[][..], |script| script.as_bytes());
            engine.input(&id::number(script.len()).to_le_bytes());
            engine.input(script);
            match (self.unspent.binary_search(&number), self.named_spender(output.index())) {
                (Ok(_), _) => engine.input(&[1]),
                (_, Some(spender)) => {
                    engine.input(&[2]);
                    engine.input(spender.as_byte_array());
                }
                _ => engine.input(&[0]),
            }
        }
    }

    pub(crate) fn inputs_of(&self, tx: TxIndex) -> std::ops::Range<InputIndex> {
        InputIndex::from_u64(self.first_input[tx.at()])..InputIndex::from_u64(self.first_input[tx.at() + 1])
    }

    pub(crate) fn outputs_of(&self, tx: TxIndex) -> std::ops::Range<OutputIndex> {
        OutputIndex::from_u64(self.first_output[tx.at()])..OutputIndex::from_u64(self.first_output[tx.at() + 1])
    }

    pub(crate) fn named_spender(&self, output: OutputIndex) -> Option<Txid> {
        let at = self.spent_by.binary_search_by_key(&output.to_u64(), |(output, _)| *output).ok()?;
        Some(self.spent_by[at].1)
    }

    pub(crate) fn is_stub(&self, tx: TxIndex) -> bool {
        tx.to_u32() < self.stubs
    }
}

impl fmt::Debug for Chain {
    /// Names its size and digest; its columns would fill the screen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("network", &self.network)
            .field("transactions", &(self.txid.len() - id::at(self.stubs)))
            .field("stubs", &self.stubs)
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}
