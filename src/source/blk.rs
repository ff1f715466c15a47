//! Bitcoin Core's block files, as they lie in `blocks/` while the node may be running.
//!
//! Read are all `blk*.dat` of a folder with the key of `xor.dat` (Core 28 and later XOR their files with it), or single files.
//! Blocks lie in the order in which they arrived, so all headers are read first; the active chain is the one with the most
//! work among those whose blocks are all there. Blocks beside it are stale, left out and counted. A file ends at the first
//! bytes that are not the network's magic: Core allocates its files ahead and leaves the tail as zeros.
//!
//! What is checked: the genesis block is the network's, each header meets its own target and follows its parent, and the transactions give
//! the header's merkle root. Signatures and witness commitments are the node's business.

mod active;
mod decode;
mod files;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, Network, Txid};

pub(crate) use self::active::Located;
use self::files::Key;
use crate::chain::chunk::Chunk;
use crate::chain::{Chain, NewTx, Writer};
use crate::error::{BlkError, Error};
use crate::id::{self, BlockHeight};
use crate::par;

/// Bytes of blocks that are decoded ahead at a time.
const BATCH_BYTES: u64 = 12 << 20;

/// The active chain of some block files, found by their headers; the blocks themselves are still to be read.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use fundtrace::bitcoin::{Network, blockdata::constants::genesis_block, consensus::serialize, p2p::Magic};
/// use fundtrace::source::blk::Blocks;
///
/// let folder = std::env::temp_dir().join(format!("fundtrace-doc-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// let block = serialize(&genesis_block(Network::Regtest));
/// let mut file = std::fs::File::create(folder.join("blk00000.dat"))?;
/// file.write_all(&Magic::REGTEST.to_bytes())?;
/// file.write_all(&(block.len() as u32).to_le_bytes())?;
/// file.write_all(&block)?;
/// file.write_all(&[0; 1000])?; // the tail that Core allocates
///
/// let blocks = Blocks::open(&[&folder], Network::Regtest)?;
/// assert_eq!((blocks.len(), blocks.stale()), (1, 0));
/// assert!(blocks.txs().next().unwrap()?.is_coinbase());
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Blocks {
    /// The files with their keys.
    files: Vec<(PathBuf, Key)>,
    /// The active chain above what is stored already.
    active: Vec<Located>,
    /// The height of the first of them.
    from: u32,
    stale: u32,
    ignored: Vec<String>,
}

/// How far writing has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// The last block that is written.
    pub height: BlockHeight,
    /// Blocks written, of how many.
    pub blocks: u64,
    /// All blocks to be written.
    pub blocks_total: u64,
    /// Transactions written.
    pub txs: u64,
    /// Bytes of block files read, of how many.
    pub bytes: u64,
    /// All bytes to be read.
    pub bytes_total: u64,
}

impl Blocks {
    /// Finds the active chain of block files: of each path that is a folder its `blk*.dat`, of each that is a file the file.
    ///
    /// # Errors
    ///
    /// [`Error::is_io`] when a file cannot be read; [`Error::is_parse`] when the files are of another network, lack their XOR key, or
    /// hold damaged headers, or when a block's parent is not among them.
    pub fn open(paths: &[impl AsRef<Path>], network: Network) -> Result<Self, Error> {
        Self::find(paths, network, &[], false)
    }

    /// As [`open`](Self::open), but where blocks are missing the chain ends below the gap, and what is above is ignored.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), without the last.
    pub fn open_to_gap(paths: &[impl AsRef<Path>], network: Network) -> Result<Self, Error> {
        Self::find(paths, network, &[], true)
    }

