//! rusty-blockparser's `csvdump`: four files, `;` between the columns, no line of names.
//!
//! ```text
//! blocks        block_hash;height;version;blocksize;hashPrev;hashMerkleRoot;nTime;nBits;nNonce
//! transactions  txid;hashBlock;version;lockTime
//! tx_in         txid;hashPrevOut;indexPrevOut;scriptSig;sequence
//! tx_out        txid;indexOut;value;scriptPubKey;address
//! ```
//!
//! Its documentation names a `height` before `value` in tx_out, which it does not write; both are read. The numbers are decimal,
//! `nBits` and `nNonce` too; values are satoshis.
//!
//! The files have the same order, so they are read in step, a transaction at a time, in memory that does not grow with the dump.
//! Each transaction is put together again and hashed, each header hashes to its block's hash, and the transactions of each block
//! give its merkle root. The witness is not in a dump, so the weight is unknown.

use std::io::BufRead;
use std::str::FromStr;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Txid,
    Witness,
};

use super::lines::Lines;
use super::{FourBytes, proof, until_error};
use crate::chain::NewTx;
use crate::error::{At, Error, SourceError};
use crate::id::{self, BlockHeight};

/// The four files of a dump, of the same range of blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dump<R> {
    /// `blocks-FROM-TO.csv`.
    pub blocks: R,
    /// `transactions-FROM-TO.csv`.
    pub transactions: R,
    /// `tx_in-FROM-TO.csv`.
    pub inputs: R,
    /// `tx_out-FROM-TO.csv`.
    pub outputs: R,
}

/// Reads the transactions of a dump. The first of each block brings the block's header.
///
/// # Errors
///
/// Each item can fail with [`Error::is_io`]; with [`Error::is_parse`], also when the files are out of step, when a header does
/// not hash to its block's hash, or when a block's transactions do not give its merkle root, which shows after its last one;
/// or with [`Error::is_txid_mismatch`]. The message names the file and the line. The iterator ends after an error.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::blockdata::constants::genesis_block;
/// use fundtrace::bitcoin::{Network, OutPoint};
/// use fundtrace::source::csv::{self, Dump};
/// let block = genesis_block(Network::Bitcoin);
/// let (header, tx) = (block.header, &block.txdata[0]);
/// let (hash, txid) = (header.block_hash(), tx.compute_txid());
/// let (null, input, output) = (OutPoint::null(), &tx.input[0], &tx.output[0]);
/// let blocks = format!("{hash};0;1;285;{};{};{};{};{}\n", header.prev_blockhash, header.merkle_root, header.time,
///     header.bits.to_consensus(), header.nonce);
/// let transactions = format!("{txid};{hash};1;0\n");
/// let inputs = format!("{txid};{};{};{:x};4294967295\n", null.txid, null.vout, input.script_sig);
/// let outputs = format!("{txid};0;5000000000;{:x};\n", output.script_pubkey);
/// let dump = Dump {
///     blocks: blocks.as_bytes(), transactions: transactions.as_bytes(),
///     inputs: inputs.as_bytes(), outputs: outputs.as_bytes(),
/// };
/// let tx = csv::read(dump).next().unwrap()?;
/// assert!(tx.is_proven() && tx.is_coinbase());
/// assert_eq!(tx.block_header(), Some(&header));
///
/// let error = csv::read(Dump { outputs: "".as_bytes(), ..dump }).next().unwrap().unwrap_err();
/// assert!(error.to_string().starts_with("tx_out line 1"));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn read<R: BufRead>(dump: Dump<R>) -> impl Iterator<Item = Result<NewTx, Error>> {
    let mut steps = Steps {
        blocks: Table::new(dump.blocks, |line| At::Row("blocks", line)),
        transactions: Table::new(dump.transactions, |line| At::Row("transactions", line)),
        inputs: Table::new(dump.inputs, |line| At::Row("tx_in", line)),
        outputs: Table::new(dump.outputs, |line| At::Row("tx_out", line)),
        block: None,
    };
    until_error(std::iter::from_fn(move || steps.next().transpose()))
}

