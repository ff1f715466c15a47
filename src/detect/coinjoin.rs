//! CoinJoins: several owners in one transaction, a file for each protocol.
//!
//! [`classify`] asks them all and says what the first that holds says. The order is from what has the clearest mark to what has the
//! least: the caller's lists, Whirlpool, Wasabi 2, Wasabi 1, JoinMarket, equal outputs. A rule that holds beats one that is undecided, and
//! what is undecided beats a veto. Thresholds stand in tables keyed by height, in the rule's file; where a transaction's height is not
//! known its time decides, and where neither is, every row is in force.
//!
//! [`is_mix`] is what a clustering asks before it takes two inputs for one owner's. [`premix`] finds what prepares coins for a mix, and
//! is no CoinJoin; [`premix::kept`] and [`change`] say which outputs stay linked to their payer. [`lineage`] judges Whirlpool's mixes by their ancestry.

pub mod change;
pub mod equal;
mod era;
pub mod joinmarket;
pub mod lineage;
mod packing;
pub mod premix;
pub mod stonewall;
pub mod wasabi1;
pub mod wasabi2;
pub mod whirlpool;

use std::collections::BTreeSet;

use bitcoin::{ScriptBuf, Txid};

use super::shape::Lazy;
use super::{Confidence, Finding, Kind, Verdict};
use crate::chain::Tx;

/// The name and version of what the caller's lists say.
pub const LISTED: &str = "listed/1";

/// What the caller adds to the rules: lists, and how long to search.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Verdict, coinjoin::Rules};
/// let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
/// let tx = chain.view().txs().next().unwrap();
/// let mut rules = Rules::default();
/// assert!(rules.classify(tx).unwrap().is_yes());
/// rules.veto.insert(tx.txid());
/// assert_eq!(rules.classify(tx).unwrap().verdict, Verdict::No);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Rules {
    /// Transactions that are known to be CoinJoins, from a coordinator's list, say.
    pub allow: BTreeSet<Txid>,
    /// Transactions that are known to be none. A transaction on both lists is one.
    pub veto: BTreeSet<Txid>,
    /// Scripts that coordinators of Wasabi 1 were openly paid at, before height 610,000.
    pub coordinators: BTreeSet<ScriptBuf>,
    /// Steps of the search for a way to deal out inputs, for one transaction and rule. After that it is undecided.
    pub budget: u32,
}

/// The rules that [`classify`] asks, in order.
pub const RULES: [&str; 6] =
    [whirlpool::RULE, wasabi2::RULE, wasabi1::RULE, joinmarket::RULE, equal::RULE, stonewall::RULE];

/// As sure as equal outputs alone make a rule, without a protocol's mark.
const FORM_ALONE: Confidence = equal::GREATEST;

/// Whirlpool's fewest seats; Wasabi 1 asks for six inputs and equal outputs, Wasabi 2 for twenty inputs.
const PROTOCOLS_TXOS_MIN: usize = 5;

impl Default for Rules {
    fn default() -> Self {
        Self { allow: BTreeSet::new(), veto: BTreeSet::new(), coordinators: BTreeSet::new(), budget: 200 }
    }
}

impl Rules {
    /// As [`classify`], with lists.
    pub fn classify(&self, tx: Tx<'_>) -> Option<Finding> {
        self.classify_shape(&Lazy::of(tx), Confidence::default())
    }

    /// Leaves out the last rules where they are never as sure as `least`.
    pub(super) fn classify_shape(&self, shape: &Lazy<'_>, least: Confidence) -> Option<Finding> {
        self.listed(shape.tx).or_else(|| self.by_shape(shape, least))
    }

    /// As [`classify`](Self::classify), but for what the lists say.
    pub(crate) fn by_form(&self, tx: Tx<'_>) -> Option<Finding> {
        self.by_shape(&Lazy::of(tx), Confidence::default())
    }

