//! Wasabi 2: many inputs, outputs of standard amounts, both sorted.
//!
//! 1. The coordinator sorts inputs and outputs by descending value, and clients decompose their money into standard amounts: powers of 2
//!    and of 3, twice the powers of 3, and 1, 2 and 5 times the powers of 10, from 5,000 sat on. There are 78.
//! 2. Dumplings' scanner: height 741,213 on, at least 50 inputs, all P2WPKH or P2TR, more than 80 % of the outputs standard. Since many
//!    coordinators took over from one, 20 inputs suffice (coinjoin-pipeline, from height 850,237 on). Some had begun before, so a
//!    smaller round before that height counts too, with less confidence.

use super::era::{self, Block};
use crate::chain::{ScriptType, Tx};
use crate::detect::shape::{Shape, ppm};
use crate::detect::{Confidence, Finding, Kind, Verdict};

/// The rule's name and version.
pub const RULE: &str = "wasabi2/1";

const FIRST: Block = Block { height: 741_213, time: 1_655_400_000 };
/// From here on smaller rounds are usual.
const SMALLER: Block = Block { height: 850_237, time: 1_719_700_000 };
const INPUTS_MIN_FIRST: usize = 50;
pub(super) const INPUTS_MIN: usize = 20;
/// More than so much of the outputs is standard.
const STANDARD_PPM: u32 = 800_000;
/// What a client puts into one round, or takes out of it, at most (the crocs group's mapping enumerator).
const INPUTS_A_CLIENT: usize = 30;
const OUTPUTS_A_CLIENT: usize = 10;

/// The standard amounts, ascending.
pub const DENOMINATIONS_SAT: [u64; 78] = denominations();

const LEAST: u64 = 5_000;
const GREATEST: u64 = 134_375_000_000;

/// Every amount of the rule in the item above, sorted by insertion and without the ones that two forms share.
const fn denominations() -> [u64; 78] {
    // Base and factor: 2^i; 3^i and 2 * 3^i; 10^i, 2 * 10^i and 5 * 10^i.
    const FORMS: [(u64, u64); 6] = [(2, 1), (3, 1), (3, 2), (10, 1), (10, 2), (10, 5)];
    let mut all = [0; 78];
    let (mut len, mut form) = (0, 0);
    while form < FORMS.len() {
        let mut amount = FORMS[form].1;
        while amount <= GREATEST {
            if amount >= LEAST {
                let mut at = len;
                while at > 0 && all[at - 1] > amount {
                    all[at] = all[at - 1];
                    at -= 1;
                }
                all[at] = amount;
                len += 1;
            }
            amount *= FORMS[form].0;
        }
        form += 1;
    }
    assert!(len == 78);
    all
}

/// Says whether a transaction is a CoinJoin of Wasabi 2. O(n log n).
///
/// Undecided where the outputs are right and the value or script of some input is unknown.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, coinjoin::wasabi2};
/// let inputs: Vec<u64> = (0..60).map(|n| 1_100_000 - 100 * n).collect();
/// let outputs: Vec<u64> = [1_000_000; 40].into_iter().chain([500_000; 20]).chain([123_456; 1]).collect();
/// let chain = detect::sketch(&inputs, &outputs)?;
/// let finding = chain.view().txs().find_map(wasabi2::find).unwrap();
/// assert!(finding.is_yes());
/// assert_eq!(finding.denominations_found().len(), 2);
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A service that sorts as BIP 69 does, but downwards, and pays round amounts out of many coins.
///
/// ```
/// use fundtrace::detect::{self, coinjoin::wasabi2};
/// let chain = detect::sketch(&[1_000_000; 50], &[10_000_000, 10_000_000, 5_000_000, 2_000_000, 2_000_000])?;
/// assert!(chain.view().txs().find_map(wasabi2::find).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    (tx.inputs().len() >= INPUTS_MIN).then(|| of(tx, &Shape::of(tx))).flatten()
}

pub(super) fn of(tx: Tx<'_>, shape: &Shape<'_>) -> Option<Finding> {
    if shape.inputs_len < INPUTS_MIN || shape.data_outputs > 0 || !era::is_within(tx, FIRST, None) {
        return None;
    }
    let standard = shape.outputs.iter().filter(|sat| DENOMINATIONS_SAT.binary_search(sat).is_ok()).count();
    let share = ppm(standard, shape.outputs.len());
    if share <= STANDARD_PPM || !is_descending(&shape.outputs) {
        return None;
    }
    let fits = |of: Option<ScriptType>| matches!(of, None | Some(ScriptType::P2wpkh | ScriptType::P2tr));
    if !tx.inputs().all(|input| fits(input.script_type())) {
        return None;
    }
    if shape.inputs().is_some_and(|inputs| !is_descending(inputs)) {
        return None;
    }
    let known = shape.inputs().is_some() && tx.inputs().all(|input| input.script_type().is_some());
    let usual = shape.inputs_len >= INPUTS_MIN_FIRST || SMALLER.is_reached_by(tx).unwrap_or(true);
    // Each client's limits say how few there can be.
    let clients = shape.inputs_len.div_ceil(INPUTS_A_CLIENT).max(shape.outputs.len().div_ceil(OUTPUTS_A_CLIENT));
    let found = shape.values().filter(|value| DENOMINATIONS_SAT.binary_search(&value.sat).is_ok());
    let finding = Finding::new(Kind::Coinjoin, "wasabi2", RULE, Confidence::from_percent(if usual { 95 } else { 80 }))
        .participants(clients.max(2))
        .denominations(found.map(|value| value.sat))
        .feature("inputs", shape.inputs_len)
        .feature("standard_ppm", share)
        .feature("standard_ppm_min", STANDARD_PPM)
        .feature("smaller_than_usual", !usual)
        .feature("inputs_known", known);
    Some(finding.verdict(if known { Verdict::Yes } else { Verdict::Undecided }))
}

fn is_descending(values: &[u64]) -> bool {
    values.is_sorted_by(|a, b| a >= b)
}
