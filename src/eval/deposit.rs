//! Deposit addresses that a rule names, against those that there are.
//!
//! Of addresses, each once. A true deposit address of a service is one with an output that the truth calls a deposit there. A statement is right when the address is a deposit address of that
//! very service; a hot wallet or a collecting address called a deposit address is wrong. Decoys are addresses of no service, one for each true deposit address: the next in
//! chain order, so that it appears at about the same time.

use std::collections::BTreeMap;

use super::Ratio;
use crate::chain::{Output, View};
use crate::detect::{Confidence, Verdict};
use crate::id::{AddressIndex, EntityIndex};
use crate::service::deposit::Deposits;
use crate::tag::{Tag, Tags};
use crate::truth::{EntityKind, Kind, Role, Truth};

/// How a deposit address is used: what makes it easy or hard to find.
///
/// # Examples
///
/// ```
/// use fundtrace::eval::DepositUse;
/// assert_eq!(DepositUse::ALL[0].as_str(), "used again");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum DepositUse {
    /// Paid more than once and swept straight to where the service pays from.
    Again,
    /// Paid once, and swept straight there.
    Once,
    /// Swept through a hop: to an address of the service that hands on to another.
    Hop,
    /// Never swept.
    Unswept,
}

impl DepositUse {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Again, Self::Once, Self::Hop, Self::Unswept];

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Again => "used again",
            Self::Once => "single use",
            Self::Hop => "through a hop",
            Self::Unswept => "unswept",
        }
    }
}

/// How well deposit addresses were found.
///
/// # Examples
///
/// See [`deposits`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct DepositScore {
    /// Of the addresses named, those that are deposit addresses of the service named.
    pub precision: Ratio,
    /// Of the true deposit addresses of tagged services, those that are named.
    pub recall: Ratio,
    /// The same by use, in the order of [`DepositUse::ALL`].
    pub by_use: [Ratio; 4],
    /// Of the decoys, those that are named.
    pub decoys: Ratio,
}

impl DepositScore {
    /// Returns the recall among deposit addresses that were swept at all: nothing on the chain tells whose an unswept one is.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::eval::{DepositScore, Ratio};
    /// let mut score = DepositScore::default();
    /// score.by_use = [Ratio::new(3_u32, 4_u32), Ratio::new(1_u32, 1_u32), Ratio::default(), Ratio::new(0_u32, 5_u32)];
    /// assert_eq!(score.swept(), Ratio::new(4_u32, 5_u32));
    /// ```
    pub fn swept(&self) -> Ratio {
        let uses = DepositUse::ALL.iter().zip(self.by_use);
        uses.filter(|(used, _)| **used != DepositUse::Unswept).map(|(_, ratio)| ratio).sum()
    }

    /// Adds another world's.
    pub fn add(&mut self, other: &Self) {
        let sum = |a: Ratio, b: Ratio| [a, b].into_iter().sum();
        self.precision = sum(self.precision, other.precision);
        self.recall = sum(self.recall, other.recall);
        self.decoys = sum(self.decoys, other.decoys);
        for (all, one) in self.by_use.iter_mut().zip(other.by_use) {
            *all = sum(*all, one);
        }
    }
}

/// The one tag that an analyst has of each service of a kind: the address that its middle withdrawal spends from first. Who withdraws once knows one.
///
/// # Examples
///
/// See [`deposits`].
pub fn one_tag_each(view: View<'_>, truth: &Truth, kind: EntityKind) -> Tags {
    let mut payers: BTreeMap<EntityIndex, Vec<Output<'_>>> = BTreeMap::new();
    for tx in view.txs().filter(|tx| truth.kind(tx.index()) == Some(Kind::Withdrawal)) {
        let spent = tx.inputs().next().and_then(|input| input.prevout());
        if let Some(spent) = spent
            && let Some(owner) = truth.owner(spent.index()).filter(|owner| truth.entity(*owner).kind == kind)
        {
            payers.entry(owner).or_default().push(spent);
        }
    }
    let mut tags = Tags::default();
    for (owner, spent) in payers {
        let tag = Tag::new(truth.entity(owner).name.clone(), kind.as_str(), "a withdrawal");
        if let Some(script) = spent[spent.len() / 2].script() {
            tags.insert(script.to_owned(), tag);
        }
    }
    tags
}

