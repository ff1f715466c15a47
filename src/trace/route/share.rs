//! How much of what a transaction took in came by one of its inputs, and what that costs a route.

use std::fmt;

use bitcoin::Amount;

/// What part of a transaction's input value one of its inputs is.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::trace::route::Share;
/// let quarter = Share::new(Amount::from_sat(5), Amount::from_sat(20));
/// assert_eq!(quarter.to_string(), "5/20");
/// assert_eq!(quarter.mixing(), 2 * Share::BIT);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Share {
    /// The value of the input, or of the fee.
    pub part: Amount,
    /// The sum over all inputs; in a coinbase the subsidy and every fee of the block.
    pub whole: Amount,
}

impl Share {
    /// One bit of mixing: a half.
    pub const BIT: u64 = 1 << FRACTION;

    /// What a share of nothing costs: more than any other share.
    pub const ENDLESS: u64 = u64::MAX;

    /// Makes a share of its part and the whole.
    pub const fn new(part: Amount, whole: Amount) -> Self {
        Self { part, whole }
    }

    /// Returns -log2 of the share, in units of 2^-32 bits: 0 for all of it, [`BIT`](Self::BIT) for a half.
    ///
    /// Computed with whole numbers alone, so it is the same on every machine. It is never too great, and too small by less than 2 units.
    /// A part of nothing is [`ENDLESS`](Self::ENDLESS); a part greater than the whole, which no checked chain holds, is 0.
    pub fn mixing(self) -> u64 {
        let (part, whole) = (self.part.to_sat(), self.whole.to_sat());
        match part {
            0 => Self::ENDLESS,
            _ if part >= whole => 0,
            _ => log2(whole, part),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part.to_sat(), self.whole.to_sat())
    }
}

/// How many bits of the logarithm stand behind the point.
const FRACTION: u32 = 32;

/// Where the point of the mantissa stands.
const POINT: u32 = 63;

/// log2(a / b) in units of 2^-32, for a >= b > 0.
///
/// The quotient is brought to 1 <= m < 2. Squaring m doubles its logarithm, so each squaring shows the next bit: it is 1 where the
/// square is 2 or more.
///
/// Error, always downwards: m and each square are cut to 63 bits behind the point, which takes less than 2^-62 off the logarithm, and
/// the n-th square counts 2^-n of its own. That is less than 2^-60 in all; what stands behind the 32nd bit is less than 2^-32.
fn log2(a: u64, b: u64) -> u64 {
    let (a, b) = (u128::from(a), u128::from(b));
    let whole = (a / b).ilog2();
    let mut mantissa = (a << POINT) / (b << whole);
    let mut bits = u64::from(whole);
    for _ in 0..FRACTION {
        mantissa = (mantissa * mantissa) >> POINT;
        bits <<= 1;
        if mantissa >> (POINT + 1) != 0 {
            mantissa >>= 1;
            bits |= 1;
        }
    }
    bits
}
