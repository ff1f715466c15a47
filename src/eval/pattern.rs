//! Peel chains and payouts of custodial mixers against what is true.
//!
//! Returns counts that add up over worlds. Two questions are asked of peel chains: is a step one of a thief's chain, and does what a step leaves belong
//! to the owner of the coin that it spends? The first is what an analyst wants and no form can tell, because withdrawals are chains too; the second is what
//! following a chain rests on.

use std::collections::BTreeMap;

use bitcoin::Amount;

use super::{ClassScore, Ratio};
use crate::chain::{Input, Output, View};
use crate::id::{EntityIndex, OutputIndex, TxIndex};
use crate::service::custodial_mixer::{self, Terms};
use crate::service::peel::Peels;
use crate::truth::{EntityKind, Kind, Role, Truth};

/// How well peel chains are found; a sum over transactions.
///
/// # Examples
///
/// See [`peel_chains`].
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct PeelScore {
    /// Transactions of chains that are long enough, against steps of true peel chains.
    pub steps: ClassScore,
    /// What else the steps are.
    pub wrong: BTreeMap<Kind, u64>,
    /// Outputs that go on and belong to the owner of the coin that the step spends, and how many of known owner there are.
    pub own: (u64, u64),
    /// Chains, and those that look like withdrawals.
    pub chains: (u64, u64),
    /// Chains whose first step is a true one, and those of them that look like withdrawals.
    pub true_chains: (u64, u64),
}

impl PeelScore {
    /// Returns the share of outputs that go on and belong to the owner of the coin that the step spends.
    pub fn continuity(&self) -> Ratio {
        Ratio::new(self.own.0, self.own.1)
    }

    /// Adds the counts of another world.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::eval::PeelScore;
    /// let mut score = PeelScore::default();
    /// score.merge(&PeelScore::default());
    /// assert!(!score.continuity().is_defined());
    /// ```
    pub fn merge(&mut self, other: &Self) {
        self.steps.right += other.steps.right;
        self.steps.wrong += other.steps.wrong;
        self.steps.missed += other.steps.missed;
        for (kind, count) in &other.wrong {
            *self.wrong.entry(*kind).or_default() += count;
        }
        self.own = (self.own.0 + other.own.0, self.own.1 + other.own.1);
        self.chains = (self.chains.0 + other.chains.0, self.chains.1 + other.chains.1);
        let (all, alike) = other.true_chains;
        self.true_chains = (self.true_chains.0 + all, self.true_chains.1 + alike);
    }
}

/// Scores peel chains. Transactions of unknown kind are left out.
///
/// # Examples
///
/// ```
#[doc = include_str!("../change/sketch.txt")]
/// use fundtrace::change::Change;
/// use fundtrace::eval;
/// use fundtrace::service::peel::{Known, Peels, Ratio, Terms};
/// use fundtrace::truth::Truth;
/// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(100, "bob"), (799, "new")])]);
/// let mut terms = Terms::default().steps_min(1);
/// terms.peel_min = Amount::from_sat(1);
/// let peels = Peels::of(chain.view(), &Ratio::default().in_hindsight(), &terms, Known::default());
/// let score = eval::peel_chains(&Truth::from_rows(chain.view(), [])?, &peels);
/// // There is a chain, and nobody knows whether it is one.
/// assert_eq!((score.chains.0, score.steps.right + score.steps.wrong), (1, 0));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn peel_chains(truth: &Truth, peels: &Peels<'_>) -> PeelScore {
    let view = peels.view();
    let mut score = PeelScore::default();
    let mut said: Vec<TxIndex> = Vec::new();
    for chain in peels.chains() {
        score.chains.0 += 1;
        score.chains.1 += u64::from(chain.looks_like_withdrawals());
        if truth.kind(chain.first()) == Some(Kind::Peel) {
            score.true_chains.0 += 1;
            score.true_chains.1 += u64::from(chain.looks_like_withdrawals());
        }
        said.extend(chain.steps.iter().map(|step| step.tx));
        let owners = chain.steps.iter().filter_map(|step| Some((truth.owner(step.spends)?, truth.owner(step.main)?)));
        for (before, after) in owners {
            score.own.0 += u64::from(before == after);
            score.own.1 += 1;
        }
    }
    said.sort_unstable();
    for (tx, kind) in view.txs().filter_map(|tx| Some((tx.index(), truth.kind(tx.index())?))) {
        match (kind == Kind::Peel, said.binary_search(&tx).is_ok()) {
            (true, true) => score.steps.right += 1,
            (true, false) => score.steps.missed += 1,
            (false, true) => {
                score.steps.wrong += 1;
                *score.wrong.entry(kind).or_default() += 1;
            }
            (false, false) => {}
        }
    }
    score
}

/// How well payouts are found; a sum over deposits at custodial mixers that pay out by transactions.
///
/// # Examples
///
/// See [`payouts`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct PayoutScore {
    /// Deposits for which something was paid out.
    pub deposits: u64,
    /// Of them, those that were paid out in no more outputs than the terms look for.
    pub whole: u64,
    /// Deposits where all that was paid out is one of the answers.
    pub found: u64,
    /// Answers in all, single outputs and sets; where a search did not end, those that it found.
    pub candidates: u64,
    /// Deposits where it is the only answer.
    pub alone: u64,
    /// Deposits where the search for sets did not end.
    pub undecided: u64,
    /// Other deposits, for which nothing was paid out before the chain ends: every answer is wrong.
    pub unpaid: u64,
    /// The answers for them.
    pub unpaid_answers: u64,
    /// Decoys that were asked.
    pub decoys: u64,
    /// Decoys that find something.
    pub decoys_found: u64,
    /// What they find.
    pub decoy_candidates: u64,
}

