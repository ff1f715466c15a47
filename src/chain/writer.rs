//! Writing a store block by block, in chain order, in memory that grows with the unspent outputs.

use std::fmt;
use std::path::Path;

use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Network, OutPoint, Txid};

use super::builder::OVERWRITTEN;
use super::columns::{NO_OUTPUT, NO_TX, flag};
use super::format::Column;
use super::live::{Live, LiveOutputs};
use super::merkle;
use super::record::NewTx;
use super::save;
use super::script::ScriptType;
use super::write::chunk::Chunk;
use super::write::scratch::Scratch;
use super::write::{Assembled, Assembler};
use super::{Chain, View};
use crate::error::{ChainError, Error};
use crate::id::{self, BlockHeight, OutputIndex, TxIndex};

/// Writes a chain of whole blocks from the genesis block on, or goes on with one that is stored.
///
/// What comes must be in chain order, and everything an input spends must have come before. Memory holds the unspent outputs
/// and fixed buffers; the rest waits in files without a name in the folder of the store. [`Store::save`] writes under a
/// temporary name and renames, so the store's own name always leads to a whole store: the one before or the new one.
///
/// The store is the same, byte for byte, as the one [`ChainBuilder`](super::ChainBuilder) freezes of the same blocks declared complete, and
/// one that was continued or rolled back is the same as one written at once.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Network, blockdata::constants::genesis_block};
/// use fundtrace::chain::{NewTx, Writer};
/// use fundtrace::{BlockHeight, Chain};
///
/// let genesis = genesis_block(Network::Regtest);
/// let mut writer = Writer::new(Network::Regtest, &std::env::temp_dir());
/// writer.block(BlockHeight::from_u32(0), genesis.header, genesis.txdata.iter().map(NewTx::from_transaction))?;
/// let mut store = Vec::new();
/// writer.finish()?.write_to(&mut store)?;
/// let chain = Chain::from_bytes(store)?;
/// assert_eq!(chain.summary().tip_hash, Some(genesis.block_hash()));
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Complexity
///
/// O(n log n) in the number of transactions, inputs and outputs. About 70 bytes of memory for each transaction with unspent outputs.
pub struct Writer {
    assembler: Assembler,
    live: LiveOutputs,
    tip: Option<(BlockHeight, BlockHash)>,
    overwritten: Vec<(u32, u32)>,
    prevouts: Vec<u64>,
}

impl Writer {
    /// Starts an empty chain; files without a name will be made in `folder`.
    pub fn new(network: Network, folder: &Path) -> Self {
        Self {
            assembler: Assembler::new(network, Scratch::Folder(folder.to_owned())),
            live: LiveOutputs::new(),
            tip: None,
            overwritten: Vec::new(),
            prevouts: Vec::new(),
        }
    }

    /// Starts from what a store holds up to a height, both included; what is above is rolled back.
    ///
    /// Nothing is parsed or hashed again, but the whole store is copied: this is for many blocks at a time.
    ///
    /// # Errors
    ///
    /// When the chain is not of whole blocks with headers from the genesis block on ([`Error::is_contradiction`]), or files cannot be made
    /// ([`Error::is_io`]).
    pub fn resume<D: AsRef<[u8]>>(chain: &Chain<D>, to: BlockHeight, folder: &Path) -> Result<Self, Error> {
        let columns = chain.columns();
        let whole = chain.complete().is_some_and(|(from, _)| from.to_u32() == 0) && columns.tip().is_some();
        if !whole {
            return Err(ChainError::NotWhole.into());
        }
        let view = chain.as_of(to);
        let mut writer = Self::new(chain.network(), folder);
        let Some(tip) = view.tip() else { return Ok(writer) };
        writer.assembler.resume(columns, view.end(), tip)?;
        writer.overwritten = overwritten(view);
        for (tx, _) in &writer.overwritten {
            let outputs = columns.outputs_of(TxIndex::from_u32(*tx));
            (outputs.start.to_u64()..outputs.end.to_u64()).for_each(|output| writer.assembler.dead(output));
        }
        writer.resume_live(view);
        writer.tip = view.header(tip).map(|header| (tip, header.block_hash()));
        Ok(writer)
    }

