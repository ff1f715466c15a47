//! bitcoin-etl's exports: `transactions` and `blocks`, as JSON lines or as CSV with a line of names.
//!
//! Of a transaction are read `hash`, `version`, `lock_time`, `block_number`, `block_hash`, `block_timestamp`, `is_coinbase`,
//! `index`, `inputs` (`spent_transaction_hash`, `spent_output_index`, `script_hex`, `sequence`) and `outputs` (`value` in
//! satoshis, `script_hex`); of a block `hash`, `number`, `version`, `merkle_root`, `timestamp`, `nonce`, `bits` and
//! `coinbase_param`. The order of the rows does not matter. In CSV, `inputs` and `outputs` are JSON or, as bitcoin-etl
//! itself writes them, a Python list; an empty cell is an empty list.
//!
//! A transaction is put together again and hashed: the txid proves it. What the export lacks:
//!
//! - The witness, so the weight is unknown.
//! - A coinbase's input. Its script is the block's `coinbase_param`, and its sequence is one of two in nearly all blocks: where
//!   the blocks are there and one of them fits, the coinbase is proven, else it is claimed.
//! - The scripts of prevouts. After `enrich_transactions` an input has the value and the address of what it spends, but a prevout
//!   that is known by half is none: the parent's own record brings both, proven.
//! - The hash of the block before. A header is rebuilt where the row of the block one lower is there too, and kept where it
//!   hashes to the block's hash. So the first block of an export has none, unless it is the genesis block.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::BufRead;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Txid,
    Witness,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::lines::Lines;
use super::{FourBytes, proof, until_error};
use crate::chain::{NewInput, NewTx};
use crate::error::{At, Error, SourceError};
use crate::id::BlockHeight;

#[derive(Deserialize)]
struct TxRow {
    hash: Txid,
    version: Option<FourBytes>,
    lock_time: Option<u32>,
    block_number: Option<u32>,
    block_hash: Option<BlockHash>,
    block_timestamp: Option<u32>,
    is_coinbase: Option<bool>,
    index: Option<u32>,
    inputs: Vec<InputCell>,
    outputs: Vec<OutputCell>,
}

#[derive(Deserialize)]
struct InputCell {
    spent_transaction_hash: Option<Txid>,
    spent_output_index: Option<u32>,
    script_hex: Option<ScriptBuf>,
    sequence: Option<u32>,
}

#[derive(Deserialize)]
struct OutputCell {
    value: u64,
    script_hex: ScriptBuf,
}

#[derive(Deserialize)]
struct BlockRow {
    hash: BlockHash,
    number: u32,
    version: Option<FourBytes>,
    merkle_root: Option<TxMerkleNode>,
    timestamp: Option<u32>,
    nonce: Option<String>,
    bits: Option<String>,
    coinbase_param: Option<ScriptBuf>,
}

/// Reads the transactions of an export, and the blocks where there is a file of them. The blocks are read first and held in
/// memory, some 200 bytes each.
///
/// # Errors
///
/// Each item can fail with [`Error::is_io`], [`Error::is_parse`], or [`Error::is_txid_mismatch`] when the parts do not hash to
/// the txid. The iterator ends after an error.
///
/// # Examples
///
/// ```
/// use fundtrace::source::bitcoin_etl;
/// // Nothing proves a coinbase whose block is not there.
/// let transactions = format!(
///     r#"{{"hash":"{}","version":1,"lock_time":0,"block_number":9,"is_coinbase":true,"index":0,
///         "inputs":[],"outputs":[{{"value":5000000000,"script_hex":"51"}}]}}"#, "aa".repeat(32)).replace('\n', "");
/// let tx = bitcoin_etl::read(transactions.as_bytes(), None::<std::io::Empty>).next().unwrap()?;
/// assert!(tx.is_coinbase() && !tx.is_proven());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn read(transactions: impl BufRead, blocks: Option<impl BufRead>) -> impl Iterator<Item = Result<NewTx, Error>> {
    let (blocks, failed) = match blocks.map(Blocks::read).transpose() {
        Ok(blocks) => (blocks.unwrap_or_default(), None),
        Err(error) => (Blocks::default(), Some(Err(error))),
    };
    let txs = rows::<TxRow>(transactions, TX_ROW).map(move |row| row.and_then(|(at, row)| record(at, row, &blocks)));
    until_error(failed.into_iter().chain(txs))
}

