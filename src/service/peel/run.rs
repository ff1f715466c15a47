//! One peel chain: its steps, what was cut off, and how sure the rule is.

use bitcoin::Amount;

use super::{Known, RULE, Stop, Terms};
use crate::chain::View;
use crate::change::Fingerprint;
use crate::detect::{Confidence, Feature, Finding, Kind, Verdict};
use crate::id::{self, OutputIndex, TxIndex};

/// From so many steps on, chains that pay nobody twice look like a service's withdrawals (ours).
const WITHDRAWALS_MIN: usize = 10;
/// Flags that a wallet shows whatever it pays: of the twenty, those but for numbers of inputs and outputs, their order, and age.
const HABITS: u32 = Fingerprint::VERSION_2
    | Fingerprint::LOCKTIME_HEIGHT
    | Fingerprint::LOCKTIME_TIME
    | Fingerprint::RBF
    | Fingerprint::SORTED_OUTPUTS
    | Fingerprint::P2PKH
    | Fingerprint::P2WPKH
    | Fingerprint::P2SH
    | Fingerprint::P2WSH
    | Fingerprint::ADDRESS_OTHER;

/// A transaction of a peel chain.
///
/// # Examples
///
/// See [`Peels`](super::Peels).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Step {
    /// The transaction.
    pub tx: TxIndex,
    /// The coin that it spends, but for dust.
    pub spends: OutputIndex,
    /// The output that goes on.
    pub main: OutputIndex,
    /// What is cut off: each pays a payee.
    pub peels: Vec<(OutputIndex, Amount)>,
}

/// A peel chain: a coin from which one transaction after another cuts a piece.
///
/// It is an inference: each link rests on the change rule and the terms, and one wrong link makes strangers of what follows.
///
/// # Examples
///
/// See [`Peels`](super::Peels).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Chain {
    /// The steps in chain order; never none.
    pub steps: Vec<Step>,
    /// Why it ends.
    pub stop: Stop,
    /// Different addresses that the peels pay; one without an address counts by itself.
    pub payees: usize,
    /// Peels that pay tagged addresses.
    pub peels_tagged: usize,
    /// Whether the whole chain's first step spends from a tagged service: then the chain is that service's. A suspect's tag is none.
    pub is_payer_tagged: bool,
    /// Whether the whole chain's first step spends a coinbase: then it may be a pool's payouts.
    pub is_mined: bool,
    /// Pairs of steps that look alike in every habit, of so many whose habits are known.
    pub alike: (u32, u32),
}

impl Chain {
    /// `head` is what the first step of the whole chain spends.
    pub(super) fn of(view: View<'_>, steps: Vec<Step>, stop: Stop, head: OutputIndex, known: Known<'_>) -> Self {
        let peels = || steps.iter().flat_map(|step| &step.peels);
        let mut addresses: Vec<_> = peels().filter_map(|(output, _)| view.output(*output).address_index()).collect();
        let without = peels().count() - addresses.len();
        addresses.sort_unstable();
        addresses.dedup();
        Self {
            payees: addresses.len() + without,
            peels_tagged: peels().filter(|(output, _)| known.is_tagged(view.output(*output))).count(),
            is_payer_tagged: known.is_service(view.output(head)),
            is_mined: view.output(head).tx().is_coinbase(),
            alike: alike(view, &steps),
            steps,
            stop,
        }
    }

    /// Returns the first transaction.
    pub fn first(&self) -> TxIndex {
        self.steps[0].tx
    }

    /// Returns the last step.
    pub fn last(&self) -> &Step {
        &self.steps[self.steps.len() - 1]
    }

    /// Iterates what is cut off, in chain order.
    pub fn peels(&self) -> impl Iterator<Item = (OutputIndex, Amount)> {
        self.steps.iter().flat_map(|step| step.peels.iter().copied())
    }

    /// Returns the sum of what is cut off.
    pub fn peeled(&self) -> Amount {
        self.peels().map(|(_, amount)| amount).sum()
    }