impl PayoutScore {
    /// Returns the share of deposits where all that was paid out is one of the answers.
    pub fn recall(&self) -> Ratio {
        Ratio::new(self.found, self.deposits)
    }

    /// Returns the answers for one deposit.
    pub fn candidates_each(&self) -> Ratio {
        Ratio::new(self.candidates, self.deposits)
    }

    /// Returns the share of decoys that find something.
    pub fn decoy_rate(&self) -> Ratio {
        Ratio::new(self.decoys_found, self.decoys)
    }

    /// Returns the answers for one decoy.
    pub fn decoy_candidates_each(&self) -> Ratio {
        Ratio::new(self.decoy_candidates, self.decoys)
    }

    /// Adds the counts of another world.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::eval::PayoutScore;
    /// let mut score = PayoutScore::default();
    /// score.merge(&PayoutScore::default());
    /// assert_eq!(score, PayoutScore::default());
    /// ```
    pub fn merge(&mut self, other: &Self) {
        self.deposits += other.deposits;
        self.whole += other.whole;
        self.found += other.found;
        self.candidates += other.candidates;
        self.alone += other.alone;
        self.undecided += other.undecided;
        self.unpaid += other.unpaid;
        self.unpaid_answers += other.unpaid_answers;
        self.decoys += other.decoys;
        self.decoys_found += other.decoys_found;
        self.decoy_candidates += other.decoy_candidates;
    }
}

/// Asks for the payouts of every deposit at a custodial mixer that paid out something. `is_known` says whether the mixer's own coins are known, so that
/// only what they pay is a candidate.
///
/// # Examples
///
/// ```
/// use fundtrace::eval;
/// use fundtrace::service::custodial_mixer::Terms;
/// use fundtrace::truth::Truth;
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let truth = Truth::from_rows(chain.view(), [])?;
/// assert_eq!(eval::payouts(chain.view(), &truth, &Terms::default(), false).deposits, 0);
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn payouts(view: View<'_>, truth: &Truth, terms: &Terms, is_known: bool) -> PayoutScore {
    let mut deposits: Vec<(OutputIndex, u32, EntityIndex)> = Vec::new();
    let mut paid: BTreeMap<u32, Vec<OutputIndex>> = BTreeMap::new();
    for output in view.txs().flat_map(|tx| tx.outputs().map(Output::index)) {
        let Some(account) = truth.account(output) else { continue };
        let service = EntityIndex::from_u32(account.service);
        if truth.entity(service).kind != EntityKind::Mixer {
            continue;
        }
        match truth.role(output) {
            Some(Role::Deposit) => deposits.push((output, account.index, service)),
            Some(Role::Withdrawal) => paid.entry(account.index).or_default().push(output),
            _ => {}
        }
    }
    let mut score = PayoutScore::default();
    for (deposit, account, mixer) in deposits {
        let paid = paid.get(&account);
        let owned = |input: Input<'_>| input.prevout().is_some_and(|spent| truth.owner(spent.index()) == Some(mixer));
        let found = custodial_mixer::payouts(view, deposit, terms, |tx| !is_known || tx.inputs().any(owned));
        let Some(found) = found else { continue };
        let Some(paid) = paid else {
            score.unpaid += 1;
            score.unpaid_answers += crate::id::number(found.candidates.len()) + found.sets.count;
            continue;
        };
        let right = match paid[..] {
            [one] => found.candidates.iter().any(|candidate| candidate.output == one),
            // All sets are not listed; what is one of them is told by what makes one.
            _ => found.sets.is_whole && admits(view, terms, deposit, paid),
        };
        let answers = crate::id::number(found.candidates.len()) + found.sets.count;
        score.deposits += 1;
        score.whole += u64::from(crate::id::small(paid.len()) <= terms.parts_max);
        score.found += u64::from(right);
        score.candidates += answers;
        score.alone += u64::from(right && answers == 1 && found.sets.is_whole);
        score.undecided += u64::from(!found.sets.is_whole);
        score.decoys += found.decoys.asked;
        score.decoys_found += found.decoys.found;
        score.decoy_candidates += found.decoys.candidates;
    }
    score
}

/// True when several outputs that a mixer paid out are one of the sets of a search that comes to its end: few enough, each large enough, all in time and
/// after the deposit, worth it less the fee.
fn admits(view: View<'_>, terms: &Terms, deposit: OutputIndex, paid: &[OutputIndex]) -> bool {
    let value = |output: OutputIndex| view.output(output).value();
    let height = |output: OutputIndex| view.output(output).tx().height().map(|height| height.to_u32());
    let (Some(worth), Some(start)) = (value(deposit), height(deposit)) else { return false };
    let least = u128::from(worth.to_sat()) * u128::from(terms.part_min_ppm) / 1_000_000;
    let asked = view.output(deposit).tx().index();
    let in_time = |output: &OutputIndex| {
        let at = height(*output).filter(|_| view.output(*output).tx().index() > asked);
        at.is_some_and(|at| (start..=start.saturating_add(terms.window_blocks)).contains(&at))
    };
    let fits = |output: &OutputIndex| value(*output).is_some_and(|part| u128::from(part.to_sat()) >= least);
    let few = !paid.is_empty() && crate::id::small(paid.len()) <= terms.parts_max;
    let sum = paid.iter().map(|output| value(*output)).sum::<Option<Amount>>();
    few && paid.iter().all(|output| in_time(output) && fits(output)) && sum.is_some_and(|sum| terms.fits(worth, sum))
}
