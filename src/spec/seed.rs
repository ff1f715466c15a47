//! Seeds by name: an output, a transaction, or what an address or its cluster received, between two heights.

use std::fmt;
use std::str::FromStr;

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount, OutPoint, Txid};

use super::network_name;
use crate::chain::{Output, View};
use crate::cluster::Clusters;
use crate::error::{Error, SpecError};
use crate::id::{AddressIndex, BlockHeight, OutputIndex};
use crate::trace::Seed;

/// A seed as someone writes it: `TXID:VOUT`, `TXID` (all its outputs), `ADDRESS@FROM-TO` (the outputs it received at these
/// heights, both included; `ADDRESS@HEIGHT` for one), or `cluster:ADDRESS` and `cluster:ADDRESS@FROM-TO` (what the address's cluster
/// received from others, see [`Seed::received`]; only [`resolve_with`] clusters), each with `=LABEL` or without. Without a label it is a source of its own, named as written.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::OutPoint;
/// use fundtrace::spec::SeedSpec;
/// let txid = "ab".repeat(32);
/// let seed: SeedSpec = format!("{txid}:0=ransom").parse()?;
/// assert_eq!(seed.label(), "ransom");
/// let seed: SeedSpec = txid.parse()?;
/// assert_eq!(seed.label(), txid);
/// assert_eq!(SeedSpec::from(OutPoint::null()), OutPoint::null().to_string().parse()?);
/// assert!("somewhere".parse::<SeedSpec>().unwrap_err().is_spec());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeedSpec {
    given: String,
    label: String,
    place: Place,
}

/// What a seed names.
///
/// # Examples
///
/// See [`SeedSpec::place`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Place {
    /// One output.
    Output(OutPoint),
    /// All outputs of a transaction.
    Tx(Txid),
    /// What an address received at these heights, both included.
    Address {
        /// The address; of which network is checked against the chain.
        address: Address<NetworkUnchecked>,
        /// The first height.
        from: BlockHeight,
        /// The last height.
        to: BlockHeight,
    },
    /// What the cluster of an address received from others. A cluster is an inference: the run must name its rules.
    Cluster {
        /// The address; of which network is checked against the chain.
        address: Address<NetworkUnchecked>,
        /// The first and the last height, where not all count.
        heights: Option<(BlockHeight, BlockHeight)>,
    },
}

/// A seed and the outputs it stands for.
///
/// # Examples
///
/// See [`resolve`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ResolvedSeed {
    /// The seed as it was written, without its label.
    pub given: String,
    /// The name of its source.
    pub label: String,
    /// The outputs.
    pub outputs: Vec<OutputIndex>,
    /// Outputs that the address received in transactions of unknown height: whether they belong here cannot be told, so they are no
    /// seeds.
    pub left_out: Vec<OutputIndex>,
}

impl ResolvedSeed {
    /// Returns a seed for each output.
    pub fn seeds(&self) -> impl Iterator<Item = Seed> + '_ {
        self.outputs.iter().map(|output| Seed::new(*output, self.label.clone()))
    }
}

impl SeedSpec {
    /// Returns the name of the source.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns what is named.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::spec::{Place, SeedSpec};
    /// let seed: SeedSpec = "ab".repeat(32).parse()?;
    /// assert!(matches!(seed.place(), Place::Tx(_)));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Gives it a label.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The address as the view has it, if it does.
    fn address(&self, view: View<'_>, address: &Address<NetworkUnchecked>) -> Result<Option<AddressIndex>, SpecError> {
        let address = address.clone().require_network(view.network()).map_err(|_| {
            let what = format!("seed {}", self.given);
            SpecError::OtherNetwork { what, network: network_name(view.network()) }
        })?;
        Ok(view.address_index(&address.script_pubkey()))
    }

