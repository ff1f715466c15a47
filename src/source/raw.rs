//! Our own form: a JSON object a line, with the transaction's bytes, so that each line proves its own txid.
//!
//! ```text
//! {"txid":"..","height":686683,"time":1623087941,"hex":"02000000..","prevouts":[{"value":6960422177,"script":"0014.."}]}
//! ```
//!
//! - `txid`: as written everywhere, the double SHA-256 of the bytes without witness, reversed.
//! - `height`, `time`: the block's height and its time in seconds since 1970-01-01 UTC, or `null`.
//! - `hex`: the serialised transaction, with or without witness.
//! - `prevouts`: for each input in order the value (sat) and script (hex) of the output it spends, or `null` where that is
//!   unknown; may be absent or empty when nothing is known of any.
//!
//! No other key is allowed: a mistyped one would otherwise be a silent gap. Empty lines are skipped.

use std::io::BufRead;

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{Amount, ScriptBuf, Transaction, TxOut, Txid};
use serde::Deserialize;

use super::lines::Lines;
use super::{proof, until_error};
use crate::chain::NewTx;
use crate::error::{At, Error, SourceError};
use crate::id::BlockHeight;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    txid: Txid,
    height: Option<u32>,
    time: Option<u32>,
    hex: String,
    #[serde(default)]
    prevouts: Vec<Option<Prevout>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prevout {
    value: u64,
    script: ScriptBuf,
}

/// Reads transactions, one a line.
///
/// # Errors
///
/// Each item can fail with [`Error::is_io`], [`Error::is_parse`], or [`Error::is_txid_mismatch`] when the bytes do not hash to the
/// txid. The iterator ends after an error.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::blockdata::constants::genesis_block;
/// use fundtrace::bitcoin::Network;
/// use fundtrace::source::raw;
/// let mut tx = genesis_block(Network::Bitcoin).txdata[0].clone();
/// let txid = tx.compute_txid().to_string();
/// let line = raw::line(&tx, Some(0), None, &[]);
/// assert_eq!(raw::read(line.as_bytes()).next().unwrap()?.txid().to_string(), txid);
///
/// tx.output[0].value -= fundtrace::bitcoin::Amount::ONE_SAT;
/// let altered = raw::line(&tx, Some(0), None, &[]).replace(&tx.compute_txid().to_string(), &txid);
/// let error = raw::read(altered.as_bytes()).next().unwrap().unwrap_err();
/// assert!(error.is_txid_mismatch());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn read(reader: impl BufRead) -> impl Iterator<Item = Result<NewTx, Error>> {
    until_error(Lines::new(reader, At::Line).each(parse))
}

fn parse(at: At, bytes: &[u8]) -> Result<NewTx, SourceError> {
    let expected = "an object with txid, height, time, hex and prevouts";
    // Without the newline: an end that comes too early would else stand on the next line, in no column.
    let parsed: Line =
        serde_json::from_slice(bytes.trim_ascii_end()).map_err(|error| SourceError::json(at, expected, error))?;
    let txid = parsed.txid;
    let tx: Transaction = deserialize_hex(&parsed.hex).map_err(|error| SourceError::Hex { at, txid, error })?;
    let mut record = proof::tx(at, txid, &tx)?;
    // Bytes that show no witness may have lost theirs.
    if tx.input.iter().any(|input| !input.witness.is_empty()) {
        record.weight = u32::try_from(tx.weight().to_wu()).ok();
    }
    let (given, has) = (parsed.prevouts.len(), tx.input.len());
    if given != 0 && given != has {
        return Err(SourceError::Count { at, txid, what: "prevouts", given, has });
    }
    let prevout = |prevout: Prevout| TxOut { value: Amount::from_sat(prevout.value), script_pubkey: prevout.script };
    record = record.prevouts(parsed.prevouts.into_iter().map(|known| known.map(prevout)));
    record.height = parsed.height.map(BlockHeight::from_u32);
    record.time = parsed.time;
    Ok(record)
}

/// Writes a transaction as a line of this form, without the newline; `prevouts` holds what is known of each input's, in order.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::blockdata::constants::genesis_block;
/// use fundtrace::bitcoin::Network;
/// use fundtrace::source::raw;
/// let tx = &genesis_block(Network::Bitcoin).txdata[0];
/// let line = raw::line(tx, Some(0), None, &[]);
/// let read = raw::read(line.as_bytes()).next().unwrap()?;
/// assert_eq!(read.txid(), tx.compute_txid());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn line(tx: &Transaction, height: Option<u32>, time: Option<u32>, prevouts: &[Option<TxOut>]) -> String {
    let prevouts: Vec<_> = prevouts
        .iter()
        .map(|known| {
            known.as_ref().map(|output| {
                serde_json::json!({"value": output.value.to_sat(), "script": output.script_pubkey.to_hex_string()})
            })
        })
        .collect();
    let hex = bitcoin::consensus::encode::serialize_hex(tx);
    serde_json::json!({
        "txid": tx.compute_txid().to_string(), "height": height, "time": time, "hex": hex, "prevouts": prevouts,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_refused_in_bounded_memory() {
        let endless = std::io::BufReader::new(std::io::repeat(b'['));
        let error = read(endless).next().expect("an item").expect_err("refused");
        assert!(error.is_parse(), "{error}");
    }
}
