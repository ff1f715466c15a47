//! The change of a mix: unequal outputs that one participant's inputs alone account for.
//!
//! 1. Who takes part in a round of Wasabi 1 or JoinMarket puts in inputs, gets an output of the common amount and, of another size, what is
//!    left. So inputs S belong to a change c when S = c + mixed + fees, where mixed is the common amount, or of several levels some.
//! 2. Inputs of one address are one owner's. Of the sets of one to three owners that account for a change within a tolerance there must be
//!    exactly one, and no owner may be in the sets of two changes; otherwise nothing is said. What fees participants pay each other is
//!    within the tolerance: 10,000 sat or one per cent of the common amount, and one participant may pay the whole miners' fee.
//! 3. Source: the idea is CoinJoin Sudoku's (K. Atlas, 2014). The limits and the tolerance are ours, the latter as in the rule for JoinMarket.
//!
//! Whirlpool has no change inside its mixes ([`premix::kept`](super::premix::kept) says what of a Tx0 is whose); rounds of Wasabi 2 have too
//! many amounts for this rule, and it says nothing of them.

use std::collections::BTreeMap;

use bitcoin::Amount;

use crate::chain::Tx;
use crate::detect::shape;
use crate::detect::{Confidence, Finding};
use crate::id;

/// The rule's name and version.
pub const RULE: &str = "mix_change/1";

/// How sure the rule is: a grade of ours.
pub const CONFIDENCE: Confidence = Confidence::from_percent(70);

const TOLERANCE_SAT: u64 = 10_000;
/// Sets of levels are tried up to so many levels.
const LEVELS_MAX: usize = 4;
/// Look-ups of one transaction.
const STEPS_MAX: u32 = 1_000_000;

/// An output of a mix and the inputs that it is the change of. An inference of [`RULE`].
///
/// # Examples
///
/// See [`find`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ChangeLink {
    /// The output.
    pub vout: u32,
    /// The inputs that paid it, ascending.
    pub vins: Vec<u32>,
    /// What of these inputs went into the mix.
    pub mixed: Amount,
}

/// Finds the changes of a mix that one set of inputs alone accounts for, in the order of outputs.
///
/// Nothing where an input's value is unknown, for protocols without change or with too many amounts, and after a million look-ups.
///
/// # Complexity
///
/// O(n^2 log n) for each change, with n owners.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, coinjoin::{self, change}};
/// let inputs = [9_000_000, 7_000_000, 12_345_678, 5_100_000];
/// let outputs = [5_000_000, 5_000_000, 5_000_000, 5_000_000, 4_000_500, 2_000_400, 7_346_000, 97_000];
/// let chain = detect::sketch(&inputs, &outputs)?;
/// let tx = chain.view().txs().next().unwrap();
/// let mix = coinjoin::classify(tx).unwrap();
/// let found = change::find(tx, &mix);
/// let links: Vec<(u32, &[u32])> = found.iter().map(|link| (link.vout, &link.vins[..])).collect();
/// assert_eq!(links, [(4, &[0][..]), (5, &[1]), (6, &[2]), (7, &[3])]);
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A participant with more than three coins, when another's coin by chance is worth as much as they are together and the other made payments
/// in place of change.
///
/// ```
/// use fundtrace::detect::{self, coinjoin::{Rules, change}};
/// // The first four are one owner's, with change of 4,000,000. The fifth paid 3,500,000 to a friend inside the mix and kept 499,000.
/// let inputs = [2_000_000, 2_500_000, 2_200_000, 2_300_000, 9_000_000, 8_000_000];
/// let outputs = [5_000_000, 5_000_000, 5_000_000, 4_000_000, 3_000_000, 3_500_000, 499_000];
/// let chain = detect::sketch(&inputs, &outputs)?;
/// let tx = chain.view().txs().next().unwrap();
/// let mut rules = Rules::default();
/// rules.allow.insert(tx.txid());
/// let found = change::find(tx, &rules.classify(tx).unwrap());
/// // The four's change is said to be the fifth's. The sixth's is his.
/// let links: Vec<(u32, &[u32])> = found.iter().map(|link| (link.vout, &link.vins[..])).collect();
/// assert_eq!(links, [(3, &[4][..]), (4, &[5])]);
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>, mix: &Finding) -> Vec<ChangeLink> {
    if matches!(mix.protocol, "whirlpool" | "wasabi2") {
        return Vec::new();
    }
    let (Some(owners), Some(fee)) = (owners(tx), tx.fee()) else { return Vec::new() };
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for output in tx.outputs().filter(|output| !shape::is_data(*output)) {
        *counts.entry(shape::sat(output)).or_default() += 1;
    }
    let levels = levels(mix, &counts);
    let Some(lowest) = levels.first().copied().filter(|sat| *sat > 0) else { return Vec::new() };
    let tolerance = TOLERANCE_SAT.max(lowest / 100).min(lowest / 2);
    let mixed = sums(&levels);
    let mut search = Search { owners: &owners, more: tolerance + fee.to_sat(), less: tolerance, left: STEPS_MAX };
    let mut found = Vec::new();
    for output in tx.outputs().filter(|output| !shape::is_data(*output)) {
        let change = shape::sat(output);
        if change == 0 || levels.contains(&change) || counts[&change] > 1 {
            continue;
        }
        // Each common amount may find its own set; the sets must be one.
        let mut sets: Vec<(Vec<usize>, u64)> = Vec::new();
        for mixed in &mixed {
            if search.sets(change + mixed, &mut sets, *mixed).is_none() {
                return Vec::new();
            }
        }
        if let [(set, mixed)] = &sets[..] {
            found.push((output.vout(), set.clone(), *mixed));
        }
    }
    let mut taken = vec![0; owners.len()];
    found.iter().flat_map(|(_, set, _)| set).for_each(|owner| taken[*owner] += 1);
    found.retain(|(_, set, _)| set.iter().all(|owner| taken[*owner] == 1));
    let link = |(vout, set, mixed): (u32, Vec<usize>, u64)| {
        let mut vins: Vec<u32> = set.iter().flat_map(|owner| owners[*owner].vins.iter().copied()).collect();
        vins.sort_unstable();
        ChangeLink { vout, vins, mixed: Amount::from_sat(mixed) }
    };
    found.into_iter().map(link).collect()
}