    fn resume_live(&mut self, view: View<'_>) {
        let columns = view.columns();
        for tx in view.txs() {
            let proven = tx.is_proven();
            self.assembler.known.positions += 1;
            self.assembler.known.times += 1;
            for input in tx.inputs().filter_map(|input| input.prevout()) {
                let known = &mut self.assembler.known;
                *if input.tx().is_proven() { &mut known.prevouts_proven } else { &mut known.prevouts_claimed } += 1;
            }
            let outputs = columns.outputs_of(tx.index());
            let (first, count) = (outputs.start.to_u64(), outputs.end.to_u64() - outputs.start.to_u64());
            let is_dead = |output| self.assembler.is_dead(output);
            let left = |vout: &u32| {
                let output = OutputIndex::from_u64(first + u64::from(*vout));
                let spender = columns.spender(output);
                let spent = spender != NO_TX && TxIndex::from_u32(spender) < view.end();
                !spent && columns.script_type(output) != Some(ScriptType::OpReturn) && !is_dead(output.to_u64())
            };
            let count = id::small(id::at(count));
            let live = Live::new(tx.index().to_u32(), first, count, proven);
            let spendable: Vec<u32> = (0..count).filter(left).collect();
            self.live.insert(tx.txid().as_byte_array(), live, spendable.into_iter());
        }
    }

    /// Returns the last block so far.
    pub fn tip(&self) -> Option<(BlockHeight, BlockHash)> {
        self.tip
    }

    /// Notes how many stale blocks the source left out.
    pub fn stale(&mut self, blocks: u32) {
        self.assembler.stale = Some(blocks);
    }

    /// Adds the next block with all its transactions, in order.
    ///
    /// # Errors
    ///
    /// When the block does not follow the last one, when its transactions are not those its header commits to, or when one spends what is not there to
    /// be spent or its own block's coinbase ([`Error::is_contradiction`]); or when a file cannot be written ([`Error::is_io`]). The writer is of no more use then.
    pub fn block(
        &mut self,
        height: BlockHeight,
        header: Header,
        txs: impl IntoIterator<Item = NewTx>,
    ) -> Result<(), Error> {
        let mut chunk = Chunk::default();
        chunk.block(height.to_u32(), Some(&header));
        for tx in txs {
            chunk.record(&tx.height(height));
        }
        if merkle::root(chunk.txids().to_vec()) != header.merkle_root.to_byte_array() {
            return Err(ChainError::MerkleRoot { height, block: header.block_hash() }.into());
        }
        self.append(&chunk, &[(height, header)])
    }

    /// Adds decoded blocks whose transactions give their merkle roots.
    pub(crate) fn append(&mut self, chunk: &Chunk, blocks: &[(BlockHeight, Header)]) -> Result<(), Error> {
        for (height, header) in blocks {
            self.follow(*height, header)?;
        }
        let mut prevouts = std::mem::take(&mut self.prevouts);
        prevouts.clear();
        self.resolve(chunk, &mut prevouts)?;
        self.assembler.append(chunk, &prevouts)?;
        self.prevouts = prevouts;
        Ok(())
    }

    fn follow(&mut self, height: BlockHeight, header: &Header) -> Result<(), Error> {
        let block = header.block_hash();
        match self.tip {
            None if height.to_u32() != 0 => return Err(ChainError::NotGenesis { height, block }.into()),
            Some((below, hash)) if height.to_u32() != below.to_u32() + 1 || header.prev_blockhash != hash => {
                return Err(ChainError::Unlinked { height, block, parent: below }.into());
            }
            _ => {}
        }
        self.tip = Some((height, block));
        Ok(())
    }

    /// Finds what each input spends, and lists what can be spent from now on.
    fn resolve(&mut self, chunk: &Chunk, prevouts: &mut Vec<u64>) -> Result<(), Error> {
        let mut blocks = chunk.blocks.iter().peekable();
        let (mut height, mut own) = (0, 0..0);
        for tx in 0..chunk.txs() {
            let mut first = false;
            if let Some(block) = blocks.next_if(|block| block.first_tx() == tx) {
                (height, first) = (block.height, true);
            }
            let place = self.assembler.txs() + u64::from(tx);
            let (txid, flags) = chunk.tx_at(tx);
            let coinbase = flags & flag::COINBASE != 0;
            if coinbase != first {
                let what = if first { "is first in its block and no coinbase" } else { "is a coinbase and not first" };
                return Err(ChainError::Malformed { txid: Txid::from_byte_array(*txid), what }.into());
            }
            for outpoint in chunk.outpoints_of(tx) {
                let prevout = if coinbase { NO_OUTPUT } else { self.take(outpoint, txid, height)? };
                if own.contains(&prevout) {
                    return Err(of_own_block(outpoint, txid, height).into());
                }
                prevouts.push(prevout);
            }
            let outputs = chunk.outputs_of(tx);
            let first_output = self.assembler.outputs() + u64::from(outputs.start);
            let count = outputs.end - outputs.start;
            if coinbase {
                own = first_output..first_output + u64::from(count);
            }
            let live = Live::new(id::small(id::at(place)), first_output, count, flags & flag::PROVEN != 0);
            let genesis = coinbase && height == 0;
            if genesis {
                (0..u64::from(count)).for_each(|vout| self.assembler.dead(first_output + vout));
            }
            let spendable = (0..count).filter(|vout| !genesis && chunk.is_spendable(outputs.start + vout));
            if let Some(earlier) = self.live.insert(txid, live, spendable) {
                self.overwrite(&earlier, txid, height)?;
            }
        }
        let known = &mut self.assembler.known;
        known.positions += u64::from(chunk.txs());
        known.times += u64::from(chunk.txs());
        Ok(())
    }

