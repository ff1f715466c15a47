//! Chance without floats: numbers that depend on the seed, on who asks and on how often it asked, and on nothing else.
//!
//! [`Rng`] is a counter-based generator: the n-th number of a stream is a hash of the seed, the stream and n (the finaliser of
//! `SplitMix64`: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, section 3). The distributions are
//! read off tables of quantiles in integers, because a logarithm in floating point is not the same number on every machine, and a world
//! must be.

use crate::id;

/// A stream of numbers.
#[derive(Clone, Debug)]
pub(super) struct Rng {
    key: u64,
    count: u64,
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Rng {
    /// The stream of one event of one agent.
    pub(super) fn new(seed: u64, agent: u64, event: u64) -> Self {
        let key =
            mix(mix(seed.wrapping_add(STEP)).wrapping_add(agent.wrapping_mul(STEP)) ^ mix(event.wrapping_add(STEP)));
        Self { key, count: 0 }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.count += 1;
        mix(self.key.wrapping_add(self.count.wrapping_mul(STEP)))
    }

    /// A number below `end`, which must not be 0. Its bias is below 2^-32 for every `end` that is used here.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.number()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    pub(super) fn place(&mut self, len: usize) -> usize {
        id::at(self.below(id::number(len)))
    }

    /// True so many times in a million.
    pub(super) fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    /// Both ends are possible.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.place(from.len())]
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.place(last + 1));
        }
    }

    /// Lognormal with this median; `sigma` in thousandths. Cut off at 3.3 sigma on both sides.
    pub(super) fn lognormal(&mut self, median: u64, sigma: u32) -> u64 {
        let place = self.below(1 << 32);
        lognormal_at(median, sigma, place)
    }

    /// The smaller brother of the greatest of two: if two delays are drawn like this, the greater of them is lognormal with this
    /// median and sigma.
    pub(super) fn half_of_pair(&mut self, median: u64, sigma: u32) -> u64 {
        let place = self.below(1 << 32);
        lognormal_at(median, sigma, (place * place) >> 32)
    }

    /// Exponential with this mean; cut off at 6.9 times the mean.
    pub(super) fn exponential(&mut self, mean: u64) -> u64 {
        let thousandths = interpolate(&EXPONENTIAL, self.below(1 << 32));
        mean * thousandths.unsigned_abs() / 1000
    }

    /// Pareto from `least` on; `inverse` is 1/alpha in thousandths.
    pub(super) fn pareto(&mut self, least: u64, inverse: u32) -> u64 {
        let log = interpolate(&EXPONENTIAL, self.below(1 << 32)) * i64::from(inverse) / 1000;
        scale(least, log)
    }
}

/// The quantile at `place` of 2^32.
pub(super) fn lognormal_at(median: u64, sigma: u32, place: u64) -> u64 {
    scale(median, interpolate(&NORMAL, place) * i64::from(sigma) / 1000)
}

/// Between the two entries next to `place` of 2^32.
fn interpolate(table: &[i64], place: u64) -> i64 {
    let wide = place * id::number(table.len() - 1);
    let (at, rest) = (id::at(wide >> 32), wide & 0xFFFF_FFFF);
    let low = table[at];
    let rise = (table[at + 1] - low) * i64::try_from(rest >> 8).unwrap_or(0);
    low + (rise >> 24)
}

/// `number * e^(log / 1000)`.
fn scale(number: u64, log: i64) -> u64 {
    // 1 / ln 2 in units of 2^32, so that 64ths of an octave and what is left can be read off the bits.
    let octaves = (i128::from(log) * 6_196_328_019) / 1000;
    let whole = i32::try_from(octaves >> 32).unwrap_or(0);
    let place = u64::try_from(octaves & 0xFFFF_FFFF).unwrap_or(0);
    let (at, rest) = (id::at(place >> 26), u128::from(place & 0x3FF_FFFF));
    let rise = u128::from(OCTAVE[at + 1] - OCTAVE[at]) * rest;
    let factor = u128::from(OCTAVE[at]) + (rise >> 26);
    let wide = u128::from(number) * factor;
    let shifted = if whole >= 32 {
        wide << (whole - 32).min(40)
    } else {
        wide.checked_shr((32 - whole).unsigned_abs()).unwrap_or(0)
    };
    u64::try_from(shifted).unwrap_or(u64::MAX)
}

/// Quantiles of the standard normal distribution at 256ths, in thousandths.
#[rustfmt::skip]
const NORMAL: [i64; 257] = [
    -3297, -2660, -2418, -2266, -2154, -2064, -1987, -1921, -1863, -1810, -1762, -1717, -1676, -1637, -1601, -1567,
    -1534, -1503, -1473, -1445, -1418, -1392, -1366, -1342, -1318, -1295, -1273, -1251, -1230, -1209, -1189, -1170,
    -1150, -1132, -1113, -1095, -1078, -1060, -1043, -1026, -1010, -994, -978, -962, -947, -932, -917, -902,
    -887, -873, -858, -844, -831, -817, -803, -790, -776, -763, -750, -737, -725, -712, -699, -687,
    -674, -662, -650, -638, -626, -614, -602, -591, -579, -568, -556, -545, -533, -522, -511, -500,
    -489, -478, -467, -456, -445, -434, -424, -413, -402, -392, -381, -371, -360, -350, -339, -329,
    -319, -308, -298, -288, -278, -268, -257, -247, -237, -227, -217, -207, -197, -187, -177, -167,
    -157, -147, -138, -128, -118, -108, -98, -88, -78, -69, -59, -49, -39, -29, -20, -10,
    0, 10, 20, 29, 39, 49, 59, 69, 78, 88, 98, 108, 118, 128, 138, 147,
    157, 167, 177, 187, 197, 207, 217, 227, 237, 247, 257, 268, 278, 288, 298, 308,
    319, 329, 339, 350, 360, 371, 381, 392, 402, 413, 424, 434, 445, 456, 467, 478,
    489, 500, 511, 522, 533, 545, 556, 568, 579, 591, 602, 614, 626, 638, 650, 662,
    674, 687, 699, 712, 725, 737, 750, 763, 776, 790, 803, 817, 831, 844, 858, 873,
    887, 902, 917, 932, 947, 962, 978, 994, 1010, 1026, 1043, 1060, 1078, 1095, 1113, 1132,
    1150, 1170, 1189, 1209, 1230, 1251, 1273, 1295, 1318, 1342, 1366, 1392, 1418, 1445, 1473, 1503,
    1534, 1567, 1601, 1637, 1676, 1717, 1762, 1810, 1863, 1921, 1987, 2064, 2154, 2266, 2418, 2660,
    3297,
];

