//! Case files: everything a run needs, in one place.

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount, Network, ScriptBuf};
use serde::{Deserialize, Serialize};

use super::{Rule, SeedSpec, heights, network, network_name};
use crate::detect::{Confidence, coinjoin};
use crate::error::{Error, SpecError};
use crate::id::BlockHeight;
#[cfg(feature = "toml")]
use crate::id::number;
use crate::source::Form;
use crate::tag::{Tag, Tags};
use crate::trace::stop::{self, Stop};
use crate::trace::{CoinbaseOrder, Fees, Mixes, Mode, Options, Through};

/// A case: inputs, seeds, rules, conventions and limits.
///
/// Inputs are paths relative to the case file; whoever reads the file resolves them. What is left out has the default.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "toml")] {
/// use fundtrace::spec::{Case, Rule};
/// let case = Case::from_toml(&r#"
///     input = ["transactions.jsonl"]
///     policies = ["fifo", "lifo"]
///     max_hops = 20
///     [[seed]]
///     at = "TXID:0"
///     label = "ransom"
/// "#.replace("TXID", &"ab".repeat(32)))?;
/// assert_eq!(case.rules()?, [Rule::Fifo, Rule::Lifo]);
/// assert_eq!(case.seeds()?[0].label(), "ransom");
/// # }
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Case {
    /// What the case is called.
    pub title: Option<String>,
    /// Files or directories to read, relative to the case file.
    pub input: Vec<String>,
    /// The form of the inputs; recognised when not given.
    pub from: Option<Form>,
    /// The network; mainnet when not given.
    pub network: Option<String>,
    /// The first and the last of the blocks of which every transaction is in the inputs; see
    /// [`ChainBuilder::complete`](crate::ChainBuilder::complete).
    pub complete: Option<(u32, u32)>,
    /// The rules by name, or `all`; all when not given.
    pub policies: Vec<String>,
    /// The height as of which to look.
    pub as_of: Option<u32>,
    /// What becomes of the taint in fees.
    pub fees: Fees,
    /// The order of subsidy and fees in a coinbase's row.
    pub coinbase_order: CoinbaseOrder,
    /// How many hops from a seed to follow.
    pub max_hops: Option<u32>,
    /// Outputs with less taint than this, in satoshis, are not followed.
    pub min_sat: Option<u64>,
    /// Through how many transactions to carry taint.
    pub max_transactions: Option<u64>,
    /// What happens at mixes: `stop`, `flag`, `spread` or `links`; they are not looked for when not given.
    pub through: Option<Mode>,
    /// How sure a rule must be before a transaction is called a mix, in per cent; [`Mixes::PERCENT`] when not given.
    pub mix_confidence: Option<u32>,
    /// What is stolen.
    pub seed: Vec<SeedEntry>,
    /// Addresses where to stop, and who is said to stand behind them.
    pub tag: Vec<TagEntry>,
    /// Files of tags, relative to the case file; whoever reads the case reads them.
    pub tag_file: Vec<String>,
    /// Stop only at tags of these categories, abuses or concepts; at all of them when not given. A tag that says none of its kind is shown and passed.
    pub stop_at: Vec<String>,
}

/// A seed in a case file.
///
/// # Examples
///
/// ```
/// use fundtrace::spec::{Case, SeedEntry};
/// let mut case = Case::default();
/// case.seed.push(SeedEntry::new("ab".repeat(32)).label("ransom"));
/// assert_eq!(case.seeds()?[0].label(), "ransom");
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SeedEntry {
    /// As [`SeedSpec`] reads it: `TXID:VOUT`, `TXID`, `ADDRESS@FROM-TO` or `cluster:ADDRESS`.
    pub at: String,
    /// The name of the source.
    pub label: Option<String>,
}

impl SeedEntry {
    /// Makes an entry without a label.
    pub fn new(at: impl Into<String>) -> Self {
        Self { at: at.into(), label: None }
    }

