//! Bitcoin Core's `getblock`, verbosity 2 or 3.
//!
//! ```text
//! bitcoin-cli getblock "$(bitcoin-cli getblockhash 800000)" 3
//! ```
//!
//! Read are the block itself, JSON-RPC's envelope around it (`result`, `error`), arrays of either (a batch's answer), and any
//! number of these one after another. An array is held in memory as a whole; blocks one after another are held one at a time.
//!
//! A block is proven before its first transaction comes out: each transaction's bytes (`hex`) hash to its txid, its witness
//! to its `hash`, the header to the block's hash, and the txids give the header's merkle root. Where `hex` is left out, the
//! transaction is put together from its parts; older nodes leave a coinbase's witness out of them, so its weight is unknown.
//! Verbosity 3 tells of each input the output it spends (`prevout`), which no hash here proves.
//!
//! Amounts are decimal bitcoin. They are taken from the text, digit by digit: `0.1`, `1e-8`, `5` and `50.00000000` are exact,
//! and what is finer than a satoshi is refused.

use std::io::BufRead;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Txid,
    Witness, Wtxid,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{FourBytes, batch, proof, until_error};
use crate::chain::NewTx;
use crate::error::{At, Error, SourceError};
use crate::id::BlockHeight;

const EXPECTED: &str = "the answers of Bitcoin Core's getblock with verbosity 2 or 3";

/// A block, or the envelope with one as its `result`.
#[derive(Deserialize)]
struct Block {
    result: Option<Box<Block>>,
    error: Option<Box<RawValue>>,
    hash: Option<BlockHash>,
    height: Option<u32>,
    version: Option<FourBytes>,
    /// The genesis block has none.
    previousblockhash: Option<BlockHash>,
    merkleroot: Option<TxMerkleNode>,
    time: Option<u32>,
    bits: Option<String>,
    nonce: Option<u32>,
    tx: Option<Vec<BlockTx>>,
}

#[derive(Deserialize)]
struct BlockTx {
    txid: Txid,
    hash: Option<Wtxid>,
    hex: Option<String>,
    version: Option<FourBytes>,
    locktime: Option<u32>,
    vin: Option<Vec<Vin>>,
    vout: Option<Vec<Vout>>,
}

#[derive(Deserialize)]
struct Vin {
    coinbase: Option<ScriptBuf>,
    txid: Option<Txid>,
    vout: Option<u32>,
    #[serde(rename = "scriptSig")]
    script_sig: Option<Script>,
    sequence: Option<u32>,
    #[serde(default)]
    txinwitness: Vec<ScriptBuf>,
    prevout: Option<Vout>,
}

#[derive(Deserialize)]
struct Vout {
    value: Bitcoin,
    #[serde(rename = "scriptPubKey")]
    script: Script,
}

#[derive(Deserialize)]
struct Script {
    hex: ScriptBuf,
}

impl From<Vout> for TxOut {
    fn from(vout: Vout) -> Self {
        Self { value: vout.value.0, script_pubkey: vout.script.hex }
    }
}

/// An amount written in bitcoin.
struct Bitcoin(Amount);

impl<'de> Deserialize<'de> for Bitcoin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        sat(text.get()).map(|sat| Self(Amount::from_sat(sat))).map_err(D::Error::custom)
    }
}

/// The satoshis of a JSON number of bitcoin.
fn sat(text: &str) -> Result<u64, String> {
    let refused = |what: &str| Err(format!("{} {what}", text.chars().take(40).collect::<String>()));
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || !digits.clone().all(|digit| digit.is_ascii_digit()) {
        return refused("is not an amount of bitcoin");
    }
    let zeros = digits.clone().rev().take_while(|&digit| digit == b'0').count();
    let mut significant = digits.take(whole.len() + fraction.len() - zeros).map(|digit| u64::from(digit - b'0'));
    let sum = |sum: u64, digit| sum.checked_mul(10)?.checked_add(digit);
    let Some(mantissa) = significant.try_fold(0, sum) else { return refused("bitcoin is more than can be counted") };
    if mantissa == 0 {
        return Ok(0);
    }
    // The amount is the mantissa times ten to this power, in satoshis.
    let length = |length: usize| i64::try_from(length).unwrap_or(i64::MAX / 4);
    let Ok(exponent) = exponent.parse::<i32>() else { return refused("is not an amount of bitcoin") };
    let power = i64::from(exponent) + 8 - length(fraction.len()) + length(zeros);
    let Ok(power) = u32::try_from(power) else { return refused("bitcoin is finer than a satoshi") };
    match 10_u64.checked_pow(power).and_then(|power| mantissa.checked_mul(power)) {
        Some(sat) => Ok(sat),
        None => refused("bitcoin is more than can be counted"),
    }
}

