//! What to run, as data: rules, seeds and whole cases by name, so that one file reproduces a run.

mod case;
mod seed;

pub use case::{Case, SeedEntry, TagEntry};
pub use seed::{Place, ResolvedSeed, SeedSpec, heights, resolve};

pub use crate::taint::Rule;

use bitcoin::Network;

use crate::chain::View;
use crate::error::{Error, SpecError};
use crate::par;
use crate::taint::{Fifo, Haircut, Juniority, Lifo, Poison, Seniority, Tiho};
use crate::trace::{self, Options, Seed, Stop, Trace};

impl Rule {
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
