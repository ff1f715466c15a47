//! Inferences that addresses have one owner, each with the rule and the transaction it rests on.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::Clusters;
use crate::chain::View;
use crate::id::{AddressIndex, BlockHeight, TxIndex};
use crate::par;
use crate::par::union::Shared;

/// Inferences that a thread joins at a time.
const PIECE: usize = 1 << 14;

/// What an inference needs to hold, which tells what may be said of it when a transaction is taken away.
///
/// # Examples
///
/// ```
/// use fundtrace::ChainBuilder;
/// use fundtrace::cluster::{Basis, Rule, same_key, spending};
/// let chain = ChainBuilder::new().finish()?;
/// assert_eq!(spending::evidence(chain.view(), "", |_| false).rules()[0].basis, Basis::Transaction);
/// assert_eq!(same_key::evidence(chain.view()).rules()[0].basis, Basis::Identity);
/// // A rule that does not say more is held to look around.
/// assert_eq!(Rule::new("fresh", 1).basis, Basis::Context);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[non_exhaustive]
pub enum Basis {
    /// The transaction alone: the inference stands whatever other transactions there are.
    Transaction,
    /// The addresses themselves: no transaction shows it, and none takes it away. The one that is named is where both are first known.
    Identity,
    /// The transaction in the light of others, or of what other evidence joined. Take any transaction away and the rule might say otherwise of this one, or speak
    /// where it was silent.
    #[default]
    Context,
}

/// A rule by which addresses were joined: its name, its version and what it was told.
///
/// # Examples
///
/// ```
/// use fundtrace::cluster::Rule;
/// let rule = Rule::new("fresh_change", 1).parameters("outputs_min=2");
/// assert_eq!(rule.to_string(), "fresh_change 1 (outputs_min=2)");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[non_exhaustive]
pub struct Rule {
    /// The rule's name.
    pub name: String,
    /// Rises when the rule gives other answers for the same facts.
    pub version: u32,
    /// What it was told; empty where there is nothing to tell.
    pub parameters: String,
    /// What its inferences need to hold.
    #[serde(skip)]
    pub basis: Basis,
}

impl Rule {
    /// Names a rule that looks at more than one transaction.
    pub fn new(name: impl Into<String>, version: u32) -> Self {
        Self { name: name.into(), version, parameters: String::new(), basis: Basis::Context }
    }

    /// Says what its inferences need to hold.
    #[must_use]
    pub fn basis(mut self, basis: Basis) -> Self {
        self.basis = basis;
        self
    }

    /// Says what the rule was told.
    #[must_use]
    pub fn parameters(mut self, parameters: impl Into<String>) -> Self {
        self.parameters = parameters.into();
        self
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)?;
        if self.parameters.is_empty() { Ok(()) } else { write!(f, " ({})", self.parameters) }
    }
}

/// One inference: by this rule, this transaction shows that these addresses have one owner.
///
/// # Examples
///
/// See [`Evidence`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Inference<'e> {
    /// The transaction it rests on.
    pub tx: TxIndex,
    /// The rule.
    pub rule: &'e Rule,
    /// The addresses, two or more, ascending.
    pub addresses: &'e [AddressIndex],
}

/// Inferences in chain order, those of one transaction by rule.
///
/// Four bytes for each address of each inference, and 14 an inference.
///
/// # Examples
///
/// ```
/// use fundtrace::cluster::{Evidence, Rule};
/// use fundtrace::{AddressIndex, ChainBuilder, TxIndex};
/// let chain = ChainBuilder::new().finish()?;
/// // A rule of one's own: pairs of addresses and the transaction that shows it. Here the chain is empty, and so the list.
/// let evidence = Evidence::of_pairs(chain.view(), Rule::new("mine", 1), Vec::<(TxIndex, AddressIndex, AddressIndex)>::new());
/// assert_eq!(evidence.inferences().len(), 0);
/// assert!(evidence.clusters().is_empty());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// The view that it is of.
    of: Seen,
    rules: Vec<Rule>,
    tx: Vec<TxIndex>,
    rule: Vec<u16>,
    /// Where each inference's addresses begin; one more at the end.
    first: Vec<usize>,
    members: Vec<AddressIndex>,
}

/// A view as far as evidence can tell it from others: how many addresses it shows, where it ends, and as of which height.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seen {
    addresses: usize,
    end: TxIndex,
    height: Option<BlockHeight>,
}

impl Seen {
    fn by(view: View<'_>) -> Self {
        Self { addresses: view.addresses_seen(), end: view.end(), height: view.height() }
    }
}

