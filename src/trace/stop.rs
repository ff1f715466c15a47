//! When to stop following an output, and why.
//!
//! A stop is asked once for each tainted output: when its spender is about to be visited, or at the end when there is none. Rules
//! combine with [`or`](Stop::or); where several hold, the first in the order given is the reason. Without a rule ([`never()`])
//! nothing is cut. The ended output's taint stays there; the transaction that spends it sees it as clean.

use std::sync::{Arc, OnceLock};

use bitcoin::Amount;
use bitcoin::hashes::{Hash, sha256};

use super::{Classed, Reason};
use crate::chain::{Output, Tx, View};
use crate::detect::{Confidence, Verdict};
use crate::id::BlockHeight;
use crate::service::deposit::{Deposit, Deposits, RULE};
use crate::tag::{Tag, Tags};

/// A tainted output as a stop sees it.
///
/// # Examples
///
/// See [`when`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Visit<'c> {
    /// The output.
    pub output: Output<'c>,
    /// The visible transaction that spends it, if there is one.
    pub spender: Option<Tx<'c>>,
    /// Hops from the nearest seed.
    pub hops: u32,
    /// Its taint over all sources.
    pub amount: Amount,
    /// Whether it is a seed itself.
    pub seed: bool,
    /// How many transactions taint has been carried through so far.
    pub transactions: u64,
}

/// When to stop following an output, and why.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::trace::stop::{self, Stop};
/// let stop = stop::hops(20).or(stop::below(Amount::from_sat(50_000)));
/// assert_eq!(stop.describe(), "hops 20, or below 50000 sat");
/// ```
pub trait Stop: Sync {
    /// Returns the reason to stop at this output, or `None` to go on.
    fn check(&self, at: &Visit<'_>) -> Option<Reason>;

    /// Says what the rule is, for the manifest: whoever has the text can repeat the run.
    fn describe(&self) -> String {
        "a rule of the caller's".into()
    }

    /// False when [`check`](Self::check) never says anything, so that nobody need ask. `true` is always right.
    fn cuts(&self) -> bool {
        true
    }

    /// Stops where either rule does; this one's reason comes first.
    fn or<S: Stop>(self, other: S) -> Or<Self, S>
    where
        Self: Sized,
    {
        Or { first: self, second: other }
    }
}

impl<S: Stop + ?Sized> Stop for &S {
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        (**self).check(at)
    }
    fn describe(&self) -> String {
        (**self).describe()
    }
    fn cuts(&self) -> bool {
        (**self).cuts()
    }
}

impl<S: Stop + ?Sized> Stop for Box<S>
where
    Box<S>: Sync,
{
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        (**self).check(at)
    }
    fn describe(&self) -> String {
        (**self).describe()
    }
    fn cuts(&self) -> bool {
        (**self).cuts()
    }
}

/// Two rules, the first one's reason first. Made by [`Stop::or`].
///
/// # Examples
///
/// See [`Stop`].
#[derive(Clone, Copy, Debug)]
pub struct Or<A, B> {
    first: A,
    second: B,
}

impl<A: Stop, B: Stop> Stop for Or<A, B> {
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        self.first.check(at).or_else(|| self.second.check(at))
    }

    fn describe(&self) -> String {
        match (self.first.describe(), self.second.describe()) {
            (first, second) if first == NEVER => second,
            (first, second) if second == NEVER => first,
            (first, second) => format!("{first}, or {second}"),
        }
    }

    fn cuts(&self) -> bool {
        self.first.cuts() || self.second.cuts()
    }
}

const NEVER: &str = "never";

/// Goes on for ever.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::stop::{self, Stop};
/// assert_eq!(stop::never().describe(), "never");
/// ```
pub fn never() -> Never {
    Never
}

/// Made by [`never()`].
///
/// # Examples
///
/// See [`never()`].
#[derive(Clone, Copy, Debug)]
pub struct Never;

impl Stop for Never {
    fn check(&self, _: &Visit<'_>) -> Option<Reason> {
        None
    }
    fn describe(&self) -> String {
        NEVER.into()
    }
    fn cuts(&self) -> bool {
        false
    }
}

/// Stops at outputs that are `max` hops from a seed, or more.
///
/// # Examples
///
/// See [`Stop`].
pub fn hops(max: u32) -> Hops {
    Hops { max }
}

/// Made by [`hops`].
///
/// # Examples
///
/// See [`Stop`].
#[derive(Clone, Copy, Debug)]
pub struct Hops {
    max: u32,
}

