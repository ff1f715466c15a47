//! Fan-out: one coin becomes many of nearly one round size.
//!
//! A launderer divides loot into parts that are each easy to sell, of about a round amount; exact round amounts catch the eye, so the
//! parts differ a little. A mix's premix is left to [`premix`](super::coinjoin::premix), and parts that are equal to the satoshi are not
//! found here unless they are round.

use super::{Confidence, Finding, Kind, shape};
use crate::chain::Tx;
use crate::id;

/// The rule's name and version.
pub const RULE: &str = "fan_out/1";

const PARTS_MIN: usize = 5;
const INPUTS_MAX: usize = 2;
/// A part is at most so far from the round amount (ours).
const TOLERANCE_PPM: u64 = 20_000;
/// Below 0.01 BTC nobody would call it a part of loot.
const ROUND_SAT_MIN: u64 = 1_000_000;

/// Says whether a transaction divides a coin into parts of nearly one round size, but for one output. O(n).
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, fan_out};
/// let parts = [99_100_000, 100_400_000, 101_000_000, 99_900_000, 98_700_000, 3_210_000];
/// let chain = detect::sketch(&[510_000_000], &parts)?;
/// assert!(chain.view().txs().find_map(fan_out::find).unwrap().is_yes());
/// let chain = detect::sketch(&[510_000_000], &[50_000_000, 70_000_000, 100_000_000, 90_000_000, 20_000_000])?;
/// assert!(chain.view().txs().find_map(fan_out::find).is_none());
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// Wages of a round amount.
///
/// ```
/// use fundtrace::detect::{self, fan_out};
/// let chain = detect::sketch(&[10_100_000], &[2_000_000; 5])?;
/// assert!(chain.view().txs().find_map(fan_out::find).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    let (inputs, outputs) = (tx.inputs().len(), tx.outputs().len());
    if outputs < PARTS_MIN || inputs > INPUTS_MAX || tx.is_coinbase() {
        return None;
    }
    // With one output aside, one of the first two has the right size.
    let mut firsts = tx.outputs().take(2).map(shape::sat).filter_map(round);
    let (round_sat, parts) = firsts.find_map(|round_sat| {
        let parts = tx.outputs().filter(|output| is_near(shape::sat(*output), round_sat)).count();
        (parts >= PARTS_MIN && parts + 1 >= outputs).then_some((round_sat, parts))
    })?;
    Some(
        Finding::new(Kind::FanOut, "fan_out", RULE, Confidence::from_percent(40))
            .sat("round_sat", round_sat)
            .feature("parts", parts)
            .feature("parts_min", PARTS_MIN)
            .feature("tolerance_ppm", id::low(TOLERANCE_PPM))
            .feature("inputs", inputs),
    )
}

/// The nearest amount of one digit and zeros, where it is near enough.
fn round(sat: u64) -> Option<u64> {
    let unit = 10_u64.pow(sat.checked_ilog10()?);
    let round = (sat + unit / 2) / unit * unit;
    (round >= ROUND_SAT_MIN && is_near(sat, round)).then_some(round)
}

fn is_near(sat: u64, round: u64) -> bool {
    u128::from(sat.abs_diff(round)) * 1_000_000 <= u128::from(round) * u128::from(TOLERANCE_PPM)
}
