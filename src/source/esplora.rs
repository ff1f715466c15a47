//! Esplora's transaction JSON, as Blockstream's, mempool.space's and one's own server answer it.
//!
//! Read are `txid`, `version`, `locktime`, `vin` (`txid`, `vout`, `scriptsig`, `sequence`, `prevout.value`,
//! `prevout.scriptpubkey`, `is_coinbase`), `vout` (`value`, `scriptpubkey`) and `status` (`confirmed`, `block_height`, `block_time`); what else
//! is there is derived from these and passed over. The transaction is put together again and hashed: the txid proves it. Where
//! a server leaves out `version`, `locktime`, `scriptsig` or `sequence`, the transaction is marked as claimed.
//!
//! A key `outspends` (or `_outspends`) may hold the answer of `/tx/:txid/outspends`, an array with an entry an output:
//! `{"spent":false}` lets a trace say that the output is unspent, and `{"spent":true,"txid":".."}` names a spender that
//! [`Trace::missing`](crate::trace::Trace::missing) asks for.

use std::io::BufRead;

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use serde::Deserialize;

use super::{batch, proof, until_error};
use crate::chain::{Fate, NewInput, NewTx};
use crate::error::{At, Error, SourceError};
use crate::id::BlockHeight;

#[derive(Deserialize)]
struct EsploraTx {
    txid: Txid,
    version: Option<i32>,
    locktime: Option<u32>,
    vin: Vec<Vin>,
    vout: Vec<Vout>,
    status: Option<Status>,
    #[serde(alias = "_outspends")]
    outspends: Option<Vec<Outspend>>,
}

#[derive(Deserialize)]
struct Vin {
    txid: Txid,
    vout: u32,
    scriptsig: Option<ScriptBuf>,
    sequence: Option<u32>,
    prevout: Option<Vout>,
    #[serde(default)]
    is_coinbase: bool,
}

#[derive(Deserialize)]
struct Vout {
    value: u64,
    scriptpubkey: ScriptBuf,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    confirmed: bool,
    block_height: Option<u32>,
    block_time: Option<u32>,
}

#[derive(Deserialize)]
struct Outspend {
    spent: bool,
    txid: Option<Txid>,
}

/// Reads transactions: single objects, arrays, or any number of either one after another.
///
/// # Errors
///
/// Each item can fail with [`Error::is_io`], [`Error::is_parse`], or [`Error::is_txid_mismatch`] when the parts do not hash to the txid.
/// The iterator ends after an error.
///
/// # Examples
///
/// ```
/// use fundtrace::source::esplora;
/// // `scriptsig` and `sequence` are left out, so nothing proves the txid.
/// let (txid, previous) = ("aa".repeat(32), "bb".repeat(32));
/// let json = format!(r#"{{"txid":"{txid}",
///   "vin":[{{"txid":"{previous}","vout":1,"prevout":null}}],
///   "vout":[{{"value":5,"scriptpubkey":"51"}}],"status":{{"confirmed":true,"block_height":9,"block_time":8}}}}"#);
/// let tx = esplora::read(json.as_bytes()).next().unwrap()?;
/// assert!(!tx.is_proven());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn read(reader: impl BufRead) -> impl Iterator<Item = Result<NewTx, Error>> {
    let entries = batch::values::<EsploraTx>(reader, "Esplora transactions");
    until_error(entries.map(|entry| entry.and_then(|(at, tx)| record(at, tx))))
}

/// The parser does not keep the line where an object began, so transactions are counted.
fn record(at: At, tx: EsploraTx) -> Result<NewTx, SourceError> {
    let txid = tx.txid;
    if let Some(outspends) = &tx.outspends
        && outspends.len() != tx.vout.len()
    {
        let (given, has) = (outspends.len(), tx.vout.len());
        return Err(SourceError::Count { at, txid, what: "outspends", given, has });
    }
    let output = |output: Vout| TxOut { value: Amount::from_sat(output.value), script_pubkey: output.scriptpubkey };
    let outpoint = |vin: &Vin| if vin.is_coinbase { OutPoint::null() } else { OutPoint::new(vin.txid, vin.vout) };
    let inputs: Option<Vec<TxIn>> = tx
        .vin
        .iter()
        .map(|vin| {
            Some(TxIn {
                previous_output: outpoint(vin),
                script_sig: vin.scriptsig.clone()?,
                sequence: Sequence(vin.sequence?),
                witness: Witness::new(),
            })
        })
        .collect();
    let outpoints: Vec<OutPoint> = tx.vin.iter().map(outpoint).collect();
    let prevouts: Vec<Option<TxOut>> = tx.vin.into_iter().map(|vin| vin.prevout.map(output)).collect();
    let outputs: Vec<TxOut> = tx.vout.into_iter().map(output).collect();
    let mut record = match (tx.version, tx.locktime, inputs) {
        (Some(version), Some(locktime), Some(input)) => {
            let lock_time = LockTime::from_consensus(locktime);
            let whole = Transaction { version: Version(version), lock_time, input, output: outputs };
            proof::tx(at, txid, &whole)?
        }
        _ => NewTx::claimed(txid, outpoints.into_iter().map(NewInput::new).collect(), outputs),
    };
    record = record.prevouts(prevouts);
    if let Some(outspends) = tx.outspends {
        record = record.fates(outspends.into_iter().map(|outspend| match (outspend.spent, outspend.txid) {
            (false, _) => Fate::Unspent,
            (true, Some(spender)) => Fate::SpentBy(spender),
            (true, None) => Fate::Unknown,
        }));
    }
    if let Some(status) = tx.status.filter(|status| status.confirmed) {
        record.height = status.block_height.map(BlockHeight::from_u32);
        record.time = status.block_time;
    }
    Ok(record)
}
