//! Peel chains: a large coin from which one transaction after another cuts a small piece.
//!
//! Returns all chains of a view, the length of the rest of the chain at every transaction, and why each chain ends. The idea: a step spends
//! one coin (dust aside), has an output that goes on and pieces within bounds, and each step has at most one next: the spender of what goes on,
//! if that is a step too, comes soon enough and looks like the same wallet's. A step spends one coin, so it has at most one step before it: the
//! steps form paths. Invariant: a next step stands later in chain order, so one pass backwards gives every length,
//! `len[t] = 1 + len[next(t)]`.
//!
//! Which output goes on is the caller's choice: any rule of [`change`](crate::change) or a combination of them, or [`Ratio`].
//!
//! **Withdrawals of an exchange and payouts of a pool look the same.** A hot wallet that pays one customer after another is a peel chain in every
//! respect but its owner. What lowers the confidence: many payees of whom none is paid twice, a mined coin at the start, a service's tag on the
//! address that pays. What a chain is of itself never says theft. A tag ends a chain; one that is too short for that alone is shown as
//! [cut short](Peels::is_cut_short).
//!
//! # Fooled by
//!
//! An exchange's hot wallet, nine customers and one who comes back:
//!
//! ```
#![doc = include_str!("../change/sketch.txt")]
//! use fundtrace::change::Change;
//! use fundtrace::service::peel::{Known, Peels, Ratio, Terms};
//! let chain = sketch(&[
//!     ("a", &[("coin", 90_000, "hot")], &[(5_000, "ann"), (84_900, "hot1")]),
//!     ("b", &[("a:1", 84_900, "hot1")], &[(4_000, "ben"), (80_800, "hot2")]),
//!     ("c", &[("b:1", 80_800, "hot2")], &[(3_000, "cid"), (77_700, "hot3")]),
//! ]);
//! let peels = Peels::of(chain.view(), &Ratio::default().in_hindsight(), &Terms::default(), Known::default());
//! assert_eq!(peels.chains().count(), 1);
//! // Once somebody tags the wallet, next to nothing is left of it.
//! let hot = chain.view().output_at(fundtrace::bitcoin::OutPoint::new(txid("a"), 1)).unwrap().tx().inputs().next().unwrap();
//! let hot = hot.address_index();
//! let tagged = |output: fundtrace::chain::Output<'_>| output.address_index() == hot;
//! let peels = Peels::of(chain.view(), &Ratio::default().in_hindsight(), &Terms::default(), Known::default().tagged(&tagged));
//! assert_eq!(peels.chains().next().unwrap().confidence().to_ppm(), 50_000);
//! ```
//!
//! # References
//!
//! 1. Meiklejohn et al., "A Fistful of Bitcoins" (IMC 2013), section 5: peel chains of thefts, followed by change.
//! 2. Kappos et al., "How to Peel a Million" (USENIX Security 2022): features of the next hop must be those of the chain so far.
//! 3. BlockSci 0.7: one input and two outputs, beside another such transaction; far too weak by itself.

mod ratio;
mod run;
mod terms;

use std::fmt;

pub use ratio::Ratio;
pub use run::{Chain, Step};
pub use terms::{Stop, Terms};

use crate::chain::{Output, Spent, Tx, View};
use crate::change::{Fingerprint, Hindsight};
use crate::detect::{Confidence, Finding, coinjoin};
use crate::id::{self, OutputIndex, TxIndex};
use crate::par;

/// The rule's name and version.
pub const RULE: &str = "peel/1";

/// How many transactions one piece of work has.
const PIECE: usize = 4_096;
/// How sure the detectors are of what ends a chain as a mix; what `fundtrace cluster` takes.
const MIX: Confidence = Confidence::from_percent(60);

/// What is known beside the chain.
///
/// # Examples
///
/// See [`peel`](self).
#[derive(Clone, Copy, Default)]
pub struct Known<'a> {
    tagged: Option<&'a (dyn Fn(Output<'_>) -> bool + Sync)>,
    service: Option<&'a (dyn Fn(Output<'_>) -> bool + Sync)>,
}

