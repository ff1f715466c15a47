//! Votes that are ready to use: one rule of each idea, and those together with what can be seen later.
//!
//! Returns [`Votes`] of weight one. Of the rules on kinds of scripts one votes (`type_unanimous`), and of those that differ from `fresh` in details alone only it.
//! The votes are not independent: what `optimal_fee` names `optimal_change` does not rule out, `uih2` asks nearly the same a third time, and where `ermilov` speaks `fresh` names the same output. So
//! three of eight can be one idea. The 26 that look ahead take the place of the 26 of Moeser and Narayanan (2022), section 5, and are not all the same rules.

use super::{Change, Context, Fingerprints, Hindsight, Mask, Rule, SameFingerprint, Votes};

/// One rule of each idea that does not look ahead.
pub(crate) const VOTERS: [Rule; 8] = [
    Rule::AddressReuse,
    Rule::TypeUnanimous,
    Rule::Fresh,
    Rule::OptimalChange,
    Rule::OptimalFee,
    Rule::Uih2,
    Rule::PowerOfTen,
    Rule::Ermilov,
];

/// Rules that look ahead and vote beside those and the masks of fingerprints.
const LATER: [Rule; 3] = [Rule::LockTime, Rule::FixedFee, Rule::Consumer];

/// Eight rules that do not look ahead: an output is named if the rules that name it are `threshold` more than those that name another.
///
/// # Fooled by
///
/// Three votes on the smaller output. Who spends two coins and pays somebody less than either could have left the second coin out, so the output that is smaller than
/// every input looks like change to `optimal_change`, `optimal_fee` and `uih2`. Nobody had to be careless: whoever wants to join another's address to their own pays it so.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change;
/// let chain = sketch(&[("t", &[("coin", 60_000, "alice"), ("other", 70_000, "alice2")], &[(10_001, "the victim"), (119_001, "alice3")])]);
/// assert_eq!(vouts(&chain, "t", &change::voters(3)), Some(vec![0]));
/// ```
///
/// # Examples
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change;
/// // A round payment out of new addresses alone: the decimals, the smaller coin and the fee that it leaves all name the rest.
/// let chain = sketch(&[("t", &[("coin", 5_500_000, "alice"), ("other", 3_000_000, "alice")], &[(7_000_000, "bob"), (1_499_000, "new")])]);
/// assert_eq!(vouts(&chain, "t", &change::voters(2)), Some(vec![1]));
/// assert_eq!(vouts(&chain, "t", &change::voters(8)), None);
/// ```
pub fn voters(threshold: u32) -> Votes<Box<dyn Change>> {
    let context = Context::default();
    VOTERS
        .iter()
        .filter_map(|rule| rule.change(&context))
        .fold(Votes::new(threshold), |votes, rule| votes.rule(rule, 1))
}

/// Those eight, three rules that look ahead, and fingerprints under the fifteen masks that have published rates.
///
/// # Examples
///
/// ```
/// use fundtrace::change::{self, Fingerprints, Hindsight};
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let fingerprints = Fingerprints::of(chain.view());
/// let votes = change::voters_in_hindsight(&fingerprints, 5);
/// // The threshold and the rules.
/// assert_eq!(Hindsight::parameters(&votes).len(), 1 + 26);
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn voters_in_hindsight(fingerprints: &Fingerprints, threshold: u32) -> Votes<Box<dyn Hindsight + '_>> {
    let context = Context::default().fingerprints(fingerprints);
    let rules = VOTERS.iter().chain(&LATER).filter_map(|rule| rule.hindsight(&context));
    let looks = Mask::ALL.into_iter().filter(|mask| mask.published.is_some());
    let looks = looks.map(|mask| Box::new(SameFingerprint::new(fingerprints, mask)) as Box<dyn Hindsight + '_>);
    rules.chain(looks).fold(Votes::new(threshold), |votes, rule| votes.rule(rule, 1))
}
