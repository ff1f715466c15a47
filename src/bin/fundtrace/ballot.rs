//! How the vote went that a step of a derivation rests on.

use fundtrace::View;
use fundtrace::change::{self, Ballot, Fingerprints, Payment, Vote};
use fundtrace::cluster::{Derivation, Step};
use serde_json::{Value, json};

use crate::cluster::Rule;
use crate::joined;

/// What votes of a view need.
pub(crate) struct Ballots(Option<Fingerprints>);

/// A vote on one payment.
pub(crate) struct Counted {
    ballot: Ballot,
    cast: Vec<Vote>,
}

impl Ballots {
    pub(crate) fn of(view: View<'_>, derivation: &Derivation) -> Self {
        let ahead = derivation.steps.iter().any(|step| step.rule.name == Rule::VotesInHindsight.name());
        Self(ahead.then(|| Fingerprints::of(view)))
    }

    /// Counts again what a step rests on; nothing where it rests on no vote.
    pub(crate) fn count(&self, view: View<'_>, step: &Step) -> Option<Counted> {
        let tx = view.tx(step.tx);
        if step.rule.name == Rule::Votes.name() {
            let (votes, payment) = (change::voters(joined::THRESHOLD), Payment::of(tx)?);
            return Some(Counted { ballot: votes.count(&payment)?, cast: votes.cast(&payment) });
        }
        if step.rule.name == Rule::VotesInHindsight.name() {
            let votes = change::voters_in_hindsight(self.0.as_ref()?, joined::THRESHOLD_IN_HINDSIGHT);
            return Some(Counted { ballot: votes.count_in_hindsight(tx)?, cast: votes.cast_in_hindsight(tx) });
        }
        None
    }
}

impl Counted {
    pub(crate) fn json(&self, view: View<'_>) -> Value {
        let vote =
            |vote: &Vote| json!({ "rule": vote.rule, "vout": view.output(vote.output).vout(), "weight": vote.weight });
        json!({
            "vout": view.output(self.ballot.output).vout(),
            "votes_for": self.ballot.votes_for,
            "votes_against": self.ballot.votes_against,
            "confidence_ppm": self.ballot.confidence_ppm,
            "votes": self.cast.iter().map(vote).collect::<Vec<_>>(),
        })
    }

    pub(crate) fn lines(&self, view: View<'_>) -> Vec<String> {
        let Ballot { output, votes_for, votes_against, confidence_ppm, .. } = self.ballot;
        let vout = view.output(output).vout();
        let names =
            |keep: &dyn Fn(&Vote) -> Option<String>| self.cast.iter().filter_map(keep).collect::<Vec<_>>().join(", ");
        let ours = names(&|vote| (vote.output == output).then(|| vote.rule.clone()));
        let others = names(&|vote| {
            (vote.output != output).then(|| format!("{} (output {})", vote.rule, view.output(vote.output).vout()))
        });
        let mut lines =
            vec![format!("votes   {votes_for} for output {vout}: {ours} (confidence {confidence_ppm} ppm)")];
        if votes_against > 0 {
            lines.push(format!("against {votes_against}: {others}"));
        }
        lines
    }
}
