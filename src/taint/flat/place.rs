//! Where the rules that keep amounts put a total: the part of each of them that does not look at sources.

use crate::id;

/// How a total of taint is placed over outputs, the fee last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Placing {
    /// In proportion, by largest remainder.
    Haircut,
    /// Outputs in order.
    Seniority,
    /// What the clean value leaves.
    Juniority,
    /// The greatest output first.
    Tiho,
}

/// Scratch for [`Placing::place`].
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    order: Vec<(u64, u32)>,
}

impl Placing {
    /// Places `total` of `outputs`, which sum to `all`. `total` is at most `all`.
    #[inline]
    pub(super) fn place(self, total: u64, all: u64, outputs: &[u64], into: &mut Vec<u64>, scratch: &mut Scratch) {
        into.clear();
        if total == all {
            into.extend_from_slice(outputs);
            return;
        }
        match self {
            Self::Haircut => in_proportion(total, all, outputs, into, &mut scratch.order),
            Self::Seniority => {
                let mut left = total;
                into.extend(outputs.iter().map(|value| take(&mut left, *value)));
            }
            Self::Juniority => {
                let mut clean = all - total;
                into.extend(outputs.iter().map(|value| *value - take(&mut clean, *value)));
            }
            Self::Tiho => greatest_first(total, outputs, into, &mut scratch.order),
        }
    }
}

#[inline]
fn take(left: &mut u64, most: u64) -> u64 {
    let taken = most.min(*left);
    *left -= taken;
    taken
}

fn greatest_first(total: u64, outputs: &[u64], into: &mut Vec<u64>, order: &mut Vec<(u64, u32)>) {
    into.resize(outputs.len(), 0);
    let Some((fee, paid)) = outputs.split_last() else { return };
    let mut left = total;
    if let [first, second] = paid {
        let at = usize::from(second > first);
        into[at] = take(&mut left, paid[at]);
        into[1 - at] = take(&mut left, paid[1 - at]);
    } else {
        order.clear();
        order.extend(paid.iter().enumerate().map(|(at, value)| (*value, id::small(at))));
        order.sort_unstable_by_key(|(value, at)| (std::cmp::Reverse(*value), *at));
        for (value, at) in &*order {
            into[id::at(*at)] = take(&mut left, *value);
            if left == 0 {
                break;
            }
        }
    }
    into[paid.len()] = take(&mut left, *fee);
}

/// `floor(value * total / all)` and the remainder, from `rate = floor(total * 2^64 / all)`.
///
/// With `total < all <= 2^51` and `value <= all` the estimate is one too low at most: what the rate lacks is under `2^-64`, times `value`
/// under `2^-13`. The remainder is then below `2 * all`, so 64 bits hold it although the products have more.
#[inline]
pub(super) fn share(value: u64, rate: u64, total: u64, all: u64) -> (u64, u64) {
    let estimate = (u128::from(value) * u128::from(rate)) >> 64;
    let low = low(estimate);
    let rest = value.wrapping_mul(total).wrapping_sub(low.wrapping_mul(all));
    if rest >= all { (low + 1, rest - all) } else { (low, rest) }
}

/// `floor(total * 2^64 / all)`, where `total < all`.
#[inline]
pub(super) fn rate(total: u64, all: u64) -> u64 {
    low((u128::from(total) << 64) / u128::from(all))
}

/// A number that is known to fit.
#[inline]
fn low(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Largest remainder, ties to the lower index: the twin of [`split`](crate::taint::split) with one division a transaction.
fn in_proportion(total: u64, all: u64, outputs: &[u64], into: &mut Vec<u64>, order: &mut Vec<(u64, u32)>) {
    if all == 0 || total == 0 {
        into.resize(outputs.len(), 0);
        return;
    }
    let rate = rate(total, all);
    order.clear();
    let mut given = 0;
    for (at, value) in outputs.iter().enumerate() {
        let (part, rest) = share(*value, rate, total, all);
        given += part;
        into.push(part);
        if rest > 0 {
            order.push((rest, id::small(at)));
        }
    }
    // Fewer are missing than have a remainder, because the remainders sum to what is missing times `all`.
    let missing = id::at(total - given);
    if missing == 0 {
        return;
    }
    let key = |(rest, at): &(u64, u32)| (std::cmp::Reverse(*rest), *at);
    if order.len() <= 4 {
        for _ in 0..missing {
            let best = (0..order.len()).min_by_key(|at| key(&order[*at])).expect("a remainder for each");
            into[id::at(order.swap_remove(best).1)] += 1;
        }
    } else {
        if missing < order.len() {
            order.select_nth_unstable_by_key(missing - 1, key);
        }
        for (_, at) in &order[..missing] {
            into[id::at(*at)] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taint::split;
    use bitcoin::Amount;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn proportion_agrees_with_its_plain_twin(
            outputs in prop::collection::vec(prop_oneof![0_u64..20, 0_u64..2_100_000_000_000_000 / 12], 1..12),
            total in any::<u64>(),
        ) {
            let all: u64 = outputs.iter().sum();
            let total = if all == 0 { 0 } else { total % (all + 1) };
            let mut parts = Vec::new();
            Placing::Haircut.place(total, all, &outputs, &mut parts, &mut Scratch::default());
            let weights: Vec<Amount> = outputs.iter().copied().map(Amount::from_sat).collect();
            let plain: Vec<u64> = split(Amount::from_sat(total), &weights).iter().map(|part| part.to_sat()).collect();
            prop_assert_eq!(parts, plain);
        }
    }
}