    /// Finds what the files hold beyond a stored chain, which stands in for files that are not there: the blocks to be
    /// written after [`Writer::resume`] at [`fork`](Self::fork).
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`Error::is_contradiction`] when the stored chain has no headers from the genesis block on.
    pub fn beyond<D: AsRef<[u8]>>(paths: &[impl AsRef<Path>], chain: &Chain<D>, to_gap: bool) -> Result<Self, Error> {
        let view = chain.view();
        let top = view.tip().map_or(0, |tip| tip.to_u32() + 1);
        let stored: Option<Vec<Header>> = (0..top).map(|height| view.header(BlockHeight::from_u32(height))).collect();
        let stored = stored.ok_or(crate::error::ChainError::NotWhole)?;
        Self::find(paths, chain.network(), &stored, to_gap)
    }

    fn find(paths: &[impl AsRef<Path>], network: Network, stored: &[Header], to_gap: bool) -> Result<Self, Error> {
        let folders = files::list(paths)?;
        let names: Vec<(usize, PathBuf)> = folders
            .iter()
            .enumerate()
            .flat_map(|(at, folder)| folder.files.iter().map(move |file| (at, file.clone())))
            .collect();
        let scanned = par::map(&names, |(at, file)| files::scan(file, folders[*at].key, network));
        let mut found = Vec::new();
        let mut ignored = Vec::new();
        for (file, scanned) in scanned.into_iter().enumerate() {
            let scanned = scanned?;
            found.extend(scanned.blocks.into_iter().map(|block| Located { file, ..block }));
            ignored.extend(scanned.ignored);
        }
        let files: Vec<(PathBuf, Key)> = names.into_iter().map(|(at, file)| (file, folders[at].key)).collect();
        let describe = |block: &Located| files[block.file].0.display().to_string();
        let chain = active::find(found, stored, network, to_gap, describe)?;
        ignored.extend(chain.ignored);
        Ok(Self { files, active: chain.active, from: chain.from, stale: chain.stale, ignored })
    }

    /// Leaves out the blocks above a height.
    pub fn cut(&mut self, to: BlockHeight) {
        let keep = (u64::from(to.to_u32()) + 1).saturating_sub(u64::from(self.from));
        self.active.truncate(id::at(keep));
    }

    /// Returns how many blocks there are to read.
    pub fn len(&self) -> usize {
        self.active.len()
    }

    /// True when there is none: the stored chain has all of them.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Returns how many complete blocks of the files are not on the active chain.
    pub fn stale(&self) -> u32 {
        self.stale
    }

    /// Returns the height up to which the files agree with the stored chain; `None` without one.
    pub fn fork(&self) -> Option<BlockHeight> {
        self.from.checked_sub(1).map(BlockHeight::from_u32)
    }

    /// Returns the last block of the active chain, if there is any to read.
    pub fn tip(&self) -> Option<(BlockHeight, BlockHash)> {
        let last = self.active.last()?;
        Some((self.height(self.active.len() - 1), last.header.block_hash()))
    }

    /// Returns what was passed over and may be worth a look: bytes behind the blocks that are not zeros, blocks above a gap.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Returns the sum of the blocks' sizes in bytes.
    pub fn size(&self) -> u64 {
        self.active.iter().map(|block| u64::from(block.size)).sum()
    }

    /// Iterates the transactions of the active chain, in order, as records: whole, proven, with height, position, weight, and the
    /// header on each coinbase.
    ///
    /// # Errors
    ///
    /// Each item can fail with [`Error::is_io`] or [`Error::is_parse`]; the message names the file and the offset. The iterator ends after an error.
    pub fn txs(&self) -> impl Iterator<Item = Result<NewTx, Error>> + '_ {
        let mut failed = false;
        let blocks = (0..self.active.len()).map(move |at| self.block(at).map(|block| records(block, self.height(at))));
        blocks
            .flat_map(|block| match block {
                Ok(records) => records.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            })
            .take_while(move |tx| !std::mem::replace(&mut failed, tx.is_err()))
    }

    /// Writes the blocks to a store: decodes ahead on the caller's rayon pool while the writer takes them in order. `progress` is called
    /// every few megabytes.
    ///
    /// # Errors
    ///
    /// As [`txs`](Self::txs) and [`Writer::block`].
    pub fn write_to(&self, writer: &mut Writer, mut progress: impl FnMut(Progress) + Send) -> Result<(), Error> {
        writer.stale(self.stale);
        let mut done = Progress {
            height: BlockHeight::default(),
            blocks: 0,
            blocks_total: id::number(self.active.len()),
            txs: 0,
            bytes: 0,
            bytes_total: self.size(),
        };
        par::ahead(
            self.batches(),
            |at| (at, self.chunk(at)),
            |(at, chunk)| -> Result<(), Error> {
                let (block, chunk) = (&self.active[at], chunk?);
                writer.append(&chunk, &[(self.height(at), block.header)])?;
                let before = done.bytes / BATCH_BYTES;
                done.height = self.height(at);
                done.blocks += 1;
                done.txs += u64::from(chunk.txs());
                done.bytes += u64::from(block.size);
                if done.bytes / BATCH_BYTES > before || done.blocks == done.blocks_total {
                    progress(done);
                }
                Ok(())
            },
        )
    }

    /// Runs of blocks of a few megabytes together.
    fn batches(&self) -> impl Iterator<Item = Vec<usize>> + '_ {
        let mut next = 0;
        std::iter::from_fn(move || {
            let start = next;
            let mut bytes = 0;
            while next < self.active.len() && bytes < BATCH_BYTES {
                bytes += u64::from(self.active[next].size);
                next += 1;
            }
            (start < next).then(|| (start..next).collect())
        })
    }

    fn height(&self, at: usize) -> BlockHeight {
        BlockHeight::from_u32(self.from + id::small(at))
    }

    fn chunk(&self, at: usize) -> Result<Chunk, Error> {
        let bytes = self.read(at)?;
        let mut chunk = Chunk::default();
        let decoded = decode::block(&bytes, self.height(at), &self.active[at].header, &mut chunk);
        decoded.map_err(|error| self.within(at, error.into()))?;
        Ok(chunk)
    }

    fn block(&self, at: usize) -> Result<Block, Error> {
        let bytes = self.read(at)?;
        let block: Block = bitcoin::consensus::deserialize(&bytes)
            .map_err(|error| self.within(at, BlkError::NotABlock { what: error.to_string() }.into()))?;
        if !block.check_merkle_root() {
            return Err(self.within(at, BlkError::MerkleRoot { block: block.block_hash() }.into()));
        }
        Ok(block)
    }

    fn read(&self, at: usize) -> Result<Vec<u8>, Error> {
        let block = &self.active[at];
        let (path, key) = &self.files[block.file];
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(path)?;
            let mut bytes = vec![0; id::at(block.size)];
            file.seek(SeekFrom::Start(block.offset))?;
            file.read_exact(&mut bytes)?;
            files::unxor(&mut bytes, block.offset, *key);
            Ok(bytes)
        };
        read().map_err(|error| self.within(at, error.into()))
    }

    fn within(&self, at: usize, error: Error) -> Error {
        let block = &self.active[at];
        let (file, _) = &self.files[block.file];
        error.within(format!("{} offset {}", file.display(), block.offset))
    }
}