/// The blocks by hash, and the hash of each by height.
#[derive(Default)]
struct Blocks {
    rows: HashMap<BlockHash, BlockRow>,
    hashes: HashMap<u32, BlockHash>,
}

impl Blocks {
    fn read(reader: impl BufRead) -> Result<Self, SourceError> {
        let mut blocks = Self::default();
        for row in rows::<BlockRow>(reader, BLOCK_ROW) {
            let (_, row) = row?;
            blocks.hashes.insert(row.number, row.hash);
            blocks.rows.insert(row.hash, row);
        }
        Ok(blocks)
    }

    /// The header, where every field of it is there and it hashes to the row's hash.
    fn header(&self, row: &BlockRow) -> Option<Header> {
        let hex = |text: &Option<String>| u32::from_str_radix(text.as_deref()?, 16).ok();
        let header = Header {
            version: BlockVersion::from_consensus(row.version.as_ref()?.0),
            prev_blockhash: match row.number.checked_sub(1) {
                Some(before) => *self.hashes.get(&before)?,
                None => BlockHash::all_zeros(),
            },
            merkle_root: row.merkle_root?,
            time: row.timestamp?,
            bits: CompactTarget::from_consensus(hex(&row.bits)?),
            nonce: hex(&row.nonce)?,
        };
        (header.block_hash() == row.hash).then_some(header)
    }
}

fn record(at: At, mut row: TxRow, blocks: &Blocks) -> Result<NewTx, SourceError> {
    let block = row.block_hash.and_then(|hash| blocks.rows.get(&hash));
    if let (Some(block), Some(given)) = (block, row.block_number)
        && block.number != given
    {
        return Err(SourceError::Height { at, block: block.hash, given, known: block.number });
    }
    let output = |output: OutputCell| TxOut { value: Amount::from_sat(output.value), script_pubkey: output.script_hex };
    let outputs: Vec<TxOut> = row.outputs.drain(..).map(output).collect();
    let coinbase = row.is_coinbase.unwrap_or(row.inputs.is_empty());
    let mut record = if coinbase && row.inputs.is_empty() {
        self::coinbase(&row, outputs, block.and_then(|block| block.coinbase_param.as_ref()))
    } else {
        spending(at, &row, outputs)?
    };
    record.height = row.block_number.or(block.map(|block| block.number)).map(BlockHeight::from_u32);
    record.position = row.index.or(coinbase.then_some(0));
    record.time = row.block_timestamp.or(block.and_then(|block| block.timestamp));
    if record.position == Some(0)
        && let Some(header) = block.and_then(|block| blocks.header(block))
    {
        record = record.header(header);
    }
    Ok(record)
}

/// The transaction with these inputs, where version and lock time are there.
fn whole(row: &TxRow, input: Vec<TxIn>, outputs: &[TxOut]) -> Option<Transaction> {
    let version = Version(row.version.as_ref()?.0);
    Some(Transaction { version, lock_time: LockTime::from_consensus(row.lock_time?), input, output: outputs.to_vec() })
}

fn claimed(row: &TxRow, inputs: Vec<NewInput>, outputs: Vec<TxOut>) -> NewTx {
    let mut record = NewTx::claimed(row.hash, inputs, outputs);
    record.version = row.version.as_ref().map(|version| version.0);
    record.lock_time = row.lock_time;
    record
}

