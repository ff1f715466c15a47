//! Votes on change as weighed evidence: what they name is merged, what they do not name stays apart.
//!
//! Returns what [`build`](super::build()) takes, or what it makes of it. The idea: a vote that names one output of a payment as change says two things. The
//! change and the payer have one owner, with the vote's confidence; and every other output is somebody else's, so the payer must stay apart from it.
//! Where two votes contradict each other the more confident one is heard, because it comes first, and the other is recorded as a veto.
//!
//! 1. Moeser, Narayanan: Resurrecting address clustering in Bitcoin (Financial Cryptography 2022), section 6, where a forest's predictions take the place of votes.
//!
//! # Fooled by
//!
//! A payment from one own address to another: the vote names one as change and keeps the payer apart from the other for good.
//!
//! ```
//! use fundtrace::change::{self, AddressReuse, Votes};
//! use fundtrace::cluster::{self, Constraints, Guard, Rule};
//! use fundtrace::detect;
//! # use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
//! # use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
//! let to = |key: u8, sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
//! let mut builder = ChainBuilder::new();
//! // Ann (keys 1 and 2) pays from 1 to 2, and the rest back to 1.
//! let ann = NewInput::new(OutPoint::new(Txid::from_byte_array([1; 32]), 0)).prevout(to(1, 110));
//! builder.insert(NewTx::claimed(Txid::from_byte_array([8; 32]), vec![ann], vec![to(2, 60), to(1, 50)]))?;
//! // Later she spends both, which is hard evidence: it is made all the same, and listed as a contradiction.
//! let both = [(0, to(2, 60)), (1, to(1, 50))].map(|(vout, out)| NewInput::new(OutPoint::new(Txid::from_byte_array([8; 32]), vout)).prevout(out));
//! builder.insert(NewTx::claimed(Txid::from_byte_array([9; 32]), both.into(), vec![to(3, 100)]))?;
//! let chain = builder.finish()?;
//! let view = chain.view();
//! let guesses = change::votes(view, &Votes::new(1).rule(AddressReuse, 1));
//! let hard = cluster::spending::evidence(view, "", |_| false);
//! let built = cluster::by_votes(view, &hard, Guard::default(), Rule::new("votes", 1), &guesses, Constraints::default());
//! assert_eq!(built.contradictions().len(), 1);
//! # Ok::<(), fundtrace::Error>(())
//! ```

use super::{Built, Constraints, Evidence, Guard, Rule, Soft, build};
use crate::chain::View;
use crate::change::Guess;

/// Returns a merge for each guess: of the first input that has an address with the change. `rule` is the position of the vote in the list that
/// [`build`](super::build()) is given.
///
/// # Panics
///
/// When a guess is not from this chain.
///
/// # Examples
///
/// See [`by_votes`].
pub fn soft(view: View<'_>, guesses: &[Guess], rule: u16) -> Vec<Soft> {
    let merge = |guess: &Guess| {
        let (input, change) = guess.addresses(view)?;
        Some(Soft::new(input, change, guess.tx, rule, guess.confidence_ppm))
    };
    guesses.iter().filter_map(merge).collect()
}

/// Adds to constraints that the payer of each guess stays apart from the outputs that the guess does not name.
///
/// # Panics
///
/// When a guess is not from this chain.
///
/// # Examples
///
/// See [`by_votes`].
pub fn apart(view: View<'_>, guesses: &[Guess], mut constraints: Constraints) -> Constraints {
    for guess in guesses {
        let Some((input, change)) = guess.addresses(view) else { continue };
        let others = view.tx(guess.tx).outputs().filter_map(|output| output.address_index());
        for other in others.filter(|other| ![input, change].contains(other)) {
            constraints = constraints.apart(input, other);
        }
    }
    constraints
}

/// Builds clusters from hard evidence and from guesses of change, but for payments that the guard leaves out, under the constraints given and those of
/// [`apart`]. `rule` is the name of what guessed.
///
/// # Panics
///
/// When a guess is not from this chain.
///
/// # Examples
///
/// ```
/// use fundtrace::change;
/// use fundtrace::cluster::{self, Constraints, Guard, Rule, spending, voted};
/// let chain = fundtrace::detect::sketch(&[9_000_000, 9_000_000], &[12_345_678, 5_000_000])?;
/// let view = chain.view();
/// // The recommended combination for a view that must not look ahead.
/// let guard = Guard::default();
/// let hard = spending::evidence(view, &guard.to_string(), |tx| guard.skips(tx));
/// let guesses = change::votes(view, &change::voters(3));
/// let limits = Constraints::default().growth(voted::GROWTH, 1_000_000);
/// let built = cluster::by_votes(view, &hard, guard, Rule::new("votes", 1), &guesses, limits);
/// assert!(built.vetoes().is_empty() && built.at(0).len() <= built.base().len());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn by_votes(
    view: View<'_>,
    hard: &Evidence,
    guard: Guard,
    rule: Rule,
    guesses: &[Guess],
    constraints: Constraints,
) -> Built {
    let kept: Vec<Guess> = guesses.iter().filter(|guess| !guard.skips(view.tx(guess.tx))).copied().collect();
    build(hard, &[rule], &soft(view, &kept, 0), &apart(view, &kept, constraints))
}

/// Addresses of both clusters above which a guess of change alone does not merge them, in the recommended combinations.
///
/// A wrong guess joins what both sides have, so the larger the smaller side, the more pairs one mistake costs. Where both sides have more than five
/// addresses there is as a rule other evidence for a merge that is right. Chosen on three simulated worlds and checked on three others; `COMPARE.md` has the rows.
pub const GROWTH: usize = 5;
