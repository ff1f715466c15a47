//! Clusters against true owners.
//!
//! Every item (an address) has a cluster that a rule put it in, and an owner, if that is known. All measures come from the contingency
//! table of the two: n of items by cluster and owner, with a items in a cluster and b of an owner.
//!
//! 1. Pairwise precision, recall and F1: of pairs of items in one cluster and pairs of one owner. Manning, Raghavan and Schuetze,
//!    Introduction to Information Retrieval (2008), section 16.3.
//! 2. B-cubed: the mean over items of n / a and of n / b. Bagga and Baldwin, Entity-based cross-document coreferencing using the vector
//!    space model (COLING-ACL 1998), section 4; Amigo et al., A comparison of extrinsic clustering evaluation metrics based on formal
//!    constraints (Information Retrieval 12, 2009), section 3.4.
//! 3. Adjusted Rand index: Hubert and Arabie, Comparing partitions (Journal of Classification 2, 1985), equation 5.
//! 4. Collapse: the share of the largest cluster, owners in a cluster, clusters of an owner. Moeser and Narayanan, Resurrecting address
//!    clustering in Bitcoin (Financial Cryptography 2022), section 6.

use std::collections::HashMap;
use std::fmt;

use super::Ratio;
use crate::id::{self, EntityIndex};

/// Parts of B-cubed are counted in units of 2^-60, each rounded down.
const UNIT: u128 = 1 << 60;

/// How well clusters agree with owners.
///
/// # Examples
///
/// See [`cluster`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Clustering {
    /// Items whose owner is known: what every measure but [`largest`](Self::largest) is of.
    pub items: u64,
    /// Items whose owner is not known, left out.
    pub unknown: u64,
    /// Clusters that hold an item whose owner is known.
    pub clusters: u64,
    /// Owners of the items.
    pub owners: u64,
    /// The share of all items, known or not, that are in the largest cluster.
    pub largest: Ratio,
    /// The most owners in one cluster.
    pub owners_max: u64,
    /// Pairs of a cluster and an owner that share an item.
    pub cells: u64,
    /// Each owner's part, in order: the groups for a [`Bootstrap`](super::Bootstrap).
    pub by_owner: Vec<OwnerPart>,
}

/// What one owner's items add to each measure: the measure is the ratio of the sums over the owners.
///
/// A pair of items counts once from either item, so that a pair of two owners is half each one's.
///
/// # Examples
///
/// See [`cluster`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OwnerPart {
    /// The owner.
    pub owner: EntityIndex,
    /// Items that are the owner's.
    pub items: u64,
    /// Pairs from an item of the owner to another that is in the same cluster and the owner's.
    pub both: u128,
    /// Pairs from an item of the owner to another in the same cluster.
    pub together: u128,
    /// Pairs from an item of the owner to another of the owner.
    pub owned: u128,
    /// The sum over the owner's items of their B-cubed precision, in units of 2^-60.
    pub bcubed_precision: u128,
    /// The sum over the owner's items of their B-cubed recall, in units of 2^-60.
    pub bcubed_recall: u128,
}

impl OwnerPart {
    /// Returns its part of the pairwise precision.
    pub fn precision(&self) -> Ratio {
        Ratio::new(self.both, self.together)
    }

    /// Returns its part of the pairwise recall.
    pub fn recall(&self) -> Ratio {
        Ratio::new(self.both, self.owned)
    }

    /// Returns its part of the pairwise F1.
    pub fn f1(&self) -> Ratio {
        Ratio::new(2 * self.both, self.together + self.owned)
    }

    /// Returns its part of the B-cubed precision.
    pub fn bcubed_precision(&self) -> Ratio {
        Ratio::new(self.bcubed_precision, u128::from(self.items) * UNIT)
    }

    /// Returns its part of the B-cubed recall.
    pub fn bcubed_recall(&self) -> Ratio {
        Ratio::new(self.bcubed_recall, u128::from(self.items) * UNIT)
    }
}

/// The adjusted Rand index: 1 where clusters are the owners, 0 where they agree as by chance, below 0 where less.
///
/// # Examples
///
/// See [`cluster`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Ari {
    /// True when it is below 0.
    pub negative: bool,
    /// Its size; "n/a" where either side has one class alone or none with two items, so that chance cannot do otherwise.
    pub size: Ratio,
}

impl Ari {
    /// Returns the index as a float; `None` for "n/a".
    pub fn to_f64(self) -> Option<f64> {
        self.size.to_f64().map(|size| if self.negative { -size } else { size })
    }
}

impl fmt::Display for Ari {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative && self.size.is_defined() {
            f.write_str("-")?;
        }
        self.size.fmt(f)
    }
}

