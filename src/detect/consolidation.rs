//! Consolidation: many coins become one or two.
//!
//! An owner joins coins when fees are low; a custodian sweeps deposits. After a mix it is the strongest evidence there is of whose the outputs
//! were (Gavenda, Svenda, Dufka and Matyas, arXiv 2510.17284: anonymity sets shrink by 10 to 50 per cent).

use super::{Confidence, Finding, Kind};
use crate::chain::{ScriptType, Tx};

/// The rule's name and version.
pub const RULE: &str = "consolidation/1";

/// So many inputs are more than a payment takes (the count is ours).
const INPUTS_MIN: usize = 10;
const OUTPUTS_MAX: usize = 2;

/// Says whether a transaction joins coins. O(n).
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, consolidation};
/// let chain = detect::sketch(&[20_000; 15], &[295_000])?;
/// assert!(chain.view().txs().find_map(consolidation::find).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A large payment out of many small coins: one output is somebody else's.
///
/// ```
/// use fundtrace::detect::{self, Confidence, consolidation};
/// let chain = detect::sketch(&[20_000; 15], &[290_000, 5_000])?;
/// let finding = chain.view().txs().find_map(consolidation::find).unwrap();
/// assert_eq!(finding.confidence, Confidence::from_percent(60));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    let inputs = tx.inputs().len();
    if inputs < INPUTS_MIN || tx.outputs().len() > OUTPUTS_MAX + 1 {
        return None;
    }
    let outputs = tx.output_types().filter(|of| *of != Some(ScriptType::OpReturn)).count();
    if outputs == 0 || outputs > OUTPUTS_MAX {
        return None;
    }
    let mut addresses: Vec<_> = tx.input_addresses().collect();
    addresses.sort_unstable();
    addresses.dedup();
    let percent = if outputs == 1 { 85 } else { 60 };
    Some(
        Finding::new(Kind::Consolidation, "consolidation", RULE, Confidence::from_percent(percent))
            .feature("input_addresses", addresses.len())
            .feature("inputs", inputs)
            .feature("inputs_min", INPUTS_MIN)
            .feature("outputs", outputs),
    )
}
