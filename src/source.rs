//! Bytes in, transactions out. No network code: fetch with your own client and hand the bytes over.
//!
//! | form | what it is | proven? |
//! |---|---|---|
//! | [`blk`] | Bitcoin Core's block files, the whole chain | yes, headers, work and merkle roots too |
//! | [`Form::Raw`] | our own: one JSON object a line with the transaction's bytes | yes, the txid is recomputed |
//! | [`Form::Esplora`] | what Esplora's `/tx/:txid` and `/address/:address/txs` answer | yes, where no part is left out |
//! | [`Form::Rpc`] | what Bitcoin Core's `getblock` answers, verbosity 2 or 3 | yes, header and merkle root too |
//! | [`Form::BitcoinEtl`] | bitcoin-etl's transactions, as JSON lines or CSV | yes, but a coinbase only with its block |
//! | [`bitcoin_etl`] | the same with its blocks: two files | yes, but a coinbase of an unusual sequence |
//! | [`csv`] | rusty-blockparser's `csvdump`: four files | yes, header and merkle root too |
//!
//! [`read`] yields [`NewTx`] records for a [`ChainBuilder`](crate::ChainBuilder). Every form is one file with a function
//! `read(impl BufRead) -> impl Iterator<Item = Result<NewTx, Error>>`; the iterator ends after its first error. Exports of
//! several files have their own arguments, and [`FileSet::among`] finds them in a directory.

mod batch;
pub mod bitcoin_etl;
pub mod blk;
pub mod csv;
pub mod esplora;
pub(crate) mod lines;
mod proof;
pub mod raw;
pub mod rpc;

use std::fmt;
use std::io::BufRead;
use std::str::FromStr;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::chain::NewTx;
use crate::error::{Error, SourceError, SpecError};

/// The forms that can be read.
///
/// # Examples
///
/// ```
/// use fundtrace::source::Form;
/// assert_eq!(Form::detect(br#"{"txid":"..","hex":"01"}"#), Some(Form::Raw));
/// assert_eq!(Form::detect(br#"[{"txid":"..","vin":[],"vout":[]}, {"vin":[]}]"#), Some(Form::Esplora));
/// assert_eq!(Form::detect(br#"{"result":{"hash":".."},"error":null,"id":1}"#), Some(Form::Rpc));
/// assert_eq!(Form::detect(br#"{"hash":"..","merkleroot":"..","tx":[]}"#), Some(Form::Rpc));
/// assert_eq!(Form::detect(br#"{"hash":"..","block_number":1,"inputs":[],"outputs":[]}"#), Some(Form::BitcoinEtl));
/// assert_eq!(Form::detect(b"hash,block_number,inputs,outputs\n"), Some(Form::BitcoinEtl));
/// assert_eq!(Form::detect(b"txid,vout"), None);
/// // The end is missing: reading it says where.
/// assert_eq!(Form::detect(br#"[{"txid":"..","vin":[{"txid":".."#), Some(Form::Esplora));
/// // What Esplora answers for an address without transactions.
/// assert_eq!(Form::detect(b"[]"), Some(Form::Esplora));
/// assert_eq!(Form::detect(b"[] {\"txid\":\"..\",\"hex\":\"01\"}"), Some(Form::Raw));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Form {
    /// One JSON object a line with txid, height, time, hex and prevouts.
    Raw,
    /// Esplora's transaction JSON: objects, arrays of them, or lines.
    Esplora,
    /// Bitcoin Core's `getblock` with verbosity 2 or 3: blocks or JSON-RPC answers, arrays of them, or lines.
    Rpc,
    /// bitcoin-etl's transactions without its blocks: JSON lines or CSV.
    BitcoinEtl,
}

impl Form {
    /// Every form, in the order they are tried.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Esplora, Self::Rpc, Self::BitcoinEtl];

