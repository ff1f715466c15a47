//! Dust: next to nothing, to people who did not ask.
//!
//! Whoever sends dust to many addresses waits for somebody to spend it along with other coins, which then are known to be one owner's, or
//! advertises. A clustering should not let an owner be drawn in by dust, and a trace of it means nothing.

use super::{Confidence, Finding, Kind, shape};
use crate::chain::Tx;
use crate::detect::shape::Shape;

/// The rule's name and version.
pub const RULE: &str = "dust/1";

/// Outputs up to this are dust (wallets relay nothing below 546 or 294; the round limit is ours).
const DUST_SAT: u64 = 1_000;
const OUTPUTS_MIN: usize = 5;
/// What else there is is the sender's change.
const OTHERS_MAX: usize = 2;

/// Says whether a transaction sends dust to many. O(n log n).
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, dust};
/// let mut outputs = vec![547; 50];
/// outputs.push(900_000);
/// let chain = detect::sketch(&[1_000_000], &outputs)?;
/// assert!(chain.view().txs().find_map(dust::find).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A protocol whose tokens ride on small outputs: their owners did ask.
///
/// ```
/// use fundtrace::detect::{self, dust};
/// let chain = detect::sketch(&[100_000], &[546, 546, 546, 546, 546, 90_000])?;
/// assert!(chain.view().txs().find_map(dust::find).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    if tx.outputs().len() < OUTPUTS_MIN || tx.is_coinbase() {
        return None;
    }
    let is_dust = |sat: u64| (1..=DUST_SAT).contains(&sat);
    // Nearly all transactions of many outputs pay with each of them.
    if tx.outputs().filter(|output| is_dust(shape::sat(*output))).count() < OUTPUTS_MIN {
        return None;
    }
    let shape = Shape::of(tx);
    let dust = shape.outputs.iter().filter(|sat| is_dust(**sat)).count();
    let others = shape.outputs.len() - dust;
    if dust < OUTPUTS_MIN || others > OTHERS_MAX || shape.output_scripts() < OUTPUTS_MIN {
        return None;
    }
    Some(
        Finding::new(Kind::Dust, "dust", RULE, Confidence::from_percent(60))
            .feature("outputs", dust)
            .feature("scripts", shape.output_scripts())
            .sat("dust_max_sat", DUST_SAT),
    )
}
