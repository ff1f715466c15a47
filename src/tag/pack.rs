//! A file of tags: what of it is used, and what is not and why.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::str::FromStr;

use bitcoin::address::NetworkUnchecked;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Address, Network, Script, ScriptBuf};
use serde::Serialize;

use super::{Date, Tag, sanctions};
use crate::error::{Error, SpecError, TagError};

/// What is read of a file at most: the largest of GraphSense's public packs is a tenth of it.
const BYTES_MAX: u64 = 32 << 20;

/// How much of a word that is wrong is shown.
const SHOWN_MAX: usize = 100;

/// The forms of files of tags.
///
/// # Examples
///
/// ```
/// use fundtrace::tag::Form;
/// assert_eq!(Form::of(b"title: A pack\ntags: []\n")?, Form::TagPack);
/// assert_eq!(Form::of(b"# tags\naddress,label\n")?, Form::Csv);
/// assert_eq!("sanctions".parse::<Form>()?, Form::Sanctions);
/// assert!(Form::of(b"once upon a time").unwrap_err().is_tag());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Form {
    /// GraphSense's YAML: a header whose fields every tag inherits, and a list of tags. Feature `tagpack`.
    TagPack,
    /// Lines of columns that the first line names: `address` and `label` at least. Feature `csv`.
    Csv,
    /// Addresses and nothing else, one a line or as a JSON array of strings, as sanction lists are passed on.
    Sanctions,
}

impl Form {
    const ALL: [(Self, &'static str); 3] =
        [(Self::TagPack, "tagpack"), (Self::Csv, "csv"), (Self::Sanctions, "sanctions")];

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(form, _)| *form == self).map_or("unknown", |(_, name)| name)
    }

    /// Recognises a form by the first line that says anything.
    ///
    /// # Errors
    ///
    /// When it is none ([`Error::is_tag`]).
    pub fn of(bytes: &[u8]) -> Result<Self, Error> {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
        let lines = start.trim_start_matches('\u{feff}').lines().map(str::trim);
        let Some(line) = lines.clone().find(|line| !line.is_empty() && !line.starts_with('#')) else {
            return Err(TagError::Unrecognised { found: "it says nothing".into() }.into());
        };
        let cells = || line.split(',').map(|cell| cell.trim().trim_matches('"'));
        let is_key = line == "---" || line.starts_with('%') || line.ends_with(':') || line.contains(": ");
        if line.contains(',') && cells().any(|cell| cell.eq_ignore_ascii_case("address")) {
            Ok(Self::Csv)
        } else if line.starts_with('[') || (!is_key && sanctions::is_address_like(line)) {
            Ok(Self::Sanctions)
        } else if is_key {
            Ok(Self::TagPack)
        } else {
            Err(TagError::Unrecognised { found: format!("it begins with {:?}", shown(line)) }.into())
        }
    }
}

impl FromStr for Form {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(form, _)| *form).ok_or_else(|| {
            let known = Self::ALL.map(|(_, name)| name).join(", ");
            SpecError::Unknown { what: "form of tags", given: name.into(), known }.into()
        })
    }
}

/// What a file of tags says, and what of it is of no use here.
///
/// # Examples
///
/// See [`read`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Pack {
    name: String,
    form: Form,
    sha256: sha256::Hash,
    network: Network,
    tags: Vec<(ScriptBuf, Tag)>,
    elsewhere: BTreeMap<String, u64>,
    unusable: Vec<Unusable>,
    unread: Vec<String>,
}

/// A row of a file that cannot be used.
///
/// # Examples
///
/// See [`read`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Unusable {
    /// Its line, or its number in a JSON array, counted from 1.
    pub line: u64,
    /// Whose address it gives, cut short where it is long.
    pub address: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {:?} {}", self.line, self.address, self.why)
    }
}

/// A file of tags as a manifest names it.
///
/// # Examples
///
/// See [`read`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Listing {
    /// What the file is called.
    pub name: String,
    /// Its form.
    pub form: Form,
    /// The SHA-256 of its bytes.
    pub sha256: String,
    /// How many of its tags are used.
    pub tags: usize,
    /// The first and the last day on which a tag of it was changed, where it says so.
    pub changed: Option<(Date, Date)>,
    /// How many tags it has on addresses of other chains, by currency.
    pub elsewhere: BTreeMap<String, u64>,
    /// How many rows cannot be used.
    pub unusable: usize,
}

impl Pack {
    /// Iterates the tags with the scripts of their addresses, in the file's order.
    pub fn tags(&self) -> impl ExactSizeIterator<Item = (&Script, &Tag)> {
        self.tags.iter().map(|(script, tag)| (script.as_script(), tag))
    }

    /// Returns how many tags it has on addresses of other chains, by currency.
    pub fn elsewhere(&self) -> &BTreeMap<String, u64> {
        &self.elsewhere
    }

    /// Returns the rows that cannot be used.
    pub fn unusable(&self) -> &[Unusable] {
        &self.unusable
    }

    /// Returns the columns of a CSV file that mean nothing here.
    pub fn unread(&self) -> &[String] {
        &self.unread
    }