    /// Recognises the form from the keys of the first JSON object, even one that is cut off, or from a first line of names.
    /// Empty arrays alone are Esplora's.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let start = bytes.trim_ascii_start();
        if !matches!(start.first(), Some(b'{' | b'[')) {
            let names = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let names = names.trim_ascii_end().split(|&byte| byte == b',');
            return Keys { found: names.filter_map(Keys::known).collect(), in_array: false }.form();
        }
        let mut values = serde_json::Deserializer::from_slice(bytes);
        let mut keys = Keys::default();
        let mut form = None;
        // Goes on after an empty array, and ends at an object, at the end, and at what is not JSON.
        while keys.deserialize(&mut values).is_ok() {
            form = Some(Self::Esplora);
        }
        if keys.found.is_empty() && values.end().is_ok() { form } else { keys.form() }
    }

    /// Recognises the form or says what was found instead.
    ///
    /// # Errors
    ///
    /// When the bytes are empty or of no known form ([`Error::is_parse`]).
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(fundtrace::source::Form::of(b"").unwrap_err().is_parse());
    /// ```
    pub fn of(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(SourceError::Empty.into());
        }
        Self::detect(bytes).ok_or_else(|| {
            let start: String = String::from_utf8_lossy(bytes).trim_start().chars().take(30).collect();
            SourceError::Unrecognised { found: format!("it begins {start:?}") }.into()
        })
    }

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Esplora => "esplora",
            Self::Rpc => "rpc",
            Self::BitcoinEtl => "bitcoin-etl",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Form {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|form| form.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            SpecError::Unknown { what: "form", given: name.into(), known }.into()
        })
    }
}

/// Reads transactions of a form.
///
/// # Errors
///
/// Each item can fail with [`Error::is_io`], [`Error::is_parse`] or [`Error::is_txid_mismatch`]; the message names the line.
///
/// # Examples
///
/// ```
/// use fundtrace::source::{Form, read};
/// assert_eq!(read(Form::Esplora, "[]".as_bytes()).count(), 0);
/// ```
pub fn read<'r>(form: Form, reader: impl BufRead + 'r) -> Box<dyn Iterator<Item = Result<NewTx, Error>> + 'r> {
    match form {
        Form::Raw => Box::new(raw::read(reader)),
        Form::Esplora => Box::new(esplora::read(reader)),
        Form::Rpc => Box::new(rpc::read(reader)),
        Form::BitcoinEtl => Box::new(bitcoin_etl::read(reader, None::<std::io::Empty>)),
    }
}

/// The files of one export that spreads over several, by name.
///
/// # Examples
///
/// ```
/// use fundtrace::source::FileSet;
/// let names = ["blocks-0-9.csv", "notes.txt", "transactions-0-9.csv", "tx_in-0-9.csv", "tx_out-0-9.csv"];
/// let dump = FileSet::among(&names);
/// assert!(matches!(dump[..], [FileSet::Csv(dump)] if dump.inputs == "tx_in-0-9.csv"));
///
/// let etl = FileSet::among(&["transactions_1.json", "blocks_1.json", "transactions_2.json"]);
/// assert_eq!(etl[0], FileSet::BitcoinEtl { transactions: "transactions_1.json", blocks: Some("blocks_1.json") });
/// assert_eq!(etl[1], FileSet::BitcoinEtl { transactions: "transactions_2.json", blocks: None });
/// assert!(FileSet::among(&["page1.json", "blocks.json"]).is_empty());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FileSet<'n> {
    /// For [`bitcoin_etl::read`].
    BitcoinEtl {
        /// The transactions.
        transactions: &'n str,
        /// The blocks, if they are there.
        blocks: Option<&'n str>,
    },
    /// For [`csv::read`].
    Csv(csv::Dump<&'n str>),
}