/// Quantiles of the exponential distribution at 128ths, in thousandths of the mean.
#[rustfmt::skip]
const EXPONENTIAL: [i64; 129] = [
    0, 8, 16, 24, 32, 40, 48, 56, 65, 73, 81, 90, 98, 107, 116, 125,
    134, 143, 152, 161, 170, 179, 189, 198, 208, 217, 227, 237, 247, 257, 267, 277,
    288, 298, 309, 319, 330, 341, 352, 363, 375, 386, 398, 409, 421, 433, 445, 458,
    470, 483, 495, 508, 521, 535, 548, 562, 575, 589, 604, 618, 633, 647, 662, 678,
    693, 709, 725, 741, 758, 774, 792, 809, 827, 845, 863, 882, 901, 920, 940, 960,
    981, 1002, 1023, 1045, 1068, 1091, 1114, 1138, 1163, 1188, 1214, 1241, 1269, 1297, 1326, 1356,
    1386, 1418, 1451, 1485, 1520, 1556, 1594, 1633, 1674, 1717, 1761, 1808, 1856, 1908, 1962, 2019,
    2079, 2144, 2213, 2287, 2367, 2454, 2549, 2655, 2773, 2906, 3060, 3243, 3466, 3753, 4159, 4852,
    6931,
];

/// 2^(n/64) in units of 2^-32.
#[rustfmt::skip]
const OCTAVE: [u64; 65] = [
    4294967296, 4341736423, 4389014833, 4436808071, 4485121744, 4533961517, 4583333121, 4633242347,
    4683695048, 4734697143, 4786254615, 4838373510, 4891059943, 4944320094, 4998160210, 5052586606,
    5107605667, 5163223846, 5219447668, 5276283726, 5333738689, 5391819295, 5450532358, 5509884764,
    5569883475, 5630535530, 5691848042, 5753828203, 5816483285, 5879820635, 5943847684, 6008571941,
    6074001000, 6140142534, 6207004303, 6274594148, 6342919999, 6411989869, 6481811861, 6552394164,
    6623745059, 6695872913, 6768786189, 6842493438, 6917003306, 6992324534, 7068465956, 7145436504,
    7223245206, 7301901189, 7381413680, 7461792005, 7543045592, 7625183973, 7708216783, 7792153760,
    7877004752, 7962779710, 8049488696, 8137141881, 8225749546, 8315322086, 8405870007, 8497403930,
    8589934592,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_distributions() {
        let mut rng = Rng::new(7, 1, 0);
        let mut drawn: Vec<u64> = (0..100_001).map(|_| rng.lognormal(1_000_000, 1_000)).collect();
        drawn.sort_unstable();
        // e^-1, 1 and e are the quantiles at 15.87, 50 and 84.13 in a hundred.
        for (at, expected) in [(15_866, 367_879), (50_000, 1_000_000), (84_134, 2_718_282)] {
            assert!(drawn[at].abs_diff(expected) * 50 < expected, "{} at {at}", drawn[at]);
        }
        let mean = (0..100_000).map(|_| rng.exponential(600)).sum::<u64>() / 100_000;
        assert!(mean.abs_diff(600) < 12, "{mean}");
        let mut pairs: Vec<u64> =
            (0..100_001).map(|_| rng.half_of_pair(330, 2_391).max(rng.half_of_pair(330, 2_391))).collect();
        pairs.sort_unstable();
        assert!(pairs[50_000].abs_diff(330) < 15, "{}", pairs[50_000]);
    }

    #[test]
    fn scaling_agrees_with_floats() {
        for log in (-9_000..14_000).step_by(37) {
            let exact = 1e9 * (f64::from(log) / 1000.0).exp();
            let found = scale(1_000_000_000, i64::from(log));
            assert!(((found as f64) - exact).abs() <= exact * 1e-4 + 1.0, "{log}: {found} {exact}");
        }
    }

    #[test]
    fn streams_differ_by_seed_agent_and_event() {
        let first = |seed, agent, event| Rng::new(seed, agent, event).number();
        let all = [first(1, 1, 1), first(2, 1, 1), first(1, 2, 1), first(1, 1, 2), first(1, 2, 2)];
        assert!((0..all.len()).all(|a| (0..a).all(|b| all[a] != all[b])));
        assert_eq!(first(5, 6, 7), first(5, 6, 7));
    }
}