    /// Names the source.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
}

/// A tag in a case file.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "toml")] {
/// use fundtrace::bitcoin::{Address, Network, PubkeyHash, hashes::Hash};
/// use fundtrace::spec::{Case, TagEntry};
/// let address = Address::p2pkh(PubkeyHash::hash(b"a key"), Network::Bitcoin);
/// let case = Case::from_toml(&format!(r#"
///     [[tag]]
///     address = "{address}"
///     label = "Example Exchange"
///     source = "court filing"
/// "#))?;
/// assert_eq!(case.tag[0], TagEntry::new(address.to_string(), "Example Exchange").source("court filing"));
/// assert_eq!(case.tags(Network::Bitcoin)?.len(), 1);
/// assert!(case.tags(Network::Testnet).unwrap_err().is_spec());
/// # }
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TagEntry {
    /// The address.
    pub address: String,
    /// Who or what it is.
    pub label: String,
    /// What kind of service or actor it is.
    #[serde(default)]
    pub category: String,
    /// Who says so.
    #[serde(default)]
    pub source: String,
    /// Further concepts, besides the category: a run that stops at some kinds only stops at these as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<String>,
}

impl TagEntry {
    /// Makes an entry of no category that nobody vouches for.
    pub fn new(address: impl Into<String>, label: impl Into<String>) -> Self {
        let (category, source, concepts) = (String::new(), String::new(), Vec::new());
        Self { address: address.into(), label: label.into(), category, source, concepts }
    }

    /// Says what kind of service or actor it is.
    #[must_use]
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = category.into();
        self
    }

    /// Says who says so.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// Adds a concept.
    #[must_use]
    pub fn concept(mut self, concept: impl Into<String>) -> Self {
        self.concepts.push(concept.into());
        self
    }

    /// Returns the script of the address and the tag, as [`Tags::insert`] takes them.
    ///
    /// # Errors
    ///
    /// When the address cannot be read or is of another network ([`Error::is_spec`]).
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{Address, Network, PubkeyHash, hashes::Hash};
    /// use fundtrace::spec::TagEntry;
    /// let address = Address::p2pkh(PubkeyHash::hash(b"a key"), Network::Bitcoin);
    /// let entry = TagEntry::new(address.to_string(), "Example Exchange");
    /// assert_eq!(entry.resolve(Network::Bitcoin)?.0, address.script_pubkey());
    /// let error = entry.resolve(Network::Signet).unwrap_err();
    /// assert!(error.to_string().contains("is an address of another network than signet"));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn resolve(&self, network: Network) -> Result<(ScriptBuf, Tag), Error> {
        let address: Address<NetworkUnchecked> =
            self.address.parse().map_err(|_| SpecError::Tag { address: self.address.clone() })?;
        let address = address.require_network(network).map_err(|_| {
            let what = format!("tag {}", self.address);
            SpecError::OtherNetwork { what, network: network_name(network) }
        })?;
        let tag = Tag::new(&self.label, &self.category, &self.source).concepts(self.concepts.clone());
        Ok((address.script_pubkey(), tag))
    }
}