    fn take(&mut self, outpoint: &OutPoint, txid: &[u8; 32], height: u32) -> Result<u64, Error> {
        let Some((output, proven)) = self.live.take(outpoint) else {
            let (txid, height) = (Txid::from_byte_array(*txid), BlockHeight::from_u32(height));
            return Err(ChainError::NotThere { txid, height, outpoint: *outpoint }.into());
        };
        let known = &mut self.assembler.known;
        *if proven { &mut known.prevouts_proven } else { &mut known.prevouts_claimed } += 1;
        Ok(output)
    }

    /// Only the two pairs of coinbases from before BIP30 may share a txid while outputs of the first are left.
    fn overwrite(&mut self, earlier: &Live, txid: &[u8; 32], height: u32) -> Result<(), Error> {
        let first = self.assembler.height_of(earlier.tx)?;
        if !OVERWRITTEN.contains(&(first, height)) {
            let (first, second) = (BlockHeight::from_u32(first), BlockHeight::from_u32(height));
            return Err(ChainError::TwoHeights { txid: Txid::from_byte_array(*txid), first, second }.into());
        }
        self.overwritten.push((earlier.tx, height));
        // A coinbase of those days has a single output.
        self.assembler.dead(earlier.first_output);
        Ok(())
    }

    /// Puts the store together.
    ///
    /// # Errors
    ///
    /// When a transaction or a coinbase makes money ([`Error::is_contradiction`]), when there is no block, or when files fail ([`Error::is_io`]).
    pub fn finish(mut self) -> Result<Store, Error> {
        let Some((tip, _)) = self.tip else { return Err(ChainError::NoBlock.into()) };
        self.assembler.complete = Some((BlockHeight::default(), tip));
        drop(self.live);
        self.overwritten.sort_unstable();
        for (tx, height) in self.overwritten {
            self.assembler.column(Column::OverwrittenTx).number::<4>(u64::from(tx))?;
            self.assembler.column(Column::OverwrittenHeight).number::<4>(u64::from(height))?;
        }
        Ok(Store(self.assembler.finish()?))
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("tip", &self.tip).finish_non_exhaustive()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("size", &self.size()).finish_non_exhaustive()
    }
}

/// A coinbase takes the fees of its whole block, so nothing of the block may spend it.
fn of_own_block(coinbase: &OutPoint, txid: &[u8; 32], height: u32) -> ChainError {
    let (height, least) = (BlockHeight::from_u32(height), BlockHeight::from_u32(height.saturating_add(1)));
    ChainError::HeightOrder { txid: Txid::from_byte_array(*txid), height, parent: coinbase.txid, least }
}

fn overwritten(view: View<'_>) -> Vec<(u32, u32)> {
    let columns = view.columns();
    let txs = columns.numbers::<4>(Column::OverwrittenTx).iter();
    let heights = columns.numbers::<4>(Column::OverwrittenHeight).iter();
    let seen = |height: &u64| view.height().is_none_or(|to| *height <= u64::from(to.to_u32()));
    txs.zip(heights)
        .filter(|(_, height)| seen(height))
        .map(|(tx, height)| (id::small(id::at(tx)), id::small(id::at(height))))
        .collect()
}

/// A store that is put together and has only to be written down.
pub struct Store(Assembled);

impl Store {
    /// Returns its size in bytes.
    pub fn size(&self) -> u64 {
        self.0.len()
    }

    /// Writes it to anything.
    ///
    /// # Errors
    ///
    /// [`Error::is_io`] when writing fails.
    pub fn write_to(mut self, mut out: impl std::io::Write) -> Result<(), Error> {
        Ok(self.0.write_to(&mut out)?)
    }

    /// Writes it under a temporary name beside `path`, makes sure it is on the disk, and renames it to `path`.
    ///
    /// # Errors
    ///
    /// [`Error::is_io`]; whatever was at `path` is then still there.
    pub fn save(mut self, path: &Path) -> Result<(), Error> {
        save::save(path, |out| self.0.write_to_file(out))
    }
}