/// Some inferences of one rule, in chain order.
#[derive(Default, Debug)]
pub(super) struct Rows {
    tx: Vec<TxIndex>,
    end: Vec<usize>,
    members: Vec<AddressIndex>,
}

impl Rows {
    /// Adds an inference, if it joins two addresses at least.
    pub(super) fn push(&mut self, tx: TxIndex, addresses: &[AddressIndex]) {
        let start = self.members.len();
        self.members.extend_from_slice(addresses);
        self.members[start..].sort_unstable();
        let mut kept = start;
        for at in start..self.members.len() {
            if at == start || self.members[at] != self.members[kept - 1] {
                self.members[kept] = self.members[at];
                kept += 1;
            }
        }
        self.members.truncate(kept);
        if kept < start + 2 {
            self.members.truncate(start);
            return;
        }
        self.tx.push(tx);
        self.end.push(kept);
    }

    /// Joins the addresses of each row.
    pub(super) fn join(&self, union: &Shared) {
        let start = |at: usize| at.checked_sub(1).map_or(0, |before| self.end[before]);
        join(union, 0..self.end.len(), |at| &self.members[start(at)..self.end[at]]);
    }
}

impl Evidence {
    /// Puts rows of one rule together that are in chain order.
    pub(super) fn of_rows(view: View<'_>, rule: Rule, parts: &[Rows]) -> Self {
        let mut first = vec![0];
        let mut before = 0;
        for part in parts {
            first.extend(part.end.iter().map(|end| before + end));
            before += part.members.len();
        }
        let tx = parts.iter().map(|part| part.tx.as_slice()).collect::<Vec<_>>().concat();
        let members = parts.iter().map(|part| part.members.as_slice()).collect::<Vec<_>>().concat();
        Self { of: Seen::by(view), rules: vec![rule], rule: vec![0; tx.len()], tx, first, members }
    }

    /// Makes evidence of a rule's pairs, in any order. A pair of an address with itself says nothing and is left out, and so is what the view
    /// does not show.
    ///
    /// # Panics
    ///
    /// When an index is not from the view's chain.
    pub fn of_pairs(
        view: View<'_>,
        rule: Rule,
        pairs: impl IntoIterator<Item = (TxIndex, AddressIndex, AddressIndex)>,
    ) -> Self {
        let seen = view.addresses_seen();
        let shown = |address: AddressIndex| {
            assert!(address.at() < view.addresses(), "address index {address} is not from this chain");
            address.at() < seen
        };
        let mut pairs: Vec<(TxIndex, AddressIndex, AddressIndex)> = pairs
            .into_iter()
            .map(|(tx, a, b)| (view.tx(tx).index(), a.min(b), a.max(b)))
            .filter(|(tx, a, b)| shown(*a) && shown(*b) && view.sees(*tx))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut rows = Rows::default();
        pairs.iter().for_each(|(tx, a, b)| rows.push(*tx, &[*a, *b]));
        Self::of_rows(view, rule, &[rows])
    }

