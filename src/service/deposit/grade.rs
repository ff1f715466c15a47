//! How sure a deposit is: bits for and against, added up.
//!
//! `b` bits are odds of `2^b` to one. The weights are ours: grades, no measured frequencies; `eval::deposits` measures what comes of them.

use super::Deposit;
use crate::detect::Confidence;

/// Blocks of a day.
const DAY: u32 = 144;

/// The most bits of what [nothing bears out](is_borne_out): two to one.
const UNSUPPORTED_MAX: i32 = 1;

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
    // An outside payer has little reason to fill two of a service's addresses and keep no change, but some do, once.
    let dealt = match deposit.dealt {
        0 => 0,
        1 => 2,
        _ => 3,
    };
    // Nobody but the service signs for its own coins.
    let cosigned = if deposit.cosigned { 2 } else { 0 };
    let delay = match deposit.delay {
        // Who deals coins out has them ready.
        _ if deposit.dealt > 0 => 0,
        Some(blocks) if blocks <= DAY => 1,
        Some(blocks) if blocks > delay_max => -1,
        _ => 0,
    };
    let reused = i32::from(deposit.payers > 1);
    let less = i32::from(deposit.collected) + i32::from(deposit.learned) + i32::from(deposit.open.to_sat() > 0);
    let sum = alone + sweeps + siblings + dealt + cosigned + delay + reused - less;
    if is_borne_out(deposit) { sum } else { sum.min(UNSUPPORTED_MAX) }
}

/// Whether something tells it from a wallet that pays all it gets on to the service: a coin of the service's in its sweep; or that enough others are swept
/// elsewhere, and it has siblings, is swept alone as many are, or is dealt out again. All of one sweep may be one wallet's.
pub(super) fn is_borne_out(deposit: &Deposit) -> bool {
    let alike = deposit.siblings > 0 || deposit.alike >= super::ALIKE_MIN || deposit.dealt > 1;
    deposit.cosigned || alike && deposit.outside >= super::OUTSIDE_MIN
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
    use super::Deposit;
    use crate::id::AddressIndex;

    /// Each bit on its own, at the numbers where it begins and ends.
    #[test]
    fn bits_are_given_for_what_was_seen() {
        let bits = |change: &dyn Fn(&mut Deposit)| {
            let mut deposit = Deposit::new(AddressIndex::from_u32(0), 0);
            deposit.outside = 10;
            change(&mut deposit);
            super::bits(&deposit, 432)
        };
        let delay = |blocks| bits(&|deposit| deposit.delay = Some(blocks));
        assert_eq!([0, 144, 145, 432, 433].map(delay), [0, 0, -1, -1, -2]);
        assert_eq!([1, 2, 4, 5].map(|sweeps| bits(&|deposit| deposit.sweeps = sweeps)), [-1, 0, 0, 1]);
        assert_eq!(
            [0, 1, 2].map(|dealt| bits(&|deposit| (deposit.dealt, deposit.delay) = (dealt, Some(0)))),
            [0, 1, 2]
        );
        assert_eq!([0, 1, 2, 4, 5].map(|siblings| bits(&|deposit| deposit.siblings = siblings)), [-1, 0, 1, 1, 2]);
        assert_eq!([9, 10].map(|alike| bits(&|deposit| deposit.alike = alike)), [-1, 1]);
        assert_eq!([1, 2].map(|payers| bits(&|deposit| deposit.payers = payers)), [-1, 0]);
        let sat = |open| bits(&|deposit| deposit.open = bitcoin::Amount::from_sat(open));
        assert_eq!([0, 1].map(sat), [-1, -2]);
        assert_eq!(bits(&|deposit| (deposit.learned, deposit.collected) = (true, true)), -3);
        assert_eq!(bits(&|deposit| deposit.cosigned = true), 1);
    }

    /// Whatever it was seen to do, two to one unless others are swept elsewhere, and not only as it is.
    #[test]
    fn what_one_wallet_can_do_alone_is_capped() {
        let bits = |siblings, alike, dealt, cosigned, outside| {
            let mut deposit = Deposit::new(AddressIndex::from_u32(0), 0);
            (deposit.sweeps, deposit.payers, deposit.delay) = (5, 2, Some(0));
            (deposit.siblings, deposit.alike, deposit.dealt) = (siblings, alike, dealt);
            (deposit.cosigned, deposit.outside) = (cosigned, outside);
            super::bits(&deposit, 432)
        };
        assert_eq!([9, 10].map(|outside| bits(5, 0, 0, false, outside)), [1, 6]);
        assert_eq!([9, 10].map(|alike| bits(0, alike, 0, false, 10)), [1, 5]);
        assert_eq!([1, 2].map(|dealt| bits(0, 0, dealt, false, 10)), [1, 5]);
        assert_eq!([bits(0, 0, 2, false, 9), bits(0, 0, 0, false, 1_000), bits(0, 0, 0, true, 0)], [1, 1, 5]);
    }

    #[test]
    fn confidences_are_odds() {
        let ppm = [-9, -1, 0, 1, 3, 9].map(|bits| super::confidence(bits).to_ppm());
        assert_eq!(ppm, [111_111, 333_333, 500_000, 666_667, 888_889, 984_616]);
    }
}
