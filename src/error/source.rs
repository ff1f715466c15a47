//! What can be wrong with the bytes of a source.

use bitcoin::Txid;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("line {line}: {error}; expected {expected}")]
    Json { line: u64, expected: &'static str, error: serde_json::Error },
    #[error("line {line}: input could not be read")]
    Io {
        line: u64,
        #[source]
        error: std::io::Error,
    },
    #[error(
        "line {line}: the bytes of transaction {claimed} hash to {computed}; \
         the bytes or the txid were altered, fetch the transaction again"
    )]
    TxidMismatch { line: u64, claimed: Txid, computed: Txid },
    #[error("line {line}: transaction {txid}: its hex is not a transaction: {error}")]
    Hex { line: u64, txid: Txid, error: bitcoin::consensus::encode::FromHexError },
    #[error("line {line}: transaction {txid}: {what} {given}, but it has {has}; give one for each or none")]
    Count { line: u64, txid: Txid, what: &'static str, given: usize, has: usize },
    #[error(
        "the form of the input was not recognised: {found}; expected JSON lines with \"hex\" (raw) or \"vin\" (esplora), or name the form"
    )]
    Unrecognised { found: String },
    #[error("the input holds no transaction")]
    Empty,
}

impl SourceError {
    pub(crate) fn is_txid_mismatch(&self) -> bool {
        matches!(self, Self::TxidMismatch { .. })
    }
}
