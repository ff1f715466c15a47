//! Shares of a whole that are published, kept by drawing what is behind.

use super::rng::Rng;

/// How often each of some classes came, and how often it should.
#[derive(Clone, Debug)]
pub(super) struct Quota<const N: usize> {
    /// In a million.
    wanted: [u64; N],
    counts: [u64; N],
}

/// So many more are drawn as if they were to come: the smaller, the closer the shares are kept.
const AHEAD: u64 = 200;

impl<const N: usize> Quota<N> {
    pub(super) fn new(wanted: [u64; N]) -> Self {
        Self { wanted, counts: [0; N] }
    }

    pub(super) fn count(&mut self, class: usize) {
        self.counts[class] += 1;
    }

    /// Draws a class in proportion to what it lacks.
    pub(super) fn draw(&self, rng: &mut Rng) -> usize {
        let total = self.counts.iter().sum::<u64>() + AHEAD;
        let lacks = |class: usize| (self.wanted[class] * total / 1_000_000).saturating_sub(self.counts[class]);
        let mut left = rng.below((0..N).map(lacks).sum::<u64>().max(1));
        for class in 0..N {
            if left < lacks(class) {
                return class;
            }
            left -= lacks(class);
        }
        N - 1
    }

    /// How often the class came more than it should, in a million of all.
    #[cfg(test)]
    fn share(&self, class: usize) -> u64 {
        self.counts[class] * 1_000_000 / self.counts.iter().sum::<u64>().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_where_others_draw_too() {
        let mut quota = Quota::new([139_000, 758_000, 103_000]);
        let mut rng = Rng::new(1, 2, 3);
        for n in 0..100_000 {
            // A tenth of all is not drawn, and is of the last class.
            let class = if n % 20 == 0 { 2 } else { quota.draw(&mut rng) };
            quota.count(class);
        }
        for (class, wanted) in [139_000, 758_000, 103_000_u64].into_iter().enumerate() {
            assert!(quota.share(class).abs_diff(wanted) < 3_000, "{class}: {}", quota.share(class));
        }
    }
}