    /// Adds the inferences of other rules.
    ///
    /// # Panics
    ///
    /// When the two are not of the same view.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        assert_eq!(self.of, other.of, "evidence of two views");
        let mut rules = self.rules.clone();
        rules.extend(other.rules.iter().filter(|rule| !self.rules.contains(rule)).cloned());
        let renumbered: Vec<u16> = other
            .rules
            .iter()
            .map(|rule| {
                let at = rules.iter().position(|known| known == rule).expect("all were added");
                u16::try_from(at).expect("there are few rules")
            })
            .collect();
        let mut order: Vec<(TxIndex, u16, &Self, usize)> = Vec::with_capacity(self.tx.len() + other.tx.len());
        order.extend((0..self.tx.len()).map(|at| (self.tx[at], self.rule[at], &self, at)));
        order.extend((0..other.tx.len()).map(|at| (other.tx[at], renumbered[usize::from(other.rule[at])], &other, at)));
        order.sort_by_key(|(tx, rule, _, _)| (*tx, *rule));
        let mut both = Self { rules, ..Self::empty(self.of) };
        for (tx, rule, of, at) in order {
            both.add(tx, rule, of.members_of(at));
        }
        both
    }

    fn empty(of: Seen) -> Self {
        Self { of, rules: Vec::new(), tx: Vec::new(), rule: Vec::new(), first: vec![0], members: Vec::new() }
    }

    fn add(&mut self, tx: TxIndex, rule: u16, members: &[AddressIndex]) {
        self.tx.push(tx);
        self.rule.push(rule);
        self.members.extend_from_slice(members);
        self.first.push(self.members.len());
    }

    /// Leaves out whatever rests on a transaction. What is an [identity](Basis::Identity) rests on none and stays.
    #[must_use]
    pub fn without(&self, tx: TxIndex) -> Self {
        let mut rest = Self { rules: self.rules.clone(), ..Self::empty(self.of) };
        for at in (0..self.tx.len()).filter(|at| !self.rests_on(*at, tx)) {
            rest.add(self.tx[at], self.rule[at], self.members_of(at));
        }
        rest
    }

    /// Returns the rules, in the order in which they were added.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns how many addresses the view shows that the evidence is of.
    pub fn addresses(&self) -> usize {
        self.of.addresses
    }

    /// True when the evidence is of this view: up to the same transaction, and as of the same height.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{BlockHeight, ChainBuilder, cluster::spending};
    /// let chain = ChainBuilder::new().finish()?;
    /// let evidence = spending::evidence(chain.view(), "", |_| false);
    /// assert!(evidence.is_of(chain.view()) && !evidence.is_of(chain.as_of(BlockHeight::from_u32(5))));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn is_of(&self, view: View<'_>) -> bool {
        self.of == Seen::by(view)
    }

    /// Iterates the inferences in chain order.
    pub fn inferences(&self) -> impl ExactSizeIterator<Item = Inference<'_>> {
        (0..self.tx.len()).map(|at| self.get(at))
    }

    /// Joins the addresses, on the caller's rayon pool.
    pub fn clusters(&self) -> Clusters {
        let union = Shared::new(self.of.addresses);
        par::pieces(self.tx.len(), PIECE, |range| join(&union, range, |at| self.members_of(at)));
        Clusters::of_parents(union.into_parents())
    }

    pub(super) fn len(&self) -> usize {
        self.tx.len()
    }

    pub(super) fn get(&self, at: usize) -> Inference<'_> {
        Inference { tx: self.tx[at], rule: &self.rules[usize::from(self.rule[at])], addresses: self.members_of(at) }
    }

    pub(super) fn members_of(&self, at: usize) -> &[AddressIndex] {
        &self.members[self.first[at]..self.first[at + 1]]
    }

    pub(super) fn basis_of(&self, at: usize) -> Basis {
        self.rules[self.rule_of(at)].basis
    }

    /// Whether an inference goes when a transaction is taken away.
    pub(super) fn rests_on(&self, at: usize, tx: TxIndex) -> bool {
        self.tx[at] == tx && self.basis_of(at) != Basis::Identity
    }

    pub(super) fn tx_of(&self, at: usize) -> TxIndex {
        self.tx[at]
    }

    pub(super) fn rule_of(&self, at: usize) -> usize {
        usize::from(self.rule[at])
    }

    /// The inferences of a transaction and of those after it.
    pub(super) fn from(&self, tx: TxIndex) -> Range<usize> {
        self.tx.partition_point(|of| *of < tx)..self.tx.len()
    }

    /// The addresses of all inferences, one after the other.
    pub(super) fn all_members(&self) -> &[AddressIndex] {
        &self.members
    }
}

/// Inferences that are read ahead of being joined: few enough to stay in the nearest cache.
const AHEAD: usize = 64;

/// Joins the addresses of each inference of a range.
///
/// Morally the inner loop over all of it; the places are read ahead because that is most of the time.
fn join<'a>(union: &Shared, range: Range<usize>, members_of: impl Fn(usize) -> &'a [AddressIndex]) {
    for start in range.clone().step_by(AHEAD) {
        let some = start..range.end.min(start + AHEAD);
        union.warm(some.clone().flat_map(&members_of).map(|address| address.to_u32()));
        for at in some {
            if let [first, rest @ ..] = members_of(at) {
                for other in rest {
                    let _ = union.link(first.to_u32(), other.to_u32());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inference_names_each_address_once() {
        let address = AddressIndex::from_u32;
        let mut rows = Rows::default();
        rows.push(TxIndex::from_u32(1), &[address(5), address(5)]);
        rows.push(TxIndex::from_u32(2), &[address(5), address(3), address(5), address(4)]);
        rows.push(TxIndex::from_u32(3), &[]);
        assert_eq!((rows.tx, rows.end), (vec![TxIndex::from_u32(2)], vec![3]));
        assert_eq!(rows.members, [3, 4, 5].map(address));
    }
}
