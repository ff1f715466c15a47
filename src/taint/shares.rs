//! Amounts by source, and the two exact ways to divide whole satoshis in proportion.
//!
//! Letters as in DESIGN.md, "How does haircut stay exact?": `V` the value of all inputs, `T` the tainted part of it, `R[s]` the part of
//! source `s`, `v[o]` the value of output `o`, `P` the value of the outputs up to and with `o`, `x[s]` what `o` gets of `s`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bitcoin::Amount;

use super::{Lot, Part};
use crate::id::SourceIndex;

/// How much of each source a value holds: the mark of the rules that keep amounts and no order.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::{Haircut, Taint};
/// use fundtrace::SourceIndex;
/// let mark = Haircut.seed(Amount::from_sat(7), SourceIndex::from_u32(2));
/// assert_eq!(mark.total(), Amount::from_sat(7));
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Shares {
    /// Sorted by source; no amount is zero.
    by_source: Vec<(SourceIndex, Amount)>,
}

impl Shares {
    /// Makes a mark of one source.
    pub fn of(source: SourceIndex, amount: Amount) -> Self {
        let by_source = if amount == Amount::ZERO { Vec::new() } else { vec![(source, amount)] };
        Self { by_source }
    }

    /// Returns the tainted amount over all sources.
    pub fn total(&self) -> Amount {
        self.by_source.iter().map(|(_, amount)| *amount).sum()
    }

    /// Returns each source's amount, in the order of sources.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.by_source.iter().map(|(source, amount)| Part { source: *source, offset: Amount::ZERO, amount: *amount })
    }

    /// Sums the inputs' shares by source.
    pub fn sum(inputs: &[Lot<Self>]) -> Self {
        let mut sums = std::collections::BTreeMap::new();
        for (source, amount) in inputs.iter().flat_map(|lot| &lot.mark.by_source) {
            *sums.entry(*source).or_insert(Amount::ZERO) += *amount;
        }
        Self { by_source: sums.into_iter().collect() }
    }
}

impl Shares {
    /// Marks outputs that get these amounts of taint in all, dividing each among the sources by the exact draw (DESIGN.md, "How do
    /// seniority, juniority and TIHO divide several sources?"). The amounts must sum to this mark's total.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::Amount;
    /// use fundtrace::taint::Shares;
    /// use fundtrace::SourceIndex;
    /// let sat = Amount::from_sat;
    /// let mut marks = Vec::new();
    /// Shares::of(SourceIndex::from_u32(0), sat(5)).divide(&[sat(4), sat(1)], &mut marks);
    /// assert_eq!(marks[0].total(), sat(4));
    /// ```
    pub fn divide(&self, tainted: &[Amount], into: &mut Vec<Self>) {
        into.clear();
        if let [(source, _)] = self.by_source[..] {
            into.extend(tainted.iter().map(|amount| Self::of(source, *amount)));
            return;
        }
        let owed: Vec<Amount> = self.by_source.iter().map(|(_, amount)| *amount).collect();
        draw(&owed, tainted, |drawn| into.push(label(self, drawn)));
    }
}

/// The methods that every rule on [`Shares`] has alike.
macro_rules! keeps_shares {
    () => {
        fn seed(&self, value: Amount, source: SourceIndex) -> Shares {
            Shares::of(source, value)
        }

        fn amount(&self, mark: &Shares) -> Amount {
            mark.total()
        }

        fn parts(&self, mark: &Shares, each: &mut dyn FnMut(Part)) {
            mark.parts().for_each(each);
        }

        fn origin(&self) -> Origin {
            Origin::Shares
        }
    };
}
pub(super) use keeps_shares;

/// Marks outputs of the given values by drawing from the sources and from what is clean alike.
pub(super) fn mark_in_proportion(from: &Shares, clean: Amount, values: &[Amount], into: &mut Vec<Shares>) {
    into.clear();
    // Clean is a source too, and the lowest one, so that ties go to it first.
    let owed: Vec<Amount> = std::iter::once(clean).chain(from.by_source.iter().map(|(_, amount)| *amount)).collect();
    draw(&owed, values, |drawn| into.push(label(from, &drawn[1..])));
}

fn label(from: &Shares, amounts: &[Amount]) -> Shares {
    let by_source = from.by_source.iter().zip(amounts).map(|((source, _), amount)| (*source, *amount));
    Shares { by_source: by_source.filter(|(_, amount)| *amount > Amount::ZERO).collect() }
}

/// Divides `total` in proportion to `weights` by largest remainder; ties go to the lower index.
///
/// No part exceeds its weight as long as `total` is at most the weights' sum, and the parts sum to `total`.
pub(crate) fn split(total: Amount, weights: &[Amount]) -> Vec<Amount> {
    let sum: u128 = weights.iter().map(|weight| u128::from(weight.to_sat())).sum();
    if sum == 0 {
        return vec![Amount::ZERO; weights.len()];
    }
    // Amounts are below 2^51, so products are below 2^102.
    let quota = |weight: Amount| u128::from(weight.to_sat()) * u128::from(total.to_sat());
    let mut parts: Vec<Amount> = weights.iter().map(|weight| sat(quota(*weight) / sum)).collect();
    let given: Amount = parts.iter().copied().sum();
    let left = crate::id::at((total - given).to_sat());
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| Reverse(quota(weights[*at]) % sum));
    for at in order.into_iter().take(left) {
        parts[at] += Amount::ONE_SAT;
    }
    parts
}