/// A coinbase, proven where the script and one of the usual sequences give its txid.
fn coinbase(row: &TxRow, outputs: Vec<TxOut>, script: Option<&ScriptBuf>) -> NewTx {
    let input = |sequence| {
        let script_sig = script?.clone();
        Some(TxIn { previous_output: OutPoint::null(), script_sig, sequence, witness: Witness::new() })
    };
    [Sequence::MAX, Sequence::ZERO]
        .into_iter()
        .filter_map(|sequence| whole(row, vec![input(sequence)?], &outputs))
        .map(|tx| NewTx::from_transaction(&tx))
        .find(|record| record.txid() == row.hash)
        .unwrap_or_else(|| claimed(row, vec![NewInput::new(OutPoint::null())], outputs))
}

fn spending(at: At, row: &TxRow, outputs: Vec<TxOut>) -> Result<NewTx, SourceError> {
    let outpoint = |input: &InputCell| match (input.spent_transaction_hash, input.spent_output_index) {
        (Some(txid), Some(vout)) => Ok(OutPoint::new(txid, vout)),
        _ => {
            let what = "spent_transaction_hash or spent_output_index in an input";
            Err(SourceError::Lacks { at, what, mend: "export the transactions again" })
        }
    };
    let outpoints = row.inputs.iter().map(outpoint).collect::<Result<Vec<_>, _>>()?;
    let input = |(input, &previous_output): (&InputCell, &OutPoint)| {
        let (script_sig, sequence) = (input.script_hex.clone()?, Sequence(input.sequence?));
        Some(TxIn { previous_output, script_sig, sequence, witness: Witness::new() })
    };
    let inputs: Option<Vec<TxIn>> = row.inputs.iter().zip(&outpoints).map(input).collect();
    match inputs.and_then(|inputs| whole(row, inputs, &outputs)) {
        Some(tx) => proof::tx(at, row.hash, &tx),
        None => Ok(claimed(row, outpoints.into_iter().map(NewInput::new).collect(), outputs)),
    }
}

/// What the columns of a CSV file hold; other columns are passed over.
struct Kind {
    expected: &'static str,
    /// Text, as in JSON; the rest are numbers.
    texts: &'static [&'static str],
    numbers: &'static [&'static str],
    truths: &'static [&'static str],
    lists: &'static [&'static str],
}

const TX_ROW: &Kind = &Kind {
    expected: "bitcoin-etl's transactions",
    texts: &["hash", "block_hash"],
    numbers: &["version", "lock_time", "block_number", "block_timestamp", "index"],
    truths: &["is_coinbase"],
    lists: &["inputs", "outputs"],
};

const BLOCK_ROW: &Kind = &Kind {
    expected: "bitcoin-etl's blocks",
    texts: &["hash", "merkle_root", "nonce", "bits", "coinbase_param"],
    numbers: &["number", "version", "timestamp"],
    truths: &[],
    lists: &[],
};

/// The rows of a file, JSON lines or CSV by its first byte.
fn rows<T: DeserializeOwned>(
    reader: impl BufRead,
    kind: &'static Kind,
) -> impl Iterator<Item = Result<(At, T), SourceError>> {
    let mut names: Option<Vec<String>> = None;
    let rows = Lines::new(reader, At::Line).each(move |at, line| {
        let json = |error| SourceError::json(at, kind.expected, error);
        if line.trim_ascii_start().starts_with(b"{") {
            return serde_json::from_slice(line).map(|row| Some((at, row))).map_err(json);
        }
        let cells = cells(at, line)?;
        let Some(names) = &names else {
            let given: Vec<String> = cells.into_iter().map(Cow::into_owned).collect();
            let needed = kind.lists.iter().chain(kind.texts.first());
            if let Some(what) = needed.copied().find(|column| !given.iter().any(|name| name == column)) {
                let mend = "bitcoin-etl's CSV begins with a line of names, and its JSON has an object a line";
                return Err(SourceError::Lacks { at, what, mend });
            }
            names = Some(given);
            return Ok(None);
        };
        if names.len() != cells.len() {
            let found = cells.len().to_string();
            return Err(SourceError::Field {
                at,
                column: "the count of columns",
                found,
                expected: "one for each name",
            });
        }
        serde_json::from_value(object(at, kind, names, &cells)?).map(|row| Some((at, row))).map_err(json)
    });
    rows.filter_map(Result::transpose)
}