    /// Returns the share of known pairs of steps that look alike, in parts of a million; `None` where none is known.
    pub fn consistency_ppm(&self) -> Option<u32> {
        let (alike, known) = self.alike;
        u32::try_from((u64::from(alike) * 1_000_000).checked_div(u64::from(known))?).ok()
    }

    /// Returns steps times consistency, in millionths of a step: what ranks chains. Unknown consistency counts half.
    pub fn score(&self) -> u64 {
        id::number(self.steps.len()) * u64::from(self.consistency_ppm().unwrap_or(500_000))
    }

    /// True when nobody is paid twice in many steps, few payees are tagged: a service's customers are that many.
    pub fn looks_like_withdrawals(&self) -> bool {
        let peels = self.peels().count();
        self.steps.len() >= WITHDRAWALS_MIN && self.payees * 10 >= peels * 9 && self.peels_tagged * 2 < peels
    }

    /// Returns how sure the rule is that one owner cuts up a coin of its own: a grade.
    ///
    /// 20 % and 5 % a step up to ten, times one half and half the consistency; halved for what looks like withdrawals, and for mined
    /// coins; 5 % at most where a tagged service pays.
    pub fn confidence(&self) -> Confidence {
        let percent = 20 + 5 * self.steps.len().min(10);
        let grade = id::number(percent) * (500_000 + u64::from(self.consistency_ppm().unwrap_or(500_000)) / 2) / 100;
        let halvings = u32::from(self.looks_like_withdrawals()) + u32::from(self.is_mined);
        let grade = u32::try_from(grade >> halvings).unwrap_or(0);
        Confidence::from_ppm(if self.is_payer_tagged { grade.min(50_000) } else { grade })
    }

    pub(super) fn finding(&self, view: View<'_>, rule: &str, terms: &Terms) -> Finding {
        let (last, peels) = (self.last(), self.peels().count());
        let txids: Vec<_> = self.steps.iter().map(|step| view.tx(step.tx).txid()).collect();
        let mut finding = Finding::new(Kind::Peel, "peel", RULE, self.confidence())
            .feature("length", self.steps.len())
            .feature("first", txids[0].to_string().as_str())
            .feature("last", txids[txids.len() - 1].to_string().as_str())
            .feature("spends", view.output(self.steps[0].spends).outpoint().to_string().as_str())
            .feature("rest", view.output(last.main).outpoint().to_string().as_str())
            .feature("rest_sat", Feature::Value(view.output(last.main).value().unwrap_or_default()))
            .feature("peels", peels)
            .feature("peeled_sat", Feature::Value(self.peeled()))
            .feature("payees", self.payees)
            .feature("peels_tagged", self.peels_tagged)
            .feature("payer_tagged", self.is_payer_tagged)
            .feature("mined", self.is_mined)
            .feature("like_withdrawals", self.looks_like_withdrawals())
            .feature("score", Feature::Count(self.score()))
            .feature("stop", self.stop.as_str())
            .feature("change", rule)
            .feature("rests_on", Feature::Txs(txids));
        for (name, value) in terms.parameters() {
            finding = match value {
                Some(value) => finding.feature(name, Feature::Count(value)),
                None => finding.feature(name, "none"),
            };
        }
        // Nothing but a tag makes a chain of a finding so short.
        if self.steps.len() < id::at(terms.steps_min) {
            finding = finding.verdict(Verdict::Undecided).feature("cut_short", true);
        }
        if let Some(ppm) = self.consistency_ppm() {
            finding = finding.feature("consistency_ppm", ppm);
        }
        finding
    }
}

/// Pairs that agree, of so many that can be compared.
fn alike(view: View<'_>, steps: &[Step]) -> (u32, u32) {
    let word = |step: &Step| -> Option<Fingerprint> { Fingerprint::of(view.tx(step.tx)) };
    let words: Vec<Option<Fingerprint>> = steps.iter().map(word).collect();
    let pairs = words.windows(2).filter_map(|pair| pair[0]?.agrees(pair[1]?, HABITS));
    pairs.fold((0, 0), |(agree, known), same| (agree + u32::from(same), known + 1))
}
