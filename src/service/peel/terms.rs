//! What makes a peel chain: every threshold, and why chains end.

use std::fmt;

use bitcoin::Amount;
use serde::Serialize;

use crate::change::Fingerprint;
use crate::id;

/// Every threshold of the rule. Those without a source are ours.
///
/// # Examples
///
/// ```
/// use fundtrace::service::peel::Terms;
/// let terms = Terms::default().gap_days(2);
/// assert_eq!(terms.gap_seconds, Some(172_800));
/// assert_eq!(terms.steps_min, 3);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Terms {
    /// Shorter chains are no findings: three (BlockSci takes two, which most wallets make every day).
    pub steps_min: u32,
    /// Outputs that can be spent, at most: two, the one that goes on and one peel.
    pub outputs_max: usize,
    /// Other inputs up to this amount do not count as co-spent: 1,000 sat.
    pub dust_max: Amount,
    /// What a peel has at least: 546 sat, below which nothing is relayed.
    pub peel_min: Amount,
    /// What a peel has at most, in parts of a million of what can be spent: half.
    pub peel_max_ppm: u32,
    /// Blocks between two steps, at most: 1,008, a week. Where a height is unknown the gap is not asked.
    pub gap_blocks: Option<u32>,
    /// Seconds between two steps, at most, by block times: not asked.
    pub gap_seconds: Option<u32>,
    /// Flags of [`Fingerprint`] that two steps in a row share: version, kind of lock time, replaceability, what scripts are spent and
    /// whether with a witness. Where the facts behind them are unknown they are not asked.
    pub mask: u32,
}

impl Default for Terms {
    fn default() -> Self {
        use Fingerprint as F;
        Self {
            steps_min: 3,
            outputs_max: 2,
            dust_max: Amount::from_sat(1_000),
            peel_min: Amount::from_sat(546),
            peel_max_ppm: 500_000,
            gap_blocks: Some(1_008),
            gap_seconds: None,
            mask: F::VERSION_2
                | F::LOCKTIME_HEIGHT
                | F::LOCKTIME_TIME
                | F::RBF
                | F::P2PKH
                | F::P2WPKH
                | F::P2SH
                | F::P2WSH
                | F::ADDRESS_OTHER,
        }
    }
}

impl Terms {
    /// Returns every threshold by name, units last; `None` where it is not asked. `mix_min_ppm` is how sure a detector is of what ends a chain as
    /// a mix.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::service::peel::Terms;
    /// let all = Terms::default().parameters();
    /// assert_eq!((all[0], all.len()), (("steps_min", Some(3)), 9));
    /// assert!(all.contains(&("gap_seconds_max", None)));
    /// ```
    pub fn parameters(&self) -> [(&'static str, Option<u64>); 9] {
        [
            ("steps_min", Some(self.steps_min.into())),
            ("outputs_max", Some(id::number(self.outputs_max))),
            ("dust_max_sat", Some(self.dust_max.to_sat())),
            ("peel_min_sat", Some(self.peel_min.to_sat())),
            ("peel_max_ppm", Some(self.peel_max_ppm.into())),
            ("gap_blocks_max", self.gap_blocks.map(u64::from)),
            ("gap_seconds_max", self.gap_seconds.map(u64::from)),
            ("fingerprint_mask", Some(self.mask.into())),
            ("mix_min_ppm", Some(super::MIX.to_ppm().into())),
        ]
    }

    /// Sets the most days between two steps, by block times.
    #[must_use]
    pub fn gap_days(mut self, days: u32) -> Self {
        self.gap_seconds = Some(days.saturating_mul(86_400));
        self
    }

    /// Sets the least number of steps.
    #[must_use]
    pub fn steps_min(mut self, steps: u32) -> Self {
        self.steps_min = steps;
        self
    }

    /// Sets the flags that two steps share; none with 0.
    #[must_use]
    pub fn mask(mut self, mask: u32) -> Self {
        self.mask = mask;
        self
    }
}

impl fmt::Display for Terms {
    /// The parameters, as a rule's are written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.parameters().into_iter().enumerate() {
            f.write_str(if at == 0 { "" } else { " " })?;
            match value {
                Some(value) => write!(f, "{name}={value}")?,
                None => write!(f, "{name}=none")?,
            }
        }
        Ok(())
    }
}

/// Why a peel chain ends, or why a transaction is no step of one.
///
/// # Examples
///
/// ```
/// assert_eq!(fundtrace::service::peel::Stop::CoSpent.as_str(), "co_spent");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stop {
    /// What is left is unspent.
    Unspent,
    /// Nobody knows who spends it, or what the spender's inputs are worth.
    Unknown,
    /// It pays a tagged address.
    Service,
    /// It enters a mix.
    Mix,
    /// It is spent together with other coins.
    CoSpent,
    /// It is moved on whole: nothing is cut off.
    Whole,
    /// It is divided among more outputs than a step has.
    Split,
    /// The change rule names no output, or does not apply; of [`Ratio`](super::Ratio), none is great enough.
    NoChange,
    /// The change rule cannot tell which output goes on.
    Ambiguous,
    /// What is cut off is too little or too much.
    Amount,
    /// The next step comes too late.
    Gap,
    /// The next step looks like another wallet's.
    Fingerprint,
}

impl Stop {
    /// Returns the name, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspent => "unspent",
            Self::Unknown => "unknown",
            Self::Service => "service",
            Self::Mix => "mix",
            Self::CoSpent => "co_spent",
            Self::Whole => "whole",
            Self::Split => "split",
            Self::NoChange => "no_change",
            Self::Ambiguous => "ambiguous",
            Self::Amount => "amount",
            Self::Gap => "gap",
            Self::Fingerprint => "fingerprint",
        }
    }
}