/// Deals what each source is owed to outputs in order, so that both margins are exact: each output gets exactly its value, each source
/// gives exactly what it is owed. `values` must sum to the owed amounts.
///
/// A draw without replacement that carries its rounding error from output to output:
///
/// ```text
/// P += v[o];  q[s] = P * R[s] / V - drawn[s]            // still owed after this output, exact
/// x[s] = floor(q[s]) within 0 ..= R[s] - drawn[s]
/// then single satoshis: up where q[s] - x[s] is greatest, down where it is least, ties to the lower source, until sum x = v[o]
/// ```
///
/// Calls `each` for every output with an amount a source. O(k log k) an output, with k sources.
pub(crate) fn draw(owed: &[Amount], values: &[Amount], mut each: impl FnMut(&[Amount])) {
    let v_all: i128 = owed.iter().map(|amount| i128::from(amount.to_sat())).sum();
    let r: Vec<i128> = owed.iter().map(|amount| i128::from(amount.to_sat())).collect();
    let mut drawn = vec![0_i128; r.len()];
    let mut row = vec![Amount::ZERO; r.len()];
    let mut x = vec![0_i128; r.len()];
    let mut p = 0_i128;
    for value in values {
        let v = i128::from(value.to_sat());
        p += v;
        // A numerator over V: q[s] * V. V is zero only when everything is, and then every value is zero too.
        let q = |s: usize| p * r[s] - drawn[s] * v_all;
        for s in 0..r.len() {
            x[s] = if v_all == 0 { 0 } else { q(s).div_euclid(v_all).min(r[s] - drawn[s]).max(0) };
        }
        let missing = v - x.iter().sum::<i128>();
        let step = missing.signum();
        let may = |s: usize, x: i128| if step > 0 { x < r[s] - drawn[s] } else { x > 0 };
        // The next to move: up where most is still owed, down where least is, so both are the greatest of a signed rest.
        let rest = |s: usize, x: i128| (step * (q(s) - x * v_all), Reverse(s));
        let movable = (0..r.len()).filter(|s| step != 0 && may(*s, x[*s]));
        let mut next: BinaryHeap<_> = movable.map(|s| rest(s, x[s])).collect();
        for _ in 0..missing.abs() {
            let (_, Reverse(s)) = next.pop().expect("the sources owe as much as the outputs are worth");
            x[s] += step;
            if may(s, x[s]) {
                next.push(rest(s, x[s]));
            }
        }
        for s in 0..r.len() {
            drawn[s] += x[s];
            row[s] = sat(x[s].unsigned_abs());
        }
        each(&row);
    }
}

fn sat(amount: u128) -> Amount {
    Amount::from_sat(u64::try_from(amount).expect("a share is at most the amount it is a share of"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sats(amounts: &[u64]) -> Vec<Amount> {
        amounts.iter().copied().map(Amount::from_sat).collect()
    }

    fn rows(owed: &[Amount], values: &[Amount]) -> Vec<Vec<Amount>> {
        let mut rows = Vec::new();
        draw(owed, values, |row| rows.push(row.to_vec()));
        rows
    }

    #[test]
    fn largest_remainder_ties_go_to_the_lower_index() {
        assert_eq!(split(Amount::from_sat(7), &sats(&[4, 4, 4])), sats(&[3, 2, 2]));
        assert_eq!(split(Amount::from_sat(1), &sats(&[1, 1])), sats(&[1, 0]));
        assert_eq!(split(Amount::ZERO, &sats(&[0, 0])), sats(&[0, 0]));
    }

    #[test]
    fn draw_keeps_within_an_output_where_rounding_each_source_would_not() {
        assert_eq!(rows(&sats(&[0, 1, 1]), &sats(&[1, 1])), [sats(&[0, 1, 0]), sats(&[0, 0, 1])]);
    }

    #[test]
    fn draw_does_not_drift() {
        // 546 sat to each of 300 outputs and a rest: starting afresh at each output drifts by 120 sat.
        let owed = sats(&[600_000, 400_000]);
        let mut values = vec![546; 300];
        values.push(1_000_000 - 546 * 300);
        let rows = rows(&owed, &sats(&values));
        let mut p = 0_i128;
        let mut drawn = 0_i128;
        for (row, value) in rows.iter().zip(&values) {
            p += i128::from(*value);
            drawn += i128::from(row[0].to_sat());
            assert!((p * 600_000 - drawn * 1_000_000).abs() <= 1_000_000, "over a satoshi from the real share");
        }
        assert_eq!(drawn, 600_000);
    }
}
