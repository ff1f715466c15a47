//! How sure a deposit is: bits for and against, added up.
//!
//! `b` bits are odds of `2^b` to one. The weights are ours: grades, no measured frequencies; `eval::deposits` measures what comes of them.

use super::Deposit;
use crate::detect::Confidence;

/// Blocks of a day.
const DAY: u32 = 144;

/// The sum of what speaks for and against.
pub(super) fn bits(deposit: &Deposit, delay_max: u32) -> i32 {
    // Whoever pays a service's hot wallet may be anybody: activity alone is no evidence.
    let alone = -1;
    let sweeps = match deposit.sweeps {
        0..2 => 0,
        2..5 => 1,
        _ => 2,
    };
    // A wallet of two coins has one sibling.
    let siblings = match deposit.siblings {
        0 if deposit.alike >= super::ALIKE_MIN => 2,
        0 => 0,
        1 => 1,
        2..5 => 2,
        _ => 3,
    };
    // An outside payer has no reason to fill two of a service's addresses and keep no change.
    let dealt = if deposit.dealt { 3 } else { 0 };
    let delay = match deposit.delay {
        Some(blocks) if blocks <= DAY => 1,
        Some(blocks) if blocks > delay_max => -1,
        _ => 0,
    };
    let reused = i32::from(deposit.payers > 1);
    let less = i32::from(deposit.collected) + i32::from(deposit.learned) + i32::from(deposit.open.to_sat() > 0);
    alone + sweeps + siblings + dealt + delay + reused - less
}

/// `2^b / (2^b + 1)`, for bits from -3 to 6.
pub(super) fn confidence(bits: i32) -> Confidence {
    let bits = bits.clamp(-3, 6);
    let odds = 1_u32 << bits.unsigned_abs();
    let ppm = 1_000_000 / (odds + 1);
    Confidence::from_ppm(if bits >= 0 { 1_000_000 - ppm } else { ppm })
}

#[cfg(test)]
mod tests {
    #[test]
    fn confidences_are_odds() {
        let ppm = [-9, -1, 0, 1, 3, 9].map(|bits| super::confidence(bits).to_ppm());
        assert_eq!(ppm, [111_111, 333_333, 500_000, 666_667, 888_889, 984_616]);
    }
}
