//! What can be wrong with the bytes of a source.

use std::fmt;

use bitcoin::{BlockHash, TxMerkleNode, Txid, Wtxid};

use crate::id;

/// Where in the input: counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    Line(u64),
    Column(u64, u64),
    /// For forms where an entry is not a line.
    Entry(u64),
    /// For forms of several files: which, and the line.
    Row(&'static str, u64),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Column(line, column) => write!(f, "line {line} column {column}"),
            Self::Entry(number) => write!(f, "entry {number}"),
            Self::Row(file, line) => write!(f, "{file} line {line}"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("{at}: {error}; expected {expected}")]
    Json { at: At, expected: &'static str, error: String },
    #[error("{at}: input could not be read")]
    Io {
        at: At,
        #[source]
        error: std::io::Error,
    },
    #[error(
        "{at}: the bytes of transaction {claimed} hash to {computed}; \
         the bytes or the txid were altered, fetch the transaction again"
    )]
    TxidMismatch { at: At, claimed: Txid, computed: Txid },
    #[error(
        "{at}: transaction {txid}: with its witness it does not hash to {claimed}; \
         the witness or the hash was altered, fetch the transaction again"
    )]
    WitnessMismatch { at: At, txid: Txid, claimed: Wtxid },
    #[error(
        "{at}: the header of block {claimed} hashes to {computed}; \
         a field of the block or its hash was altered, fetch the block again"
    )]
    HeaderMismatch { at: At, claimed: BlockHash, computed: BlockHash },
    #[error(
        "{at}: the transactions of block {block} give the merkle root {computed}, which is not its header's; \
         one was left out, added or moved, fetch the block again"
    )]
    MerkleMismatch { at: At, block: BlockHash, computed: TxMerkleNode },
    #[error("{at}: block {block} is at height {given} here and at {known} among the blocks; export both together")]
    Height { at: At, block: BlockHash, given: u32, known: u32 },
    #[error("{at}: the node answered with an error: {message}; ask it again")]
    Node { at: At, message: String },
    #[error("{at}: there is no {what}; {mend}")]
    Lacks { at: At, what: &'static str, mend: &'static str },
    #[error("{at}: {column} is {found:?}, expected {expected}")]
    Field { at: At, column: &'static str, found: String, expected: &'static str },
    #[error(
        "{at}: {found} is out of step: expected {expected}; the files must be of one export, whole and in their order"
    )]
    Step { at: At, found: String, expected: String },
    #[error("{at}: the line is longer than {bytes_max} bytes; nothing of this form is, so the input is something else")]
    Long { at: At, bytes_max: u64 },
    #[error("{at}: transaction {txid}: its hex is not a transaction: {error}")]
    Hex { at: At, txid: Txid, error: bitcoin::consensus::encode::FromHexError },
    #[error("{at}: transaction {txid}: {what} {given}, but it has {has}; give one for each or none")]
    Count { at: At, txid: Txid, what: &'static str, given: usize, has: usize },
    #[error(
        "the form of the input was not recognised: {found}; expected JSON with \"hex\" (raw), \"vin\" (esplora), \"tx\" and \
         \"merkleroot\" or \"result\" (rpc), or \"inputs\" and \"outputs\" (bitcoin-etl), or name the form yourself (--from on the command line)"
    )]
    Unrecognised { found: String },
    #[error("the input holds no transaction")]
    Empty,
}

impl SourceError {
    /// What the parser says, with its position said once and in front. A line's number is the input's own count, for there
    /// the parser was given one line alone and calls each the first.
    pub(crate) fn json(at: At, expected: &'static str, error: serde_json::Error) -> Self {
        if error.is_io() {
            return Self::Io { at, error: error.into() };
        }
        let text = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        let at = match at {
            // A value that was put together from a row's columns has no position of its own.
            _ if error.line() == 0 => at,
            At::Line(line) => At::Column(line, id::number(error.column())),
            _ => At::Column(id::number(error.line()), id::number(error.column())),
        };
        Self::Json { at, expected, error: text.strip_suffix(&position).unwrap_or(&text).into() }
    }

    pub(crate) fn is_txid_mismatch(&self) -> bool {
        matches!(self, Self::TxidMismatch { .. })
    }
}