impl<'a> Known<'a> {
    /// Tells which outputs pay a tagged address. A chain ends there; and where nobody tells [services](Self::services) apart, a chain that
    /// such an address pays is that service's.
    #[must_use]
    pub fn tagged(mut self, tagged: &'a (dyn Fn(Output<'_>) -> bool + Sync)) -> Self {
        self.tagged = Some(tagged);
        self
    }

    /// Tells which outputs pay an address of a service that pays out others' coins, and not of a suspect or a deed
    /// ([`Tag::names_service`](crate::tag::Tag::names_service)): a chain that such an address pays is that service's.
    #[must_use]
    pub fn services(mut self, services: &'a (dyn Fn(Output<'_>) -> bool + Sync)) -> Self {
        self.service = Some(services);
        self
    }

    fn is_service(self, output: Output<'_>) -> bool {
        self.service.or(self.tagged).is_some_and(|services| services(output))
    }

    fn is_tagged(self, output: Output<'_>) -> bool {
        self.tagged.is_some_and(|tagged| tagged(output))
    }
}

impl fmt::Debug for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tagged, services) = (self.tagged.is_some(), self.service.is_some());
        f.debug_struct("Known").field("tagged", &tagged).field("services", &services).finish()
    }
}

/// A transaction as a step: what it spends, and which output goes on.
#[derive(Clone, Copy)]
struct Main {
    spends: OutputIndex,
    goes_on: OutputIndex,
}

/// All peel chains of a view.
///
/// # Complexity
///
/// Made in two passes on the caller's rayon pool and one backwards, O(n); 32 bytes a transaction.
///
/// # Examples
///
/// ```
#[doc = include_str!("../change/sketch.txt")]
/// use fundtrace::change::{AddressType, Change};
/// use fundtrace::service::peel::{Known, Peels, Ratio, Stop, Terms};
/// let chain = sketch(&[
///     ("a", &[("coin", 90_000, "thief")], &[(5_000, "p2sh:x"), (84_900, "t1")]),
///     ("b", &[("a:1", 84_900, "t1")], &[(4_000, "p2sh:y"), (80_800, "t2")]),
///     ("c", &[("b:1", 80_800, "t2")], &[(77_700, "t3"), (3_000, "p2sh:x")]),
///     ("d", &[("c:0", 77_700, "t3")], &[(77_600, "home")]),
/// ]);
/// // What both rules name.
/// let rule = AddressType.and(Ratio::default()).in_hindsight();
/// let peels = Peels::of(chain.view(), &rule, &Terms::default(), Known::default());
/// let found = peels.chains().next().unwrap();
/// assert_eq!((found.steps.len(), found.payees, found.stop), (3, 2, Stop::Whole));
/// assert_eq!(found.peeled().to_sat(), 12_000);
/// let lengths: Vec<u32> = chain.view().txs().map(|tx| peels.length(tx.index())).collect();
/// assert_eq!(lengths, [3, 2, 1, 0]);
/// ```
pub struct Peels<'a> {
    view: View<'a>,
    rule: String,
    terms: Terms,
    known: Known<'a>,
    /// The transaction that stands first in the columns below.
    first: usize,
    steps: Vec<Result<Main, Stop>>,
    next: Vec<Result<TxIndex, Stop>>,
    length: Vec<u32>,
}

