//! What to run, as data: rules, seeds and whole cases by name, so that one file reproduces a run.

mod case;
mod seed;

pub use case::{Case, SeedEntry, TagEntry};
pub use seed::{Place, ResolvedSeed, SeedSpec, heights, resolve};

use std::fmt;
use std::str::FromStr;

use bitcoin::Network;
use serde::{Deserialize, Serialize};

use crate::chain::View;
use crate::error::{Error, SpecError};
use crate::par;
use crate::taint::{Fifo, Haircut, Juniority, Lifo, Poison, Seniority, Tiho};
use crate::trace::{self, Options, Seed, Stop, Trace};

/// The taint rules by name.
///
/// # Examples
///
/// ```
/// use fundtrace::spec::Rule;
/// assert_eq!("fifo".parse::<Rule>()?, Rule::Fifo);
/// assert_eq!(Rule::ALL.len(), 7);
/// assert!("lilo".parse::<Rule>().unwrap_err().is_spec());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// [`Poison`].
    Poison,
    /// [`Haircut`].
    Haircut,
    /// [`Fifo`].
    Fifo,
    /// [`Lifo`].
    Lifo,
    /// [`Seniority`].
    Seniority,
    /// [`Juniority`].
    Juniority,
    /// [`Tiho`].
    Tiho,
}

impl Rule {
    /// Every rule, in the order reports show them.
    pub const ALL: [Self; 7] =
        [Self::Poison, Self::Haircut, Self::Fifo, Self::Lifo, Self::Seniority, Self::Juniority, Self::Tiho];

    /// Returns the name, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Poison => "poison",
            Self::Haircut => "haircut",
            Self::Fifo => "fifo",
            Self::Lifo => "lifo",
            Self::Seniority => "seniority",
            Self::Juniority => "juniority",
            Self::Tiho => "tiho",
        }
    }

    /// Reads a list of names, or `all`. A rule named twice is run once.
    ///
    /// # Errors
    ///
    /// When a name is unknown ([`Error::is_spec`]).
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::spec::Rule;
    /// assert_eq!(Rule::list(["lifo", "fifo", "lifo"])?, [Rule::Lifo, Rule::Fifo]);
    /// assert_eq!(Rule::list(["all"])?, Rule::ALL);
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Vec<Self>, Error> {
        let mut rules = Vec::new();
        for name in names {
            let named = if name == "all" { Self::ALL.to_vec() } else { vec![name.parse()?] };
            for rule in named {
                if !rules.contains(&rule) {
                    rules.push(rule);
                }
            }
        }
        Ok(rules)
    }

    /// Traces forward under this rule; see [`trace::forward`].
    ///
    /// # Panics
    ///
    /// When a seed's index is not from the view's chain.
    pub fn forward<'c, S: Stop + ?Sized>(
        self,
        view: View<'c>,
        seeds: &[Seed],
        stop: &S,
        options: &Options,
    ) -> Trace<'c> {
        match self {
            Self::Poison => trace::forward(view, seeds, &Poison, stop, options),
            Self::Haircut => trace::forward(view, seeds, &Haircut, stop, options),
            Self::Fifo => trace::forward(view, seeds, &Fifo, stop, options),
            Self::Lifo => trace::forward(view, seeds, &Lifo, stop, options),
            Self::Seniority => trace::forward(view, seeds, &Seniority, stop, options),
            Self::Juniority => trace::forward(view, seeds, &Juniority, stop, options),
            Self::Tiho => trace::forward(view, seeds, &Tiho, stop, options),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Rule {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            SpecError::Unknown { what: "policy", given: name.into(), known: format!("{known}, all") }.into()
        })
    }
}

/// Traces forward under several rules, side by side on the caller's rayon pool; the traces come in the rules' order.
///
/// # Panics
///
/// When a seed's index is not from the view's chain.
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, spec::{self, Rule}, trace::{Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let traces = spec::run(chain.view(), &[], &Rule::ALL, &stop::never(), &Options::default());
/// assert_eq!(traces[2].policy().name, "fifo");
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn run<'c, S: Stop + ?Sized>(
    view: View<'c>,
    seeds: &[Seed],
    rules: &[Rule],
    stop: &S,
    options: &Options,
) -> Vec<Trace<'c>> {
    par::map(rules, |rule| rule.forward(view, seeds, stop, options))
}

/// The networks, as they are written in files and on the command line.
const NETWORKS: [(&str, Network); 6] = [
    ("mainnet", Network::Bitcoin),
    ("bitcoin", Network::Bitcoin),
    ("testnet", Network::Testnet),
    ("testnet4", Network::Testnet4),
    ("signet", Network::Signet),
    ("regtest", Network::Regtest),
];

/// Reads a network's name: `mainnet` (or `bitcoin`), `testnet`, `testnet4`, `signet`, `regtest`.
///
/// # Errors
///
/// When the name is unknown ([`Error::is_spec`]).
///
/// # Examples
///
/// ```
/// use fundtrace::{bitcoin::Network, spec};
/// assert_eq!(spec::network("bitcoin")?, Network::Bitcoin);
/// assert_eq!(spec::network_name(Network::Bitcoin), "mainnet");
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn network(name: &str) -> Result<Network, Error> {
    NETWORKS.iter().find(|(known, _)| *known == name).map(|(_, network)| *network).ok_or_else(|| {
        let known = NETWORKS.map(|(name, _)| name).join(", ");
        SpecError::Unknown { what: "network", given: name.into(), known }.into()
    })
}

/// Returns a network's name as reports write it.
pub fn network_name(network: Network) -> &'static str {
    NETWORKS.iter().find(|(_, known)| *known == network).map_or("unknown", |(name, _)| name)
}