    fn resolve(&self, view: View<'_>, clusters: Option<&Clusters>) -> Result<ResolvedSeed, SpecError> {
        let mut left_out = Vec::new();
        let missing = |what: String| SpecError::NoSeed { seed: self.given.clone(), what };
        let outputs: Vec<Output<'_>> = match &self.place {
            Place::Output(outpoint) => {
                let tx = view.tx_at(&outpoint.txid);
                let what = || match tx {
                    Some(tx) if tx.is_stub() => {
                        "its transaction was not supplied and nothing that was supplied spends it".into()
                    }
                    Some(tx) => format!("its transaction has {} outputs", tx.outputs().len()),
                    None => absent(view, &outpoint.txid),
                };
                vec![view.output_at(*outpoint).ok_or_else(|| missing(what()))?]
            }
            Place::Tx(txid) => match view.tx_at(txid) {
                Some(tx) if tx.is_stub() => {
                    let what = "it was not supplied, so its outputs are not all known: supply it, or name outputs";
                    return Err(missing(what.into()));
                }
                Some(tx) => tx.outputs().collect(),
                None => return Err(missing(absent(view, txid))),
            },
            Place::Address { address, from, to } => {
                let received = self.address(view, address)?.map(|index| view.outputs_of(index)).unwrap_or_default();
                let here = |output: &Output<'_>| output.tx().height().is_some_and(|at| (*from..=*to).contains(&at));
                let outputs: Vec<_> = received.iter().map(|index| view.output(index)).filter(here).collect();
                left_out = received.iter().filter(|index| view.output(*index).tx().height().is_none()).collect();
                if outputs.is_empty() {
                    return Err(missing("the address received nothing that was supplied at these heights".into()));
                }
                outputs
            }
            Place::Cluster { address, heights } => {
                let Some(clusters) = clusters else {
                    return Err(missing(
                        "it needs clusters: name the rules that make them (--owners on the command line)".into(),
                    ));
                };
                let cluster = self.address(view, address)?.and_then(|address| clusters.of(address));
                let Some(cluster) = cluster else {
                    return Err(missing("the address is in no cluster: nothing that was supplied pays it".into()));
                };
                let seeds = Seed::received(view, clusters, cluster, &self.label);
                let received = || seeds.iter().map(|seed| view.output(seed.output));
                let Some((from, to)) = heights else { return self.resolved(received().collect(), left_out) };
                let here = |output: &Output<'_>| output.tx().height().is_some_and(|at| (*from..=*to).contains(&at));
                left_out = received().filter(|output| output.tx().height().is_none()).map(Output::index).collect();
                received().filter(here).collect()
            }
        };
        self.resolved(outputs, left_out)
    }

    /// The seed with the outputs that were found, if all have a value.
    fn resolved(&self, outputs: Vec<Output<'_>>, left_out: Vec<OutputIndex>) -> Result<ResolvedSeed, SpecError> {
        let missing = |what: String| SpecError::NoSeed { seed: self.given.clone(), what };
        if outputs.is_empty() {
            return Err(missing("nothing that was supplied came to it there from others".into()));
        }
        if let Some(unknown) = outputs.iter().find(|output| output.value().is_none()) {
            let (outpoint, txid) = (unknown.outpoint(), unknown.tx().txid());
            return Err(missing(format!("nobody told the value of {outpoint}: supply transaction {txid}")));
        }
        let outputs = outputs.into_iter().map(Output::index).collect();
        Ok(ResolvedSeed { given: self.given.clone(), label: self.label.clone(), outputs, left_out })
    }
}

fn absent(view: View<'_>, txid: &Txid) -> String {
    let elsewhere = view.unbounded().tx_at(txid);
    match (elsewhere, view.height()) {
        (Some(tx), Some(as_of)) => match tx.height() {
            Some(height) => format!("its transaction is at height {height}, above the view's {as_of}"),
            None => format!("its transaction has no height and is left out as of height {as_of}"),
        },
        _ => "no transaction of this txid was supplied or is spent".into(),
    }
}

impl fmt::Display for SeedSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)?;
        if self.label != self.given { write!(f, "={}", self.label) } else { Ok(()) }
    }
}

impl FromStr for SeedSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (given, label) = match text.split_once('=') {
            Some((given, label)) => (given, label),
            None => (text, text),
        };
        let bad = |what: String| SpecError::Seed { seed: text.into(), what };
        if label.is_empty() {
            return Err(bad("the label is empty".into()).into());
        }
        let place = if let Some(cluster) = given.strip_prefix("cluster:") {
            let (address, heights) = match cluster.split_once('@') {
                Some((address, heights)) => (address, Some(range(heights).map_err(bad)?)),
                None => (cluster, None),
            };
            let address = address.parse().map_err(|_| bad(format!("{address:?} is not an address")))?;
            Place::Cluster { address, heights }
        } else if let Some((address, heights)) = given.split_once('@') {
            let (from, to) = range(heights).map_err(bad)?;
            // The parser's own words name the encoding that it tried last, not the one that was meant.
            let address = address.parse().map_err(|_| bad(format!("{address:?} is not an address")))?;
            Place::Address { address, from, to }
        } else if given.contains(':') {
            Place::Output(given.parse().map_err(|error| bad(format!("not an outpoint: {error}")))?)
        } else if given.parse::<Address<NetworkUnchecked>>().is_ok() {
            return Err(SpecError::NoHeights { seed: text.into() }.into());
        } else {
            Place::Tx(given.parse().map_err(|error| bad(format!("not a txid: {error}")))?)
        };
        Ok(Self { given: given.into(), label: label.into(), place })
    }
}

