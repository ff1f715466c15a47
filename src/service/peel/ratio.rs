//! What is left of a coin is most of it: the output that gets a given share of what a payment pays out.

use crate::chain::OutputSet;
use crate::change::{Change, Payment};

/// The share that goes on, in millionths: `rho` of the literature (0.8).
const RHO_PPM: u32 = 800_000;

/// The output worth at least `rho` of all that can be spent: `v_next >= rho * v_total`.
///
/// It looks at nothing else, so it is asked where a chain's changes show no other sign. From a half on, no two outputs can pass.
///
/// # Examples
///
/// ```
#[doc = include_str!("../../change/sketch.txt")]
/// use fundtrace::service::peel::Ratio;
/// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(100, "bob"), (799, "new")])]);
/// assert_eq!(vouts(&chain, "t", &Ratio::default()), Some(vec![1]));
/// // 799 of 899 is less than nine tenths.
/// assert_eq!(vouts(&chain, "t", &Ratio::of_ppm(900_000)), Some(vec![]));
/// ```
///
/// # Fooled by
///
/// Whoever spends most of a coin at once: the change is the small one.
///
/// ```
#[doc = include_str!("../../change/sketch.txt")]
/// use fundtrace::service::peel::Ratio;
/// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(850, "car"), (49, "alice2")])]);
/// assert_eq!(vouts(&chain, "t", &Ratio::default()), Some(vec![0]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ratio {
    rho_ppm: u32,
}

impl Ratio {
    /// Makes the rule for another share, in parts of a million.
    pub const fn of_ppm(rho_ppm: u32) -> Self {
        Self { rho_ppm }
    }
}

impl Default for Ratio {
    fn default() -> Self {
        Self::of_ppm(RHO_PPM)
    }
}

impl Change for Ratio {
    fn name(&self) -> &'static str {
        "ratio"
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        vec![("rho_ppm", self.rho_ppm.to_string())]
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        let total: u64 = payment.spendable().map(|paid| paid.value.to_sat()).sum();
        let least = u128::from(total) * u128::from(self.rho_ppm);
        payment.those(|paid| u128::from(paid.value.to_sat()) * 1_000_000 >= least)
    }
}