/// Reads the transactions of blocks.
///
/// The first transaction of each block brings the block's header.
///
/// # Errors
///
/// Each item can fail with [`Error::is_io`]; with [`Error::is_parse`], also when the node answered with an error, when a
/// header does not hash to its block's hash, or when the transactions do not give its merkle root; or with
/// [`Error::is_txid_mismatch`]. Of a block that is refused no transaction comes out. The iterator ends after an error.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::blockdata::constants::genesis_block;
/// use fundtrace::bitcoin::{Network, consensus::encode::serialize_hex};
/// use fundtrace::source::rpc;
/// let block = genesis_block(Network::Bitcoin);
/// let answer = format!(
///     r#"{{"result":{{"hash":"{}","height":0,"version":1,"merkleroot":"{}","time":{},"bits":"1d00ffff","nonce":{},
///         "tx":[{{"txid":"{}","hex":"{}"}}]}},"error":null,"id":1}}"#,
///     block.block_hash(), block.header.merkle_root, block.header.time, block.header.nonce,
///     block.txdata[0].compute_txid(), serialize_hex(&block.txdata[0]),
/// );
/// let tx = rpc::read(answer.as_bytes()).next().unwrap()?;
/// assert!(tx.is_proven());
/// assert_eq!(tx.block_header(), Some(&block.header));
///
/// let refused = r#"{"result":null,"error":{"code":-5,"message":"Block not found"},"id":1}"#;
/// let error = rpc::read(refused.as_bytes()).next().unwrap().unwrap_err();
/// assert!(error.is_parse() && error.to_string().contains("Block not found"));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn read(reader: impl BufRead) -> impl Iterator<Item = Result<NewTx, Error>> {
    let blocks = batch::values::<Block>(reader, EXPECTED);
    until_error(blocks.flat_map(|block| match block.and_then(|(at, block)| records(at, block)) {
        Ok(txs) => txs.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }))
}

fn lacks(at: At, what: &'static str) -> SourceError {
    SourceError::Lacks { at, what, mend: "give the whole answer of getblock with verbosity 2 or 3" }
}

fn records(at: At, block: Block) -> Result<Vec<NewTx>, SourceError> {
    if let Some(error) = block.error {
        return Err(SourceError::Node { at, message: message(error.get()) });
    }
    let block = block.result.map_or(Block { result: None, error: None, ..block }, |result| *result);
    let hash = block.hash.ok_or_else(|| lacks(at, "result or hash"))?;
    let height = BlockHeight::from_u32(block.height.ok_or_else(|| lacks(at, "height"))?);
    let bits = block.bits.as_deref().ok_or_else(|| lacks(at, "bits"))?;
    let header = Header {
        version: BlockVersion::from_consensus(block.version.ok_or_else(|| lacks(at, "version"))?.0),
        prev_blockhash: block.previousblockhash.unwrap_or_else(BlockHash::all_zeros),
        merkle_root: block.merkleroot.ok_or_else(|| lacks(at, "merkleroot"))?,
        time: block.time.ok_or_else(|| lacks(at, "time"))?,
        bits: CompactTarget::from_unprefixed_hex(bits).map_err(|_| {
            let found = bits.chars().take(40).collect();
            SourceError::Field { at, column: "bits", found, expected: "eight hex digits" }
        })?,
        nonce: block.nonce.ok_or_else(|| lacks(at, "nonce"))?,
    };
    let header = proof::header(at, hash, header)?;
    let mut records = Vec::new();
    for (position, tx) in (0..).zip(block.tx.ok_or_else(|| lacks(at, "tx"))?) {
        records.push(record(at, tx)?.height(height).position(position).time(header.time));
    }
    proof::block(at, hash, &header, records.iter().map(NewTx::txid))?;
    if let Some(first) = records.first_mut() {
        first.header = Some(Box::new(header));
    }
    Ok(records)
}