impl From<OutPoint> for SeedSpec {
    fn from(outpoint: OutPoint) -> Self {
        let given = outpoint.to_string();
        Self { label: given.clone(), given, place: Place::Output(outpoint) }
    }
}

impl From<Txid> for SeedSpec {
    fn from(txid: Txid) -> Self {
        let given = txid.to_string();
        Self { label: given.clone(), given, place: Place::Tx(txid) }
    }
}

/// Reads heights: `FROM-TO`, both included, or one height alone.
///
/// # Errors
///
/// When one is not a height or the first is above the last ([`Error::is_spec`]).
///
/// # Examples
///
/// ```
/// use fundtrace::{BlockHeight, spec};
/// assert_eq!(spec::heights("5-9")?, (BlockHeight::from_u32(5), BlockHeight::from_u32(9)));
/// assert_eq!(spec::heights("5")?, spec::heights("5-5")?);
/// assert!(spec::heights("9-5").unwrap_err().is_spec());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn heights(text: &str) -> Result<(BlockHeight, BlockHeight), Error> {
    range(text).map_err(|what| SpecError::Heights { given: text.into(), what }.into())
}

fn range(text: &str) -> Result<(BlockHeight, BlockHeight), String> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let height = |text: &str| text.parse().map(BlockHeight::from_u32).map_err(|_| format!("{text:?} is not a height"));
    let (from, to) = (height(from)?, height(to)?);
    if from > to { Err(format!("height {from} is above {to}")) } else { Ok((from, to)) }
}

/// Finds the outputs that seeds stand for.
///
/// # Errors
///
/// When a seed is not in the view, its value is unknown, or there is no seed at all ([`Error::is_spec`]); the message names the seed.
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, spec};
/// let chain = ChainBuilder::new().finish()?;
/// let seed = format!("{}:0", "ab".repeat(32)).parse()?;
/// assert!(spec::resolve(chain.view(), &[seed]).unwrap_err().is_spec());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn resolve(view: View<'_>, seeds: &[SeedSpec]) -> Result<Vec<ResolvedSeed>, Error> {
    resolved(view, seeds, None)
}

/// Finds the outputs that seeds stand for, `cluster:ADDRESS` among them.
///
/// # Errors
///
/// As [`resolve`]; and when an address is in no cluster.
///
/// # Panics
///
/// When the clusters are of another chain.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Address, Amount, Network, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::{cluster, spec::{self, SeedSpec}};
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat, key: u8| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
/// let mut builder = ChainBuilder::new();
/// // Key 7 is paid 9, pays 4 and gets 5 back, which is no receipt.
/// builder.insert(NewTx::claimed(txid(2), vec![NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(9, 1))], vec![out(9, 7)]))?;
/// builder.insert(NewTx::claimed(txid(3), vec![NewInput::new(OutPoint::new(txid(2), 0))], vec![out(4, 8), out(5, 7)]))?;
/// let chain = builder.finish()?;
/// let clusters = cluster::by_spending(chain.view(), |_| false);
/// let seven = Address::from_script(&out(0, 7).script_pubkey, Network::Bitcoin)?;
/// let seed: SeedSpec = format!("cluster:{seven}=seven").parse()?;
/// let found = spec::resolve_with(chain.view(), std::slice::from_ref(&seed), &clusters)?;
/// assert_eq!((found[0].outputs.len(), found[0].label.as_str()), (1, "seven"));
/// assert!(spec::resolve(chain.view(), &[seed]).unwrap_err().to_string().contains("it needs clusters"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn resolve_with(view: View<'_>, seeds: &[SeedSpec], clusters: &Clusters) -> Result<Vec<ResolvedSeed>, Error> {
    resolved(view, seeds, Some(clusters))
}

fn resolved(view: View<'_>, seeds: &[SeedSpec], clusters: Option<&Clusters>) -> Result<Vec<ResolvedSeed>, Error> {
    if seeds.is_empty() {
        return Err(SpecError::NoSeeds.into());
    }
    let resolved: Vec<ResolvedSeed> =
        seeds.iter().map(|seed| seed.resolve(view, clusters)).collect::<Result<_, _>>()?;
    // One output can be named under many labels, so the chain's own bound does not cover the sum.
    let mut values = resolved.iter().flat_map(|seed| &seed.outputs).filter_map(|output| view.output(*output).value());
    values.try_fold(Amount::ZERO, |sum, value| sum.checked_add(value)).ok_or(SpecError::TooMuch)?;
    Ok(resolved)
}