/// Compares clusters with owners: for each item, the cluster a rule put it in and its owner, if that is known.
///
/// # Complexity
///
/// Linear in the items, with a hash table of the pairs of cluster and owner that occur.
///
/// # Examples
///
/// ```
/// use fundtrace::{EntityIndex, eval::cluster};
/// let (ann, bob) = (Some(EntityIndex::from_u32(0)), Some(EntityIndex::from_u32(1)));
/// // Cluster 7 joins two of Ann's addresses and one of Bob's; cluster 9 has Bob's other one, and one of nobody knows whom.
/// let score = cluster([(7, ann), (7, ann), (7, bob), (9, bob), (9, None)]);
/// assert_eq!((score.items, score.unknown), (4, 1));
/// assert_eq!(score.precision().to_string(), "0.3333");
/// assert_eq!(score.recall().to_string(), "0.5000");
/// assert_eq!(score.bcubed_precision().to_string(), "0.6667");
/// assert_eq!(score.bcubed_recall().to_string(), "0.7500");
/// assert_eq!(score.ari().to_string(), "0.0000");
/// assert_eq!(score.owners_max, 2);
/// assert_eq!(score.largest.to_string(), "0.6000");
/// ```
pub fn cluster(items: impl IntoIterator<Item = (u32, Option<EntityIndex>)>) -> Clustering {
    let mut all: HashMap<u32, u64> = HashMap::new();
    let mut cells: HashMap<(EntityIndex, u32), u64> = HashMap::new();
    let (mut known, mut unknown) = (0, 0);
    for (cluster, owner) in items {
        *all.entry(cluster).or_default() += 1;
        match owner {
            Some(owner) => {
                known += 1;
                *cells.entry((owner, cluster)).or_default() += 1;
            }
            None => unknown += 1,
        }
    }
    let largest = Ratio::new(all.values().copied().max().unwrap_or(0), known + unknown);
    drop(all);
    let mut clusters: HashMap<u32, (u64, u64)> = HashMap::new();
    for ((_, cluster), items) in &cells {
        let sums = clusters.entry(*cluster).or_default();
        *sums = (sums.0 + items, sums.1 + 1);
    }
    let mut table: Vec<((EntityIndex, u32), u64)> = cells.into_iter().collect();
    table.sort_unstable();
    let rows = table.chunk_by(|((a, _), _), ((b, _), _)| a == b);
    let by_owner: Vec<OwnerPart> = rows.map(|row| part(row, &clusters)).collect();
    Clustering {
        items: known,
        unknown,
        clusters: id::number(clusters.len()),
        owners: id::number(by_owner.len()),
        largest,
        owners_max: clusters.values().map(|(_, owners)| *owners).max().unwrap_or(0),
        cells: id::number(table.len()),
        by_owner,
    }
}

/// One row of the table: an owner's clusters and how many of its items each has.
fn part(row: &[((EntityIndex, u32), u64)], clusters: &HashMap<u32, (u64, u64)>) -> OwnerPart {
    let items: u64 = row.iter().map(|(_, n)| n).sum();
    let b = u128::from(items);
    let (mut both, mut together, mut precision, mut squares) = (0, 0, 0, 0);
    for ((_, cluster), n) in row {
        let (n, a) = (u128::from(*n), u128::from(clusters[cluster].0));
        both += n * (n - 1);
        together += n * (a - 1);
        precision += n * n * UNIT / a;
        squares += n * n;
    }
    OwnerPart {
        owner: row[0].0.0,
        items,
        both,
        together,
        owned: b * (b - 1),
        bcubed_precision: precision,
        bcubed_recall: squares * UNIT / b,
    }
}

impl Clustering {
    /// Returns the share of pairs in one cluster that have one owner.
    pub fn precision(&self) -> Ratio {
        self.by_owner.iter().map(OwnerPart::precision).sum()
    }

    /// Returns the share of pairs of one owner that are in one cluster.
    pub fn recall(&self) -> Ratio {
        self.by_owner.iter().map(OwnerPart::recall).sum()
    }

    /// Returns the harmonic mean of pairwise precision and recall.
    pub fn f1(&self) -> Ratio {
        self.by_owner.iter().map(OwnerPart::f1).sum()
    }

    /// Returns the mean over items of the share of its cluster that is its owner's, too small by less than 2^-59.
    pub fn bcubed_precision(&self) -> Ratio {
        self.by_owner.iter().map(OwnerPart::bcubed_precision).sum()
    }

    /// Returns the mean over items of the share of its owner's items that are in its cluster, too small by less than 2^-59.
    pub fn bcubed_recall(&self) -> Ratio {
        self.by_owner.iter().map(OwnerPart::bcubed_recall).sum()
    }

    /// Returns the harmonic mean of B-cubed precision and recall, in units of 2^-60 where the two are.
    pub fn bcubed_f1(&self) -> Ratio {
        if self.items == 0 {
            return Ratio::default();
        }
        let mean = |sum: Ratio| sum.num / u128::from(self.items);
        let (p, r) = (mean(self.bcubed_precision()), mean(self.bcubed_recall()));
        Ratio::new(2 * p * r, (p + r) * UNIT)
    }

    /// Returns the adjusted Rand index.
    pub fn ari(&self) -> Ari {
        // As in the paper, but both parts times 2T: S pairs in one cluster and of one owner, A in one cluster, B of one owner, T in all.
        let count = |pairs: fn(&OwnerPart) -> u128| self.by_owner.iter().map(pairs).sum::<u128>() / 2;
        let items = u128::from(self.items);
        let all = items * items.saturating_sub(1) / 2;
        // Above 2^32 items the products would overflow; what is lost is below 2^-60.
        let shift = (u128::BITS - all.leading_zeros()).saturating_sub(63);
        let (s, a, b) = (count(|part| part.both), count(|part| part.together), count(|part| part.owned));
        let (s, a, b, t) = (s >> shift, a >> shift, b >> shift, all >> shift);
        let (found, chance) = (2 * t * s, 2 * a * b);
        let size = Ratio::new(found.abs_diff(chance), t * (a + b) - chance);
        Ari { negative: found < chance, size }
    }

    /// Returns how many clusters an owner's items are in, in the mean: 1 where no owner is divided.
    pub fn clusters_per_owner(&self) -> Ratio {
        Ratio::new(self.cells, self.owners)
    }

    /// Returns how many owners a cluster has, in the mean: 1 where no cluster joins two.
    pub fn owners_per_cluster(&self) -> Ratio {
        Ratio::new(self.cells, self.clusters)
    }
}
