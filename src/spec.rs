//! What to run, as data: rules, seeds and whole cases by name, so that one file reproduces a run.

mod case;
mod seed;

pub use case::{Case, SeedEntry, TagEntry};
pub use seed::{Place, ResolvedSeed, SeedSpec, heights, resolve, resolve_with};

pub use crate::taint::Rule;

use bitcoin::Network;

use crate::chain::View;
use crate::error::{Error, SpecError};
use crate::par;
use crate::taint::{Fifo, Haircut, Juniority, Lifo, Poison, Seniority, Tiho};
use crate::trace::{self, Options, Owners, Reach, Seed, Stop, Through, Trace};

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

    /// Traces forward between owners under this rule; see [`trace::forward_between`].
    ///
    /// # Panics
    ///
    /// As [`trace::forward_between`].
    pub fn forward_between<'c, S: Stop + ?Sized>(
        self,
        view: View<'c>,
        seeds: &[Seed],
        stop: &S,
        options: &Options,
        owners: &Owners<'_>,
    ) -> Trace<'c> {
        match self {
            Self::Poison => trace::forward_between(view, seeds, &Poison, stop, options, owners),
            Self::Haircut => trace::forward_between(view, seeds, &Haircut, stop, options, owners),
            Self::Fifo => trace::forward_between(view, seeds, &Fifo, stop, options, owners),
            Self::Lifo => trace::forward_between(view, seeds, &Lifo, stop, options, owners),
            Self::Seniority => trace::forward_between(view, seeds, &Seniority, stop, options, owners),
            Self::Juniority => trace::forward_between(view, seeds, &Juniority, stop, options, owners),
            Self::Tiho => trace::forward_between(view, seeds, &Tiho, stop, options, owners),
        }
    }
}

impl Rule {
    /// Traces forward under this rule with a choice of what happens at mixes; see [`trace::forward_through`].
    ///
    /// # Panics
    ///
    /// When a seed's index is not from the view's chain.
    pub fn forward_through<'c, S: Stop + ?Sized>(
        self,
        view: View<'c>,
        seeds: &[Seed],
        stop: &S,
        through: &Through,
        options: &Options,
    ) -> Trace<'c> {
        match self {
            Self::Poison => trace::forward_through(view, seeds, &Poison, stop, through, options),
            Self::Haircut => trace::forward_through(view, seeds, &Haircut, stop, through, options),
            Self::Fifo => trace::forward_through(view, seeds, &Fifo, stop, through, options),
            Self::Lifo => trace::forward_through(view, seeds, &Lifo, stop, through, options),
            Self::Seniority => trace::forward_through(view, seeds, &Seniority, stop, through, options),
            Self::Juniority => trace::forward_through(view, seeds, &Juniority, stop, through, options),
            Self::Tiho => trace::forward_through(view, seeds, &Tiho, stop, through, options),
        }
    }
}

/// As [`run`], with a choice of what happens at mixes.
///
/// # Panics
///
/// When a seed's index is not from the view's chain.
///
/// # Examples
///
/// ```
/// use fundtrace::ChainBuilder;
/// use fundtrace::detect::{Confidence, coinjoin::Rules};
/// use fundtrace::spec::{self, Rule};
/// use fundtrace::trace::{Mixes, Mode, Options, Through, stop};
/// let chain = ChainBuilder::new().finish()?;
/// let through = Through::new(Mode::Stop, Mixes::new(Rules::default(), Confidence::from_percent(60)));
/// let traces = spec::run_through(chain.view(), &[], &Rule::ALL, &stop::never(), &through, &Options::default());
/// assert_eq!(traces[0].through(), Some(Mode::Stop));
/// assert_eq!(traces[0].stop(), "never; stop at mixes (from 60 %)");
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn run_through<'c, S: Stop + ?Sized>(
    view: View<'c>,
    seeds: &[Seed],
    rules: &[Rule],
    stop: &S,
    through: &Through,
    options: &Options,
) -> Vec<Trace<'c>> {
    par::map(rules, |rule| rule.forward_through(view, seeds, stop, through, options))
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

/// As [`run`], between owners: what stays inside one cluster is no move; see [`trace::forward_between`].
///
/// # Panics
///
/// As [`trace::forward_between`].
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, cluster, spec::{self, Rule}, trace::{Options, Owners, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let clusters = cluster::by_spending(chain.view(), |_| false);
/// let owners = Owners::new(&clusters, vec![cluster::Rule::new("spending", 1)]);
/// let traces = spec::run_between(chain.view(), &[], &Rule::ALL, &stop::never(), &Options::default(), &owners);
/// assert_eq!(traces[2].entity_rules().unwrap().len(), 1);
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn run_between<'c, S: Stop + ?Sized>(
    view: View<'c>,
    seeds: &[Seed],
    rules: &[Rule],
    stop: &S,
    options: &Options,
    owners: &Owners<'_>,
) -> Vec<Trace<'c>> {
    par::map(rules, |rule| rule.forward_between(view, seeds, stop, options, owners))
}

/// One of many runs, with terms of its own.
///
/// # Examples
///
/// See [`reach`].
#[derive(Clone, Copy)]
pub struct Job<'c, 'j> {
    view: View<'c>,
    seeds: &'j [Seed],
    rule: Rule,
    stop: &'j dyn Stop,
    options: Options,
}

impl<'c, 'j> Job<'c, 'j> {
    /// Makes a job that nothing stops, under the default conventions.
    pub fn new(view: View<'c>, seeds: &'j [Seed], rule: Rule) -> Self {
        Self { view, seeds, rule, stop: &trace::stop::Never, options: Options::default() }
    }

    /// Sets when to stop.
    #[must_use]
    pub fn stop(mut self, stop: &'j dyn Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Sets the conventions.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }
}

impl std::fmt::Debug for Job<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("seeds", &self.seeds).field("rule", &self.rule).finish_non_exhaustive()
    }
}

/// Runs [`trace::reach()`] many times, side by side on the caller's rayon pool; the answers come in the jobs' order.
///
/// Runs do not know of each other: a seed of one displaces nothing in another. That is how cases, rules and the sources of a linear rule are
/// split up exactly. The jobs with the most seeds begin first, so that a long one does not begin last.
///
/// # Panics
///
/// As [`trace::reach()`].
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, spec::{self, Job, Rule}};
/// let chain = ChainBuilder::new().finish()?;
/// let jobs = [Rule::Fifo, Rule::Lifo].map(|rule| Job::new(chain.view(), &[], rule));
/// let reached = spec::reach(&jobs);
/// assert_eq!(reached[1].policy().name, "lifo");
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn reach<'c>(jobs: &[Job<'c, '_>]) -> Vec<Reach<'c>> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(jobs[*at].seeds.len()));
    let found = par::map(&order, |at| {
        let Job { view, seeds, rule, stop, options } = jobs[*at];
        trace::reach(view, seeds, rule, stop, &options)
    });
    let mut placed: Vec<_> = order.into_iter().zip(found).collect();
    placed.sort_unstable_by_key(|(at, _)| *at);
    placed.into_iter().map(|(_, reach)| reach).collect()
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
