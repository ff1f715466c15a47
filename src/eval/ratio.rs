//! A ratio of whole numbers, exact until it is printed.

use std::cmp::Ordering;
use std::fmt;
use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// A ratio of whole numbers; one over nothing is not a number and prints as "n/a".
///
/// It is kept as it was counted and not reduced: 3 of 4 is not the same finding as 300 of 400, so `==` compares the counts and
/// [`compare`](Self::compare) the values. Printed with four decimals, or as many as are asked for, the last one rounded half up.
///
/// # Examples
///
/// ```
/// use fundtrace::eval::Ratio;
/// let precision = Ratio::new(2_u32, 3_u32);
/// assert_eq!(precision.to_string(), "0.6667");
/// assert_eq!(format!("{precision:.1}"), "0.7");
/// assert_eq!(Ratio::new(0_u32, 0_u32).to_string(), "n/a");
/// // The ratio of the sums, not the sum of the ratios.
/// assert_eq!([Ratio::new(1_u32, 2_u32), Ratio::new(5_u32, 6_u32)].into_iter().sum::<Ratio>(), Ratio::new(6_u32, 8_u32));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Debug, Serialize, Deserialize)]
pub struct Ratio {
    /// What was counted.
    pub num: u128,
    /// Of how much.
    pub den: u128,
}

impl Ratio {
    /// Makes a ratio.
    pub fn new(num: impl Into<u128>, den: impl Into<u128>) -> Self {
        Self { num: num.into(), den: den.into() }
    }

    /// True when there is something below the line.
    pub fn is_defined(self) -> bool {
        self.den > 0
    }

    /// Returns the nearest float, or close to it: both parts are rounded to 53 bits, then divided. `None` for "n/a".
    pub fn to_f64(self) -> Option<f64> {
        self.is_defined().then(|| self.num as f64 / self.den as f64)
    }

    /// Compares the values, exactly; `None` when either is "n/a".
    ///
    /// By the digits of the two continued fractions, as Euclid's algorithm gives them, because cross products of 128 bits overflow.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::eval::Ratio;
    /// use std::cmp::Ordering;
    /// let max = u128::MAX;
    /// assert_eq!(Ratio::new(max - 1, max).compare(Ratio::new(max - 2, max - 1)), Some(Ordering::Greater));
    /// assert_eq!(Ratio::new(1_u32, 2_u32).compare(Ratio::new(2_u32, 4_u32)), Some(Ordering::Equal));
    /// assert_eq!(Ratio::default().compare(Ratio::default()), None);
    /// ```
    pub fn compare(self, other: Self) -> Option<Ordering> {
        if !self.is_defined() || !other.is_defined() {
            return None;
        }
        let (mut a, mut b) = ((self.num, self.den), (other.num, other.den));
        let mut flipped = false;
        loop {
            let order = (a.0 / a.1).cmp(&(b.0 / b.1));
            let rests = (a.0 % a.1, b.0 % b.1);
            let order = match (order, rests) {
                (Ordering::Equal, (0, 0)) => return Some(Ordering::Equal),
                (Ordering::Equal, (0, _)) => Ordering::Less,
                (Ordering::Equal, (_, 0)) => Ordering::Greater,
                (Ordering::Equal, (x, y)) => {
                    // x/d < y/e exactly when d/x > e/y.
                    (a, b, flipped) = ((a.1, x), (b.1, y), !flipped);
                    continue;
                }
                (unequal, _) => unequal,
            };
            return Some(if flipped { order.reverse() } else { order });
        }
    }
}

/// The ratio of the sums. Sums that do not fit stay at the greatest number: no count of satoshis or of pairs comes near.
impl Sum for Ratio {
    fn sum<I: Iterator<Item = Self>>(ratios: I) -> Self {
        ratios.fold(Self::default(), |sum, ratio| Self {
            num: sum.num.saturating_add(ratio.num),
            den: sum.den.saturating_add(ratio.den),
        })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_defined() {
            return f.write_str("n/a");
        }
        // Room for ten times the rest; what is lost is far below the last decimal.
        let shift = if self.den > u128::MAX / 10 { 4 } else { 0 };
        let (num, den) = (self.num >> shift, self.den >> shift);
        let (mut whole, mut rest) = (num / den, num % den);
        let mut decimals = Vec::new();
        for _ in 0..f.precision().unwrap_or(4) {
            decimals.push(rest * 10 / den);
            rest = rest * 10 % den;
        }
        if rest >= den - rest {
            match decimals.iter().rposition(|decimal| *decimal < 9) {
                Some(at) => {
                    decimals[at] += 1;
                    decimals[at + 1..].fill(0);
                }
                None => {
                    whole = whole.saturating_add(1);
                    decimals.fill(0);
                }
            }
        }
        write!(f, "{whole}")?;
        if !decimals.is_empty() {
            f.write_str(".")?;
        }
        decimals.into_iter().try_for_each(|decimal| write!(f, "{decimal}"))
    }
}