impl Stop for Hops {
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        (at.hops >= self.max).then_some(Reason::Hops)
    }
    fn describe(&self) -> String {
        format!("hops {}", self.max)
    }
}

/// Stops at outputs that hold less taint than `least`, over all sources.
///
/// # Examples
///
/// See [`Stop`].
pub fn below(least: Amount) -> Below {
    Below { least }
}

/// Made by [`below`].
///
/// # Examples
///
/// See [`Stop`].
#[derive(Clone, Copy, Debug)]
pub struct Below {
    least: Amount,
}

impl Stop for Below {
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        (at.amount < self.least).then_some(Reason::Below)
    }
    fn describe(&self) -> String {
        format!("below {} sat", self.least.to_sat())
    }
}

/// Stops where the spender stands above `height`, or has no height.
///
/// Asking a view as of that height is stricter: it shows nothing later, so it cannot even tell that a later spender exists.
///
/// # Examples
///
/// ```
/// use fundtrace::BlockHeight;
/// use fundtrace::trace::stop::{self, Stop};
/// assert_eq!(stop::as_of(BlockHeight::from_u32(9)).describe(), "as of height 9");
/// ```
pub fn as_of(height: BlockHeight) -> AsOf {
    AsOf { height }
}

/// Made by [`as_of`].
///
/// # Examples
///
/// See [`as_of`].
#[derive(Clone, Copy, Debug)]
pub struct AsOf {
    height: BlockHeight,
}

impl Stop for AsOf {
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        let later = at.spender?.height().is_none_or(|height| height > self.height);
        later.then_some(Reason::AsOf)
    }
    fn describe(&self) -> String {
        format!("as of height {}", self.height)
    }
}

/// Stops everywhere once taint has been carried through `max` transactions. Transactions are visited in chain order, so what is cut is
/// the latest.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::stop::{self, Stop};
/// assert_eq!(stop::budget(1000).describe(), "budget 1000 transactions");
/// ```
pub fn budget(max: u64) -> Budget {
    Budget { max }
}

/// Made by [`budget`].
///
/// # Examples
///
/// See [`budget`].
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    max: u64,
}

impl Stop for Budget {
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        // An output that nothing spends was not cut by the budget.
        (at.spender.is_some() && at.transactions >= self.max).then_some(Reason::Budget)
    }
    fn describe(&self) -> String {
        format!("budget {} transactions", self.max)
    }
}

/// Stops at outputs that pay a tagged address, except at a seed. The first of its tags that holds on the day of its block is the reason.
///
/// What leaves a service again is the service's money; its own books, which are not on the chain, say whose.
///
/// Where tags were [spread](crate::cluster::spread()) over clusters, the first output that pays any address of a cluster ends there: a deposit
/// address, say, and not the hot wallet into which it was swept later. The tag says that it is inferred, and from which address.
///
/// # Examples
///
/// ```
/// use fundtrace::tag::Tags;
/// use fundtrace::trace::stop::{self, Stop};
/// let tags = Tags::default();
/// assert!(stop::tagged(&tags).describe().starts_with("tagged (0 addresses, sha256 "));
/// ```
pub fn tagged(tags: &Tags) -> Tagged<'_> {
    Tagged { tags, categories: &[], digest: OnceLock::new() }
}

/// Made by [`tagged`].
///
/// # Examples
///
/// See [`tagged`].
#[derive(Clone, Debug)]
pub struct Tagged<'t> {
    tags: &'t Tags,
    categories: &'t [String],
    /// Every trace describes its stop; many tags take a while to hash.
    digest: OnceLock<sha256::Hash>,
}

impl<'t> Tagged<'t> {
    /// Stops only at tags of these categories (abuses and concepts count, see [`Tag::is_of`](crate::tag::Tag::is_of)); without any, at all. Tags of
    /// other categories are passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::tag::Tags;
    /// use fundtrace::trace::stop::{self, Stop};
    /// let (tags, only) = (Tags::default(), ["exchange".to_owned(), "mixing_service".to_owned()]);
    /// assert!(stop::tagged(&tags).only(&only).describe().starts_with("tagged as exchange or mixing_service (0 addresses, "));
    /// ```
    #[must_use]
    pub fn only(mut self, categories: &'t [String]) -> Self {
        self.categories = categories;
        self
    }
}