fn record(at: At, tx: BlockTx) -> Result<NewTx, SourceError> {
    let (txid, hash) = (tx.txid, tx.hash);
    let (prevouts, whole) = match tx.hex {
        Some(hex) => {
            let whole = deserialize_hex(&hex).map_err(|error| SourceError::Hex { at, txid, error })?;
            (tx.vin.unwrap_or_default().into_iter().map(|vin| vin.prevout).collect(), whole)
        }
        None => assemble(at, tx)?,
    };
    let (given, has) = (prevouts.len(), whole.input.len());
    // Without a `vin` nothing is said of the prevouts.
    if given != 0 && given != has {
        return Err(SourceError::Count { at, txid, what: "vin", given, has });
    }
    let mut record = proof::tx(at, txid, &whole)?;
    record = record.prevouts(prevouts.into_iter().map(|prevout| prevout.map(TxOut::from)));
    let shown = whole.input.iter().any(|input| !input.witness.is_empty());
    let complete = hash.map_or(shown, |hash| hash == whole.compute_wtxid());
    match hash {
        _ if complete => record.weight = u32::try_from(whole.weight().to_wu()).ok(),
        // A node can be set to leave the witness out; one that it gives must be the right one.
        Some(claimed) if shown => return Err(SourceError::WitnessMismatch { at, txid, claimed }),
        _ => {}
    }
    Ok(record)
}

/// Puts a transaction together from its parts.
fn assemble(at: At, tx: BlockTx) -> Result<(Vec<Option<Vout>>, Transaction), SourceError> {
    let lacks = |what| lacks(at, what);
    let mut prevouts = Vec::new();
    let mut input = Vec::new();
    for vin in tx.vin.ok_or_else(|| lacks("hex or vin"))? {
        let (previous_output, script_sig) = match vin.coinbase {
            Some(text) => (OutPoint::null(), text),
            None => {
                let txid = vin.txid.ok_or_else(|| lacks("txid in a vin"))?;
                let vout = vin.vout.ok_or_else(|| lacks("vout in a vin"))?;
                (OutPoint::new(txid, vout), vin.script_sig.ok_or_else(|| lacks("scriptSig in a vin"))?.hex)
            }
        };
        let sequence = Sequence(vin.sequence.ok_or_else(|| lacks("sequence in a vin"))?);
        let witness = Witness::from_slice(&vin.txinwitness.iter().map(|item| item.as_bytes()).collect::<Vec<_>>());
        input.push(TxIn { previous_output, script_sig, sequence, witness });
        prevouts.push(vin.prevout);
    }
    let version = Version(tx.version.ok_or_else(|| lacks("hex or version of a transaction"))?.0);
    let lock_time = LockTime::from_consensus(tx.locktime.ok_or_else(|| lacks("hex or locktime of a transaction"))?);
    let output = tx.vout.ok_or_else(|| lacks("hex or vout"))?.into_iter().map(TxOut::from).collect();
    Ok((prevouts, Transaction { version, lock_time, input, output }))
}

/// What the node says is wrong: its message, or the error as it stands.
fn message(error: &str) -> String {
    #[derive(Deserialize)]
    struct NodeError {
        message: String,
    }
    let message = serde_json::from_str(error).map_or_else(|_| error.to_owned(), |error: NodeError| error.message);
    message.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        let cases = [
            ("0.1", 10_000_000),
            ("1e-8", 1),
            ("5", 500_000_000),
            ("50.00000000", 5_000_000_000),
            ("0.00000001", 1),
            ("1.0e-8", 1),
            ("20999999.9769", 2_099_999_997_690_000),
            ("1E+2", 10_000_000_000),
            ("1200e-2", 1_200_000_000),
            ("0e99999999999999999999", 0),
            ("0.000000000000", 0),
            ("184467440737.09551615", u64::MAX),
        ];
        for (text, expected) in cases {
            assert_eq!(sat(text), Ok(expected), "{text}");
        }
        for text in
            ["-1", "0.000000001", "1e-9", "184467440737.09551616", "1e99", "1e99999999999", "\"1\"", "null", ".5", "-0"]
        {
            assert!(sat(text).is_err(), "{text}");
        }
        assert!(sat(&"9".repeat(100_000)).is_err_and(|what| what.len() < 100));
    }
}