impl<'a> Peels<'a> {
    /// Finds every chain: `rule` says which output goes on. A rule that does not look ahead comes in by
    /// [`Change::in_hindsight`](crate::change::Change::in_hindsight).
    pub fn of<R: Hindsight + ?Sized>(view: View<'a>, rule: &R, terms: &Terms, known: Known<'a>) -> Self {
        let first = id::at(view.columns().stubs());
        let len = view.end().at().saturating_sub(first);
        let steps: Vec<Result<Main, Stop>> = par::pieces(len, PIECE, |piece| {
            let indexes = piece.map(|at| TxIndex::of(first + at));
            let judge = |index| if view.sees(index) { judge(view.tx(index), rule, terms) } else { Err(Stop::Unknown) };
            indexes.map(judge).collect::<Vec<_>>()
        })
        .concat();
        let next: Vec<Result<TxIndex, Stop>> = par::pieces(len, PIECE, |piece| {
            let link = |at: usize| {
                // That a transaction is a mix ends other chains; it is no step itself because it spends several coins.
                let step = steps[at].map_err(|stop| if stop == Stop::Mix { Stop::CoSpent } else { stop });
                step.and_then(|main| link(view, TxIndex::of(first + at), main, first, &steps, terms, known))
            };
            piece.map(link).collect::<Vec<_>>()
        })
        .concat();
        let mut length = vec![0; len];
        for at in (0..len).rev().filter(|at| steps[*at].is_ok()) {
            length[at] = 1 + next[at].map_or(0, |next| length[next.at() - first]);
        }
        let mut named = format!("{}/{}", rule.name(), rule.version());
        for (name, value) in rule.parameters() {
            named.push_str(&format!(" {name}={value}"));
        }
        Self { view, rule: named, terms: *terms, known, first, steps, next, length }
    }

