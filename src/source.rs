//! Bytes in, transactions out. No network code: fetch with your own client and hand the bytes over.
//!
//! | form | what it is | proven? |
//! |---|---|---|
//! | [`Form::Raw`] | our own: one JSON object a line with the transaction's bytes | yes, the txid is recomputed |
//! | [`Form::Esplora`] | what Esplora's `/tx/:txid` and `/address/:address/txs` answer | yes, where no part is left out |
//!
//! [`read`] yields [`NewTx`] records for a [`ChainBuilder`](crate::ChainBuilder). Every form is one file with a function
//! `read(impl BufRead) -> impl Iterator<Item = Result<NewTx, Error>>`; the iterator ends after its first error.

pub mod blk;
pub mod esplora;
pub mod raw;

use std::fmt;
use std::io::BufRead;
use std::str::FromStr;

use serde::de::IgnoredAny;
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
/// assert_eq!(Form::detect(b"txid,vout"), None);
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
}

impl Form {
    /// Every form, in the order they are tried.
    pub const ALL: [Self; 2] = [Self::Raw, Self::Esplora];

    /// Recognises the form from the first JSON value that is not an empty array; empty arrays alone are Esplora's.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        /// The keys that tell the forms apart.
        #[derive(Deserialize)]
        struct Keys {
            hex: Option<IgnoredAny>,
            vin: Option<IgnoredAny>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Answer {
            // Many first, because an array would pass for a struct whose fields stand without names.
            Many(Vec<Keys>),
            One(Keys),
        }
        let mut form = None;
        for answer in serde_json::Deserializer::from_slice(bytes).into_iter::<Answer>() {
            let keys = match answer.ok()? {
                Answer::One(keys) => Some(keys),
                Answer::Many(keys) => keys.into_iter().next(),
            };
            form = Some(Self::Esplora);
            match keys {
                Some(Keys { hex: Some(_), .. }) => return Some(Self::Raw),
                Some(Keys { vin: Some(_), .. }) => return form,
                Some(_) => return None,
                None => {}
            }
        }
        form
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
    }
}
