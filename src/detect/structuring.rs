//! Structuring: several payments a little below a round amount.
//!
//! Whoever wants to stay below a limit pays many times just less than it: exchanges ask questions from some amount on. Here it is one
//! transaction's outputs; the same over many transactions is a matter of an owner, not of a transaction. How often the form is meant so
//! nobody has measured, and payouts have it too, so each finding is undecided.

use super::{Confidence, Finding, Kind, Verdict, shape};
use crate::chain::Tx;
use crate::id;

/// The rule's name and version.
pub const RULE: &str = "structuring/2";

const PAYMENTS_MIN: usize = 3;
/// A payment lies at most so far below the round amount (ours).
const BELOW_PPM: u64 = 50_000;
/// 0.1 BTC.
const ROUND_SAT_MIN: u64 = 10_000_000;

/// Says whether at least three outputs of different scripts lie just below one round amount: 1, 2 or 5 and zeros. Undecided at best. O(n).
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Verdict, structuring};
/// let chain = detect::sketch(&[400_000_000], &[99_000_000, 98_500_000, 99_900_000, 80_000_000])?;
/// assert_eq!(chain.view().txs().find_map(structuring::find).unwrap().verdict, Verdict::Undecided);
/// // Exactly the amount is not below it.
/// let chain = detect::sketch(&[400_000_000], &[100_000_000, 100_000_000, 99_900_000])?;
/// assert!(chain.view().txs().find_map(structuring::find).is_none());
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// Withdrawals of one bitcoin each, from which an exchange takes its fee.
///
/// ```
/// use fundtrace::detect::{self, structuring};
/// let chain = detect::sketch(&[400_000_000], &[99_950_000, 99_950_000, 99_950_000, 90_000_000])?;
/// assert!(chain.view().txs().find_map(structuring::find).is_some());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    let outputs = tx.outputs().len();
    if outputs < PAYMENTS_MIN || tx.is_coinbase() {
        return None;
    }
    // Nearly always there is none, so the first pass keeps nothing.
    let rounds = || tx.outputs().filter_map(|output| Some((next_round(shape::sat(output))?, output)));
    if rounds().take(PAYMENTS_MIN).count() < PAYMENTS_MIN {
        return None;
    }
    let mut below: Vec<_> = rounds().map(|(round, output)| (round, output.address_index())).collect();
    below.sort_unstable();
    below.dedup();
    let longest = below.chunk_by(|a, b| a.0 == b.0).max_by_key(|run| (run.len(), run[0].0))?;
    // The common amount of a mix is another matter.
    (longest.len() >= PAYMENTS_MIN).then(|| {
        Finding::new(Kind::Structuring, "structuring", RULE, Confidence::from_percent(5))
            .verdict(Verdict::Undecided)
            .sat("round_sat", longest[0].0)
            .feature("payments", longest.len())
            .feature("payments_min", PAYMENTS_MIN)
            .feature("below_ppm", id::low(BELOW_PPM))
            .feature("outputs", outputs)
    })
}

/// The round amount that an amount lies just below of.
pub(crate) fn next_round(sat: u64) -> Option<u64> {
    if sat < ROUND_SAT_MIN / 2 {
        return None;
    }
    let unit = 10_u64.pow(sat.ilog10());
    let round = [2, 5, 10].into_iter().map(|digit| digit * unit).find(|round| *round > sat)?;
    let below = u128::from(round - sat) * 1_000_000 <= u128::from(round) * u128::from(BELOW_PPM);
    (round >= ROUND_SAT_MIN && below).then_some(round)
}
