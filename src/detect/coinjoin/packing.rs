//! Whether inputs can be dealt out so that every participant pays for what it gets.
//!
//! Inputs of one address are one owner's and stay together. There are as many buckets as participants; each has to be filled with the
//! common amount and one change output, less a tolerance for fees between them. The largest owner is placed first, the emptiest bucket
//! is tried first, and buckets that lack the same amount are one. Source: the idea of BlockSci's `isCoinjoinExtra`.

use std::collections::BTreeMap;

use crate::chain::Tx;
use crate::detect::shape::{Repeated, Shape};

/// What participants may pay each other, at least this much and one per cent of the common amount.
const TOLERANCE_SAT: u64 = 10_000;

/// Whether the inputs can be dealt out; `None` where an input is unknown or after so many steps.
pub(super) fn dealt(tx: Tx<'_>, shape: &Shape, common: Repeated, budget: u32) -> Option<bool> {
    shape.inputs.as_ref()?;
    let mut owners: BTreeMap<_, u64> = BTreeMap::new();
    for (at, input) in tx.inputs().enumerate() {
        // What has no address stands for itself.
        let alone = input.address_index().is_none().then_some(at);
        *owners.entry((input.address_index(), alone)).or_default() += input.value()?.to_sat();
    }
    let tolerance = TOLERANCE_SAT.max(common.sat / 100);
    let mut changes: Vec<u64> = shape.sorted.iter().rev().copied().filter(|sat| *sat != common.sat).collect();
    changes.resize(common.count, 0);
    let goals = changes.into_iter().map(|change| common.sat + change.saturating_sub(tolerance));
    let mut owners: Vec<u64> = owners.into_values().collect();
    owners.sort_unstable_by(|a, b| b.cmp(a));
    let mut left = budget;
    let mut lacks: Vec<u64> = goals.collect();
    fill(&mut lacks, &owners, &mut left)
}

/// Whether the owners cover all that the buckets lack.
fn fill(lacks: &mut Vec<u64>, owners: &[u64], left: &mut u32) -> Option<bool> {
    lacks.sort_unstable_by(|a, b| b.cmp(a));
    let open = lacks.iter().take_while(|lack| **lack > 0).count();
    if open == 0 {
        return Some(true);
    }
    let (Some((owner, rest)), true) = (owners.split_first(), owners.len() >= open) else { return Some(false) };
    if owners.iter().sum::<u64>() < lacks.iter().sum() {
        return Some(false);
    }
    for at in 0..open {
        if at > 0 && lacks[at] == lacks[at - 1] {
            continue;
        }
        *left = left.checked_sub(1)?;
        let mut next = lacks.clone();
        next[at] = next[at].saturating_sub(*owner);
        if fill(&mut next, rest, left)? {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Every owner in every bucket.
    fn fill_naively(lacks: &[u64], owners: &[u64]) -> bool {
        let Some((owner, rest)) = owners.split_first() else { return lacks.iter().all(|lack| *lack == 0) };
        (0..lacks.len()).any(|at| {
            let mut next = lacks.to_vec();
            next[at] = next[at].saturating_sub(*owner);
            fill_naively(&next, rest)
        })
    }

    proptest! {
        #[test]
        fn filling_agrees_with_trying_everything(
            lacks in prop::collection::vec(0_u64..12, 1..4),
            mut owners in prop::collection::vec(0_u64..12, 0..6),
        ) {
            let naive = fill_naively(&lacks, &owners);
            owners.sort_unstable_by(|a, b| b.cmp(a));
            prop_assert_eq!(super::fill(&mut lacks.clone(), &owners, &mut 100_000), Some(naive));
        }
    }

    #[test]
    fn a_budget_ends() {
        // Nine buckets that just cannot be filled: the sums suffice, the owners do not fit.
        let (mut lacks, owners) = (vec![100; 9], [70; 13]);
        assert_eq!(super::fill(&mut lacks, &owners, &mut 3), None);
    }
}