    /// Returns the terms.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns the change rule with its version and parameters.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Returns the view.
    pub fn view(&self) -> View<'a> {
        self.view
    }

    fn at(&self, tx: TxIndex) -> Option<usize> {
        tx.at().checked_sub(self.first).filter(|at| *at < self.steps.len())
    }

    /// Returns how many steps a chain has from this transaction on, itself among them; 0 where it is no step.
    pub fn length(&self, tx: TxIndex) -> u32 {
        self.at(tx).map_or(0, |at| self.length[at])
    }

    /// Returns the next step.
    ///
    /// # Errors
    ///
    /// Why there is none, or why the transaction is no step.
    pub fn next(&self, tx: TxIndex) -> Result<TxIndex, Stop> {
        self.next[self.at(tx).ok_or(Stop::Unknown)?]
    }

    /// Returns a transaction as a step, whatever the length of its chain.
    pub fn step(&self, tx: TxIndex) -> Option<Step> {
        let Main { spends, goes_on } = self.steps[self.at(tx)?].ok()?;
        let cut = |output: &Output<'_>| output.index() != goes_on && !output.is_unspendable();
        let peels = self.view.tx(tx).outputs().filter(cut).filter_map(|output| Some((output.index(), output.value()?)));
        Some(Step { tx, spends, main: goes_on, peels: peels.collect() })
    }

    /// Iterates the first transactions of chains of at least [`Terms::steps_min`] steps, in chain order.
    pub fn heads(&self) -> impl Iterator<Item = TxIndex> {
        let mut is_next = vec![false; self.steps.len()];
        for next in self.next.iter().flatten() {
            is_next[next.at() - self.first] = true;
        }
        let long = move |at: &usize| !is_next[*at] && self.length[*at] >= self.terms.steps_min.max(1);
        (0..self.steps.len()).filter(long).map(|at| TxIndex::of(self.first + at))
    }

    /// Whether the chain from a transaction on is shorter than [`Terms::steps_min`] for a tag alone: what goes on pays a tagged address, and behind it
    /// the steps go on as they would without the tag, far enough. O([`Terms::steps_min`]).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("../change/sketch.txt")]
    /// use fundtrace::change::Change;
    /// use fundtrace::service::peel::{Known, Peels, Ratio, Stop, Terms};
    /// let chain = sketch(&[
    ///     ("a", &[("coin", 90_000, "thief")], &[(5_000, "ann"), (84_900, "shop")]),
    ///     ("b", &[("a:1", 84_900, "shop")], &[(4_000, "ben"), (80_800, "t2")]),
    ///     ("c", &[("b:1", 80_800, "t2")], &[(3_000, "cid"), (77_700, "t3")]),
    /// ]);
    /// let [a, b] = ["a", "b"].map(|name| chain.view().tx_at(&txid(name)).unwrap());
    /// let shop = b.inputs().next().unwrap().address_index();
    /// let tagged = |output: fundtrace::chain::Output<'_>| output.address_index() == shop;
    /// let rule = Ratio::default().in_hindsight();
    /// let peels = Peels::of(chain.view(), &rule, &Terms::default(), Known::default().tagged(&tagged));
    /// assert_eq!((peels.chains().count(), peels.length(a.index())), (0, 1));
    /// assert!(peels.is_cut_short(a.index()) && !peels.is_cut_short(b.index()));
    /// ```
    pub fn is_cut_short(&self, tx: TxIndex) -> bool {
        let mut steps = self.length(tx);
        if steps == 0 || steps >= self.terms.steps_min {
            return false;
        }
        let (mut at, mut tagged) = (tx, false);
        while let Ok(next) = self.next(at) {
            at = next;
        }
        while steps < self.terms.steps_min {
            let place = at.at() - self.first;
            let next = match self.next[place] {
                Ok(next) => next,
                Err(Stop::Service) => {
                    tagged = true;
                    let Ok(main) = self.steps[place] else { return false };
                    let blind = Known::default();
                    match link(self.view, at, main, self.first, &self.steps, &self.terms, blind) {
                        Ok(next) => next,
                        Err(_) => return false,
                    }
                }
                Err(_) => return false,
            };
            (at, steps) = (next, steps + 1);
        }
        tagged
    }

    /// Iterates the chains that [a tag cut short](Self::is_cut_short), by their first transactions.
    pub fn cut_short(&self) -> impl Iterator<Item = Chain> {
        let mut is_next = vec![false; self.steps.len()];
        for next in self.next.iter().flatten() {
            is_next[next.at() - self.first] = true;
        }
        let firsts = (0..self.steps.len()).filter(move |at| !is_next[*at]).map(|at| TxIndex::of(self.first + at));
        let cut = firsts.filter(|tx| self.is_cut_short(*tx));
        cut.map(|tx| self.chain_from(tx).expect("what a tag cuts short is a step"))
    }

    /// Returns the rest of a chain from a transaction on; `None` where it is no step.
    pub fn chain_from(&self, tx: TxIndex) -> Option<Chain> {
        self.stretch(tx, usize::MAX)
    }

    /// Returns so many steps of a chain at most from a transaction on; `None` where it is no step. Who pays is asked of the whole chain, whose beginning
    /// may lie before.
    pub(crate) fn stretch(&self, tx: TxIndex, steps_max: usize) -> Option<Chain> {
        let mut steps = vec![self.step(tx)?];
        let mut at = tx;
        let stop = loop {
            match self.next(at) {
                Ok(next) if steps.len() < steps_max => at = next,
                Ok(_) => break Stop::Unknown,
                Err(stop) => break stop,
            }
            steps.push(self.step(at).expect("a next step is a step"));
        };
        Some(Chain::of(self.view, steps, stop, self.paid_by(tx), self.known))
    }

    /// The output that the first step of a whole chain spends.
    fn paid_by(&self, tx: TxIndex) -> OutputIndex {
        let mut at = tx;
        loop {
            let spends = self.step(at).expect("it is asked of steps").spends;
            let before = self.view.output(spends).tx().index();
            let goes_on = before.at() >= self.first && self.step(before).is_some_and(|step| step.main == spends);
            if !goes_on || self.next(before) != Ok(at) {
                return spends;
            }
            at = before;
        }
    }

    /// Iterates the chains of at least [`Terms::steps_min`] steps, by their first transactions.
    pub fn chains(&self) -> impl Iterator<Item = Chain> {
        self.heads().map(|head| self.chain_from(head).expect("a head is a step"))
    }

    /// Returns a finding for each chain, at its first transaction, in chain order. One that a tag cut short is undecided.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::change::Change;
    /// use fundtrace::service::peel::{Known, Peels, Ratio, Terms};
    /// let chain = fundtrace::detect::sketch(&[90_000], &[5_000, 84_000])?;
    /// let terms = Terms::default().steps_min(1);
    /// let peels = Peels::of(chain.view(), &Ratio::default().in_hindsight(), &terms, Known::default());
    /// assert_eq!(peels.findings()[0].1.rule, "peel/1");
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn findings(&self) -> Vec<(TxIndex, Finding)> {
        let mut chains: Vec<Chain> = self.chains().chain(self.cut_short()).collect();
        chains.sort_unstable_by_key(Chain::first);
        chains.iter().map(|chain| (chain.first(), chain.finding(self.view, &self.rule, &self.terms))).collect()
    }
}

