//! Case files: everything a run needs, in one place.

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount, Network};
use serde::{Deserialize, Serialize};

use super::{Rule, SeedSpec, network};
use crate::error::{Error, SpecError};
use crate::id::BlockHeight;
use crate::source::Form;
use crate::tag::{Tag, Tags};
use crate::trace::stop::{self, Stop};
use crate::trace::{CoinbaseOrder, Fees, Options};

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
    /// What is stolen.
    pub seed: Vec<SeedEntry>,
    /// Addresses where to stop, and who is said to stand behind them.
    pub tag: Vec<TagEntry>,
}

/// A seed in a case file.
///
/// # Examples
///
/// See [`Case`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SeedEntry {
    /// `TXID:VOUT`, `TXID` or `ADDRESS@FROM-TO`.
    pub at: String,
    /// The name of the source.
    pub label: Option<String>,
}

/// A tag in a case file.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "toml")] {
/// use fundtrace::bitcoin::{Address, Network, PubkeyHash, hashes::Hash};
/// use fundtrace::spec::Case;
/// let address = Address::p2pkh(PubkeyHash::hash(b"a key"), Network::Bitcoin);
/// let case = Case::from_toml(&format!(r#"
///     [[tag]]
///     address = "{address}"
///     label = "Example Exchange"
///     source = "court filing"
/// "#))?;
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
}

impl Case {
    /// Reads a case file. Feature `toml`.
    ///
    /// # Errors
    ///
    /// When the text is not TOML or holds an unknown key ([`Error::is_spec`]); the message names the line.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| SpecError::Toml(error).into())
    }

    /// Returns the network.
    ///
    /// # Errors
    ///
    /// When its name is unknown ([`Error::is_spec`]).
    pub fn network(&self) -> Result<Network, Error> {
        self.network.as_deref().map_or(Ok(Network::Bitcoin), network)
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
            let parsed = entry.address.parse::<Address<NetworkUnchecked>>();
            let address = parsed
                .and_then(|address| address.require_network(network))
                .map_err(|error| SpecError::Tag { address: entry.address.clone(), what: error.to_string() })?;
            tags.insert(address.script_pubkey(), Tag::new(&entry.label, &entry.category, &entry.source));
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

    /// Returns the stops: tags first, then hops, amount and budget, as far as they are given.
    pub fn stop<'t>(&self, tags: &'t Tags) -> Box<dyn Stop + 't> {
        let mut stop: Box<dyn Stop + 't> = Box::new(stop::never());
        if !tags.is_empty() {
            stop = Box::new(stop::tagged(tags));
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
