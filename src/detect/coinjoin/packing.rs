//! Whether inputs can be dealt out so that every participant pays for what it gets.
//!
//! Inputs of one address are one owner's and stay together. There are as many buckets as participants; each has to be filled with the
//! common amount and one change output, less a tolerance for fees between them. The largest owner is placed first, the bucket
//! that it fills most closely is tried first, and neighbours that lack the same amount are one. Source: the idea of BlockSci's `isCoinjoinExtra`.

use crate::chain::Tx;
use crate::detect::shape::{Buckets, Repeated, Shape};

/// What participants may pay each other, at least this much and one per cent of the common amount.
const TOLERANCE_SAT: u64 = 10_000;

/// Whether the inputs can be dealt out; `None` where an input is unknown or after so many steps.
pub(super) fn dealt(tx: Tx<'_>, shape: &Shape<'_>, common: Repeated, budget: u32) -> Option<bool> {
    shape.dealt(common, || deal(tx, shape, common, budget))
}

fn deal(tx: Tx<'_>, shape: &Shape<'_>, common: Repeated, budget: u32) -> Option<bool> {
    let sats = shape.inputs()?;
    let Buckets { owners, lacks, free, open } = &mut *shape.room.buckets.borrow_mut();
    owners.clear();
    if shape.input_scripts() == Some(shape.inputs_len) {
        owners.extend_from_slice(sats);
    } else {
        // What has no address stands for itself.
        let keys = tx.input_addresses().enumerate().map(|(at, address)| address.ok_or(at));
        let mut coins: Vec<_> = keys.zip(sats).collect();
        coins.sort_unstable();
        owners.extend(coins.chunk_by(|a, b| a.0 == b.0).map(|own| own.iter().map(|(_, sat)| *sat).sum::<u64>()));
    }
    owners.sort_unstable_by(|a, b| b.cmp(a));
    let tolerance = TOLERANCE_SAT.max(common.sat / 100);
    let changes = shape.sorted.iter().rev().filter(|sat| **sat != common.sat);
    // The greatest change stands first, and who has none lacks least.
    lacks.clear();
    lacks.extend(changes.map(|change| common.sat + change.saturating_sub(tolerance)));
    lacks.resize(common.count, common.sat);
    let (lack, have) = (lacks.iter().sum(), owners.iter().sum());
    if have < lack {
        return Some(false);
    }
    if is_dealt_at_once(lacks, owners, free, open) {
        return Some(true);
    }
    let mut left = budget;
    fill(lacks, lack, owners, have, &mut left)
}

/// Gives every bucket the smallest owner that fills it, or else the smallest two: both lists descend. Where this succeeds nothing has to be
/// searched; where it does not, nothing is said. The two other lists are for its own use.
fn is_dealt_at_once(lacks: &[u64], owners: &[u64], free: &mut Vec<u64>, open: &mut Vec<u64>) -> bool {
    free.clear();
    free.extend_from_slice(owners);
    open.clear();
    // An owner that brings much more than the bucket lacks is somebody else's.
    let is_tight = |owner: u64, lack: u64| owner - lack <= lack / 32 + 2 * TOLERANCE_SAT;
    // The owners before here fill the bucket, and with it every later one.
    let mut filling = 0;
    for lack in lacks {
        filling += free[filling..].iter().take_while(|owner| *owner >= lack).count();
        match filling.checked_sub(1) {
            Some(at) if is_tight(free[at], *lack) => {
                free.remove(at);
                filling = at;
            }
            _ => open.push(*lack),
        }
    }
    open.iter().all(|lack| take_two(free, *lack) || take_one(free, *lack))
}

/// Takes the two owners with the least sum that fills a bucket.
fn take_two(free: &mut Vec<u64>, lack: u64) -> bool {
    let (mut low, mut high) = (0, free.len());
    let mut best: Option<(u64, usize, usize)> = None;
    while low + 1 < high {
        let sum = free[low] + free[high - 1];
        if sum < lack {
            high -= 1;
        } else {
            let found = (sum, low, high - 1);
            best = Some(best.map_or(found, |best| best.min(found)));
            low += 1;
        }
    }
    let Some((_, low, high)) = best else { return false };
    free.remove(high);
    free.remove(low);
    true
}

fn take_one(free: &mut Vec<u64>, lack: u64) -> bool {
    let at = free.partition_point(|owner| *owner >= lack);
    at.checked_sub(1).map(|at| free.remove(at)).is_some()
}

/// Whether the owners cover all that the buckets lack: `lack` and `have` are the sums.
fn fill(lacks: &mut [u64], lack: u64, owners: &[u64], have: u64, left: &mut u32) -> Option<bool> {
    if lack == 0 {
        return Some(true);
    }
    let Some((owner, rest)) = owners.split_first().filter(|_| have >= lack) else { return Some(false) };
    // The bucket that the owner fills most closely comes first.
    let (mut tight, mut most) = (None, 1);
    for (at, lack) in lacks.iter().enumerate() {
        if (most..=*owner).contains(lack) {
            (tight, most) = (Some(at), *lack);
        }
    }
    let order = tight.into_iter().chain((0..lacks.len()).filter(|at| Some(*at) != tight));
    let mut last = 0;
    for at in order {
        let before = lacks[at];
        // What a bucket of the same lack could not do, this one cannot.
        if before == 0 || before == last {
            continue;
        }
        last = before;
        *left = left.checked_sub(1)?;
        let given = before.min(*owner);
        lacks[at] = before - given;
        let filled = fill(lacks, lack - given, rest, have - owner, left);
        lacks[at] = before;
        if filled? {
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
            let (lack, have) = (lacks.iter().sum(), owners.iter().sum());
            prop_assert_eq!(super::fill(&mut lacks.clone(), lack, &owners, have, &mut 100_000), Some(naive));
            let mut lacks = lacks;
            lacks.sort_unstable_by(|a, b| b.cmp(a));
            let (mut free, mut open) = (vec![7], vec![7]);
            prop_assert!(naive || !super::is_dealt_at_once(&lacks, &owners, &mut free, &mut open));
        }
    }

    #[test]
    fn a_budget_ends() {
        // Nine buckets that just cannot be filled: the sums suffice, the owners do not fit.
        assert_eq!(super::fill(&mut [100; 9], 900, &[70; 13], 910, &mut 3), None);
    }
}