impl fmt::Debug for Peels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.steps.iter().filter(|step| step.is_ok()).count();
        f.debug_struct("Peels").field("rule", &self.rule).field("steps", &steps).finish_non_exhaustive()
    }
}

/// Whether a transaction is a step; cheap questions first, the change rule last but for the amounts.
fn judge<R: Hindsight + ?Sized>(tx: Tx<'_>, rule: &R, terms: &Terms) -> Result<Main, Stop> {
    if tx.is_coinbase() {
        return Err(Stop::Unknown);
    }
    // Asked here, because every chain that ends in it would ask again.
    let co_spent = || if coinjoin::is_mix(tx, MIX) { Stop::Mix } else { Stop::CoSpent };
    let mut spends: Option<OutputIndex> = None;
    for input in tx.inputs() {
        let (value, prevout) = (input.value(), input.prevout_index());
        let (Some(value), Some(prevout)) = (value, prevout) else { return Err(Stop::Unknown) };
        if value <= terms.dust_max && tx.inputs().len() > 1 {
            continue;
        }
        if spends.replace(prevout).is_some() {
            return Err(co_spent());
        }
    }
    let spends = spends.ok_or_else(co_spent)?;
    if tx.outputs().len() < 2 {
        return Err(Stop::Whole);
    }
    // Not `is_unspendable`, which asks about coinbases too.
    let spendable = || tx.outputs().filter(|output| !output.has_unspendable_script());
    match spendable().take(terms.outputs_max + 1).count() {
        0 | 1 => return Err(Stop::Whole),
        many if many > terms.outputs_max => return Err(Stop::Split),
        _ => {}
    }
    let candidates = rule.candidates(tx).filter(|set| !set.is_empty()).ok_or(Stop::NoChange)?;
    let goes_on = candidates.only().ok_or(Stop::Ambiguous)?;
    let sat = |output: Output<'_>| output.value().map_or(0, |value| value.to_sat());
    let total: u64 = spendable().map(sat).sum();
    let most = u128::from(total) * u128::from(terms.peel_max_ppm);
    let fits = |sat: u64| sat >= terms.peel_min.to_sat() && u128::from(sat) * 1_000_000 <= most;
    if !spendable().filter(|output| output.index() != goes_on).all(|output| fits(sat(output))) {
        return Err(Stop::Amount);
    }
    Ok(Main { spends, goes_on })
}

/// The next step of a step.
fn link(
    view: View<'_>,
    tx: TxIndex,
    main: Main,
    first: usize,
    steps: &[Result<Main, Stop>],
    terms: &Terms,
    known: Known<'_>,
) -> Result<TxIndex, Stop> {
    let output = view.output_in(main.goes_on, tx);
    if known.is_tagged(output) {
        return Err(Stop::Service);
    }
    let next = match output.spent() {
        Spent::By(next) => next,
        Spent::Unspent => return Err(Stop::Unspent),
        Spent::Unknown => return Err(Stop::Unknown),
    };
    match steps[next.at() - first] {
        Ok(on) if on.spends == main.goes_on => {}
        // What goes on is dust beside another coin.
        Ok(_) => return Err(Stop::CoSpent),
        Err(stop) => return Err(stop),
    }
    let (from, to) = (view.tx(tx), view.tx(next));
    // Heights and times have to be searched for, so only where there is a limit.
    let above = |most: Option<u32>, at: fn(Tx<'_>) -> Option<u32>| {
        most.is_some_and(|most| at(from).zip(at(to)).is_some_and(|(from, to)| to.saturating_sub(from) > most))
    };
    if above(terms.gap_blocks, |tx| tx.height().map(|height| height.to_u32()))
        || above(terms.gap_seconds, |tx| tx.time())
    {
        return Err(Stop::Gap);
    }
    let of = |tx| Fingerprint::within(tx, terms.mask);
    let differ = || of(from)?.agrees(of(to)?, terms.mask).map(|same| !same);
    if terms.mask != 0 && differ() == Some(true) {
        return Err(Stop::Fingerprint);
    }
    Ok(next)
}