/// The four files, each at its next row, and the block that is being read.
struct Steps<R> {
    blocks: Table<R>,
    transactions: Table<R>,
    inputs: Table<R>,
    outputs: Table<R>,
    block: Option<Block>,
}

struct Block {
    at: At,
    hash: BlockHash,
    height: u32,
    header: Header,
    txids: Vec<Txid>,
}

impl<R: BufRead> Steps<R> {
    fn next(&mut self) -> Result<Option<NewTx>, SourceError> {
        let Some(row) = self.transactions.row()? else {
            self.end_block()?;
            self.blocks.end()?;
            self.inputs.end()?;
            self.outputs.end()?;
            return Ok(None);
        };
        row.columns(4)?;
        let (at, txid, hash): (At, Txid, BlockHash) = (row.at, row.get(0, "txid")?, row.get(1, "hashBlock")?);
        let (version, lock_time): (FourBytes, u32) = (row.get(2, "version")?, row.get(3, "lockTime")?);
        self.transactions.advance();
        let input = self.inputs_of(txid)?;
        let output = self.outputs_of(txid)?;
        let lock_time = LockTime::from_consensus(lock_time);
        let tx = Transaction { version: Version(version.0), lock_time, input, output };
        let mut record = proof::tx(at, txid, &tx)?;
        if self.block.as_ref().is_none_or(|block| block.hash != hash) {
            self.end_block()?;
            let block = self.begin_block(hash)?;
            record = record.header(block.header);
            self.block = Some(block);
        }
        if let Some(block) = &mut self.block {
            record.position = u32::try_from(block.txids.len()).ok();
            record = record.height(BlockHeight::from_u32(block.height)).time(block.header.time);
            block.txids.push(txid);
        }
        Ok(Some(record))
    }

    fn begin_block(&mut self, expected: BlockHash) -> Result<Block, SourceError> {
        let Some(row) = self.blocks.row()? else { return Err(self.blocks.ended(&expected)) };
        row.columns(9)?;
        let (at, hash): (At, BlockHash) = (row.at, row.get(0, "block_hash")?);
        if hash != expected {
            return Err(SourceError::Step { at, found: hash.to_string(), expected: expected.to_string() });
        }
        let version: FourBytes = row.get(2, "version")?;
        let header = Header {
            version: BlockVersion::from_consensus(version.0),
            prev_blockhash: row.get(4, "hashPrev")?,
            merkle_root: row.get::<TxMerkleNode>(5, "hashMerkleRoot")?,
            time: row.get(6, "nTime")?,
            bits: CompactTarget::from_consensus(row.get(7, "nBits")?),
            nonce: row.get(8, "nNonce")?,
        };
        let height = row.get(1, "height")?;
        let header = proof::header(at, hash, header)?;
        self.blocks.advance();
        Ok(Block { at, hash, height, header, txids: Vec::new() })
    }

    fn end_block(&mut self) -> Result<(), SourceError> {
        match self.block.take() {
            Some(Block { at, hash, header, txids, .. }) => proof::block(at, hash, &header, txids.into_iter()),
            None => Ok(()),
        }
    }

    fn inputs_of(&mut self, txid: Txid) -> Result<Vec<TxIn>, SourceError> {
        let mut inputs = Vec::new();
        while let Some(row) = self.inputs.row_of(txid, inputs.is_empty())? {
            row.columns(5)?;
            inputs.push(TxIn {
                previous_output: OutPoint::new(row.get(1, "hashPrevOut")?, row.get(2, "indexPrevOut")?),
                script_sig: row.script(3, "scriptSig")?,
                sequence: Sequence(row.get(4, "sequence")?),
                witness: Witness::new(),
            });
            self.inputs.advance();
        }
        Ok(inputs)
    }