    /// Returns what a manifest says of it.
    pub fn listing(&self) -> Listing {
        let changed = || self.tags.iter().filter_map(|(_, tag)| tag.lastmod);
        Listing {
            name: self.name.clone(),
            form: self.form,
            sha256: self.sha256.to_string(),
            tags: self.tags.len(),
            changed: changed().min().zip(changed().max()),
            elsewhere: self.elsewhere.clone(),
            unusable: self.unusable.len(),
        }
    }

    /// What the file is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes a column as one that means nothing here.
    #[cfg(feature = "csv")]
    pub(super) fn leave_unread(&mut self, column: &str) {
        self.unread.push(shown(column));
    }

    /// Takes note of a tag on a transaction.
    #[cfg(feature = "tagpack")]
    pub(super) fn put_transaction(&mut self, line: u64, chain: Option<&str>, txid: &str) {
        match chain.filter(|chain| !is_bitcoin(chain)) {
            Some(other) => *self.elsewhere.entry(shown(other).to_ascii_uppercase()).or_insert(0) += 1,
            None => {
                let why = "is a transaction; only tags on addresses are used";
                self.unusable.push(Unusable { line, address: shown(txid), why });
            }
        }
    }

    /// Takes a tag where it is on an address of this network. `chain` is the name of the coin or of its network.
    pub(super) fn put(&mut self, line: u64, chain: Option<&str>, address: &str, tag: Tag) {
        let address = address.trim();
        if let Some(other) = chain.filter(|chain| !is_bitcoin(chain)) {
            *self.elsewhere.entry(shown(other).to_ascii_uppercase()).or_insert(0) += 1;
            return;
        }
        match script(address, self.network) {
            Ok(script) => self.tags.push((script, tag)),
            Err(why) => self.unusable.push(Unusable { line, address: shown(address), why }),
        }
    }
}

fn is_bitcoin(chain: &str) -> bool {
    ["BTC", "XBT", "bitcoin"].iter().any(|name| chain.eq_ignore_ascii_case(name))
}

fn script(address: &str, network: Network) -> Result<ScriptBuf, &'static str> {
    let address: Address<NetworkUnchecked> =
        address.parse().map_err(|_| "is no Bitcoin address; check it against its source")?;
    let address = address.require_network(network).map_err(|_| "is an address of another network")?;
    Ok(address.script_pubkey())
}

/// A word for a message, cut short.
pub(super) fn shown(word: &str) -> String {
    word.chars().take(SHOWN_MAX).collect()
}

/// Reads a file of tags. Nothing of it is left out in silence: tags on other chains and rows of no use are told by the pack.
///
/// The name is what reports call the file, and where a form has no place for a source, the source; the form is recognised when it is not
/// given. The file is held in memory, and refused beyond 32 MiB; a YAML file's aliases and merge keys are not followed.
///
/// # Errors
///
/// When reading fails ([`Error::is_io`]), or the file is of no known form or says something that no tag can ([`Error::is_tag`]); the message names
/// the line and how to mend it.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Address, Network, PubkeyHash, hashes::Hash};
/// use fundtrace::tag::{self, Tags};
/// let address = Address::p2pkh(PubkeyHash::hash(b"a key"), Network::Bitcoin);
/// let list = format!("# as published\n{address}\n{address}x\n");
/// let pack = tag::read("sanctioned_XBT.txt", list.as_bytes(), None, Network::Bitcoin)?;
/// let mut tags = Tags::default();
/// tags.add(&pack);
/// assert_eq!(tags.len(), 1);
/// assert!(pack.unusable()[0].to_string().starts_with("line 3: "));
/// let (_, tag) = pack.tags().next().unwrap();
/// assert!(tag.is_of("sanction") && tag.source == "sanctioned_XBT.txt");
/// assert_eq!(pack.listing().form.as_str(), "sanctions");
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn read(name: &str, reader: impl Read, form: Option<Form>, network: Network) -> Result<Pack, Error> {
    let mut bytes = Vec::new();
    reader.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if crate::id::number(bytes.len()) > BYTES_MAX {
        return Err(TagError::Large { bytes_max: BYTES_MAX }.into());
    }
    let form = form.map_or_else(|| Form::of(&bytes), Ok)?;
    let mut pack = Pack {
        name: name.into(),
        form,
        sha256: sha256::Hash::hash(&bytes),
        network,
        tags: Vec::new(),
        elsewhere: BTreeMap::new(),
        unusable: Vec::new(),
        unread: Vec::new(),
    };
    match form {
        #[cfg(feature = "tagpack")]
        Form::TagPack => super::tagpack::read(&bytes, &mut pack)?,
        #[cfg(not(feature = "tagpack"))]
        Form::TagPack => return Err(TagError::Feature { form: "a TagPack", feature: "tagpack" }.into()),
        #[cfg(feature = "csv")]
        Form::Csv => super::csv::read(&bytes, &mut pack)?,
        #[cfg(not(feature = "csv"))]
        Form::Csv => return Err(TagError::Feature { form: "CSV", feature: "csv" }.into()),
        Form::Sanctions => sanctions::read(&bytes, &mut pack)?,
    }
    Ok(pack)
}