    fn by_shape(&self, shape: &Lazy<'_>, least: Confidence) -> Option<Finding> {
        let tx = shape.tx;
        // A Wasabi 2 round without two equal outputs does not occur, and of the others equal outputs are the essence.
        if tx.inputs().len() < 2 || tx.outputs().len() < 3 || !shape.has_equal_outputs() {
            return None;
        }
        let shape = shape.get();
        let asked: [&dyn Fn() -> Option<Finding>; 5] = [
            &|| whirlpool::of(tx, shape),
            &|| wasabi2::of(tx, shape),
            &|| wasabi1::of(tx, shape, self),
            &|| joinmarket::of(tx, shape, self),
            &|| equal::of(tx, shape, self),
        ];
        let asked = if least > FORM_ALONE { &asked[..3] } else { &asked[..] };
        let mut second: Option<Finding> = None;
        for finding in asked.iter().filter_map(|ask| ask()) {
            if finding.is_yes() {
                return Some(finding);
            }
            if second.as_ref().is_none_or(|held| held.verdict == Verdict::No && finding.verdict == Verdict::Undecided) {
                second = Some(finding);
            }
        }
        second
    }

    /// As [`is_mix`], with lists.
    pub fn is_mix(&self, tx: Tx<'_>, confidence_min: Confidence) -> bool {
        let shape = Lazy::of(tx);
        // What has a mark of its own has at least so many of both, but for what pays a coordinator who is on the list, or is listed itself.
        let small = tx.inputs().len().min(tx.outputs().len()) < PROTOCOLS_TXOS_MIN;
        let lists = [&self.allow, &self.veto].iter().any(|list| !list.is_empty()) || !self.coordinators.is_empty();
        if small && !lists && confidence_min > FORM_ALONE {
            return false;
        }
        // Only Wasabi 2 makes do with two equal outputs, and with none of so few inputs.
        let of_two = tx.inputs().len() >= wasabi2::INPUTS_MIN;
        if !of_two && !lists && confidence_min > FORM_ALONE && !shape.has_alike(wasabi1::REPEATED_MIN) {
            return false;
        }
        let found = self.classify_shape(&shape, confidence_min);
        found.is_some_and(|finding| finding.is_yes() && finding.confidence >= confidence_min)
    }

    fn listed(&self, tx: Tx<'_>) -> Option<Finding> {
        if self.allow.is_empty() && self.veto.is_empty() {
            return None;
        }
        let txid = tx.txid();
        let verdict = match (self.allow.contains(&txid), self.veto.contains(&txid)) {
            (true, _) => Verdict::Yes,
            (false, true) => Verdict::No,
            (false, false) => return None,
        };
        let finding = Finding::new(Kind::Coinjoin, "listed", LISTED, Confidence::from_percent(100));
        Some(finding.verdict(verdict))
    }

    fn pays_coordinator(&self, tx: Tx<'_>) -> bool {
        let is_theirs = |script: &bitcoin::Script| self.coordinators.iter().any(|known| known.as_script() == script);
        !self.coordinators.is_empty() && tx.outputs().any(|output| output.script().is_some_and(is_theirs))
    }
}

/// Says what kind of CoinJoin a transaction is, by the first rule that holds; `None` where no rule has anything to say.
///
/// # Complexity
///
/// O(n log n) in inputs and outputs, and the budget of [`Rules`].
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, coinjoin};
/// let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
/// let finding = chain.view().txs().find_map(coinjoin::classify).unwrap();
/// assert_eq!((finding.protocol, finding.rule), ("whirlpool", "whirlpool/1"));
/// let chain = detect::sketch(&[100_000], &[60_000, 39_000])?;
/// assert!(chain.view().txs().find_map(coinjoin::classify).is_none());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn classify(tx: Tx<'_>) -> Option<Finding> {
    // The default has no list, so making it allocates nothing.
    Rules::default().classify(tx)
}

/// True when a rule says with at least this confidence that a transaction is a CoinJoin. What is undecided is not.
///
/// JoinMarket and other equal outputs are graded from 25 to 55 per cent, the protocols with a mark of their own 60 and more.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Confidence, coinjoin};
/// let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
/// let tx = chain.view().txs().next().unwrap();
/// assert!(coinjoin::is_mix(tx, Confidence::from_percent(50)));
/// assert!(!coinjoin::is_mix(tx, Confidence::from_percent(99)));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn is_mix(tx: Tx<'_>, confidence_min: Confidence) -> bool {
    Rules::default().is_mix(tx, confidence_min)
}
