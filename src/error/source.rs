//! What can be wrong with the bytes of a source.

use std::fmt;

use bitcoin::Txid;

use crate::id;

/// Where in the input: counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    Line(u64),
    Column(u64, u64),
    /// For forms where a transaction is not a line.
    Tx(u64),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Column(line, column) => write!(f, "line {line} column {column}"),
            Self::Tx(number) => write!(f, "entry {number}"),
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
    #[error("{at}: transaction {txid}: its hex is not a transaction: {error}")]
    Hex { at: At, txid: Txid, error: bitcoin::consensus::encode::FromHexError },
    #[error("{at}: transaction {txid}: {what} {given}, but it has {has}; give one for each or none")]
    Count { at: At, txid: Txid, what: &'static str, given: usize, has: usize },
    #[error(
        "the form of the input was not recognised: {found}; expected JSON lines with \"hex\" (raw) or \"vin\" (esplora), \
         or name the form yourself (--from on the command line)"
    )]
    Unrecognised { found: String },
    #[error("the input holds no transaction")]
    Empty,
}

impl SourceError {
    /// What the parser says, with its position said once and in front. `line` is the input's own count where the parser was
    /// given one line alone and so calls each the first.
    pub(crate) fn json(line: Option<u64>, expected: &'static str, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        let line = line.unwrap_or(id::number(error.line()));
        let at = At::Column(line, id::number(error.column()));
        Self::Json { at, expected, error: text.strip_suffix(&position).unwrap_or(&text).into() }
    }

    pub(crate) fn is_txid_mismatch(&self) -> bool {
        matches!(self, Self::TxidMismatch { .. })
    }
}