impl Case {
    /// Reads a case file. Feature `toml`.
    ///
    /// # Errors
    ///
    /// When the text is not TOML or holds an unknown key ([`Error::is_spec`]); the message names the line.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::spec::Case;
    /// let error = Case::from_toml("title = \"A case\"\npolices = [\"fifo\"]").unwrap_err();
    /// assert!(error.to_string().starts_with("case file, line 2: unknown field `polices`"));
    /// ```
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = number(before.matches('\n').count()) + 1;
            SpecError::Toml { line, what: error.message().into() }.into()
        })
    }

    /// Returns the network.
    ///
    /// # Errors
    ///
    /// When its name is unknown ([`Error::is_spec`]).
    pub fn network(&self) -> Result<Network, Error> {
        self.network.as_deref().map_or(Ok(Network::Bitcoin), network)
    }

    /// Returns the heights, both included, over which the inputs are declared complete.
    ///
    /// # Errors
    ///
    /// When the first is above the last ([`Error::is_spec`]).
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{BlockHeight, spec::Case};
    /// let mut case = Case::default();
    /// case.complete = Some((0, 4));
    /// assert_eq!(case.complete()?, Some((BlockHeight::from_u32(0), BlockHeight::from_u32(4))));
    /// case.complete = Some((4, 0));
    /// assert!(case.complete().unwrap_err().is_spec());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn complete(&self) -> Result<Option<(BlockHeight, BlockHeight)>, Error> {
        self.complete.map(|(from, to)| heights(&format!("{from}-{to}"))).transpose()
    }

    /// Returns the rules, all of them when none is named.
    ///
    /// # Errors
    ///
    /// When a name is unknown ([`Error::is_spec`]).
    pub fn rules(&self) -> Result<Vec<Rule>, Error> {
        if self.policies.is_empty() {
            return Ok(Rule::ALL.to_vec());
        }
        Rule::list(self.policies.iter().map(String::as_str))
    }

    /// Returns the seeds.
    ///
    /// # Errors
    ///
    /// When one cannot be read ([`Error::is_spec`]).
    pub fn seeds(&self) -> Result<Vec<SeedSpec>, Error> {
        let read = |entry: &SeedEntry| {
            let seed: SeedSpec = entry.at.parse()?;
            Ok(match &entry.label {
                Some(label) => seed.labelled(label),
                None => seed,
            })
        };
        self.seed.iter().map(read).collect()
    }

    /// Returns the tags.
    ///
    /// # Errors
    ///
    /// When an address cannot be read or is of another network ([`Error::is_spec`]).
    pub fn tags(&self, network: Network) -> Result<Tags, Error> {
        let mut tags = Tags::default();
        for entry in &self.tag {
            let (script, tag) = entry.resolve(network)?;
            tags.insert(script, tag);
        }
        Ok(tags)
    }

    /// Returns the conventions.
    pub fn options(&self) -> Options {
        Options { fees: self.fees, coinbase_order: self.coinbase_order, ..Options::default() }
    }

    /// Returns the height as of which to look.
    pub fn height(&self) -> Option<BlockHeight> {
        self.as_of.map(BlockHeight::from_u32)
    }

    /// Returns what happens at mixes, if anything does; with these rules and lists.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{detect::coinjoin::Rules, spec::Case, trace::Mode};
    /// let mut case = Case::default();
    /// assert!(case.through(Rules::default()).is_none());
    /// case.through = Some(Mode::Flag);
    /// case.mix_confidence = Some(90);
    /// assert_eq!(case.through(Rules::default()).unwrap().describe(), "flag behind mixes (from 90 %)");
    /// ```
    pub fn through(&self, rules: coinjoin::Rules) -> Option<Through> {
        let confidence = Confidence::from_percent(self.mix_confidence.unwrap_or(Mixes::PERCENT));
        Some(Through::new(self.through?, Mixes::new(rules, confidence)))
    }

    /// Returns the stops: tags first, then hops, amount and budget, as far as they are given.
    pub fn stop<'t>(&'t self, tags: &'t Tags) -> Box<dyn Stop + 't> {
        let mut stop: Box<dyn Stop + 't> = Box::new(stop::never());
        if !tags.is_empty() {
            stop = Box::new(stop::tagged(tags).only(&self.stop_at));
        }
        if let Some(hops) = self.max_hops {
            stop = Box::new(stop.or(stop::hops(hops)));
        }
        if let Some(sat) = self.min_sat {
            stop = Box::new(stop.or(stop::below(Amount::from_sat(sat))));
        }
        if let Some(transactions) = self.max_transactions {
            stop = Box::new(stop.or(stop::budget(transactions)));
        }
        stop
    }
}