impl Stop for Tagged<'_> {
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        if at.seed {
            return None;
        }
        let stops =
            |tag: &&Tag| self.categories.is_empty() || self.categories.iter().any(|category| tag.is_of(category));
        let tag = self.tags.holding(at.output).find(stops)?;
        Some(Reason::Tagged(Arc::new(tag.clone())))
    }
    fn describe(&self) -> String {
        let only =
            if self.categories.is_empty() { String::new() } else { format!(" as {}", self.categories.join(" or ")) };
        let covered = match self.tags.covered() {
            0 => String::new(),
            covered => format!("clusters of {covered}, "),
        };
        format!(
            "tagged{only} ({} addresses, {covered}sha256 {})",
            self.tags.len(),
            self.digest.get_or_init(|| self.tags.digest())
        )
    }
}

/// Makes a stop of a closure. `describe` goes into the manifest.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::{Reason, stop::{self, Stop}};
/// let large = stop::when("transactions of 100 outputs or more", |at| {
///     at.spender.is_some_and(|tx| tx.outputs().len() >= 100).then(|| Reason::Custom("batch".into()))
/// });
/// assert_eq!(large.describe(), "transactions of 100 outputs or more");
/// ```
pub fn when<F>(describe: impl Into<String>, check: F) -> When<F>
where
    F: Fn(&Visit<'_>) -> Option<Reason> + Sync,
{
    When { describe: describe.into(), check }
}

/// Made by [`when`].
///
/// # Examples
///
/// See [`when`].
#[derive(Clone)]
pub struct When<F> {
    describe: String,
    check: F,
}

impl<F> std::fmt::Debug for When<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("When").field("describe", &self.describe).finish_non_exhaustive()
    }
}

impl<F: Fn(&Visit<'_>) -> Option<Reason> + Sync> Stop for When<F> {
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        (self.check)(at)
    }
    fn describe(&self) -> String {
        self.describe.clone()
    }
}

/// Stops at probable deposit addresses whose verdict is yes and that are at least so sure, except at a seed: before a sweep merges depositors.
///
/// The reason names the service, the rule and the confidence in parts of a million. The description counts the addresses at which it stops, and hashes them:
/// SHA-256 over a line for each, sorted.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::Confidence;
/// use fundtrace::service::deposit::{self, Terms};
/// use fundtrace::tag::Tags;
/// use fundtrace::trace::stop::{self, Stop};
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let found = deposit::find(chain.view(), &Tags::default(), None, &Terms::default());
/// let stop = stop::classified(chain.view(), &found, Confidence::from_percent(80));
/// assert!(stop.describe().starts_with("deposit/2 from 800000 ppm (0 addresses, sha256 e3b0c442"));
/// assert!(stop.describe().ends_with("; depositors_min 10, share_min 1000000 ppm, delay_max 432 blocks, mix 600000 ppm)"));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn classified<'d>(view: View<'d>, deposits: &'d Deposits, confidence_min: Confidence) -> Classified<'d> {
    Classified { view, deposits, confidence_min, listed: OnceLock::new() }
}

/// Made by [`classified`].
///
/// # Examples
///
/// See [`classified`].
#[derive(Clone, Debug)]
pub struct Classified<'d> {
    view: View<'d>,
    deposits: &'d Deposits,
    confidence_min: Confidence,
    /// How many addresses it stops at, and their hash; every trace describes its stop.
    listed: OnceLock<(usize, sha256::Hash)>,
}

impl Classified<'_> {
    fn stops_at(&self, deposit: &Deposit) -> bool {
        deposit.verdict == Verdict::Yes && deposit.confidence >= self.confidence_min
    }

    /// The number of addresses that it stops at, and the hash of a sorted line for each.
    fn listed(&self) -> (usize, sha256::Hash) {
        *self.listed.get_or_init(|| {
            let stops = self.deposits.iter().filter(|deposit| self.stops_at(deposit));
            let mut lines: Vec<String> =
                stops.map(|deposit| format!("{}\n", self.view.address(deposit.address))).collect();
            lines.sort_unstable();
            (lines.len(), sha256::Hash::hash(lines.concat().as_bytes()))
        })
    }
}

impl Stop for Classified<'_> {
    fn check(&self, at: &Visit<'_>) -> Option<Reason> {
        let deposit = self.deposits.of(at.output.address_index()?)?;
        let service = self.deposits.service(deposit);
        let ppm = deposit.confidence.to_ppm();
        let classed = || Classed::new("deposit address", &service.label, &service.category, RULE, ppm);
        (!at.seed && self.stops_at(deposit)).then(|| Reason::Classified(classed().into()))
    }
    fn describe(&self) -> String {
        let (count, hash) = self.listed();
        let least = self.confidence_min.to_ppm();
        format!("{RULE} from {least} ppm ({count} addresses, sha256 {hash}; {})", self.deposits.terms())
    }
}