/// Inputs of one address, with their sum.
struct Owner {
    sat: u64,
    vins: Vec<u32>,
}

/// The owners by what they put in, ascending; `None` where a value is unknown.
fn owners(tx: Tx<'_>) -> Option<Vec<Owner>> {
    let mut by_script: BTreeMap<_, Owner> = BTreeMap::new();
    for (vin, input) in tx.inputs().enumerate() {
        let key = input.address_index().ok_or(vin);
        let owner = by_script.entry(key).or_insert(Owner { sat: 0, vins: Vec::new() });
        owner.sat += input.value()?.to_sat();
        owner.vins.push(id::small(vin));
    }
    let mut owners: Vec<Owner> = by_script.into_values().collect();
    owners.sort_by(|a, b| (a.sat, &a.vins).cmp(&(b.sat, &b.vins)));
    Some(owners)
}

/// The amounts that were mixed, ascending: as the finding says, or else the most frequent one.
fn levels(mix: &Finding, counts: &BTreeMap<u64, usize>) -> Vec<u64> {
    let said: Vec<u64> = mix.denominations_found().iter().map(|value| value.to_sat()).collect();
    if !said.is_empty() {
        return said;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    counts.iter().find(|(_, count)| **count == most && most > 1).map(|(sat, _)| *sat).into_iter().collect()
}

/// What one participant may have mixed: the sum of some levels, or of many levels a single one.
fn sums(levels: &[u64]) -> Vec<u64> {
    if levels.len() > LEVELS_MAX {
        return levels.to_vec();
    }
    let mut sums = vec![0];
    for level in levels {
        sums.extend(sums.clone().into_iter().map(|sum| sum + level));
    }
    sums.retain(|sum| *sum > 0);
    sums.sort_unstable();
    sums.dedup();
    sums
}

/// The search for sets of one to three owners, at positions that ascend.
struct Search<'o> {
    owners: &'o [Owner],
    more: u64,
    less: u64,
    left: u32,
}

impl Search<'_> {
    /// Adds the sets that hold `target`; stops at the second different one, because then nothing is unique. `None` when the budget is over.
    fn sets(&mut self, target: u64, into: &mut Vec<(Vec<usize>, u64)>, mixed: u64) -> Option<()> {
        let len = self.owners.len();
        let mut add = |set: Vec<usize>| {
            if into.iter().all(|(known, _)| *known != set) {
                into.push((set, mixed));
            }
            into.len() > 1
        };
        for at in self.range(target, 0, 0)? {
            if add(vec![at]) {
                return Some(());
            }
        }
        for a in 0..len {
            let first = self.owners[a].sat;
            for b in self.range(target, first, a + 1)? {
                if add(vec![a, b]) {
                    return Some(());
                }
            }
            for b in a + 1..len {
                let both = first + self.owners[b].sat;
                if both > target + self.more {
                    break;
                }
                for c in self.range(target, both, b + 1)? {
                    if add(vec![a, b, c]) {
                        return Some(());
                    }
                }
            }
        }
        Some(())
    }

    /// The owners from a position on that fill `have` up to the target.
    fn range(&mut self, target: u64, have: u64, from: usize) -> Option<std::ops::Range<usize>> {
        self.left = self.left.checked_sub(1)?;
        let (low, high) = (target.saturating_sub(self.less + have), (target + self.more).checked_sub(have));
        let Some(high) = high else { return Some(from..from) };
        let rest = &self.owners[from..];
        let start = rest.partition_point(|owner| owner.sat < low);
        let end = rest.partition_point(|owner| owner.sat <= high);
        Some(from + start..from + end.max(start))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Owner, Search};

    proptest! {
        #[test]
        fn the_search_agrees_with_trying_every_set(
            mut sats in prop::collection::vec(1_u64..60, 1..8),
            target in 1_u64..120,
            less in 0_u64..4,
            more in 0_u64..4,
        ) {
            sats.sort_unstable();
            let owners: Vec<Owner> = sats.iter().map(|sat| Owner { sat: *sat, vins: Vec::new() }).collect();
            let fits = |set: u32| {
                let sum: u64 = (0..sats.len()).filter(|at| set >> at & 1 == 1).map(|at| sats[at]).sum();
                (1..=3).contains(&set.count_ones()) && sum + less >= target && sum <= target + more
            };
            let naive: Vec<u32> = (0..1_u32 << sats.len()).filter(|set| fits(*set)).collect();
            let mut found = Vec::new();
            Search { owners: &owners, more, less, left: 100_000 }.sets(target, &mut found, 0).unwrap();
            let masks: Vec<u32> = found.iter().map(|(set, _)| set.iter().map(|at| 1 << at).sum()).collect();
            prop_assert_eq!(masks.len(), naive.len().min(2));
            prop_assert!(masks.iter().all(|mask| naive.contains(mask)));
        }
    }
}