/// The cells of a CSV line. A cell may stand in quotes, with quotes in it doubled; bitcoin-etl breaks no line within a cell.
fn cells(at: At, line: &[u8]) -> Result<Vec<Cow<'_, str>>, SourceError> {
    let broken = |found: &str, expected| {
        let found = found.chars().take(40).collect();
        Err(SourceError::Field { at, column: "a cell", found, expected })
    };
    let Ok(mut rest) = std::str::from_utf8(line) else {
        return broken(&String::from_utf8_lossy(line), "UTF-8");
    };
    let mut cells = Vec::new();
    loop {
        let after = match rest.strip_prefix('"') {
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                cells.push(Cow::Borrowed(&rest[..end]));
                &rest[end..]
            }
            Some(quoted) => {
                let mut from = 0;
                let end = loop {
                    let Some(quote) = quoted[from..].find('"') else { return broken(rest, "a closing quote") };
                    match quoted[from + quote + 1..].starts_with('"') {
                        true => from += quote + 2,
                        false => break from + quote,
                    }
                };
                cells.push(match &quoted[..end] {
                    cell if cell.contains('"') => Cow::Owned(cell.replace("\"\"", "\"")),
                    cell => Cow::Borrowed(cell),
                });
                &quoted[end + 1..]
            }
        };
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(cells),
            None => return broken(after, "a comma after a closing quote"),
        }
    }
}

/// The row as the object it would be in JSON.
fn object(at: At, kind: &Kind, names: &[String], cells: &[Cow<'_, str>]) -> Result<Value, SourceError> {
    let mut object = Map::new();
    for (name, cell) in names.iter().zip(cells) {
        let is = |columns: &[&str]| columns.contains(&name.as_str());
        let json = |text: &str| serde_json::from_str(text).map_err(|error| SourceError::json(at, kind.expected, error));
        let value = match cell.as_ref() {
            "" if is(kind.lists) => Value::Array(Vec::new()),
            "" => Value::Null,
            cell if is(kind.texts) => Value::from(cell),
            cell if is(kind.numbers) => json(cell)?,
            cell if is(kind.truths) => json(&cell.to_ascii_lowercase())?,
            cell if is(kind.lists) && cell.contains('"') => json(cell)?,
            cell if is(kind.lists) => json(&json_of_python(cell))?,
            _ => continue,
        };
        object.insert(name.clone(), value);
    }
    Ok(Value::Object(object))
}

/// A Python list as JSON. Its strings are hex, addresses and operations of a script, in which neither a quote nor a backslash
/// can stand; if one does, the result is not JSON and is refused as such.
fn json_of_python(list: &str) -> String {
    let word = |text: &str| text.replace("None", "null").replace("True", "true").replace("False", "false");
    let parts = list.split('\'').enumerate();
    parts.map(|(n, part)| if n % 2 == 0 { word(part) } else { format!("\"{part}\"") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_split_as_they_were_written() {
        let split = |line: &'static str| cells(At::Line(1), line.as_bytes());
        assert_eq!(split("a,,\"b,\"\"c\"\"\",\"\"").unwrap(), ["a", "", "b,\"c\"", ""]);
        assert_eq!(split("").unwrap(), [""]);
        for broken in ["\"a", "\"a\"b", "a,\"\"\""] {
            assert!(split(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn python_is_read_as_json() {
        let list = "[{'type': None, 'addresses': ['1True', 'None'], 'value': 5, 'x': True}]";
        assert_eq!(json_of_python(list), r#"[{"type": null, "addresses": ["1True", "None"], "value": 5, "x": true}]"#);
    }
}