    fn outputs_of(&mut self, txid: Txid) -> Result<Vec<TxOut>, SourceError> {
        let mut outputs = Vec::new();
        while let Some(row) = self.outputs.row_of(txid, outputs.is_empty())? {
            // With or without the height.
            let value = match row.cells.len() {
                5 => 2,
                _ => 3,
            };
            row.columns(value + 3)?;
            let index: u64 = row.get(1, "indexOut")?;
            if index != id::number(outputs.len()) {
                let (found, expected) = (format!("{txid}:{index}"), format!("{txid}:{}", outputs.len()));
                return Err(SourceError::Step { at: row.at, found, expected });
            }
            let script_pubkey = row.script(value + 1, "scriptPubKey")?;
            outputs.push(TxOut { value: Amount::from_sat(row.get(value, "value")?), script_pubkey });
            self.outputs.advance();
        }
        Ok(outputs)
    }
}

/// A file and its next row.
struct Table<R> {
    lines: Lines<R>,
    next: Option<Row>,
}

struct Row {
    at: At,
    cells: Vec<String>,
}

impl<R: BufRead> Table<R> {
    fn new(reader: R, place: fn(u64) -> At) -> Self {
        Self { lines: Lines::new(reader, place), next: None }
    }

    /// The next row, which stays the next until [`advance`](Self::advance).
    fn row(&mut self) -> Result<Option<&Row>, SourceError> {
        if self.next.is_none() {
            let split =
                |(at, line)| Row { at, cells: String::from_utf8_lossy(line).split(';').map(str::to_owned).collect() };
            self.next = self.lines.next()?.map(split);
        }
        Ok(self.next.as_ref())
    }

    fn advance(&mut self) {
        self.next = None;
    }

    /// The next row where it is of this transaction; one that is not is an error if it is the first.
    fn row_of(&mut self, txid: Txid, first: bool) -> Result<Option<&Row>, SourceError> {
        let found: Option<(At, Txid)> = self.row()?.map(|row| Ok((row.at, row.get(0, "txid")?))).transpose()?;
        match found {
            Some((_, found)) if found == txid => Ok(self.next.as_ref()),
            _ if !first => Ok(None),
            Some((at, found)) => Err(SourceError::Step { at, found: found.to_string(), expected: txid.to_string() }),
            None => Err(self.ended(&txid)),
        }
    }

    /// That nothing is left.
    fn end(&mut self) -> Result<(), SourceError> {
        match self.row()? {
            Some(Row { at, cells }) => {
                let found = cells.first().map_or_else(String::new, |cell| short(cell));
                Err(SourceError::Step { at: *at, found, expected: "the end of the file".into() })
            }
            None => Ok(()),
        }
    }

    fn ended(&self, expected: &impl ToString) -> SourceError {
        let (at, found) = (self.lines.at(), "the end of the file".into());
        SourceError::Step { at, found, expected: expected.to_string() }
    }
}

impl Row {
    fn columns(&self, count: usize) -> Result<(), SourceError> {
        if self.cells.len() == count {
            return Ok(());
        }
        let found = self.cells.len().to_string();
        let expected = "as many as csvdump writes into this file";
        Err(SourceError::Field { at: self.at, column: "the count of columns", found, expected })
    }

    fn get<T: FromStr>(&self, at: usize, column: &'static str) -> Result<T, SourceError> {
        let cell = self.cells.get(at).map_or("", String::as_str);
        cell.parse().map_err(|_| self.bad(column, cell, "a decimal number or a hash of 64 hex digits"))
    }

    fn script(&self, at: usize, column: &'static str) -> Result<ScriptBuf, SourceError> {
        let cell = self.cells.get(at).map_or("", String::as_str);
        ScriptBuf::from_hex(cell).map_err(|_| self.bad(column, cell, "a script in hex"))
    }

    fn bad(&self, column: &'static str, cell: &str, expected: &'static str) -> SourceError {
        SourceError::Field { at: self.at, column, found: short(cell), expected }
    }
}

fn short(cell: &str) -> String {
    cell.chars().take(40).collect()
}
