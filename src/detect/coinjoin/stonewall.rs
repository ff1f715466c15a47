//! Stonewall: one wallet's payment that is made to look like a CoinJoin of two.
//!
//! Three or four outputs, exactly one value twice, at least two inputs. With one wallet behind it (Samourai's Stonewall) there are no two
//! owners; with two (Stonewall x2) there are, and nobody can tell from the transaction. So it is a veto: not called a CoinJoin, and
//! no clustering should be held up by it. Source: graphsense-lib's veto, thresholds alone.

use crate::chain::Tx;
use crate::detect::shape::Shape;
use crate::detect::{Confidence, Finding, Kind, Verdict};

/// The rule's name and version.
pub const RULE: &str = "stonewall/1";

const TWICE_SAT_MIN: u64 = 5_000;

/// Says `no` where a transaction has Stonewall's form: what looks like a CoinJoin of two is none. O(n log n).
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Verdict, coinjoin::stonewall};
/// let chain = detect::sketch(&[300_000, 280_000], &[200_000, 200_000, 99_000, 78_000])?;
/// let finding = chain.view().txs().find_map(stonewall::find).unwrap();
/// assert_eq!((finding.verdict, finding.rule), (Verdict::No, "stonewall/1"));
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A real CoinJoin of two, which looks the same to the satoshi: the example is one if the two inputs have two owners.
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    of(&Shape::of(tx))
}

pub(super) fn of(shape: &Shape<'_>) -> Option<Finding> {
    let mut repeated = shape.values().filter(|value| value.count > 1);
    let (Some(twice), None) = (repeated.next(), repeated.next()) else { return None };
    let fits = (3..=4).contains(&shape.outputs.len())
        && twice.count == 2
        && twice.sat >= TWICE_SAT_MIN
        && shape.inputs_len >= 2
        && shape.outputs_distinct();
    fits.then(|| {
        Finding::new(Kind::Coinjoin, "stonewall", RULE, Confidence::from_percent(70))
            .verdict(Verdict::No)
            .denominations([twice.sat])
            .feature("inputs", shape.inputs_len)
    })
}