/// The records of a block.
fn records(block: Block, height: BlockHeight) -> Vec<NewTx> {
    let header = block.header;
    let record = |(position, tx): (u32, &bitcoin::Transaction)| {
        let record = NewTx::from_transaction(tx).height(height).position(position).time(header.time);
        let record = match u32::try_from(tx.weight().to_wu()) {
            Ok(weight) => record.weight(weight),
            Err(_) => record,
        };
        if position == 0 { record.header(header) } else { record }
    };
    (0..).zip(&block.txdata).map(record).collect()
}

/// Returns the txids of one raw block, hashed from its bytes without a copy and checked against the header's merkle root.
///
/// # Errors
///
/// [`Error::is_parse`] when the bytes are no block, or one whose transactions do not give its merkle root.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Network, blockdata::constants::genesis_block, consensus::serialize};
/// let genesis = genesis_block(Network::Bitcoin);
/// let txids = fundtrace::source::blk::txids(&serialize(&genesis))?;
/// assert_eq!(txids, [genesis.txdata[0].compute_txid()]);
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn txids(block: &[u8]) -> Result<Vec<Txid>, Error> {
    let short = || BlkError::NotABlock { what: "it is shorter than a header".into() };
    let header: &[u8; 80] = block.first_chunk().ok_or_else(short)?;
    let header = bitcoin::consensus::deserialize(header).expect("any 80 bytes are a header");
    let mut chunk = Chunk::default();
    decode::block(block, BlockHeight::default(), &header, &mut chunk)?;
    Ok(chunk.txids().iter().map(|txid| Txid::from_byte_array(*txid)).collect())
}

/// True when a path holds block files: a folder with `blk*.dat`, or a file that begins with some network's magic.
pub fn is_here(path: &Path) -> bool {
    files::is_here(path)
}