/// Tags that are wrong on purpose: on so many addresses of nobody (people, merchants, thieves), each as a service of its own, evenly spaced in chain order
/// among those that were paid at least `receipts_min` times and spent from. Whatever a rule names on their account is a false alarm.
///
/// # Examples
///
/// See [`deposits`].
pub fn tags_on_nobody(view: View<'_>, truth: &Truth, count: usize, receipts_min: usize) -> Tags {
    let is_known = |address: &AddressIndex| {
        let outputs = view.outputs_of(*address);
        outputs.len() >= receipts_min
            && truth.owner_of_address(*address).is_some_and(|owner| is_nobody(truth.entity(owner).kind))
            && outputs.iter().any(|output| view.output(output).spender().is_some())
    };
    let all = (0..).map(AddressIndex::from_u32).take(view.addresses_seen());
    let known: Vec<AddressIndex> = all.filter(is_known).collect();
    let mut tags = Tags::default();
    for nth in 0..count.min(known.len()) {
        let address = known[nth * known.len() / count.min(known.len())];
        let script = view.outputs_of(address).iter().find_map(|output| view.output(output).script());
        if let Some(script) = script {
            tags.insert(script.to_owned(), Tag::new(format!("Nobody {nth}"), "decoy", "nobody said so"));
        }
    }
    tags
}

/// Scores deposit addresses: those whose verdict is yes and that are at least so sure.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "simulate")] {
/// use fundtrace::detect::Confidence;
/// use fundtrace::simulate::{World, WorldSpec};
/// use fundtrace::truth::EntityKind;
/// use fundtrace::{eval, service::deposit};
///
/// let (chain, truth) = World::new(WorldSpec::new(2_000), 1).known(&std::env::temp_dir())?;
/// let tags = eval::one_tag_each(chain.view(), &truth, EntityKind::Exchange);
/// let found = deposit::find(chain.view(), &tags, None, &deposit::Terms::default());
/// let score = eval::deposits(chain.view(), &truth, &found, Confidence::from_percent(60));
/// assert!(score.recall.den > 0 && score.recall.num <= score.recall.den);
/// assert_eq!(score.decoys.num, 0);
/// let wrong = eval::tags_on_nobody(chain.view(), &truth, 10, 2);
/// assert_eq!(wrong.len(), 10);
/// // On a wrong tag's account some addresses are named for a service that is none.
/// let named = deposit::find(chain.view(), &wrong, None, &deposit::Terms::default()).len();
/// assert!(named * 50 < chain.view().addresses());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn deposits(view: View<'_>, truth: &Truth, found: &Deposits, confidence_min: Confidence) -> DepositScore {
    let named = |address: AddressIndex| {
        let deposit = found.of(address)?;
        let sure = deposit.verdict == Verdict::Yes && deposit.confidence >= confidence_min;
        sure.then(|| found.service(deposit).label.as_str())
    };
    let mut score = DepositScore::default();
    let (mut right, mut all, mut true_ones) = (0_u32, 0_u32, 0_u32);
    let mut by_use = [(0_u32, 0_u32); 4];
    let (mut decoys, mut wanted, mut marked) = (0_u32, 0_u32, 0_u32);
    for address in (0..).map(AddressIndex::from_u32).take(view.addresses_seen()) {
        let service = deposit_of(view, truth, address);
        all += u32::from(named(address).is_some());
        if let Some(service) = service.map(|service| truth.entity(service).name.as_str())
            && found.services().iter().any(|tag| tag.label == service)
        {
            let hit = u32::from(named(address) == Some(service));
            let (hits, of) = &mut by_use[position(use_of(view, truth, address))];
            (*hits, *of) = (*hits + hit, *of + 1);
            right += hit;
            true_ones += 1;
            wanted += 1;
        } else if wanted > decoys
            && truth.owner_of_address(address).is_some_and(|owner| is_nobody(truth.entity(owner).kind))
        {
            decoys += 1;
            marked += u32::from(named(address).is_some());
        }
    }
    score.precision = Ratio::new(right, all);
    score.recall = Ratio::new(right, true_ones);
    score.by_use = by_use.map(|(hits, of)| Ratio::new(hits, of));
    score.decoys = Ratio::new(marked, decoys);
    score
}

fn is_nobody(kind: EntityKind) -> bool {
    matches!(kind, EntityKind::User | EntityKind::Merchant | EntityKind::Thief | EntityKind::Other)
}

fn position(of: DepositUse) -> usize {
    DepositUse::ALL.iter().position(|other| *other == of).unwrap_or(0)
}

/// The service whose deposit address it is.
fn deposit_of(view: View<'_>, truth: &Truth, address: AddressIndex) -> Option<EntityIndex> {
    let owner = truth.owner_of_address(address)?;
    let deposit = view.outputs_of(address).iter().any(|output| truth.role(output) == Some(Role::Deposit));
    deposit.then_some(owner)
}

fn use_of(view: View<'_>, truth: &Truth, address: AddressIndex) -> DepositUse {
    let outputs = view.outputs_of(address);
    let mut sweeps = outputs.iter().filter_map(|output| view.output(output).spender());
    let Some(sweep) = sweeps.next() else { return DepositUse::Unswept };
    let on = sweep.outputs().next().and_then(|output| output.spender());
    if on.is_some_and(|on| truth.kind(on.index()) == Some(Kind::Sweep)) {
        DepositUse::Hop
    } else if outputs.len() > 1 {
        DepositUse::Again
    } else {
        DepositUse::Once
    }
}
