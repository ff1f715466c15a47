//! Confidence intervals by resampling groups.
//!
//! The percentile method: groups are drawn with replacement, as many as there are, and the statistic is taken anew; the interval lies
//! between two order statistics of the outcomes. Efron and Tibshirani, An Introduction to the Bootstrap (1993), sections 6.2 and 13.3;
//! the ranks as in section 12.5. Groups are owners or thefts, for items of one owner are alike and an interval over them would be
//! too narrow (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).
//!
//! Draws are numbers of a counter, mixed as in SplitMix: Steele, Lea and Flood, Fast splittable pseudorandom number generators (OOPSLA
//! 2014), figure 14. So the interval is the same on any number of threads.

use std::cmp::Ordering;

use super::Ratio;
use crate::id;
use crate::par;

/// How to find an interval.
///
/// # Examples
///
/// ```
/// use fundtrace::eval::{Bootstrap, Ratio};
/// // Ten thefts; of each, what a rule found and what there was to find.
/// let thefts: Vec<Ratio> = (0..10_u32).map(|n| Ratio::new(90 + n, 100_u32)).collect();
/// let interval = Bootstrap::default().interval(&thefts).unwrap();
/// assert_eq!(interval.value.to_string(), "0.9450");
/// assert!(interval.low.to_f64() < Some(0.945) && interval.high.to_f64() > Some(0.945));
/// assert_eq!(Bootstrap::default().interval(&thefts), Some(interval));
/// // Of one theft nothing can be said about others.
/// assert_eq!(Bootstrap::default().interval(&thefts[..1]), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Bootstrap {
    /// How often the groups are drawn anew.
    pub resamples: u32,
    /// How many in a thousand intervals should hold the true value.
    pub level_permille: u32,
    /// Decides the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 1000, level_permille: 950, seed: 0 }
    }
}

/// A value, and between what it lies.
///
/// # Examples
///
/// See [`Bootstrap`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Interval {
    /// The ratio of the sums over all groups.
    pub value: Ratio,
    /// The lower bound.
    pub low: Ratio,
    /// The upper bound.
    pub high: Ratio,
    /// The groups with anything to count.
    pub groups: u64,
    /// The resamples that gave a value.
    pub resamples: u32,
    /// The resamples of which all groups had nothing to count, left out.
    pub undefined: u32,
}

impl Bootstrap {
    /// Sets how often the groups are drawn anew; 1000 unless told.
    #[must_use]
    pub fn resamples(mut self, resamples: u32) -> Self {
        self.resamples = resamples;
        self
    }

    /// Sets how many in a thousand intervals should hold the true value; 950 unless told.
    #[must_use]
    pub fn level_permille(mut self, level: u32) -> Self {
        self.level_permille = level;
        self
    }

    /// Sets the seed; 0 unless told.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Finds the interval of the ratio of the sums of groups. Resamples are ordered by their exact values.
    ///
    /// `None` with fewer than two groups that have anything to count, and without resamples: then there is no interval, not a narrow one.
    ///
    /// # Complexity
    ///
    /// Groups times resamples, on the caller's rayon pool.
    pub fn interval(&self, groups: &[Ratio]) -> Option<Interval> {
        let counted = groups.iter().filter(|group| group.is_defined()).count();
        if counted < 2 {
            return None;
        }
        let numbers: Vec<u32> = (0..self.resamples).collect();
        let mut outcomes = par::map(&numbers, |number| self.resample(groups, *number));
        outcomes.retain(|outcome| outcome.is_defined());
        outcomes.sort_by(|a, b| a.compare(*b).unwrap_or(Ordering::Equal));
        let resamples = id::small(outcomes.len());
        // The k-th smallest and the k-th greatest, k the whole part of (B + 1) alpha, alpha half of what the level leaves.
        let tail = u64::from(1000_u32.saturating_sub(self.level_permille));
        let k = id::at((u64::from(resamples) + 1) * tail / 2000).max(1);
        let low = *outcomes.get(k - 1)?;
        let high = *outcomes.get(outcomes.len().checked_sub(k)?)?;
        let value = groups.iter().copied().sum();
        let undefined = self.resamples - resamples;
        Some(Interval { value, low, high, groups: id::number(counted), resamples, undefined })
    }

    fn resample(&self, groups: &[Ratio], number: u32) -> Ratio {
        let count = id::number(groups.len());
        let first = u64::from(number).wrapping_mul(count);
        (0..count).map(|draw| groups[id::at(below(self.seed, first.wrapping_add(draw), count))]).sum()
    }
}

/// A number below `end` from a seed and a counter; each is as likely as another, but for one part in 2^64 / `end`.
pub(super) fn below(seed: u64, counter: u64, end: u64) -> u64 {
    let high = (u128::from(mix(seed, counter)) * u128::from(end)) >> 64;
    u64::try_from(high).expect("the high half of a product of two 64-bit numbers")
}

/// SplitMix64's output number `counter` from the state `seed`.
fn mix(seed: u64, counter: u64) -> u64 {
    let mut z = seed.wrapping_add(counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_splitmix64() {
        // The first numbers of the reference implementation (Vigna, splitmix64.c) from the state 1234567.
        let first: Vec<u64> = (0..3).map(|counter| mix(1_234_567, counter)).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn draws_are_even() {
        let mut counts = [0_u32; 7];
        for counter in 0..70_000 {
            counts[id::at(below(3, counter, 7))] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }

    #[test]
    fn bounds_are_the_25th_and_the_976th_of_a_thousand() {
        let groups: Vec<Ratio> = (0..9_u32).map(|n| Ratio::new(n * n, 100_u32)).collect();
        let method = Bootstrap::default();
        let mut outcomes: Vec<Ratio> = (0..1000).map(|number| method.resample(&groups, number)).collect();
        outcomes.sort_by_key(|outcome| outcome.num);
        let interval = method.interval(&groups).unwrap();
        assert_eq!((interval.low, interval.high), (outcomes[24], outcomes[975]));
    }
}