impl<'n> FileSet<'n> {
    /// Finds the sets among the names of a directory's files, in the order of the names of their transactions.
    ///
    /// The names of a set differ in their beginning only: `transactions`, `blocks`, `tx_in` and `tx_out` before the same rest,
    /// which ends in `.csv` or `.json`. With `tx_in`, `tx_out` and `blocks` it is a dump of rusty-blockparser, else an export of
    /// bitcoin-etl. Files that are in no set are for [`read`].
    pub fn among(names: &[&'n str]) -> Vec<Self> {
        let mut sets: Vec<_> = names.iter().filter_map(|name| Self::of(name, names)).collect();
        sets.sort_unstable_by_key(|(transactions, _)| *transactions);
        sets.into_iter().map(|(_, set)| set).collect()
    }

    fn of(transactions: &'n str, names: &[&'n str]) -> Option<(&'n str, Self)> {
        let rest = transactions.strip_prefix("transactions")?;
        if !rest.ends_with(".csv") && !rest.ends_with(".json") {
            return None;
        }
        let named = |start: &str| names.iter().copied().find(|name| name.strip_prefix(start) == Some(rest));
        let set = match (named("blocks"), named("tx_in"), named("tx_out")) {
            (Some(blocks), Some(inputs), Some(outputs)) => {
                Self::Csv(csv::Dump { blocks, transactions, inputs, outputs })
            }
            (blocks, ..) => Self::BitcoinEtl { transactions, blocks },
        };
        Some((transactions, set))
    }
}

/// The keys of the first object, of those that tell the forms apart.
#[derive(Default)]
struct Keys {
    found: Vec<&'static str>,
    in_array: bool,
}

impl Keys {
    const KNOWN: [&str; 9] = ["hex", "vin", "result", "tx", "merkleroot", "hash", "block_number", "inputs", "outputs"];

    fn known(key: &[u8]) -> Option<&'static str> {
        Self::KNOWN.into_iter().find(|known| known.as_bytes() == key)
    }

    fn form(&self) -> Option<Form> {
        let all = |keys: &[&str]| keys.iter().all(|key| self.found.contains(key));
        let forms = [
            (Form::Raw, all(&["hex"])),
            (Form::Esplora, all(&["vin"])),
            (Form::Rpc, all(&["result"]) || all(&["tx", "merkleroot"])),
            (Form::BitcoinEtl, all(&["hash", "block_number", "inputs", "outputs"])),
        ];
        forms.into_iter().find_map(|(form, fits)| fits.then_some(form))
    }
}

/// Reads the keys of an object, or of the first in an array, and then fails, for the rest need not be read: only an empty
/// array is no error. Keys that were read stay when the bytes end too early.
impl<'de> DeserializeSeed<'de> for &mut Keys {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Keys {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array of objects")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.found.extend(Keys::known(key.as_bytes()));
            map.next_value::<IgnoredAny>()?;
        }
        Err(M::Error::custom("enough"))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        if std::mem::replace(&mut self.in_array, true) {
            return Err(S::Error::custom("an array in an array"));
        }
        // An element always fails.
        seq.next_element_seed(&mut *self)?;
        self.in_array = false;
        Ok(())
    }
}

/// Four bytes of a transaction or header that some software prints signed and some unsigned.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
struct FourBytes(i32);

impl TryFrom<i64> for FourBytes {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        i32::try_from(number)
            .or_else(|_| u32::try_from(number).map(u32::cast_signed))
            .map(Self)
            .map_err(|_| format!("{number} does not fit four bytes"))
    }
}

impl FromStr for FourBytes {
    type Err = String;

    fn from_str(number: &str) -> Result<Self, String> {
        number.parse::<i64>().map_err(|error| error.to_string())?.try_into()
    }
}

/// Ends the items after the first error.
fn until_error(
    mut items: impl Iterator<Item = Result<NewTx, SourceError>>,
) -> impl Iterator<Item = Result<NewTx, Error>> {
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let item = items.next()?;
        failed = item.is_err();
        Some(item.map_err(Error::from))
    })
}
